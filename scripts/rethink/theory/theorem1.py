"""Theorem 1: a two-layer ReLU network with 2n + d weights for any labels of n points in R^d.

    c(x) = sum_j w_j max(<a, x> - b_j, 0),        a in R^d, b and w in R^n

Project the points on a direction `a` that keeps them apart, z_i = <a, x_i>, and put one knot below
each: b_1 < z_1 < b_2 < z_2 < ... Then A_ij = max(z_i - b_j, 0) is lower triangular with a positive
diagonal (Lemma 1), and A w = y has a solution for every y. c is linear between the knots, so that
the solution takes O(n) once the points are sorted.

The theorem is about real numbers. Two choices keep it true to float64. The projections, the knots
and the slopes of c lie on binary grids, on which z_i - b_j and the running sums of w are exact. And
the knots are adaptive: the error of c at a knot is multiplied by -(b_{i+1} - z_i)/(z_i - b_i) at
the next one, which midpoints leave unbounded and adaptive knots keep below 1/2.
"""

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rethink.errors import RethinkError

DRAWS = 20
PIXEL_BITS = 8
DIRECTION_BITS = 26  # of a coordinate's fraction, fewer where images are very large
MANTISSA_BITS = 53
KNOTS = ("adaptive", "midpoint")


@dataclass(frozen=True)
class Network:
    """The network of Theorem 1: `direction` (d,), `knots` (n,) ascending, `weights` (n,)."""

    direction: np.ndarray
    knots: np.ndarray
    weights: np.ndarray

    @property
    def parameters(self) -> int:
        """The number of weights: 2n + d."""
        return self.direction.size + self.knots.size + self.weights.size

    @functools.cached_property
    def slopes(self) -> np.ndarray:
        """The slope of c from each knot to the next, (n,); exact on the grid of the weights."""
        return np.cumsum(self.weights)

    @functools.cached_property
    def levels(self) -> np.ndarray:
        """The value of c at each knot, (n,)."""
        return np.concatenate([[0.0], np.cumsum(self.slopes[:-1] * np.diff(self.knots))])

    def dense(self, points: np.ndarray, dtype: type = np.float64) -> np.ndarray:
        """Return c of each point, (m,), by the network's own sum over all n units in `dtype`."""
        a, b, w = (v.astype(dtype) for v in (self.direction, self.knots, self.weights))
        z = project(points, a)
        values = np.zeros(len(z), dtype)
        for rows in chunks(len(z), 256):
            for units in chunks(len(b), 2048):
                hidden = np.subtract.outer(z[rows], b[units])
                values[rows] += np.maximum(hidden, 0, out=hidden) @ w[units]
        return values

    def piecewise(self, z: np.ndarray) -> np.ndarray:
        """Return c at the projections `z`, (m,), from the prefix sums of the weights: O(n log n)."""
        last = np.searchsorted(self.knots, z) - 1
        below = np.maximum(last, 0)
        values = self.levels[below] + self.slopes[below] * (z - self.knots[below])
        return np.where(last < 0, 0.0, values)

    def exact(self, z: float) -> float:
        """Return c at the projection `z`, the sum over all units in integers, rounded once."""
        unit = _last_bit(np.append(self.knots, z))
        scale = _last_bit(self.weights)
        below = self.knots < z
        distances = np.ldexp(z - self.knots[below], -unit)
        weights = np.ldexp(self.weights[below], -scale)
        pairs = zip(distances.tolist(), weights.tolist(), strict=True)
        total = sum(int(distance) * int(weight) for distance, weight in pairs)
        return math.ldexp(total, unit + scale) if total else 0.0


def _last_bit(values: np.ndarray) -> int:
    """Return an exponent e such that every value is a whole multiple of 2**e."""
    numbers = np.abs(values)
    return math.frexp(np.spacing(numbers[numbers > 0].min(initial=1.0)))[1] - 1


def chunks(count: int, size: int) -> Iterator[slice]:
    """Yield slices that cover 0..count in steps of `size`."""
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def project(points: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Return <a, x> of each of the `points` (n, ...), for `direction` (d,) or directions (d, k).

    The arithmetic is that of the direction's dtype, a few thousand points at a time.
    """
    parts = [
        np.asarray(points[rows], direction.dtype).reshape(rows.stop - rows.start, -1) @ direction
        for rows in chunks(len(points), 1024)
    ]
    return np.concatenate(parts)


def distinct(points: np.ndarray) -> np.ndarray:
    """Return the indices of the first copy of each point, ascending."""
    first: dict[bytes, int] = {}
    for index, point in enumerate(points):
        first.setdefault(np.ascontiguousarray(point).tobytes(), index)
    return np.fromiter(first.values(), dtype=np.int64)


def check_distinct(points: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return the indices of the first copy of each point.

    Raises RethinkError where equal points have different targets: no function takes both values.
    """
    first: dict[bytes, int] = {}
    for index, point in enumerate(points):
        earlier = first.setdefault(np.ascontiguousarray(point).tobytes(), index)
        if targets[earlier] != targets[index]:
            raise RethinkError(
                f"Theorem 1 does not apply: points {earlier} and {index} are equal but have the "
                f"targets {targets[earlier]} and {targets[index]}; leave one of them out"
            )
    return np.fromiter(first.values(), dtype=np.int64)


def choose_direction(
    points: np.ndarray, generator: np.random.Generator, draws: int = DRAWS
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return a direction that keeps all points apart, their projections, and the relative gap.

    Parameters
    ----------
    points : (n, ...) uint8, no two equal.
    generator : draws the candidates, Gaussian and rounded to a grid on which <a, x> is exact.
    draws : the candidate with the largest gap between neighbours, relative to the range, is kept.

    Returns a (d,), z (n,) and the gap. Raises RethinkError where every candidate has a tie.
    """
    if points.dtype != np.uint8:
        raise TypeError("the projections are exact for uint8 points only")
    if len(points) < 2:
        raise RethinkError("Theorem 1 needs at least two points")
    size = math.prod(points.shape[1:])
    room = MANTISSA_BITS - PIXEL_BITS - math.ceil(math.log2(size)) - 3
    bits = min(DIRECTION_BITS, room)
    norm = round(math.log2(255 * math.sqrt(size)))  # makes z of order one
    candidates = np.clip(generator.standard_normal((size, draws)), -7, 7)
    candidates = np.ldexp(np.rint(np.ldexp(candidates, bits)), -bits - norm)
    z = project(points, candidates)
    ordered = np.sort(z, axis=0)
    gaps = np.diff(ordered, axis=0).min(axis=0) / np.ptp(z, axis=0).clip(np.finfo(float).tiny)
    best = int(gaps.argmax())
    if gaps[best] <= 0:
        raise RethinkError(
            f"none of {draws} directions keeps the {len(points)} points apart; are two of them equal?"
        )
    return candidates[:, best].copy(), z[:, best].copy(), float(gaps[best])


def place_knots(z: np.ndarray, rule: str = "adaptive") -> np.ndarray:
    """Return knots b_1 < z_1 < b_2 < z_2 < ... for ascending `z` (n,), on a binary grid.

    ``midpoint`` puts each halfway; ``adaptive`` no farther above z_i than half of z_i - b_i.
    """
    if rule not in KNOTS:
        raise ValueError(f"unknown rule '{rule}'; known are {', '.join(KNOTS)}")
    first = z[0] - (z[-1] - z[0]) / len(z)
    grid = _grid(z)
    knots = np.empty_like(z)
    knots[0] = _rounded(first, grid)
    if rule == "midpoint":
        knots[1:] = _rounded(z[:-1] + np.diff(z) / 2, grid)
        return knots
    knot, values = float(knots[0]), z.tolist()
    for i in range(len(values) - 1):
        step = min(values[i + 1] - values[i], values[i] - knot) / 2
        knot = values[i] + max(math.floor(step / grid), 1) * grid
        knots[i + 1] = knot
    return knots


def offset(z: np.ndarray) -> float:
    """Return a power of two that makes all projections and knots positive when it is added."""
    return 2.0 ** math.ceil(math.log2(2 * np.abs(z).max() + np.finfo(float).tiny))


def _grid(z: np.ndarray) -> float:
    """Return the spacing on which z, the knots and both plus `offset` are exact in float64."""
    return math.ldexp(offset(z), 2 - MANTISSA_BITS)


def _rounded(values: np.ndarray | float, grid: float) -> np.ndarray | float:
    return np.rint(values / grid) * grid


def solve(
    direction: np.ndarray, z: np.ndarray, targets: np.ndarray, rule: str = "adaptive"
) -> Network:
    """Return the network with c(x_i) = y_i for the points with projections `z`.

    Parameters
    ----------
    direction : (d,), with which z was computed.
    z : (n,) distinct projections, in any order.
    targets : (n,) numbers.
    rule : how knots are placed, see `place_knots`.

    The cost is that of sorting. Raises RethinkError for projections that tie.
    """
    order = np.argsort(z, kind="stable")
    z, y = z[order].astype(np.float64), np.asarray(targets, np.float64)[order]
    if np.diff(z).min(initial=np.inf) <= 0:
        raise RethinkError("two points have the same projection; choose another direction")
    knots = place_knots(z, rule)
    free = _slopes(z, knots, y, 0.0)
    # on a common grid the differences of slopes, at most twice as large, and the sums of these
    # are exact
    top = max(float(np.abs(free).max()), np.finfo(float).tiny)
    grid = math.ldexp(1.0, math.frexp(top)[1] + 1 - MANTISSA_BITS)
    slopes = _slopes(z, knots, y, grid)
    return Network(direction, knots, np.diff(slopes, prepend=0.0))


def _slopes(z: np.ndarray, knots: np.ndarray, y: np.ndarray, grid: float) -> np.ndarray:
    """Return the slope from each knot: s_i = (y_i - F_i)/(z_i - b_i), F the value at the knot.

    Slopes are rounded to multiples of `grid`, if there is one; F follows the rounded ones, so
    that no rounding is handed on.
    """
    value, slopes = 0.0, []
    widths = np.append(np.diff(knots), 0.0).tolist()
    for target, distance, width in zip(y.tolist(), (z - knots).tolist(), widths, strict=True):
        slope = (target - value) / distance
        if grid:
            slope = round(slope / grid) * grid
        slopes.append(slope)
        value += slope * width
    return np.array(slopes)


def hidden_matrix(z: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """Return Lemma 1's A_ij = max(z_i - b_j, 0), (n, n), for `z` in the order of the knots."""
    return np.maximum(np.subtract.outer(np.sort(z), knots), 0.0)


@dataclass(frozen=True)
class Spectrum:
    """What Lemma 1 says of A, beside what is found numerically."""

    smallest_difference: float  # min_i (z_i - b_i)
    smallest_eigenvalue: float
    largest_imaginary_part: float
    smallest_singular_value: float
    condition: float
    rank: int


def spectrum(z: np.ndarray, knots: np.ndarray) -> Spectrum:
    """Return the eigenvalues and singular values of A that matter, computed from the full matrix.

    O(n^3). A is far from symmetric: its smallest singular value is much below its smallest
    eigenvalue, and its condition number grows with n although no eigenvalue is small.
    """
    matrix = hidden_matrix(z, knots)
    eigenvalues = np.linalg.eigvals(matrix)
    singular = np.linalg.svd(matrix, compute_uv=False)
    tolerance = singular[0] * len(matrix) * np.finfo(float).eps
    return Spectrum(
        float((np.sort(z) - knots).min()),
        float(eigenvalues.real.min()),
        float(np.abs(eigenvalues.imag).max()),
        float(singular[-1]),
        float(singular[0] / singular[-1]),
        int((singular > tolerance).sum()),
    )
