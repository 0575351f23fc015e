"""Mutual information of a layer by binning: what the estimator and its bins make of a network.

A trained network is a function: given the input, a layer's activity T is fixed. With continuous
activities I(X;T) is then infinite or, over finitely many inputs, just the entropy of the input. What
the information plane shows is the entropy of T after binning, and so depends on the bins (Saxe et
al. 2018). Hence three rules for bins, by name.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

FIXED_EDGES = 30  # numpy.linspace(-1, 1, 30), as in the published code
RANGE_BINS = 100
OCCUPANCY_BINS = 30
LARGEST_CODE = 2**61  # twice it, plus a label, fits into 63 bits


class Span(NamedTuple):
    """The least and the largest activity of each unit over the whole training, (R, units, 1)."""

    low: Tensor
    high: Tensor


def span(activities: Sequence[Tensor]) -> Span:
    """Return the span of a layer's activities (R, units, N) at all checkpoints, if finite."""
    every = torch.cat(list(activities), 2)
    finite = every.isfinite()
    low = torch.where(finite, every, torch.inf).amin(2, keepdim=True)
    return Span(low, torch.where(finite, every, -torch.inf).amax(2, keepdim=True))


def fixed(values: Tensor, _: Span) -> tuple[Tensor, int]:
    """Cut -1..1 into 29 equal bins for every unit; what lies at or beyond an end has one more."""
    width = 2 / (FIXED_EDGES - 1)
    numbers = ((values + 1) / width).floor_().clamp_(-1, FIXED_EDGES - 1)
    return numbers.long() + 1, FIXED_EDGES + 1


def trained_range(values: Tensor, whole: Span) -> tuple[Tensor, int]:
    """Cut each unit's span over the whole training into 100 equal bins, the same at all epochs."""
    width = (whole.high - whole.low) / RANGE_BINS
    width = torch.where(width > 0, width, torch.ones_like(width))
    numbers = ((values - whole.low) / width).floor_().clamp_(0, RANGE_BINS - 1)
    return numbers.long(), RANGE_BINS


def occupancy(values: Tensor, _: Span) -> tuple[Tensor, int]:
    """Cut each unit's activities into 30 bins of equally many inputs, anew at every epoch.

    Equal activities share a bin. No monotone map of a unit's activity changes these bins:
    saturation alone cannot look like a loss of information.
    """
    count = values.shape[2]
    places = torch.arange(1, OCCUPANCY_BINS) * count // OCCUPANCY_BINS
    edges = _sorted(values)[:, :, places].contiguous()
    return torch.searchsorted(edges, values.contiguous(), right=True), OCCUPANCY_BINS


BINNINGS: dict[str, Callable[[Tensor, Span], tuple[Tensor, int]]] = {
    "fixed": fixed,
    "range": trained_range,
    "occupancy": occupancy,
}


def information(values: Tensor, labels: Tensor, binning: str, whole: Span) -> tuple[Tensor, Tensor]:
    """Return I(X;T) and I(T;Y) in bits, float64 (R,), of R layers under a rule for bins.

    values : activities (R, units, N) of all N inputs, each as likely as any other
    labels : (R, N), 0 and 1
    whole : span of these units over the training

    A network with an activity that is not finite gets nan.
    """
    finite = values.isfinite().all(2).all(1)
    numbers, bins = BINNINGS[binning](values.nan_to_num(), whole)
    of_input, of_label = discrete_information(codes(numbers, bins), labels.long())
    lost = torch.full_like(of_input, torch.nan)
    return torch.where(finite, of_input, lost), torch.where(finite, of_label, lost)


def codes(numbers: Tensor, bins: int) -> Tensor:
    """Return one number (R, N) for each tuple of bins (R, units, N): equal where all are equal."""
    count = numbers.shape[2]
    joint, largest = numbers[:, 0], bins
    for own in numbers.unbind(1)[1:]:
        if largest * bins > LARGEST_CODE:
            joint, largest = _ranked(joint), count
        joint, largest = joint * bins + own, largest * bins
    return joint


def discrete_information(joint: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return I(X;T) = H(T) and I(T;Y) = H(T) + H(Y) - H(T,Y) in bits, float64 (R,).

    joint : what T is for each of N equally likely inputs, int64 (R, N), below 2^62
    labels : what Y is, 0 or 1, int64 (R, N)
    """
    both = _sorted(2 * joint + labels)
    of_layer = _entropy(both >> 1)
    of_both, of_label = _entropy(both), _entropy(_sorted(labels))
    return of_layer, of_layer + of_label - of_both


def _sorted(values: Tensor) -> Tensor:
    """Return the values sorted along the last axis: NumPy does it several times faster."""
    return torch.from_numpy(np.sort(values.numpy(), axis=-1))


def _entropy(ordered: Tensor) -> Tensor:
    """Return the entropies in bits of the values in the rows of a sorted tensor."""
    count = ordered.shape[1]
    runs = _runs(ordered)
    sizes = torch.zeros(ordered.shape, dtype=torch.float64)
    sizes.scatter_add_(1, runs, torch.ones(1, dtype=torch.float64).expand_as(runs))
    logs = sizes.clamp(min=1).log2_()
    # -sum c/N log2(c/N), without the rounding error of log2 N where all values are equal
    return ((sizes * (torch.tensor(float(count)).double().log2() - logs)).sum(1) / count).abs()


def _runs(ordered: Tensor) -> Tensor:
    """Return for each place in a sorted row the number of different values before it."""
    new = ordered[:, 1:] != ordered[:, :-1]
    return torch.cat([torch.zeros_like(new[:, :1]), new], 1).cumsum(1)


def _ranked(values: Tensor) -> Tensor:
    """Return the values of each row replaced by their ranks, equal for equal ones."""
    ordered, places = values.sort(1)
    return torch.empty_like(values).scatter_(1, places, _runs(ordered))
