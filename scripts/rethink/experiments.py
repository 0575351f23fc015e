"""The experiments of the theory studies: what a preset may ask of them, and who does them.

Each is one job that writes ``theory/NAME/result.json``; its command line fills in the defaults.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, Field, model_validator

from rethink.corruption_names import parse
from rethink.fields import (
    CorruptionName,
    Count,
    DatasetName,
    ModelName,
    NotNegative,
    Number,
    Positive,
    Section,
    Whole,
)
from rethink.models.catalog import MODELS

Least2 = Annotated[Whole, Field(ge=2)]


class Experiment(Section):
    """One experiment of a theory study; what is left out keeps its default."""

    def given(self) -> dict[str, Any]:
        """Return the values that were written down."""
        return self.model_dump(mode="json", exclude_unset=True)


class DataExperiment(Experiment):
    """An experiment on one of the preset's datasets; any other makes its data itself."""

    dataset: DatasetName


class Median(Section):
    """A bandwidth in units of the inverse median squared distance."""

    median: Positive


class KernelExperiment(DataExperiment):
    """Exact interpolation by a kernel: see `rethink.theory.interpolation.Spec`."""

    features: Literal["pixels", "gabor", "random_conv"] = "pixels"
    features_arguments: dict[str, Any] = {}
    kernel: Literal["gaussian", "linear"] = "gaussian"
    bandwidth: Positive | Median | None = None
    regularization: tuple[NotNegative, ...] = Field((0.0,), min_length=1)
    regularization_unit: Literal["absolute", "mean_diagonal"] = "absolute"
    train_examples: Count | None = None
    test_examples: Count | None = None
    subset: Literal["random", "first"] = "random"
    precision: Literal["float32", "float64", "auto"] = "auto"
    extra_norms: bool = True
    forced_points: Count = 2000
    leave_one_out: bool | None = None
    tile: Count = 3000

    @model_validator(mode="after")
    def _gaussian_has_bandwidth(self) -> "KernelExperiment":
        if self.kernel == "gaussian" and self.bandwidth is None:
            raise ValueError(
                "a gaussian kernel needs a 'bandwidth': a positive number or {median: c}"
            )
        return self


class Theorem1Experiment(DataExperiment):
    """The networks of Theorem 1: see `rethink.theory.expressivity.run`."""

    sizes: tuple[Least2, ...] = Field((1000, 10_000, 50_000), min_length=1)
    depths: tuple[Least2, ...] = Field((2, 3, 5, 9), min_length=1)
    targets: tuple[Literal["random", "true"], ...] = Field(("random", "true"), min_length=1)


class LinearExperiment(DataExperiment):
    """Linear models with fewer images than pixels: see `rethink.theory.linear.run`."""

    train_examples: Count = 200
    steps: Count = 1_000_000
    batch_size: Count = 16


def _labels_only(name: str) -> str:
    if parse(name).kind not in ("none", "labels"):
        raise ValueError(f"should be 'none' or random labels such as 'labels-1', not '{name}'")
    return name


class StabilityExperiment(DataExperiment):
    """Networks trained again with one example replaced: see `rethink.theory.stability.run`."""

    models: tuple[ModelName, ...] = Field(min_length=1)
    corruptions: tuple[Annotated[CorruptionName, AfterValidator(_labels_only)], ...] = Field(
        ("none", "labels-1"), min_length=1
    )
    pairs: Count = 5
    train_examples: Count | None = None
    epochs: Count | None = None


def _there(path: Path) -> Path:
    if not path.expanduser().is_file():
        raise ValueError(f"the file '{path}' is not there")
    return path.expanduser()


class InformationExperiment(Experiment):
    """Networks on a rule of 12 bits, which makes their data: see `rethink.information.plane.run`."""

    file: Annotated[Path, AfterValidator(_there)] | None = None
    information: Annotated[Number, Field(gt=0, le=0.999)] = 0.99
    activations: tuple[Literal["tanh", "relu"], ...] = Field(("tanh", "relu"), min_length=1)
    train_fractions: tuple[Annotated[Number, Field(gt=0, lt=1)], ...] = Field(
        (0.05, 0.45, 0.85), min_length=1
    )
    depths: tuple[Annotated[Whole, Field(ge=1, le=6)], ...] = Field((5,), min_length=1)
    labels: tuple[Literal["rule", "random"], ...] = Field(("rule",), min_length=1)
    binnings: tuple[Literal["fixed", "range", "occupancy"], ...] = Field(
        ("fixed", "range", "occupancy"), min_length=1
    )
    replicates: Count = 10
    epochs: Count = 8000
    checkpoints: Least2 = 40
    batch_size: Count = 512
    learning_rate: Positive = 4e-4


def _no_signs(name: str) -> str:
    if parse(name).kind == "signs":
        raise ValueError(f"'{name}' is a task of its own, not a noise: use e.g. 'labels-1'")
    return name


Noises = Annotated[
    tuple[Annotated[CorruptionName, AfterValidator(_no_signs)], ...], Field(min_length=1)
]


class EasyHard(Section):
    """See `rethink.memorization.easy_hard`."""

    corruptions: Noises = ("none", "labels-1", "gaussian")
    runs: Least2 = 100
    examples: Least2 = 1000


class LossSensitivity(Section):
    """See `rethink.memorization.loss_sensitivity`."""

    corruptions: Noises = ("none", "labels-1", "gaussian")
    hidden: tuple[Count, ...] = Field((16, 16), min_length=1)
    examples: Least2 = 1000
    pool: Count = 2
    epochs: Count = 25
    batch_size: Count = 100
    learning_rate: Positive = 0.5
    replicates: Count = 5
    moments: Count = 10


class CriticalSamples(Section):
    """See `rethink.memorization.critical_samples`."""

    corruptions: Noises = ("none", "labels-0.5", "labels-1", "gaussian")
    radius: Positive = 0.3
    step: Positive = 0.25
    noise: NotNegative = 0.2
    iterations: Count = 100
    points: Count = 500
    evaluations: Count = 8
    epochs: Count | None = None
    replicates: Count = 1


class Capacity(Section):
    """See `rethink.memorization.capacity`."""

    corruptions: Noises = ("none", "labels-0.5", "labels-1", "gaussian")
    widths: tuple[Count, ...] = Field((8, 32, 128, 512), min_length=1)
    sizes: tuple[Count, ...] = ()
    epochs: Count | None = None
    replicates: Count = 1


class MemorizationExperiment(DataExperiment):
    """How networks memorize, by any of four measures: see `rethink.memorization.run`."""

    models: tuple[ModelName, ...] = ()
    easy_hard: EasyHard | None = None
    loss_sensitivity: LossSensitivity | None = None
    critical_samples: CriticalSamples | None = None
    capacity: Capacity | None = None

    @model_validator(mode="after")
    def _asks_for_something(self) -> "MemorizationExperiment":
        on_models = {
            "easy_hard": self.easy_hard,
            "critical_samples": self.critical_samples,
            "capacity": self.capacity,
        }
        wanted = [name for name, asked in on_models.items() if asked]
        if not wanted and not self.loss_sensitivity:
            raise ValueError(
                "ask for a measure: 'easy_hard', 'loss_sensitivity', 'critical_samples' or "
                "'capacity', e.g. 'easy_hard: {}'"
            )
        if wanted and not self.models:
            raise ValueError(f"'{wanted[0]}' needs 'models' to train, e.g. [mlp_1x512]")
        return self

    @model_validator(mode="after")
    def _capacity_has_widths(self) -> "MemorizationExperiment":
        for name in self.models if self.capacity else ():
            if "hidden" not in MODELS[name].arguments:
                raise ValueError(f"'capacity' needs perceptrons; '{name}' has no hidden widths")
        return self


class Kind(NamedTuple):
    """What a kind of theory study is made of: its experiments' section, and their script."""

    section: type[Experiment]
    script: str


KINDS = {
    "kernels": Kind(KernelExperiment, "kernel"),
    "theorem1": Kind(Theorem1Experiment, "expressivity"),
    "linear_models": Kind(LinearExperiment, "linear"),
    "stability": Kind(StabilityExperiment, "stability"),
    "information_plane": Kind(InformationExperiment, "information_plane"),
    "memorization": Kind(MemorizationExperiment, "memorization"),
}
