"""Exact interpolation by kernels (Section 5, Table 3): solve K a = Y, predict, measure.

Y holds 0 and 1 (n, classes), K is the kernel matrix of the training images; no iteration, no
approximation. With regularization lambda the system is (K + lambda I) a = Y.
"""

import functools
import math
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from rethink import seeds
from rethink.datasets.store import Arrays, open_dataset
from rethink.errors import RethinkError
from rethink.files import atomic_path, write_json
from rethink.free_memory import free_memory
from rethink.pieces import Pieces
from rethink.provenance import Record
from rethink.theory import counterexamples
from rethink.theory.counterexamples import INTERPOLATES, error, one_hot
from rethink.theory.features import RandomConvolutions, gabor, pixels, recipe_of
from rethink.theory.kernel_memory import counted
from rethink.theory.kernel_spec import LEAVE_ONE_OUT_EXAMPLES, Spec
from rethink.theory.kernels import (
    FeatureProducts,
    Kernel,
    Products,
    StoredProducts,
    median_squared_distance,
)
from rethink.theory.rounding import rounded
from rethink.theory.tiles import Cholesky, Clock, ColumnFiles, NotPositiveDefinite, factorize

DTYPES = {"float32": torch.float32, "float64": torch.float64}
# Added to the diagonal, in units of its mean, once the plain factorization has failed.
JITTERS = {"float32": (1e-6, 1e-5, 1e-4), "float64": (1e-10, 1e-8, 1e-6)}
SPARE_MEMORY = 2**29  # what libraries and temporary arrays take beside the counted ones
DIGITS = 8  # of the numbers in result.json


@dataclass(frozen=True)
class Examples:
    """The chosen images, uint8 (N, H, W, C), and their labels, int64 (N,)."""

    train_images: np.ndarray
    test_images: np.ndarray
    train_labels: torch.Tensor
    test_labels: torch.Tensor
    classes: int

    @property
    def train(self) -> int:
        return len(self.train_labels)

    @property
    def test(self) -> int:
        return len(self.test_labels)


@dataclass
class Solution:
    """What solving the system once gave; `attempts` says how it went, in order."""

    kernel: Kernel
    factor: Cholesky
    coefficients: torch.Tensor
    attempts: list[dict[str, Any]]


class Row(NamedTuple):
    """What one regularization gave.

    values : of its row in result.json
    predicted : the labels predicted for the test examples, (M,)
    counterexamples : the interpolants of larger norm, None where it has none
    """

    values: dict[str, Any]
    predicted: torch.Tensor
    counterexamples: dict[str, Any] | None


class Memory:
    """Counts what an experiment needs at once against what the device has, beforehand."""

    def __init__(self, device: torch.device):
        self.available = (
            torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else free_memory()
        )

    def need(self, spec: Spec, examples: Examples, precision: str) -> int:
        """Return the bytes that the work in this precision takes."""
        values = math.prod(examples.train_images.shape[1:])
        return counted(spec, examples.train, examples.test, values, precision).total + SPARE_MEMORY

    def fits(self, spec: Spec, examples: Examples, precision: str) -> bool:
        """Return whether the work in this precision fits."""
        return self.need(spec, examples, precision) <= self.available

    def require(self, spec: Spec, examples: Examples, precision: str) -> None:
        """Raise RethinkError, with what would help, unless the work fits."""
        if self.fits(spec, examples, precision):
            return
        smaller = " or choose precision float32" if precision == "float64" else ""
        raise RethinkError(
            f"{spec.name}: {examples.train:,} training examples in {precision} need "
            f"{self.need(spec, examples, precision) / 2**30:.1f} GiB and "
            f"{self.available / 2**30:.1f} GiB are free; lower train_examples{smaller}"
        )


def run(
    values: dict[str, Any],
    manifest: Path,
    out: Path,
    record: Record,
    device: torch.device,
    work: Path | None = None,
) -> None:
    """Do one experiment: write result.json and predictions.npy into `out`, run.json last.

    `work` is a folder to keep what is finished until the end; None keeps nothing.
    """
    spec, clock = Spec.parse(values), Clock()
    arrays = open_dataset(manifest)
    examples = choose(arrays, spec)
    memory = Memory(device)
    precision = spec.precision
    if precision == "auto":
        precision = "float64" if memory.fits(spec, examples, "float64") else "float32"
    memory.require(spec, examples, precision)
    with clock("features"):
        products, description = make_products(spec, examples, precision, device)
    gamma = gamma_of(spec, products, examples.train)
    kernel = Kernel.of(products, gamma)
    labels = [part.to(device) for part in (examples.train_labels, examples.test_labels)]
    study = Study(spec, examples, kernel, *labels, memory, clock)
    pieces, rows = Pieces(work, record, device), []
    for value in spec.regularization:
        name = f"regularization {value!r}"
        make = functools.partial(study.row, value, pieces.scratch(name))
        rows.append(Row(**pieces(name, lambda make=make: make()._asdict())))
    result = {
        "schema": 1,
        "kind": "kernel",
        "name": spec.name,
        "dataset": spec.dataset,
        "train_examples": examples.train,
        "train_available": len(arrays.train_labels),
        "test_examples": examples.test,
        "classes": examples.classes,
        "features": description,
        "kernel": spec.kernel,
        "gamma": gamma,
        "products_precision": precision,
        "rows": [row.values for row in rows],
        "counterexamples": _counterexamples(spec, rows),
    }
    array = (
        torch.stack([row.predicted for row in rows])
        .numpy()
        .astype(np.uint8 if examples.classes <= 256 else np.uint16)
    )
    with atomic_path(out / "predictions.npy") as temporary:
        np.save(temporary, array)
    write_json(out / "result.json", rounded(result, DIGITS))
    record.write(
        out / "run.json",
        [out / "result.json", out / "predictions.npy"],
        device={"type": device.type, "name": _device_name(device)},
        threads=torch.get_num_threads(),
        stage_seconds={stage: round(seconds, 3) for stage, seconds in clock.seconds.items()},
        numerics=precision,
        factorization_gflops=_speed(clock),
        device_peak_memory_mb=(
            round(torch.cuda.max_memory_allocated(device) / 2**20)
            if device.type == "cuda"
            else None
        ),
    )
    pieces.clear()


def choose(arrays: Arrays, spec: Spec) -> Examples:
    """Return the examples that `spec` asks for; raises RethinkError where there are too few."""
    chosen = {}
    for split in ("train", "test"):
        count = len(getattr(arrays, f"{split}_labels"))
        wanted = getattr(spec, f"{split}_examples") or count
        if wanted > count:
            raise RethinkError(
                f"{spec.name}: {split}_examples is {wanted:,}, but {spec.dataset} has {count:,}"
            )
        rows: Any = slice(0, wanted)
        if wanted < count and spec.subset == "random":
            generator = seeds.generator(spec.seed, arrays.name, "kernel", split)
            rows = np.sort(generator.permutation(count)[:wanted])
        chosen[f"{split}_images"] = getattr(arrays, f"{split}_images")[rows]
        labels = np.asarray(getattr(arrays, f"{split}_labels")[rows], dtype=np.int64)
        chosen[f"{split}_labels"] = torch.from_numpy(labels)
    return Examples(**chosen, classes=arrays.classes)


def make_products(
    spec: Spec, examples: Examples, precision: str, device: torch.device
) -> tuple[Products, dict[str, Any]]:
    """Return the inner products of the features of all examples, and what the features are."""
    arguments, dtype = spec.features_arguments, DTYPES[precision]
    parts = (examples.train_images, examples.test_images)
    description: dict[str, Any] = {"kind": spec.features}
    if spec.features == "random_conv":
        recipe = recipe_of(arguments)
        convolutions = RandomConvolutions(*parts, recipe, (spec.seed, spec.dataset), device)
        total = examples.train + examples.test
        products = StoredProducts(total, min(spec.tile, examples.train), dtype, device)
        started, done = time.monotonic(), 0
        for features in convolutions.chunks():
            products.add(features)
            done += features.shape[1]
            _say(f"{done:,} of {convolutions.dimension:,} features", started)
        return products, {
            **description,
            "recipe": arguments.get("recipe", "gaussian"),
            **asdict(recipe),
            "dimension": convolutions.dimension,
        }
    make: Callable[..., torch.Tensor] = pixels
    if spec.features == "gabor":
        arguments, make = {"device": device, **arguments}, gabor
    try:
        features = torch.cat([make(images, **arguments) for images in parts]).to(device, dtype)
    except TypeError as wrong:
        raise RethinkError(f"{spec.name}: features_arguments: {wrong}") from None
    description |= spec.features_arguments
    return FeatureProducts(features), {**description, "dimension": features.shape[1]}


def gamma_of(spec: Spec, products: Products, size: int) -> float | None:
    """Return gamma of the Gaussian kernel, None for the linear one."""
    if spec.kernel == "linear":
        return None
    if isinstance(spec.bandwidth, dict):
        return float(spec.bandwidth["median"]) / median_squared_distance(products, size)
    return float(spec.bandwidth)


class Study:
    """Solves for one lambda after the other."""

    def __init__(
        self,
        spec: Spec,
        examples: Examples,
        kernel: Kernel,
        train_labels: torch.Tensor,
        test_labels: torch.Tensor,
        memory: Memory,
        clock: Clock,
    ):
        self.spec, self.size, self.classes = spec, examples.train, examples.classes
        self.kernel, self.clock = kernel, clock
        self.train_labels, self.test_labels = train_labels, test_labels
        self.tile = min(spec.tile, examples.train)
        self.may_double = memory.fits(spec, examples, "float64")

    def row(self, value: float, work: Path | None) -> Row:
        """Return what one lambda gives; finished columns are kept in `work`."""
        mean = float(self.kernel.diagonal(slice(0, self.size)).double().mean())
        ridge = value * (mean if self.spec.regularization_unit == "mean_diagonal" else 1.0)
        solution = self.solve(ridge, mean, work)
        kernel, factor, coefficients = solution.kernel, solution.factor, solution.coefficients
        targets = one_hot(self.train_labels, self.classes, coefficients.dtype)
        with self.clock("evaluation"):
            fitted = kernel.apply_symmetric(coefficients, self.tile)
            test = slice(self.size, self.size + len(self.test_labels))
            predicted = kernel.apply(test, self.size, coefficients, self.tile)
        residual = float((fitted - targets).abs().max())
        squared = float((coefficients.double() * fitted.double()).sum())
        # of a matrix that is singular to rounding, nothing may be left of it
        norm = math.sqrt(squared) if squared > 0 else math.nan
        train_error = error(fitted, self.train_labels)
        values = {
            "regularization": value,
            "ridge": ridge,
            "precision": str(coefficients.dtype).removeprefix("torch."),
            "jitter": solution.attempts[-1]["jitter"],
            "attempts": solution.attempts,
            "min_diagonal": factor.min_diagonal,
            "train_error": train_error,
            "test_error": error(predicted, self.test_labels),
            "residual": residual,
            "interpolates": ridge == 0 and train_error == 0 and residual < INTERPOLATES,
            "rkhs_norm": norm,
            "coefficient_norm": float(torch.linalg.vector_norm(coefficients.double())),
            "leave_one_out": self.leave_one_out(factor, coefficients, targets),
        }
        extra = None
        if ridge == 0 and self.spec.extra_norms:
            with self.clock("counterexamples"):
                extra = rounded(self.counterexamples(solution, norm), DIGITS)
        return Row(rounded(values, DIGITS), predicted.argmax(1).cpu(), extra)

    def solve(self, ridge: float, mean: float, work: Path | None) -> Solution:
        """Solve (K + ridge I) a = Y; where the factorization fails, go on as `_plan` says."""
        attempts: list[dict[str, Any]] = []
        for precision, jitter in self._plan():
            kernel = self.kernel.to(DTYPES[precision])
            attempt = {"precision": precision, "jitter": jitter * mean, "outcome": "solved"}
            attempts.append(attempt)
            added = ridge + jitter * mean

            def fill(start: int, stop: int, kernel=kernel, added=added) -> torch.Tensor:
                block = kernel.block(slice(start, self.size), slice(start, stop))
                block.diagonal().add_(added)
                return block

            store = ColumnFiles(work / f"{precision}-{jitter:g}") if work else None
            started = time.monotonic()
            label = f"{self.spec.name}, lambda {ridge:g}, {precision}"
            try:
                factor = factorize(
                    fill,
                    self.size,
                    self.tile,
                    float(kernel.diagonal(slice(0, self.size)).max()) + added,
                    store,
                    self.clock,
                    lambda text, label=label, started=started: _say(f"{label}: {text}", started),
                )
            except NotPositiveDefinite as failure:
                attempt["outcome"] = str(failure)
                _say(f"{label}, jitter {jitter * mean:g}: {failure}", started)
                continue
            with self.clock("solve"):
                targets = one_hot(self.train_labels, self.classes, DTYPES[precision])
                coefficients = factor.solve(targets)
            return Solution(kernel, factor, coefficients, attempts)
        raise RethinkError(
            f"{self.spec.name}: the kernel matrix is not positive definite even with "
            f"{attempts[-1]['jitter']:g} on its diagonal; raise regularization or bandwidth"
        )

    def _plan(self) -> list[tuple[str, float]]:
        """Return the precisions and relative jitters to try, in order."""
        first = str(self.kernel.products.dtype).removeprefix("torch.")
        plan = [(first, 0.0)]
        if first == "float32" and self.may_double:
            plan.append(("float64", 0.0))
        last = plan[-1][0]
        return plan + [(last, jitter) for jitter in JITTERS[last]]

    def leave_one_out(
        self, factor: Cholesky, coefficients: torch.Tensor, targets: torch.Tensor
    ) -> dict[str, Any]:
        """Return leave-one-out errors in closed form: y_i - f_{-i}(x_i) = a_i / (K^-1)_ii."""
        wanted = self.spec.leave_one_out
        if wanted is None and self.size > LEAVE_ONE_OUT_EXAMPLES:
            return {"note": f"not done by itself beyond {LEAVE_ONE_OUT_EXAMPLES:,} examples"}
        if wanted is False:
            return {"note": "switched off"}
        with self.clock("leave_one_out"):
            residuals = coefficients.double() / factor.inverse_diagonal()[:, None]
        return {
            "error": error(targets.double() - residuals, self.train_labels),
            "mean_square": float(residuals.square().sum(1).mean()),
            "largest_residual": float(residuals.abs().max()),
        }

    def counterexamples(self, solution: Solution, norm: float) -> dict[str, Any]:
        """Return the interpolants of larger norm."""
        kernel, spec = solution.kernel, self.spec
        key = (spec.seed, spec.dataset, "kernel")
        if solution.attempts[-1]["jitter"]:
            return {"note": "the kernel matrix is singular: no exact interpolant to compare with"}
        found = {
            "random_training_labels": counterexamples.random_training_labels(
                kernel,
                solution.factor,
                norm,
                self.train_labels,
                self.test_labels,
                self.classes,
                self.tile,
                key,
            ),
            "random_test_labels": counterexamples.random_test_labels(
                kernel,
                solution.factor,
                solution.coefficients,
                norm,
                self.train_labels,
                self.test_labels,
                self.classes,
                min(spec.forced_points, len(self.test_labels)),
                self.tile,
                key,
            ),
        }
        if isinstance(kernel.products, FeatureProducts) and kernel.gamma is not None:
            features = kernel.products.features
            found["random_centres"] = counterexamples.random_centres(
                features[: self.size],
                kernel.gamma,
                self.train_labels,
                features[self.size :],
                self.test_labels,
                self.classes,
                key,
            )
        else:
            found["random_centres"] = {"note": "needs the Gaussian kernel and explicit features"}
        return found


def _counterexamples(spec: Spec, rows: list[Row]) -> dict[str, Any]:
    """Return the interpolants of larger norm, or why there are none."""
    found = [row.counterexamples for row in rows if row.counterexamples is not None]
    if found:
        return found[0]
    reason = "needs 0 among the regularizations" if spec.extra_norms else "switched off"
    return {"note": reason}


def _speed(clock: Clock) -> float | None:
    """Return the 1e9 operations a second of the factorizations; None where all were resumed."""
    seconds = clock.seconds.get("factorization", 0.0)
    return round(clock.flops / seconds / 1e9, 2) if seconds else None


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def _say(text: str, started: float) -> None:
    print(f"[{time.monotonic() - started:6.0f} s] {text}", file=sys.stderr, flush=True)
