"""Equally hard examples: how often each would be wrong if only chance told them apart."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np


def spread(counts: Sequence[int] | np.ndarray, runs: int) -> dict[str, Any]:
    """Compare how often examples were wrong with what equally hard ones would show.

    counts : number of runs that misclassify each example (examples,)

    Returns ``probability``, the mean share p of runs; ``dispersion``, the variance of the counts
    over that of the binomial, runs p (1 - p), which is 1 for equally hard examples and `runs` where
    every example is always right or always wrong; ``dispersion_expected``, between which values it
    would be found 19 times out of 20 if they were equally hard; ``always_right`` and
    ``always_wrong``, shares of the examples, each beside its expected one. The dispersion is None
    where nothing, or everything, was ever wrong.
    """
    counts = np.asarray(counts, float)
    p = float(counts.mean() / runs)
    binomial = runs * p * (1 - p)
    found = {
        "probability": p,
        "dispersion": None,
        "dispersion_expected": None,
        "always_right": float((counts == 0).mean()),
        "always_right_expected": (1 - p) ** runs,
        "always_wrong": float((counts == runs).mean()),
        "always_wrong_expected": p**runs,
    }
    if binomial > 0 and len(counts) > 1:
        found["dispersion"] = float(counts.var(ddof=1) / binomial)
        # The variance of a sample variance: that of the normal, and the binomial's own tails.
        excess = (1 - 6 * p * (1 - p)) / binomial
        deviation = math.sqrt(max(0.0, 2 / (len(counts) - 1) + excess / len(counts)))
        found["dispersion_expected"] = [1 - 1.96 * deviation, 1 + 1.96 * deviation]
    return found


def quantiles(runs: int, p: float, places: np.ndarray) -> np.ndarray:
    """Return the quantiles at `places` in (0, 1) of a binomial count: `runs`, probability `p`."""
    if not 0 < p < 1:
        return np.full(len(places), round(runs * p))
    k = np.arange(runs + 1)
    ways = [math.lgamma(runs + 1) - math.lgamma(i + 1) - math.lgamma(runs - i + 1) for i in k]
    below = np.cumsum(np.exp(np.array(ways) + k * math.log(p) + (runs - k) * math.log1p(-p)))
    return np.minimum(np.searchsorted(below, places), runs)
