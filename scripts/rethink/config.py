"""Presets: what a configuration file may say, and every mistake in it at once.

A preset is a YAML file. `load` reads it, lays the values of the command line over it and returns
a validated `Preset`, or raises one `ConfigError` that lists all mistakes, one line each, with
their path in the file.
"""

import re
import typing
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    create_model,
    field_validator,
    model_validator,
)

from rethink import experiments, regularizers, studies
from rethink.datasets.catalog import KINDS as DATASET_KINDS
from rethink.errors import RethinkError, suggest
from rethink.fields import (
    CorruptionName,
    Count,
    DatasetName,
    ModelName,
    Name,
    NotNegative,
    Number,
    Positive,
    RegularizerName,
    Section,
    Whole,
)
from rethink.models.arguments import accepted
from rethink.models.catalog import MODELS

MAIN_PRESET = "paper"  # in config/config.yaml, the file that every Snakemake project has
RESERVED_STUDIES = {"all", "samples"}


class ConfigError(RethinkError):
    """A preset with mistakes; `problems` holds one line for each."""

    def __init__(self, problems: list[str]):
        self.problems = problems
        count = "1 mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
        super().__init__(f"{count} in the configuration:\n" + "\n".join(f"  {p}" for p in problems))


class EarlyStopping(Section):
    """Stop when the loss on a held-out part of the training set stops falling; keep the best."""

    validation: Annotated[Number, Field(gt=0, lt=1)] = 0.1
    patience: Count = 10


class Settings(Section):
    """Settings of a training run; what is left out keeps its default or published value."""

    epochs: Count | None = None
    batch_size: Count | None = None
    learning_rate: Positive | None = None
    momentum: Annotated[Number, Field(ge=0, lt=1)] | None = None
    learning_rate_decay: Annotated[Number, Field(gt=0, le=1)] | None = None
    learning_rate_drops: tuple[Count, ...] | None = None
    weight_decay: NotNegative | None = None
    weight_decay_parameters: tuple[str, ...] | None = None
    random_crop: bool | None = None
    flip: bool | None = None
    rotation: Annotated[Number, Field(ge=0, le=180)] | None = None
    dropout: Annotated[Number, Field(ge=0, lt=1)] | None = None
    early_stopping: EarlyStopping | None = None
    evaluate_every: Count | None = None
    fit_accuracy: Annotated[Number, Field(gt=0, le=1)] | None = None
    train_examples: Count | None = None
    optimizer: Literal["momentum", "rmsprop", "adam"] | None = None
    label_smoothing: Annotated[Number, Field(ge=0, lt=1)] | None = None
    mixup: NotNegative | None = None
    random_resized_crop: Annotated[Number, Field(ge=0, le=1)] | None = None
    color_distortion: bool | None = None
    top5: bool | None = None

    def given(self) -> dict[str, Any]:
        """Return the settings that were written down, by name."""
        return self.model_dump(exclude_unset=True, exclude={"replicates", "gpus"})


class CellSettings(Settings):
    """Settings of single cells."""

    replicates: Count | None = None
    gpus: Count | None = None


class ModelSettings(CellSettings):
    """Settings of a model's cells, and arguments of the model itself.

    `weight_decay` is the coefficient that the regularizer of that name switches on. Which
    `arguments` there are depends on the model: `validate` compares them with
    `rethink.models.arguments`.
    """

    arguments: dict[str, Any] = {}

    def given(self) -> dict[str, Any]:
        """Return the training settings that were written down, by name."""
        return self.model_dump(exclude_unset=True, exclude={"replicates", "gpus", "arguments"})


class DatasetSettings(Section):
    """Where a dataset comes from and how it is read."""

    kind: str
    mirror: str | None = None
    folder: Path | None = None
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    image_size: Annotated[Whole, Field(ge=4)] | None = None
    crop: Annotated[Whole, Field(ge=4)] | None = None
    whitening: Literal["after_crop", "before_crop", "fixed", "dataset"] = "after_crop"
    corrupted_area: Literal["image", "crop"] = "image"

    @field_validator("kind")
    @classmethod
    def _known_kind(cls, kind: str) -> str:
        if kind not in DATASET_KINDS:
            raise ValueError(f"unknown dataset kind '{kind}'{suggest(kind, DATASET_KINDS)}")
        return kind

    @field_validator("mirror")
    @classmethod
    def _mirror_is_url(cls, mirror: str | None) -> str | None:
        if mirror is not None and not re.match(r"(https?|file)://.", mirror):
            raise ValueError(f"'{mirror}' should start with http://, https:// or file://")
        return mirror

    @field_validator("folder")
    @classmethod
    def _folder_is_there(cls, folder: Path | None) -> Path | None:
        if folder is not None and not folder.expanduser().is_dir():
            raise ValueError(f"the folder '{folder}' is not there")
        return folder

    @model_validator(mode="after")
    def _imagefolder_is_whole(self) -> "DatasetSettings":
        if self.kind == "imagefolder":
            if self.image_size is None:
                raise ValueError("an imagefolder needs 'image_size', in pixels")
            if self.folder is None:
                raise ValueError(
                    "an imagefolder needs 'folder', which holds train/<class>/ and test/<class>/ (or "
                    "val/), e.g. --config 'datasets={imagenet: {folder: /data/imagenet}}'"
                )
            root = self.folder.expanduser()
            if not (root / "train").is_dir() or not any(
                (root / part).is_dir() for part in ("test", "val")
            ):
                raise ValueError(
                    f"the image folder '{self.folder}' should hold the folders train/ and test/"
                )
        elif self.image_size is not None:
            raise ValueError(
                "'image_size' is for an imagefolder; the other datasets have their own"
            )
        return self


class Axes(Section):
    """A product of models, corruptions and regularizers."""

    models: tuple[ModelName, ...] = Field(min_length=1)
    corruptions: tuple[CorruptionName, ...] = Field(min_length=1)
    regularizers: tuple[RegularizerName, ...] = ("none",)

    @field_validator("corruptions", mode="before")
    @classmethod
    def _spell_out_levels(cls, value: Any) -> Any:
        """Turn the entry ``{labels: [0.1, 0.5]}`` into ``labels-0.1, labels-0.5``."""
        if not isinstance(value, list):
            return value
        names: list[Any] = []
        for entry in value:
            if not isinstance(entry, dict):
                names.append(entry)
                continue
            for kind, levels in entry.items():
                levels = levels if isinstance(levels, list) else [levels]
                names.extend(f"{kind}-{level}" for level in levels)
        return names

    @field_validator("models", "corruptions", "regularizers")
    @classmethod
    def _once_each(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(names))


def _known_kind(kind: Any) -> Any:
    if kind not in studies.KINDS:
        raise ValueError(f"unknown kind of study '{kind}'{suggest(str(kind), studies.KINDS)}")
    return kind


class StudySettings(Section):
    """A table or figure of cells: its kind, its dataset and the grids of cells that it needs."""

    kind: Annotated[str, BeforeValidator(_known_kind)]
    dataset: DatasetName
    title: str | None = None
    grids: tuple[Axes, ...] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _one_grid_written_flat(cls, value: Any) -> Any:
        axes = ("models", "corruptions", "regularizers")
        if not isinstance(value, dict) or "grids" in value or not any(a in value for a in axes):
            return value
        rest = {key: entry for key, entry in value.items() if key not in axes}
        return {**rest, "grids": [{key: value[key] for key in axes if key in value}]}


class TheorySettings(Section):
    """A table or figure of theory: its kind and its experiments."""

    kind: str
    title: str | None = None


CELLS = "cells"  # the tag of the studies that are not about theory
STUDY_SECTIONS: dict[str, type[Section]] = {
    CELLS: StudySettings,
    **{
        kind: create_model(
            f"{kind}_study",
            __base__=TheorySettings,
            experiments=(dict[Name, entry.section], Field(min_length=1)),
        )
        for kind, entry in experiments.KINDS.items()
    },
}


def _study_tag(value: Any) -> str:
    """Return which section describes a study, by its kind."""
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return kind if isinstance(kind, str) and kind in experiments.KINDS else CELLS


AnyStudy = Annotated[
    typing.Union[tuple(Annotated[entry, Tag(tag)] for tag, entry in STUDY_SECTIONS.items())],  # noqa: UP007
    Discriminator(_study_tag),
]


class StandsFor(Section):
    """Which of the preset's datasets plays the part of the paper's when claims are decided."""

    cifar10: Name = "cifar10"
    mnist: Name = "mnist"
    imagenet: Name = "imagenet"


class Preset(Section):
    """One configuration file: a choice of studies, sizes and budgets."""

    preset: Name
    title: str
    reduced: str | None = None
    seed: Annotated[Whole, Field(ge=0)] = 0
    replicates: Count = 1
    numerics: Literal["fp32", "tf32", "bf16"] = "fp32"
    stands_for: StandsFor = StandsFor()
    cells_per_gpu: Count = 1
    gpus: Count = 1
    placement: Literal["auto", "resident", "streamed"] = "auto"
    warm_start: bool = True
    cuda_graphs: bool = False
    datasets: dict[Name, DatasetSettings] = {}
    training: Settings = Settings()
    models: dict[ModelName, ModelSettings] = {}
    regularizers: dict[Name, Settings] = {}
    cells: dict[str, CellSettings] = {}
    studies: dict[Name, AnyStudy] = Field(min_length=1)

    @field_validator("datasets", mode="before")
    @classmethod
    def _kind_from_name(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {name: _with_kind(name, settings) for name, settings in value.items()}

    @field_validator("studies")
    @classmethod
    def _no_reserved_names(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name in RESERVED_STUDIES & value.keys():
            raise ValueError(f"a study cannot be called '{name}': the results use that name")
        return value

    @field_validator("studies")
    @classmethod
    def _experiments_once(cls, value: dict[str, Any]) -> dict[str, Any]:
        owners: dict[str, str] = {}
        for study, settings in value.items():
            for name in getattr(settings, "experiments", {}):
                if name in owners:
                    raise ValueError(
                        f"experiment '{name}' is in the studies '{owners[name]}' and '{study}'; "
                        "its name is its folder: give one of them another"
                    )
                owners[name] = study
        return value

    @field_validator("regularizers")
    @classmethod
    def _own_regularizers(cls, value: dict[str, Settings]) -> dict[str, Settings]:
        for name in value:
            if name == "none":
                raise ValueError("'none' is the absence of a regularizer and sets nothing")
        return value


def _with_kind(name: str, settings: Any) -> Any:
    if settings is None:
        settings = {}
    return {"kind": name, **settings} if isinstance(settings, dict) else settings


def known_regularizers(raw: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the settings of the built-in regularizers and of those that the preset defines."""
    own = raw if isinstance(raw, dict) else {}
    return {**regularizers.BUILT_IN, **{k: v for k, v in own.items() if isinstance(v, dict)}}


def validate(raw: dict[str, Any], source: str) -> Preset:
    """Return the preset described by `raw`; `source` names its file in messages.

    Raises ConfigError with every mistake.
    """
    described = raw.get("datasets")
    described = list(described) if isinstance(described, dict) else []
    context = {
        "datasets": list(dict.fromkeys([*described, *DATASET_KINDS])),
        "described": described,
        "regularizers": known_regularizers(raw.get("regularizers", {})),
    }
    mistakes = _argument_mistakes(raw.get("models"))
    try:
        preset = Preset.model_validate(raw, context=context)
    except ValidationError as error:
        mistakes = error.errors() + mistakes
    if mistakes:
        raise ConfigError([f"{source}: {line}" for line in _sentences(mistakes)])
    return preset


def _argument_mistakes(models: Any) -> list[Any]:
    """Return the mistakes in the arguments of known models, as pydantic reports them."""
    mistakes = []
    for name, settings in models.items() if isinstance(models, dict) else ():
        arguments = settings.get("arguments") if isinstance(settings, dict) else None
        if name not in MODELS or not isinstance(arguments, dict):
            continue
        try:
            accepted(name).model_validate(arguments)
        except ValidationError as error:
            place = ("models", name, "arguments")
            mistakes += [{**entry, "loc": (*place, *entry["loc"])} for entry in error.errors()]
    return mistakes


def _sentences(errors: list[Any]) -> list[str]:
    """Return the mistakes, without those that only follow from a mistake further in."""
    locations = [e["loc"] for e in errors]

    def follows(e: Any) -> bool:
        size = len(e["loc"])
        return e["type"] == "too_short" and any(
            other[:size] == e["loc"] and len(other) > size for other in locations
        )

    return [_sentence(e) for e in errors if not follows(e)]


def _sentence(error: Any) -> str:
    """Return one mistake as ``path: what was wrong``."""
    location = [part for part in error["loc"] if part != "[key]"]
    path = _path(_without_tag(location))
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        known = _known_keys(location[:-1])
        if not known:
            return f"{path}: unknown key '{location[-1]}': there are none here"
        return f"{path}: unknown key '{location[-1]}'{suggest(str(location[-1]), known)}"
    if kind == "missing":
        return f"{path}: this key is missing"
    if kind == "value_error":
        return f"{path}: {context['error']}" if path else str(context["error"])
    text = error["msg"][0].lower() + error["msg"][1:]
    text = text.replace("input should", "should")
    return f"{path}: {text}, not {error['input']!r}"


def _without_tag(location: list[Any]) -> list[Any]:
    """Return a location without the tag that pydantic puts after the name of a study."""
    return location[:2] + location[3:] if location[:1] == ["studies"] else location


def _path(location: list[Any]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _known_keys(location: list[Any]) -> list[str]:
    """Return the keys of the section at `location`, found by walking the declared types."""
    section: Any = Preset
    if location[:1] == ["studies"] and len(location) > 2:
        section, location = STUDY_SECTIONS[location[2]], location[3:]
    if location[:1] == ["models"] and location[2:] == ["arguments"]:
        section, location = accepted(location[1]), []
    for part in location:
        if typing.get_origin(section) in (dict, tuple):
            section = _section_in(section)
            continue
        field = section.model_fields.get(str(part)) if section else None
        section = field.annotation if field else None
        if typing.get_origin(section) not in (dict, tuple):
            section = _section_in(section)
    keys = list(section.model_fields) if section else []
    return [*keys, *Axes.model_fields] if section is StudySettings else keys


def _section_in(annotation: Any) -> type[Section] | None:
    """Return the section class that is `annotation` or stands inside it, as in ``X | None``."""
    for argument in (annotation, *typing.get_args(annotation)):
        if isinstance(argument, type) and issubclass(argument, Section):
            return argument
    return None


def overlay(base: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """Return `base` with `values` laid over it, section by section."""
    merged = dict(base)
    for key, value in values.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = overlay(merged[key], value)
        else:
            merged[key] = value
    return merged


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file; raises ConfigError if it is none."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        detail = " ".join(str(error).split())
        raise ConfigError([f"{path}: not readable as YAML: {detail}"]) from None
    if not isinstance(content, dict):
        raise ConfigError([f"{path}: should be a mapping of keys to values"])
    return content


def load(given: dict[str, Any], folder: Path, source: str | None = None) -> Preset:
    """Return the preset that `given` asks for.

    `given` is Snakemake's configuration: a whole preset (`--configfile`) if it has studies,
    otherwise values (`--config`) over the preset that its key `preset` names in `folder`; without
    that key over ``config.yaml``, the paper's own. Raises ConfigError.
    """
    if "studies" in given and "preset" in given and "title" in given:
        return validate(given, source or "--configfile")
    name = given.get("preset", MAIN_PRESET)
    path = folder / ("config.yaml" if name == MAIN_PRESET else f"{name}.yaml")
    if not path.is_file():
        known = sorted(p.stem for p in folder.glob("*.yaml"))
        raise ConfigError([f"--config preset={name}: no such preset{suggest(str(name), known)}"])
    values = {key: value for key, value in given.items() if key != "preset"}
    return validate(overlay(read_yaml(path), values), f"{folder.name}/{path.name}")
