"""Statistics over the replicates of a cell."""

import math
from typing import NamedTuple

import numpy as np


class Spread(NamedTuple):
    """Mean, sample standard deviation, range and number of values; NaN where undefined."""

    mean: float
    sd: float
    min: float
    max: float
    n: int


def spread(values: object) -> Spread:
    """Return the statistics of the finite `values`.

    The standard deviation has n - 1 in the denominator and is NaN for fewer than two values.
    """
    numbers = np.asarray(values, dtype="float64")
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        return Spread(math.nan, math.nan, math.nan, math.nan, 0)
    sd = float(numbers.std(ddof=1)) if len(numbers) > 1 else math.nan
    return Spread(
        float(numbers.mean()), sd, float(numbers.min()), float(numbers.max()), len(numbers)
    )


def ratio(numerator: Spread, denominator: Spread) -> tuple[float, float]:
    """Return the ratio of two means and its standard deviation to first order.

    The replicates of the two cells are independent. NaN where a mean is missing or the
    denominator is zero; the deviation is NaN where either has a single replicate.
    """
    if not numerator.n or not denominator.n or denominator.mean == 0:
        return math.nan, math.nan
    value = numerator.mean / denominator.mean
    if numerator.mean == 0:
        return value, numerator.sd / denominator.mean
    relative = math.hypot(numerator.sd / numerator.mean, denominator.sd / denominator.mean)
    return value, abs(value) * relative


class TimeToFit(NamedTuple):
    """How long the replicates of a cell took to fit their training set.

    `spread` is over replicates that did not diverge; where `censored`, some of them had not
    reached the criterion when training ended, count with the epochs they ran, and the mean is a
    lower bound. `spread.n` is 0 where all replicates diverged.
    """

    spread: Spread
    censored: bool


def time_to_fit(epochs: object, epochs_run: object, status: object) -> TimeToFit:
    """Return the time to fit of a cell from its replicates' values, one entry for each."""
    epochs = np.asarray(epochs, dtype="float64")
    epochs_run = np.asarray(epochs_run, dtype="float64")
    status = np.asarray(status, dtype=object)
    kept = status != "diverged"
    open_ended = kept & (status == "not_fitted")
    times = np.where(open_ended, epochs_run, epochs)
    return TimeToFit(spread(times[kept]), bool(open_ended.any()))
