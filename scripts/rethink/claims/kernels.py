"""Claims on exact interpolation by kernels (Section 5, Table 3)."""

from typing import Any, NamedTuple

from rethink.claims.claim import Case, Outcome
from rethink.claims.evidence import Evidence
from rethink.claims.fitting import Limits

# What the paper had: the examples of MNIST and CIFAR-10.
FULL_SIZE = {"mnist": 60_000, "cifar": 50_000}
TITLES = {
    ("mnist", "pixels"): "MNIST pixels",
    ("mnist", "gabor"): "MNIST Gabor",
    ("cifar", "pixels"): "CIFAR-10 pixels",
    ("cifar", "random_conv"): "CIFAR-10 random conv-net",
}


class Experiment(NamedTuple):
    """One kernel experiment: which data and features, the name of its result, and the result."""

    title: str
    need: str
    result: dict[str, Any] | None
    full_size: int

    @property
    def rows(self) -> list[dict[str, Any]]:
        return self.result["rows"] if self.result else []

    @property
    def plain(self) -> dict[str, Any] | None:
        """The row without regularization."""
        return next((row for row in self.rows if row["regularization"] == 0), None)

    @property
    def regularized(self) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["regularization"] > 0]

    @property
    def reduced(self) -> bool:
        """Whether it used fewer training examples than the paper."""
        return bool(self.result) and self.result["train_examples"] < self.full_size

    @property
    def note(self) -> str:
        if not self.reduced:
            return ""
        count = self.result["train_examples"]
        return f"{self.title}: {count:,} of the paper's {self.full_size:,} training examples"

    def outcome(self, holds: bool, ours: str) -> Outcome:
        """Return an outcome that says where fewer examples were used."""
        return Outcome(holds, ours, self.note, self.reduced)


def _experiment(
    evidence: Evidence, data: str, features: str, regularized: bool = False
) -> Experiment:
    """Return the experiment nearest to the paper's, or one that stands for its absence.

    Results without the row in question (lambda = 0, or some lambda > 0) do not count.
    """
    dataset = evidence.mnist if data == "mnist" else evidence.dataset
    title, size = TITLES[data, features], FULL_SIZE[data]
    found = []
    for name, result in evidence.theory.items():
        if not isinstance(result.get("rows"), list) or result.get("dataset") != dataset:
            continue
        if (result.get("features") or {}).get("kind") != features:
            continue
        experiment = Experiment(title, f"theory/{name}", result, size)
        if experiment.plain and (experiment.regularized or not regularized):
            found.append(experiment)
    if not found:
        extra = " with and without l2" if regularized else ""
        need = f"a kernel result on {dataset} with features '{features}'{extra}"
        return Experiment(title, need, None, size)
    return max(found, key=_rank)  # the first by name where they are equal


def _rank(experiment: Experiment) -> tuple:
    """Sort key: what is nearest to the paper, whatever its error."""
    features = experiment.result["features"]
    return (
        experiment.result["train_examples"],
        not features.get("standardize", False),  # the paper used pixels as they are
        features.get("dimension", 0),
        "random_test_labels" in (experiment.result.get("counterexamples") or {}),
    )


def interpolates_and_generalizes(evidence: Evidence, limits: Limits) -> list[Case]:
    """C29: exact interpolation by a kernel generalizes as well as the paper says."""
    raw, gabor = (_experiment(evidence, "mnist", kind) for kind in ("pixels", "gabor"))
    pixels, conv = (_experiment(evidence, "cifar", kind) for kind in ("pixels", "random_conv"))

    def case(experiment: Experiment, low: float, high: float) -> Case:
        def decide() -> Outcome:
            row = experiment.plain
            error = 100 * row["test_error"]
            exact = row["train_error"] == 0 and row.get("interpolates", True)
            holds = exact and low <= error <= high
            ours = f"test error {error:.2f} %, train error {100 * row['train_error']:.2f} %"
            return experiment.outcome(holds, ours)

        return Case(experiment.title, (experiment.need,), decide)

    def half() -> Outcome:
        ratio = gabor.plain["test_error"] / raw.plain["test_error"]
        holds = abs(ratio - 0.5) <= limits["half"] and gabor.plain["train_error"] == 0
        ours = f"{ratio:.2f} of the error on pixels ({100 * gabor.plain['test_error']:.2f} %)"
        return gabor.outcome(holds, ours)

    near = limits["near"]
    return [
        case(raw, 0, limits["mnist"]),
        Case(gabor.title, (gabor.need, raw.need), half),
        case(pixels, limits["pixels"] - near, limits["pixels"] + near),
        case(conv, limits["conv"] - near, limits["conv"] + near),
    ]


def regularization_matters_little(evidence: Evidence, limits: Limits) -> list[Case]:
    """C30: l2 regularization improves no MNIST model, and the convolutional one a little."""

    def case(data: str, features: str, low: float, high: float) -> Case:
        experiment = _experiment(evidence, data, features, regularized=True)

        def decide() -> Outcome:
            best = min(experiment.regularized, key=lambda row: row["test_error"])
            gain = 100 * (experiment.plain["test_error"] - best["test_error"])
            ours = f"gains {gain:.2f} points at lambda {best['regularization']:g}"
            # to 10^-6 of a point: errors are fractions of whole counts
            return experiment.outcome(low - 1e-6 <= gain <= high + 1e-6, ours)

        return Case(experiment.title, (experiment.need,), decide)

    expected, near = limits["conv"], limits["near"]
    return [
        case("mnist", "pixels", float("-inf"), limits["mnist"]),
        case("mnist", "gabor", float("-inf"), limits["mnist"]),
        case("cifar", "random_conv", expected - near, expected + near),
    ]


def norm_does_not_predict(evidence: Evidence, limits: Limits) -> list[Case]:
    """C31: on MNIST the features with the smaller error have the larger minimum norm."""
    raw, gabor = (_experiment(evidence, "mnist", kind) for kind in ("pixels", "gabor"))

    def decide() -> Outcome:
        norms = [experiment.plain["rkhs_norm"] for experiment in (gabor, raw)]
        errors = [100 * experiment.plain["test_error"] for experiment in (gabor, raw)]
        ours = f"norms {norms[0]:.1f} against {norms[1]:.1f}, errors {errors[0]:.2f} and {errors[1]:.2f} %"
        same = gabor.result["train_examples"] == raw.result["train_examples"]
        outcome = gabor.outcome(norms[0] > norms[1] and errors[0] < errors[1] and same, ours)
        if same:
            return outcome
        note = "the two used different numbers of examples: their norms do not compare"
        return Outcome(False, ours, note, outcome.reduced)

    return [Case("MNIST, Gabor against pixels", (gabor.need, raw.need), decide)]


def other_interpolants_are_larger(evidence: Evidence, limits: Limits) -> list[Case]:
    """C32: interpolants that also fit random labels on test points have a larger norm."""
    experiment = _experiment(evidence, "mnist", "pixels")
    found = (experiment.result or {}).get("counterexamples") or {}
    entry = found.get("random_test_labels") or {}
    need = experiment.need if "norm_ratio" in entry else f"counterexamples of {experiment.need}"

    def decide() -> Outcome:
        fits = entry["train_error"] == 0 and entry["test_error_at_points"] > 0.5
        ours = (
            f"{entry['norm_ratio']:.2f} times the minimum norm, random labels at "
            f"{entry['points']:,} test points"
        )
        return experiment.outcome(entry["norm_ratio"] > limits["ratio"] and fits, ours)

    return [Case(experiment.title, (need,), decide)]
