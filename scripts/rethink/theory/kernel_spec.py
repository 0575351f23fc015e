"""What a kernel experiment is to do; without torch, which planning cannot load."""

from dataclasses import dataclass, field, fields
from typing import Any

from rethink.errors import RethinkError, suggest

FILTERS = 1024  # of random convolutions, unless their arguments say otherwise
LEAVE_ONE_OUT_EXAMPLES = 20_000  # costs as much as the factorization: done by itself up to here


@dataclass(frozen=True)
class Spec:
    """A kernel experiment.

    features : ``pixels`` (arguments: standardize), ``gabor`` or ``random_conv`` (see `features`)
    kernel : ``gaussian`` or ``linear``
    bandwidth : gamma itself, or ``{"median": c}`` for c / the median squared distance
    regularization : the lambdas, one row of results each
    regularization_unit : ``absolute``, or ``mean_diagonal`` of K
    train_examples, test_examples : None for all
    subset : which of them, a ``random`` subset drawn from the seed or the ``first``
    precision : ``float64``; ``float32`` (goes on to float64 by itself where it fails); ``auto``
        is float64 where it fits in the memory and float32 elsewhere
    extra_norms : compute the interpolants of larger norm too
    forced_points : test points that get random labels for one of them, at most
    leave_one_out : None does it up to 20,000 examples
    tile : columns of the matrix factored at a time
    """

    name: str
    dataset: str
    features: str = "pixels"
    features_arguments: dict[str, Any] = field(default_factory=dict)
    kernel: str = "gaussian"
    bandwidth: float | dict[str, float] | None = None
    regularization: tuple[float, ...] = (0.0,)
    regularization_unit: str = "absolute"
    train_examples: int | None = None
    test_examples: int | None = None
    subset: str = "random"
    precision: str = "auto"
    seed: int = 0
    extra_norms: bool = True
    forced_points: int = 2000
    leave_one_out: bool | None = None
    tile: int = 3000

    @classmethod
    def parse(cls, values: dict[str, Any]) -> "Spec":
        """Return the specification that `values` describe; raises RethinkError."""
        known = [entry.name for entry in fields(cls)]
        for key in values:
            if key not in known:
                raise RethinkError(
                    f"kernel specification: unknown key '{key}'{suggest(key, known)}"
                )
        for key in ("name", "dataset"):
            if key not in values:
                raise RethinkError(f"kernel specification: '{key}' is missing")
        spec = cls(**{**values, "regularization": tuple(values.get("regularization", (0.0,)))})
        choices = {
            "features": ("pixels", "gabor", "random_conv"),
            "kernel": ("gaussian", "linear"),
            "regularization_unit": ("absolute", "mean_diagonal"),
            "subset": ("random", "first"),
            "precision": ("float32", "float64", "auto"),
        }
        for key, allowed in choices.items():
            if getattr(spec, key) not in allowed:
                raise RethinkError(
                    f"kernel specification: {key} is '{getattr(spec, key)}', not one of "
                    f"{', '.join(allowed)}"
                )
        if spec.kernel == "gaussian" and not _positive(spec.bandwidth):
            raise RethinkError(
                "kernel specification: bandwidth should be a positive number (gamma) or "
                f'{{"median": c}}, not {spec.bandwidth!r}'
            )
        if not spec.regularization or min(spec.regularization) < 0:
            raise RethinkError("kernel specification: regularization needs numbers of at least 0")
        return spec


def _positive(bandwidth: Any) -> bool:
    if isinstance(bandwidth, dict):
        return set(bandwidth) == {"median"} and _positive(bandwidth["median"])
    return isinstance(bandwidth, int | float) and bandwidth > 0
