"""From a preset to its studies and cells: everything that will be trained, fully spelled out.

A cell is dataset x model x corruption x regularizer. Its specification holds every value that its
result depends on, so that the canonical JSON of it is the cell's identity.
"""

import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rethink import regularizers
from rethink.config import ConfigError, DatasetSettings, Preset, StudySettings, known_regularizers
from rethink.corruption_names import LABEL_KINDS, parse
from rethink.datasets.catalog import KINDS as DATASET_KINDS
from rethink.datasets.catalog import default_crop
from rethink.experiments import KINDS as EXPERIMENT_KINDS
from rethink.files import canonical_json
from rethink.models.arguments import accepted
from rethink.models.catalog import MODELS
from rethink.studies import KINDS as STUDY_KINDS

# Appendix A gives momentum and decay; batch size and epochs are read off its Figure 1a.
DEFAULTS: dict[str, Any] = {
    "epochs": 64,
    "batch_size": 128,
    "momentum": 0.9,
    "learning_rate_decay": 0.95,
    "learning_rate_drops": (),
    "weight_decay": 0.0,
    "random_crop": False,
    "flip": False,
    "rotation": 0.0,
    "dropout": 0.0,
    "early_stopping": None,
    "evaluate_every": 1,
    "fit_accuracy": 0.99,
    "train_examples": None,
    "optimizer": "momentum",
    "label_smoothing": 0.0,
    "mixup": 0.0,
    "random_resized_crop": 0.0,
    "color_distortion": False,
    "top5": False,
}


@dataclass(frozen=True)
class Cell:
    """What is trained together and cached: all replicates of one combination."""

    dataset: str
    model: str
    corruption: str
    regularizer: str
    spec: str
    epochs: int
    replicates: int
    gpus: int

    @property
    def name(self) -> str:
        """Its folder under ``cells/``."""
        return cell_name(self.dataset, self.model, self.corruption, self.regularizer)


@dataclass(frozen=True)
class Study:
    """A study with the names of its cells, in the order of its grids, or of its experiments.

    `dataset` is empty for a study of theory: each experiment has its own.
    """

    name: str
    kind: str
    title: str
    dataset: str
    cells: tuple[str, ...] = ()
    experiments: tuple[str, ...] = ()

    @property
    def figures(self) -> tuple[str, ...]:
        """The names of the figures that draw it."""
        return STUDY_KINDS[self.kind].figures

    def summary(self) -> dict[str, Any]:
        """Return what its figures need to know; the cells they find in its tables."""
        own = {"experiments": list(self.experiments)} if self.experiments else {}
        return {
            "name": self.name,
            "kind": self.kind,
            "title": self.title,
            "dataset": self.dataset,
            **own,
        }


@dataclass(frozen=True)
class Experiment:
    """One result of theory: its script, its data, its specification, the models that it trains.

    `dataset` is empty where the experiment makes its data itself.
    """

    name: str
    script: str
    dataset: str
    spec: str
    models: tuple[str, ...] = ()


@dataclass(frozen=True)
class Grid:
    """Everything that a preset asks for."""

    preset: Preset
    studies: dict[str, Study]
    cells: dict[str, Cell]
    experiments: dict[str, Experiment]
    datasets: dict[str, str]
    corruptions: dict[tuple[str, str], str]

    def corruptions_of(self, dataset: str) -> list[str]:
        """Return the corruptions that the cells of `dataset` use, ``none`` first."""
        names = {cell.corruption for cell in self.cells.values() if cell.dataset == dataset}
        return ["none", *sorted(names - {"none"}, key=_corruption_order)]

    @property
    def sampled(self) -> list[str]:
        """The datasets of cells, of which the report shows images."""
        return [d for d in self.datasets if any(c.dataset == d for c in self.cells.values())]

    def tabulated(self) -> list[str]:
        """Return the studies that have tables: those of cells, and all cells together."""
        return [*(name for name, study in self.studies.items() if study.cells), "all"]

    def claims_spec(self) -> str:
        """Return what the verdicts need to know of the preset, as canonical JSON."""
        parts = self.preset.stands_for
        return canonical_json(
            {
                "name": self.preset.preset,
                "reduced": self.preset.reduced,
                "dataset": parts.cifar10,
                "mnist": parts.mnist,
                "imagenet": parts.imagenet,
            }
        )

    def report_spec(self) -> str:
        """Return what the report needs to know of the preset, as canonical JSON."""
        preset = self.preset
        return canonical_json(
            {
                "name": preset.preset,
                "title": preset.title,
                "reduced": preset.reduced,
                "seed": preset.seed,
                "numerics": preset.numerics,
                "datasets": list(self.datasets),
                "studies": [study.summary() for study in self.studies.values()],
            }
        )


def cell_name(dataset: str, model: str, corruption: str, regularizer: str) -> str:
    """Return the name of a cell, which is its folder under ``cells/``."""
    return f"{dataset}/{model}/{corruption}/{regularizer}"


def _corruption_order(name: str) -> tuple[str, float]:
    kind, level, variant = parse(name)
    return (f"{kind}-{variant}", level or 0.0)


def expand(preset: Preset, source: str) -> Grid:
    """Return the studies, cells, datasets and corruptions of a preset.

    Raises ConfigError for what only shows once the cells are known: an override that fits no cell,
    a random crop where nothing is left to crop.
    """
    used = [s.dataset for s in preset.studies.values() if isinstance(s, StudySettings)]
    used += [_dataset_of(given) for _, _, given in _given_experiments(preset)]
    used = dict.fromkeys(filter(None, used))
    settings = {name: _dataset_settings(preset, name) for name in used}
    studies = {name: _study(name, study) for name, study in preset.studies.items()}
    names = list(dict.fromkeys(name for study in studies.values() for name in study.cells))
    resolver = _Resolver(preset, settings)
    problems = [f"{source}: {text}" for text in _problems(preset, names, resolver)]
    if problems:
        raise ConfigError(problems)
    cells = {name: resolver.cell(name) for name in names}
    pairs = dict.fromkeys((c.dataset, c.corruption) for c in cells.values())
    return Grid(
        preset=preset,
        studies=studies,
        cells=cells,
        experiments=_experiments(preset, resolver),
        datasets={name: _dataset_spec(name, entry) for name, entry in settings.items()},
        corruptions={
            (d, c): _corruption_spec(d, c, settings[d], preset.seed)
            for d, c in pairs
            if c != "none"
        },
    )


def _dataset_settings(preset: Preset, name: str) -> DatasetSettings:
    return preset.datasets.get(name) or DatasetSettings(kind=name)


def _dataset_spec(name: str, settings: DatasetSettings) -> str:
    """Return what a dataset is; a mirror or a local copy of its archives is not part of that."""
    kind = DATASET_KINDS[settings.kind]
    spec: dict[str, Any] = {"name": name, "kind": settings.kind, "module": kind.module}
    if settings.kind == "imagefolder":
        spec["folder"] = str(settings.folder)
        spec["image_size"] = settings.image_size
    if settings.sha256 is not None:
        spec["sha256"] = settings.sha256
    return canonical_json(spec)


def _corruption_spec(dataset: str, corruption: str, settings: DatasetSettings, seed: int) -> str:
    """Return what a corruption is; `area` is the side of the square that alone is corrupted."""
    spec: dict[str, Any] = {"dataset": dataset, "corruption": corruption, "seed": seed}
    if _corrupts_crop(corruption, settings):
        spec["area"] = _crop(settings)
    return canonical_json(spec)


def _corrupts_crop(corruption: str, settings: DatasetSettings) -> bool:
    """Return whether a corruption changes the pixels of the central crop alone."""
    kind = parse(corruption).kind
    return settings.corrupted_area == "crop" and kind not in ("none", *LABEL_KINDS)


def _crop(settings: DatasetSettings) -> int:
    """Return the side of the networks' input in pixels."""
    return settings.crop or default_crop(_side(settings))


def _input(settings: DatasetSettings) -> dict[str, Any]:
    """Return how images become the networks' input; `whitening` only where it is not the usual."""
    usual = settings.whitening == DatasetSettings.model_fields["whitening"].default
    return {"crop": _crop(settings)} | ({} if usual else {"whitening": settings.whitening})


def _given_experiments(preset: Preset) -> list[tuple[str, str, Any]]:
    """Return the experiments of all studies of theory: their script, name and section."""
    return [
        (EXPERIMENT_KINDS[study.kind].script, name, given)
        for study in preset.studies.values()
        for name, given in getattr(study, "experiments", {}).items()
    ]


def _dataset_of(given: Any) -> str:
    """Return the dataset of an experiment's section, nothing where it makes its data itself."""
    return getattr(given, "dataset", "")


def _experiments(preset: Preset, resolver: "_Resolver") -> dict[str, Experiment]:
    """Return the experiments of all studies of theory, by name."""
    found = {}
    for script, name, given in _given_experiments(preset):
        spec = {"name": name, "seed": preset.seed, **given.given()}
        models = getattr(given, "models", ())
        if models:
            spec |= resolver.trained(given.dataset, models, spec.pop("epochs", None))
        found[name] = Experiment(name, script, _dataset_of(given), canonical_json(spec), models)
    return found


def _study(name: str, settings: Any) -> Study:
    title = settings.title or STUDY_KINDS[settings.kind].title
    if not isinstance(settings, StudySettings):
        return Study(name, settings.kind, title, "", experiments=tuple(settings.experiments))
    names = [
        cell_name(settings.dataset, model, corruption, regularizer)
        for grid in settings.grids
        for model in grid.models
        for corruption in grid.corruptions
        for regularizer in grid.regularizers
    ]
    return Study(name, settings.kind, title, settings.dataset, tuple(dict.fromkeys(names)))


def _side(settings: DatasetSettings) -> int:
    """Return the height and width of a dataset's images in pixels."""
    side = settings.image_size or DATASET_KINDS[settings.kind].side
    if side is None:
        raise AssertionError("validation asks an imagefolder for its image_size")
    return side


def _problems(preset: Preset, names: list[str], resolver: "_Resolver") -> list[str]:
    problems = []
    for pattern in preset.cells:
        if not any(fnmatch.fnmatchcase(name, pattern) for name in names):
            problems.append(
                f"cells.{pattern}: fits no cell of this preset; a cell is called "
                f"dataset/model/corruption/regularizer, e.g. '{names[0]}'"
            )
    for name, settings in resolver.datasets.items():
        if settings.crop is not None and settings.crop > _side(settings):
            problems.append(
                f"datasets.{name}.crop: {settings.crop} is larger than the images ({_side(settings)})"
            )
    problems += _conflicts(names, resolver)
    cropped = {name.split("/")[0] for name in names if resolver.settings(name)["random_crop"]}
    for name in sorted(cropped):
        settings = resolver.datasets[name]
        if _crop(settings) >= _side(settings):
            problems.append(
                f"datasets.{name}.crop: the regularizer 'crop' needs a crop smaller than the images "
                f"({_side(settings)})"
            )
    return problems + _looks_beyond_the_crop(names, resolver)


def _looks_beyond_the_crop(names: list[str], resolver: "_Resolver") -> list[str]:
    """Return a problem for each dataset with cells that would see pixels left uncorrupted."""
    first: dict[str, str] = {}
    for name in names:
        dataset, _, corruption, _ = name.split("/")
        settings = resolver.settings(name)
        if _corrupts_crop(corruption, resolver.datasets[dataset]) and (
            settings["random_crop"] or settings["rotation"] or settings["random_resized_crop"]
        ):
            first.setdefault(dataset, name)
    return [
        f"datasets.{dataset}.corrupted_area: with 'crop' the rest of an image stays as it is, but "
        f"'{name}' moves the crop: use 'image', or leave that cell out"
        for dataset, name in first.items()
    ]


def _conflicts(names: list[str], resolver: "_Resolver") -> list[str]:
    """Return the cells that ask for two augmentations of which only one can be."""
    problems = []
    for name in names:
        settings = resolver.settings(name)
        others = [key for key in ("random_crop", "rotation") if settings[key]]
        if settings["random_resized_crop"] and others:
            problems.append(
                f"cell {name}: random_resized_crop and {others[0]} exclude each other; choose one"
            )
    return problems


class _Resolver:
    """Resolves the settings of cells: defaults, the model's own, then the preset's layers."""

    def __init__(self, preset: Preset, datasets: dict[str, DatasetSettings]):
        self.preset = preset
        self.datasets = datasets
        own = {name: settings.given() for name, settings in preset.regularizers.items()}
        self.regularizers = known_regularizers(own)
        self.models = {name: self._model_settings(name) for name in MODELS}
        self.overrides = [(pattern, entry) for pattern, entry in preset.cells.items()]

    def _model_settings(self, name: str) -> dict[str, Any]:
        entry = MODELS[name]
        layers = {
            **DEFAULTS,
            "learning_rate": entry.learning_rate,
            "weight_decay_parameters": list(entry.weight_decay_parameters),
            **entry.schedule,
            **self.preset.training.given(),
        }
        coefficient = entry.weight_decay
        if name in self.preset.models:
            given = self.preset.models[name].given()
            coefficient = given.pop("weight_decay", coefficient)
            layers.update(given)
        return {**layers, "coefficient": coefficient}

    def settings(self, name: str) -> dict[str, Any]:
        """Return the training settings of the cell called `name`."""
        _, model, _, regularizer = name.split("/")
        merged = dict(self.models[model])
        coefficient = merged.pop("coefficient")
        merged.update(regularizers.settings(regularizer, self.regularizers))
        if merged["weight_decay"] is None:
            merged["weight_decay"] = coefficient
        for pattern, entry in self.overrides:
            if fnmatch.fnmatchcase(name, pattern):
                merged.update(entry.given())
        return merged

    def arguments(self, model: str) -> dict[str, Any]:
        """Return what the model is built with: its own arguments and the preset's changes."""
        given = self.preset.models[model].arguments if model in self.preset.models else {}
        return {**MODELS[model].arguments, **accepted(model).model_validate(given).changed()}

    def trained(self, dataset: str, models: Iterable[str], epochs: int | None) -> dict[str, Any]:
        """Return how an experiment trains `models` on the clean `dataset`, as cells would."""
        changed = {"epochs": epochs} if epochs else {}
        return {
            "models": {
                model: {
                    "module": MODELS[model].module,
                    "arguments": self.arguments(model),
                    "train": self.settings(cell_name(dataset, model, "none", "none")) | changed,
                }
                for model in models
            },
            "input": _input(self.datasets[dataset]),
            "numerics": self.preset.numerics,
        }

    def number(self, name: str, key: str) -> int:
        """Return the ``replicates`` or the ``gpus`` of the cell called `name`."""
        number = getattr(self.preset, key)
        model = self.preset.models.get(name.split("/")[1])
        if model and getattr(model, key):
            number = getattr(model, key)
        for pattern, entry in self.overrides:
            if getattr(entry, key) and fnmatch.fnmatchcase(name, pattern):
                number = getattr(entry, key)
        return number

    def cell(self, name: str) -> Cell:
        """Return the cell called `name` with its specification."""
        dataset, model, corruption, regularizer = name.split("/")
        settings, replicates = self.settings(name), self.number(name, "replicates")
        entry, source, gpus = MODELS[model], self.datasets[dataset], self.number(name, "gpus")
        spec = {
            "name": name,
            "dataset": dataset,
            "corruption": corruption,
            "regularizer": regularizer,
            "replicates": replicates,
            "seed": self.preset.seed,
            "model": {"name": model, "module": entry.module, "arguments": self.arguments(model)},
            "input": _input(source),
            "train": settings,
            "numerics": self.preset.numerics,
        }
        # Part of the specification: each process normalizes its own part of a batch.
        if gpus > 1:
            spec["processes"] = gpus
        return Cell(
            dataset,
            model,
            corruption,
            regularizer,
            canonical_json(spec),
            settings["epochs"],
            replicates,
            gpus,
        )
