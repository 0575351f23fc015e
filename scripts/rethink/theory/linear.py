"""Linear models with more dimensions than examples (Section 5): which interpolant SGD finds.

With n < d examples of rank n there are infinitely many w with X w = y. The step of SGD is a
combination of rows of X, so that from w = 0 it stays in their span and converges to the one
interpolant there, X^T a with X X^T a = y, which has minimum norm. From w_0 it converges to that
plus the part of w_0 that is orthogonal to the rows. Curvature cannot tell the interpolants apart:
the Hessian (1/n) X^T diag(beta) X, beta_i the second derivative of the loss at (<w, x_i>, y_i),
depends on w through X w = y alone.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import linalg

from rethink import seeds
from rethink.datasets.store import Arrays, open_dataset
from rethink.errors import RethinkError, suggest
from rethink.files import write_json
from rethink.provenance import Record
from rethink.theory.rounding import rounded

# so few examples that a constant step converges in a minute on MNIST; more need patience
DEFAULTS: dict[str, Any] = {"train_examples": 200, "steps": 1_000_000, "batch_size": 16, "seed": 0}
STOP = 1e-9  # the largest residual, relative to that at the start, at which SGD has arrived
CHECK_EVERY = 1000
WATCH_GROWTH = 1.5  # of the number of steps from one look at an iteration to the next
RANK_TOLERANCE = 1e-10  # of the largest singular value


def run(spec: dict[str, Any], manifest: Path, out: Path, record: Record) -> None:
    """Find interpolants in several ways and compare them: result.json and, last, run.json.

    spec : name, dataset, train_examples (fewer than pixels), steps (the most that SGD takes),
        batch_size, seed. Raises RethinkError for anything else and for images without full rank.
    """
    spec = _checked(spec)
    started = time.perf_counter()
    data = open_dataset(manifest)
    sample = draw(data, spec["train_examples"], spec["seed"])
    prepared = time.perf_counter()
    result, seconds = study(sample, spec)
    header = {
        "schema": 1,
        "kind": "linear",
        "name": spec["name"],
        "dataset": sample.name,
        "train_examples": len(sample.train),
        "train_available": len(data.train_images),
        "test_examples": len(sample.test),
        "classes": sample.classes,
        "dimensions": sample.train.shape[1],
    }
    write_json(out / "result.json", rounded(header | result))
    seconds = {"prepare": prepared - started, **seconds}
    record.write(
        out / "run.json",
        [out / "result.json"],
        numerics="float64",
        stage_seconds={stage: round(value, 3) for stage, value in seconds.items()},
    )


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    known = ["name", "dataset", *DEFAULTS]
    for key in values:
        if key not in known:
            raise RethinkError(f"linear: unknown key '{key}'{suggest(key, known)}")
    spec = {"name": "linear", **DEFAULTS, **values}
    for key in ("train_examples", "steps", "batch_size"):
        if not isinstance(spec[key], int) or spec[key] < 1:
            raise RethinkError(f"linear: {key} should be a whole number of at least 1")
    return spec


@dataclass(frozen=True)
class Sample:
    """Images as rows of float64, train (n, d) and test (m, d), and their labels."""

    name: str
    classes: int
    train: np.ndarray
    test: np.ndarray
    train_labels: np.ndarray
    test_labels: np.ndarray

    @property
    def targets(self) -> np.ndarray:
        """One column for each class, 0 and 1, (n, classes)."""
        return np.eye(self.classes)[self.train_labels]


def draw(data: Arrays, count: int, seed: int) -> Sample:
    """Return a random subset of `count` training images, and all test images.

    Every image is brought to mean 0 and standard deviation 1, as in the paper's Appendix A.
    """
    if count > len(data.train_images):
        raise RethinkError(
            f"linear: train_examples is {count:,}, but {data.name} has {len(data.train_images):,}"
        )
    order = seeds.generator(seed, data.name, "linear", "images").permutation(len(data.train_images))
    rows = np.sort(order[:count])
    return Sample(
        data.name,
        data.classes,
        whiten(data.train_images[rows]),
        whiten(data.test_images),
        np.asarray(data.train_labels[rows], np.int64),
        np.asarray(data.test_labels, np.int64),
    )


def whiten(images: np.ndarray) -> np.ndarray:
    """Return images (N, ...) uint8 as rows of mean 0 and standard deviation 1, float64.

    The deviation is not taken below 1/sqrt(pixels), as TensorFlow has it.
    """
    rows = np.asarray(images, np.float64).reshape(len(images), -1) / 255
    rows -= rows.mean(1, keepdims=True)
    return rows / np.maximum(rows.std(1, keepdims=True), rows.shape[1] ** -0.5)


def row_space(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return an orthonormal basis of the span of the rows of `x` (n, d), and the singular values.

    The basis is (n, d). Raises RethinkError unless n < d and the rank is n.
    """
    count, size = x.shape
    if count >= size:
        raise RethinkError(
            f"linear: {count} examples in {size} dimensions leave no choice of interpolant; "
            "lower train_examples"
        )
    _, values, basis = np.linalg.svd(x, full_matrices=False)
    rank = int((values > RANK_TOLERANCE * values[0]).sum())
    if rank < count:
        raise RethinkError(
            f"linear: the {count} training images have rank {rank} only, so that not every "
            "labelling can be fitted; lower train_examples"
        )
    return basis, values


def minimum_norm(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return X^T a with X X^T a = Y: the interpolant of smallest l2 norm, (d, k)."""
    return x.T @ linalg.cho_solve(linalg.cho_factor(x @ x.T), y)


def outside(basis: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Return the part of the columns of `w` (d, k) that is orthogonal to the rows of `basis`."""
    rest = w - basis.T @ (basis @ w)
    return rest - basis.T @ (basis @ rest)  # once more, for the last digits


@dataclass(frozen=True)
class Descent:
    """Where an iteration ended: `w` (d, k), the steps it took, whether it had arrived."""

    w: np.ndarray
    steps: int
    arrived: bool


# Is told of the number of steps taken and of the weights, which it leaves as they are.
Watch = Callable[[int, np.ndarray], None]


def unwatched(steps: int, w: np.ndarray) -> None:
    """Do nothing."""


def sgd(
    x: np.ndarray,
    y: np.ndarray,
    start: np.ndarray,
    steps: int,
    batch_size: int,
    generator: np.random.Generator,
    watch: Watch = unwatched,
) -> Descent:
    """Minimize |X w - Y|^2 / 2n by SGD with a constant step, batches drawn with replacement.

    The step is the inverse of the largest curvature plus the largest |x_i|^2 over the batch size,
    below which the iteration converges for data that can be interpolated (Ma, Bassily and Belkin
    2018). It has arrived when the largest residual is 1e-9 of that at the start or less.
    """
    count = len(x)
    curvature = float(np.linalg.eigvalsh(x @ x.T / count)[-1])
    step = 1 / (curvature + float((x**2).sum(1).max()) / batch_size) / batch_size
    return _descend(
        x,
        y,
        start,
        steps,
        lambda: generator.integers(0, count, size=(CHECK_EVERY, batch_size)),
        lambda rows, residual: step * residual,
        watch,
    )


def block_kaczmarz(
    x: np.ndarray,
    y: np.ndarray,
    start: np.ndarray,
    steps: int,
    batch_size: int,
    generator: np.random.Generator,
    watch: Watch = unwatched,
) -> Descent:
    """Minimize the same by steps that solve their batch exactly (Needell and Tropp 2014).

    Each adds the combination of the batch's rows that fits the batch: SGD whose step is the
    inverse of the batch's Gram matrix. It reaches interpolants of badly conditioned images, for
    which a constant step takes too long.
    """
    count, gram = len(x), x @ x.T

    def direction(rows: np.ndarray, residual: np.ndarray) -> np.ndarray:
        factor = linalg.cho_factor(gram[np.ix_(rows, rows)], check_finite=False)
        return linalg.cho_solve(factor, residual, check_finite=False)

    def batches() -> np.ndarray:
        drawn = generator.random((CHECK_EVERY // 10, count)).argpartition(batch_size - 1, axis=1)
        return drawn[:, :batch_size]

    return _descend(x, y, start, steps, batches, direction, watch)


def _descend(
    x: np.ndarray,
    y: np.ndarray,
    start: np.ndarray,
    steps: int,
    batches: Callable[[], np.ndarray],
    direction: Callable[[np.ndarray, np.ndarray], np.ndarray],
    watch: Watch,
) -> Descent:
    """Add X_B^T direction(B, Y_B - X_B w) for one batch B after another.

    `watch` sees the start, the end, and the weights at numbers of steps that grow geometrically.
    """
    w, done, due = start.copy(), 0, 1
    watch(done, w)
    first = np.abs(y - x @ w).max()
    while done < steps:
        for rows in batches()[: steps - done]:
            batch = x[rows]
            w += batch.T @ direction(rows, y[rows] - batch @ w)
            done += 1
            if done == due:
                watch(done, w)
                due = math.ceil(WATCH_GROWTH * due)
        arrived = bool(np.abs(y - x @ w).max() <= STOP * first)
        if arrived or done == steps:
            watch(done, w)
            return Descent(w, done, arrived)
    raise AssertionError("at least one step is asked for")


# The second derivative of each loss in the prediction z, given the target t.
CURVATURES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "squared": np.ones_like,
    # log(1 + e^z) - t z has its minimum in z where sigmoid(z) = t: interpolation of soft labels
    "logistic": lambda z: 1 / (2 + np.exp(z) + np.exp(-z)),
}
# The logistic loss's labels for the other classes and for the own; they do not add up to 1, for
# then all second derivatives would be the same.
SOFT = (0.1, 0.8)


def hessian(x: np.ndarray, curvature: np.ndarray) -> np.ndarray:
    """Return (1/n) X^T diag(beta) X, (d, d), for `curvature` beta (n,)."""
    return x.T @ (curvature[:, None] * x) / len(x)


def eigenvalues(x: np.ndarray, curvature: np.ndarray) -> np.ndarray:
    """Return the n largest eigenvalues of `hessian`, descending; the others are zero.

    They are the squared singular values of n^(-1/2) diag(beta)^(1/2) X, which keep their digits
    where those of the Hessian itself are lost to rounding.
    """
    root = np.sqrt(curvature / len(x))[:, None] * x
    return np.linalg.svd(root, compute_uv=False) ** 2


def compare_hessians(
    x: np.ndarray, targets: np.ndarray, first: np.ndarray, second: np.ndarray, loss: str
) -> dict[str, Any]:
    """Return how two interpolants' Hessians differ, their rank and their largest eigenvalues.

    Parameters
    ----------
    targets : (n,) predictions at which the loss has its minimum.
    first, second : (d,) two different w with X w = targets.
    """
    one, two = (hessian(x, CURVATURES[loss](x @ w)) for w in (first, second))
    values = eigenvalues(x, CURVATURES[loss](targets))
    return {
        "loss": loss,
        "distance": float(np.linalg.norm(first - second) / np.linalg.norm(first)),
        "prediction_difference": float(np.abs(x @ (first - second)).max()),
        "relative_difference": float(np.linalg.norm(one - two) / np.linalg.norm(one)),
        "largest_entry_difference": float(np.abs(one - two).max()),
        "rank": int((values > RANK_TOLERANCE**2 * values[0]).sum()),
        "dimensions": x.shape[1],
        # of the one and of the other; all further ones are zero
        "eigenvalues": [eigenvalues(x, CURVATURES[loss](x @ w)).tolist() for w in (first, second)],
    }


def study(sample: Sample, spec: dict[str, Any]) -> tuple[dict[str, Any], dict[str, float]]:
    """Return everything that result.json says of one sample, and the seconds it took."""
    x, y = sample.train, sample.targets
    key = (spec["seed"], sample.name, "linear")
    basis, singular = row_space(x)
    least = minimum_norm(x, y)
    # a start of the size of the solution: what it adds outside the rows' span is plain to see
    start = seeds.generator(*key, "start").standard_normal(least.shape)
    start *= np.linalg.norm(least) / np.linalg.norm(start)
    expected = least + outside(basis, start)
    report = _Report(sample, basis, least)
    seconds: dict[str, float] = {}
    methods = {}
    batches = {"sgd": min(spec["batch_size"], len(x)), "block_kaczmarz": max(1, 3 * len(x) // 4)}
    for name, method in (("sgd", sgd), ("block_kaczmarz", block_kaczmarz)):
        begun = time.perf_counter()
        generator = seeds.generator(*key, name)
        trace = _Trace(least, expected)
        both = method(
            x,
            np.hstack([y, y]),
            np.hstack([np.zeros_like(least), start]),
            spec["steps"] if name == "sgd" else spec["steps"] // 100,
            batches[name],
            generator,
            trace,
        )
        zero, other = np.split(both.w, 2, axis=1)
        methods[name] = {
            "batch_size": batches[name],
            "steps": both.steps,
            "arrived": both.arrived,
            "from_zero": report.of(zero, least),
            "from_elsewhere": report.of(other, expected),
            "trace": trace.columns,
        }
        seconds[name] = time.perf_counter() - begun
    begun = time.perf_counter()
    hessians = [_hessians(sample, basis, start, loss) for loss in CURVATURES]
    seconds["hessians"] = time.perf_counter() - begun
    return {
        "rank": len(singular),
        "condition": float((singular[0] / singular[-1]) ** 2),
        "interpolants": {
            "minimum_norm": report.of(least, least),
            **{
                f"minimum_norm_plus_{scale:g}_start": report.of(
                    least + scale * outside(basis, start), least + scale * outside(basis, start)
                )
                for scale in (0.5, 1.0, 2.0)
            },
        },
        "methods": methods,
        "hessians": hessians,
    }, seconds


def _hessians(sample: Sample, basis: np.ndarray, start: np.ndarray, loss: str) -> dict[str, Any]:
    """Compare the Hessians of the first class's output at two interpolants of its targets."""
    own = sample.targets[:, 0]
    if loss == "logistic":
        soft = np.where(own > 0, SOFT[1], SOFT[0])
        own = np.log(soft / (1 - soft))
    first = minimum_norm(sample.train, own[:, None])
    second = first + outside(basis, start[:, :1])
    return compare_hessians(sample.train, own, first[:, 0], second[:, 0], loss)


class _Trace:
    """How far the weights from zero and from elsewhere are from where they should go, by steps.

    columns : ``steps``; ``from_zero``, relative distance of the weights from the minimum-norm
        interpolant; ``from_elsewhere``, the same from the other start, and
        ``from_elsewhere_expected``, from the interpolant that this start should lead to.
    """

    def __init__(self, least: np.ndarray, expected: np.ndarray):
        self.least, self.expected = least, expected
        names = ("steps", "from_zero", "from_elsewhere", "from_elsewhere_expected")
        self.columns: dict[str, list[float]] = {name: [] for name in names}

    def __call__(self, steps: int, w: np.ndarray) -> None:
        """Note the distances of `w` (d, 2k), both starts side by side."""
        if self.columns["steps"][-1:] == [steps]:
            return  # the end, which was due in any case
        zero, other = np.split(w, 2, axis=1)
        values = {
            "steps": steps,
            "from_zero": _relative(zero - self.least, self.least),
            "from_elsewhere": _relative(other - self.least, self.least),
            "from_elsewhere_expected": _relative(other - self.expected, self.expected),
        }
        for name, value in values.items():
            self.columns[name].append(value)


class _Report:
    """Describes weights beside the minimum-norm interpolant of the same sample."""

    def __init__(self, sample: Sample, basis: np.ndarray, least: np.ndarray):
        self.sample, self.basis, self.least = sample, basis, least

    def of(self, w: np.ndarray, expected: np.ndarray) -> dict[str, float]:
        """Return norm, residual, errors, and distances from what is expected and from the least."""
        sample = self.sample
        residual = sample.train @ w - sample.targets
        return {
            "norm": float(np.linalg.norm(w)),
            "residual": float(np.abs(residual).max()),
            "train_error": _error(sample.train @ w, sample.train_labels),
            "test_error": _error(sample.test @ w, sample.test_labels),
            "outside_row_span": _relative(outside(self.basis, w), w),
            "difference_from_expected": _relative(w - expected, expected),
            "difference_from_minimum_norm": _relative(w - self.least, self.least),
        }


def _relative(part: np.ndarray, whole: np.ndarray) -> float:
    return float(np.linalg.norm(part) / np.linalg.norm(whole))


def _error(values: np.ndarray, labels: np.ndarray) -> float:
    return float((values.argmax(1) != labels).mean())
