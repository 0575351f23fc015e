"""Two runs beside each other: which cells differ by more than their replicates, which verdicts.

For a quantity with means a and b, standard deviations s and t and n and m replicates, a difference
counts where it exceeds, in absolute value, the two-sided quantile of Student's distribution times
sqrt(s^2/n + t^2/m), with Welch's degrees of freedom. Where one run has a single replicate, the
other's deviation stands for both. Where both have, there is no spread to compare with.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from scipy import stats

from rethink.analysis.sources import read_results
from rethink.analysis.statistics import Spread, spread
from rethink.analysis.tables import Tables
from rethink.claims.verdicts import read_verdicts

QUANTITIES = (
    "train_accuracy",
    "train_loss",
    "test_accuracy",
    "test_accuracy_given",
    "test_loss",
    "best_test_accuracy",
    "time_to_fit_epochs",
)
SAME, DIFFERS, NO_SPREAD, ONE_SIDE = "same", "differs", "no spread", "one value missing"
# Results of theory have no replicates: solvers on two machines agree to so many digits.
RELATIVE = 1e-6


class Quantity(NamedTuple):
    """One quantity of one cell in both runs; `limit` is NaN where there is no spread."""

    cell: str
    quantity: str
    a: Spread
    b: Spread
    difference: float
    limit: float
    finding: str


@dataclass(frozen=True)
class Comparison:
    """What two runs have in common and what not.

    `verdicts` are rows (claim, A, B, ours in A, ours in B) of claims that are decided otherwise;
    `theory` says for each experiment in both how many numbers differ, of how many, and the most.
    """

    level: float
    quantities: list[Quantity]
    only_a: list[str]
    only_b: list[str]
    respecified: list[str]
    verdicts: list[tuple[str, str, str, str, str]]
    theory: list[tuple[str, int, int, str]]

    def rows(self) -> pd.DataFrame:
        """Return all of it as a table with one row per cell and quantity."""
        rows = [
            {
                "cell": q.cell,
                "quantity": q.quantity,
                **{
                    f"{side}_{k}": getattr(s, k)
                    for side, s in (("a", q.a), ("b", q.b))
                    for k in KEPT
                },
                "difference": q.difference,
                "limit": q.limit,
                "finding": q.finding,
            }
            for q in self.quantities
        ]
        for side, cells in (("A", self.only_a), ("B", self.only_b)):
            rows += [{"cell": cell, "finding": f"only in {side}"} for cell in cells]
        return pd.DataFrame(rows, columns=HEADER)


KEPT = ("mean", "sd", "n")
HEADER = [
    *("cell", "quantity"),
    *(f"{side}_{key}" for side in "ab" for key in KEPT),
    *("difference", "limit", "finding"),
]


def compare(a: Path, b: Path, level: float = 0.95) -> Comparison:
    """Compare two folders of results, each with ``tables/`` and perhaps ``theory/``.

    `level` is the confidence level of the criterion. Raises RethinkError that names the file for
    tables that are missing or malformed.
    """
    one, other = (Tables(folder / "tables" / "all") for folder in (a, b))
    cells = [set(tables.cells["cell"]) for tables in (one, other)]
    shared = sorted(cells[0] & cells[1])
    return Comparison(
        level,
        list(_quantities(one.summary, other.summary, shared, level)),
        sorted(cells[0] - cells[1]),
        sorted(cells[1] - cells[0]),
        list(_respecified(one.runs, other.runs, shared)),
        list(_verdicts(a, b)),
        list(_theory(a / "theory", b / "theory")),
    )


def _quantities(
    one: pd.DataFrame, other: pd.DataFrame, cells: list[str], level: float
) -> Iterator[Quantity]:
    groups = [dict(iter(frame.groupby("cell"))) for frame in (one, other)]
    for cell in cells:
        for quantity in QUANTITIES:
            a, b = (spread(group[cell][quantity].astype("float64")) for group in groups)
            if a.n or b.n:
                yield judge(cell, quantity, a, b, level)


def judge(cell: str, quantity: str, a: Spread, b: Spread, level: float) -> Quantity:
    """Return whether a quantity differs by more than the spread of its replicates."""
    difference, limit = b.mean - a.mean, _limit(a, b, level)
    if not (a.n and b.n):
        finding = ONE_SIDE
    elif difference == 0:
        finding = SAME
    elif math.isnan(limit):
        finding = NO_SPREAD
    else:
        finding = DIFFERS if abs(difference) > limit else SAME
    return Quantity(cell, quantity, a, b, difference, limit, finding)


def _limit(a: Spread, b: Spread, level: float) -> float:
    """Return what a difference of two means must exceed; NaN where nothing tells."""
    parts = [(s.sd**2 / s.n, s.n - 1) for s in (a, b) if s.n > 1]
    if not parts or not (a.n and b.n):
        return math.nan
    if len(parts) == 1:
        known = a if a.n > 1 else b
        variance, freedom = known.sd**2 * (1 / a.n + 1 / b.n), known.n - 1
    else:
        variance = sum(v for v, _ in parts)
        squares = sum(v**2 / n for v, n in parts)
        freedom = variance**2 / squares if squares else min(n for _, n in parts)
    return float(stats.t.ppf((1 + level) / 2, freedom)) * math.sqrt(variance)


def _respecified(one: pd.DataFrame, other: pd.DataFrame, cells: list[str]) -> Iterator[str]:
    """Yield the cells that were trained to another specification."""
    specs = [dict(zip(f["cell"], f["spec_sha256"], strict=True)) for f in (one, other)]
    yield from (cell for cell in cells if specs[0][cell] != specs[1][cell])


def _verdicts(a: Path, b: Path) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield the claims whose verdict or scale is another."""
    one, other = (read_verdicts(f / "tables" / "claims.csv").set_index("id") for f in (a, b))
    for claim in dict.fromkeys([*one.index, *other.index]):
        sides = [
            (f"{t.at[claim, 'verdict']} ({t.at[claim, 'scale']} scale)", t.at[claim, "ours"])
            if claim in t.index
            else ("not there", "")
            for t in (one, other)
        ]
        if sides[0][0] != sides[1][0]:
            yield claim, sides[0][0], sides[1][0], sides[0][1], sides[1][1]


def _theory(a: Path, b: Path) -> Iterator[tuple[str, int, int, str]]:
    shared = sorted(
        {p.parent.name for p in a.glob("*/result.json")} & {p.name for p in b.glob("*")}
    )
    for name in shared:
        one, other = (
            dict(_numbers(read_results([folder / name / "result.json"])[name])) for folder in (a, b)
        )
        most, where, count = 0.0, "", 0
        for key in one.keys() & other.keys():
            relative = _relative(one[key], other[key])
            count += relative > RELATIVE
            if relative > max(most, RELATIVE):
                most, where = relative, f"{key}: {one[key]:.6g} and {other[key]:.6g}"
        yield name, count, len(one.keys() & other.keys()), where


def _relative(one: float, other: float) -> float:
    if one == other or (math.isnan(one) and math.isnan(other)):
        return 0.0
    relative = abs(one - other) / max(abs(one), abs(other))
    return math.inf if math.isnan(relative) else relative


def _numbers(value: Any, place: str = "") -> Iterator[tuple[str, float]]:
    """Yield the numbers of a JSON document by their paths, times of computing left out."""
    if isinstance(value, dict):
        for key, entry in value.items():
            if "seconds" not in key:
                yield from _numbers(entry, f"{place}.{key}" if place else key)
    elif isinstance(value, list):
        for i, entry in enumerate(value):
            yield from _numbers(entry, f"{place}[{i}]")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield place, float(value)
