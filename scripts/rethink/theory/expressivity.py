"""Theorem 1, Lemma 1 and the corollary on real images: what is built, and how well it fits."""

import contextlib
import csv
import io
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from rethink import seeds
from rethink.datasets.store import Arrays, open_dataset
from rethink.errors import RethinkError, suggest
from rethink.files import write_json, write_text
from rethink.provenance import Record
from rethink.theory.depth import deepen
from rethink.theory.rounding import DIGITS, rounded
from rethink.theory.theorem1 import (
    KNOTS,
    Network,
    check_distinct,
    choose_direction,
    distinct,
    place_knots,
    solve,
    spectrum,
)

DEFAULTS: dict[str, Any] = {
    "sizes": [1000, 10_000, 50_000],
    "seed": 0,
    "depths": [2, 3, 5, 9],
    "targets": ["random", "true"],
}
TARGETS = ("random", "true")
LEMMA_SIZES = (10, 30, 100, 300, 1000)  # eigenvalues and singular values cost n^3
EXACT_POINTS = 5
QUANTILES = (0.5, 0.9, 0.99, 1.0)


def run(spec: dict[str, Any], manifest: Path, out: Path, record: Record) -> None:
    """Build and evaluate every network that `spec` asks for.

    Writes result.json (equal for equal input), residuals.csv and, last, run.json into `out`.

    spec : name, dataset, sizes (numbers of points), seed, depths (2 is Theorem 1 itself) and
        targets (``random`` labels, ``true`` labels). Raises RethinkError for anything else.
    """
    spec = _checked(spec)
    data = open_dataset(manifest)
    experiment = Experiment(data, spec)
    result = {
        "schema": 1,
        "kind": "theorem1",
        "name": spec["name"],
        "dataset": data.name,
        "classes": data.classes,
        "dimensions": int(np.prod(data.image_shape)),
        "train_available": len(data.train_images),
        "duplicates_left_out": experiment.duplicates,
        "networks": [
            experiment.network(size, target) for size in spec["sizes"] for target in spec["targets"]
        ],
        "lemma1": [experiment.lemma1(size) for size in experiment.lemma_sizes],
    }
    write_json(out / "result.json", rounded(result))
    write_text(out / "residuals.csv", experiment.residuals.text())
    record.write(
        out / "run.json",
        [out / "result.json", out / "residuals.csv"],
        numerics="float64",
        stage_seconds=experiment.seconds,
    )


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    known = ["name", "dataset", *DEFAULTS]
    for key in values:
        if key not in known:
            raise RethinkError(f"theorem1: unknown key '{key}'{suggest(key, known)}")
    spec = {"name": "theorem1", **DEFAULTS, **values}
    for key, least in (("sizes", 2), ("depths", 2)):
        if not spec[key] or any(not isinstance(n, int) or n < least for n in spec[key]):
            raise RethinkError(f"theorem1: {key} should be whole numbers of at least {least}")
    for target in spec["targets"]:
        if target not in TARGETS:
            raise RethinkError(f"theorem1: unknown target '{target}'{suggest(target, TARGETS)}")
    return spec


class Experiment:
    """The points and labels of one dataset, and what is built for them."""

    def __init__(self, data: Arrays, spec: dict[str, Any]):
        self.data, self.depths = data, spec["depths"]
        self.key = (spec["seed"], data.name, "theorem1")
        self.residuals = Residuals()
        self.seconds: dict[str, float] = {}
        most = max(spec["sizes"])
        order = seeds.generator(*self.key, "images").permutation(len(data.train_images))
        images = np.asarray(data.train_images)
        # equal images with different labels are beyond any function: the first copy is used
        kept = distinct(images[order])
        if most > len(kept):
            raise RethinkError(
                f"theorem1: sizes asks for {most:,} points, but {data.name} has {len(kept):,} "
                "distinct training images"
            )
        self.duplicates = len(order) - len(kept)
        self.rows = order[kept][:most]
        self.images = images[self.rows]
        self.lemma_sizes = [size for size in LEMMA_SIZES if size <= most] or [most]
        self.directions: dict[int, tuple[np.ndarray, np.ndarray, float]] = {}

    def direction(self, size: int) -> tuple[np.ndarray, np.ndarray, float]:
        """Return direction, projections and relative gap for the first `size` points."""
        if size not in self.directions:
            generator = seeds.generator(*self.key, "direction", size)
            with self.timed(f"{size}/direction"):
                self.directions[size] = choose_direction(self.images[:size], generator)
        return self.directions[size]

    def labels(self, size: int, target: str) -> np.ndarray:
        """Return the labels to be fitted, (size,) int64."""
        if target == "true":
            return np.asarray(self.data.train_labels_true)[self.rows[:size]].astype(np.int64)
        generator = seeds.generator(*self.key, "labels")
        return generator.integers(0, self.data.classes, len(self.rows))[:size]

    def network(self, size: int, target: str) -> dict[str, Any]:
        """Return what the networks for one sample give, evaluated in several ways."""
        direction, z, gap = self.direction(size)
        points, labels = self.images[:size], self.labels(size, target)
        check_distinct(points, labels)
        row: dict[str, Any] = {
            "points": size,
            "dimensions": direction.size,
            "target": target,
            "relative_gap": gap,
            "knots": {},
        }
        for rule in KNOTS:
            with self.timed(f"{size}/{target}/{rule}/build"):
                network = solve(direction, z, labels, rule)
            if network.parameters != 2 * size + direction.size:
                raise AssertionError("the network of Theorem 1 has 2n + d weights")
            label = (size, target, rule)
            row["knots"][rule], values = self._evaluate(network, points, z, labels, label)
            if rule == "adaptive":
                row["parameters"] = network.parameters
                row["depths"] = [
                    self._depth2(network, z, values, labels)
                    if depth == 2
                    else self._deep(network, points, z, labels, depth, (size, target))
                    for depth in self.depths
                ]
        return row

    def _evaluate(
        self, network: Network, points: np.ndarray, z: np.ndarray, labels: np.ndarray, label: tuple
    ) -> tuple[dict[str, Any], np.ndarray]:
        """Return how well a network fits, and its float64 outputs by its own sum."""
        name = "/".join(map(str, label))
        with self.timed(f"{name}/float64 sum"):
            full = network.dense(points)
        with self.timed(f"{name}/float32 sum"):
            single = network.dense(points, np.float32)
        with self.timed(f"{name}/prefix sums"):
            prefix = network.piecewise(z)
        worst = np.argsort(-np.abs(prefix - labels), kind="stable")[:EXACT_POINTS]
        exact = np.array([network.exact(value) for value in z[worst]])
        found = {
            "float64_sum": self._fit(full, labels, (*label, "float64 sum")),
            "float32_sum": self._fit(single, labels, (*label, "float32 sum")),
            "prefix_sums": self._fit(prefix, labels, (*label, "prefix sums")),
        }
        facts = {
            "largest_weight": float(np.abs(network.weights).max()),
            "largest_knot_value": float(np.abs(network.levels).max()),
            "smallest_distance": float((np.sort(z) - network.knots).min()),
            **found,
            # of the stored weights in exact arithmetic, at the points where prefix sums are worst
            "exact_residual": float(np.abs(exact - labels[worst]).max()),
        }
        return facts, full

    def _fit(self, values: np.ndarray, labels: np.ndarray, label: tuple) -> dict[str, float]:
        """Return the largest residual and the share of labels that rounding gives back."""
        distance = np.abs(values.astype(np.float64) - labels)
        self.residuals.add(label, distance)
        return {
            "residual": float(distance.max()),
            "label_accuracy": float((np.rint(values) == labels).mean()),
        }

    def _depth2(
        self, network: Network, z: np.ndarray, values: np.ndarray, labels: np.ndarray
    ) -> dict[str, Any]:
        """Return the corollary's row for Theorem 1's own network; its units share `a`."""
        return {
            "depth": 2,
            "widths": [len(labels)],
            "width": len(labels),
            "parameters": network.parameters,
            "shared": True,
            "residual": float(np.abs(values - labels).max()),
            "label_accuracy": float((np.rint(values) == labels).mean()),
            "difference_from_theorem": float(np.abs(values - network.piecewise(z)).max()),
        }

    def _deep(
        self,
        network: Network,
        points: np.ndarray,
        z: np.ndarray,
        labels: np.ndarray,
        depth: int,
        label: tuple,
    ) -> dict[str, Any]:
        """Return the corollary's row for a network of at least three layers."""
        deep = deepen(network, z, depth)
        with self.timed(f"{'/'.join(map(str, label))}/depth {depth}"):
            values = deep(points)
        return {
            "depth": depth,
            "widths": deep.widths,
            "width": max(deep.widths),
            "parameters": deep.parameters,
            "shared": False,
            **self._fit(values, labels, (*label, "adaptive", f"depth {depth}")),
            "difference_from_theorem": float(np.abs(values - network.piecewise(z)).max()),
        }

    def lemma1(self, size: int) -> dict[str, Any]:
        """Return the spectrum of A for the first `size` points, with both rules for the knots."""
        _, z, _ = self.direction(size)
        ordered = np.sort(z)
        rows: dict[str, Any] = {"points": size}
        for rule in KNOTS:
            with self.timed(f"{size}/{rule}/spectrum"):
                rows[rule] = asdict(spectrum(z, place_knots(ordered, rule)))
        return rows

    @contextlib.contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the time of a block to the seconds of `stage`."""
        started = time.perf_counter()
        yield
        spent = time.perf_counter() - started
        self.seconds[stage] = round(self.seconds.get(stage, 0.0) + spent, 4)


class Residuals:
    """Quantiles of |c(x_i) - y_i|, one row for each network and way to evaluate it."""

    def __init__(self) -> None:
        self.rows: list[list[object]] = []

    def add(self, label: tuple, distance: np.ndarray) -> None:
        """Add the residuals of one evaluation; label: points, target, knots, evaluation."""
        values = np.quantile(distance, QUANTILES, method="inverted_cdf")
        self.rows += [
            [*label, quantile, f"{value:.{DIGITS}g}"]
            for quantile, value in zip(QUANTILES, values, strict=True)
        ]

    def text(self) -> str:
        """Return the rows as CSV."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["points", "target", "knots", "evaluation", "quantile", "residual"])
        writer.writerows(self.rows)
        return stream.getvalue()
