"""Does a measure rank cells as another does? Kendall's tau, whole, granulated, and its worst case."""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd


def kendall(first: object, second: object) -> float:
    """Return Kendall's tau-b of two sequences; pairs with a missing value are left out.

    NaN for fewer than two pairs, and where either sequence has one value only.
    """
    x, y = (np.asarray(values, dtype="float64") for values in (first, second))
    known = ~(np.isnan(x) | np.isnan(y))
    signs = [np.sign(v[known][:, None] - v[known][None, :]) for v in (x, y)]
    untied = math.prod(float(np.abs(s).sum()) for s in signs)
    return float((signs[0] * signs[1]).sum()) / math.sqrt(untied) if untied else math.nan


class Granulated(NamedTuple):
    """The granulated tau of Jiang et al. (2020): `psi` is the mean over the axes of `by_axis`."""

    psi: float
    by_axis: dict[str, float]


def granulated(cells: pd.DataFrame, axes: Sequence[str], measure: str, gap: str) -> Granulated:
    """Return how well `measure` ranks `gap` where only one of the `axes` is varied at a time.

    For each axis: tau within every group of cells that are equal on all the others, averaged over
    the groups. NaN, and left out of `psi`, for an axis along which no group varies.
    """
    by_axis = {}
    for axis in axes:
        taus = [kendall(rows[measure], rows[gap]) for rows in _groups(cells, axes, axis)]
        taus = [tau for tau in taus if not math.isnan(tau)]
        by_axis[axis] = float(np.mean(taus)) if taus else math.nan
    known = [tau for tau in by_axis.values() if not math.isnan(tau)]
    return Granulated(float(np.mean(known)) if known else math.nan, by_axis)


def _groups(cells: pd.DataFrame, axes: Sequence[str], axis: str) -> list[pd.DataFrame]:
    """Return the groups of rows that are equal on all `axes` but one."""
    others = [name for name in axes if name != axis]
    return [rows for _, rows in cells.groupby(others, sort=False)]


class Environment(NamedTuple):
    """A change from one value of an axis to another, and how often a measure misjudges its effect.

    `error` is the mean, over the `pairs` of cells that differ in nothing else, of the share of
    pairs of their networks whose difference in the measure has not the sign of that in the gap.
    """

    axis: str
    values: tuple[str, str]
    error: float
    pairs: int


def sign_errors(
    networks: pd.DataFrame, axes: Sequence[str], measure: str, gap: str
) -> list[Environment]:
    """Return the sign errors of Dziugaite et al. (2020), environment by environment.

    networks : a row for each replicate, with the `axes`; its cell is what they say together.

    A pair of cells counts only where the means of their gaps differ by more than the standard error
    of that difference over the replicates; a tie in the measure is half an error. The worst
    environment is the robust sign error.
    """
    known = networks[networks[measure].notna() & networks[gap].notna()]
    found: dict[tuple[str, tuple[str, str]], list[float]] = {}
    for axis in axes:
        for rows in _groups(known, axes, axis):
            cells = [(value, runs) for value, runs in rows.groupby(axis, sort=False)]
            for (low, first), (high, second) in itertools.combinations(cells, 2):
                if not _differ(first[gap], second[gap]):
                    continue
                values = tuple(sorted((low, high)))
                error = _misjudged(first, second, measure, gap)
                found.setdefault((axis, values), []).append(error)
    return [
        Environment(axis, values, float(np.mean(errors)), len(errors))
        for (axis, values), errors in found.items()
    ]


def _differ(first: pd.Series, second: pd.Series) -> bool:
    """Return whether two means differ by more than the replicates make likely."""
    noise = sum(0.0 if len(v) < 2 else v.var(ddof=1) / len(v) for v in (first, second))
    return bool(abs(first.mean() - second.mean()) > math.sqrt(noise))


def _misjudged(first: pd.DataFrame, second: pd.DataFrame, measure: str, gap: str) -> float:
    """Return the share of pairs of networks, one of each cell, whose signs disagree."""
    signs = [
        np.sign(second[name].to_numpy(float)[:, None] - first[name].to_numpy(float)[None, :])
        for name in (measure, gap)
    ]
    return float((0.5 * (1 - signs[0] * signs[1])).mean())
