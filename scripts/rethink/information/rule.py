"""The rule that the networks of the information plane learn: binary patterns and their labels.

In Shwartz-Ziv and Tishby (2017) a pattern of 12 bits switches 12 points of a sphere on and off, and
its label depends on the pattern up to rotations. Their patterns and labels are published
(``var_u.mat``); what is generated here is a rule of the same kind.
"""

from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from rethink import seeds
from rethink.errors import RethinkError

DEGREES = 3  # of the power spectrum: 0, 1 and 2
HALVINGS = 60
LARGEST_GAIN = 1e3


@dataclass(frozen=True)
class Rule:
    """All patterns, each as likely as any other, with one label each.

    patterns : 0 and 1, uint8 (N, bits)
    labels : 0 and 1, uint8 (N,)
    facts : where they are from, as results say it
    """

    patterns: np.ndarray
    labels: np.ndarray
    facts: dict[str, Any]

    def described(self) -> dict[str, Any]:
        """Return `facts`, the sizes, and the entropy of the labels in bits."""
        share = float(self.labels.mean())
        return {
            **self.facts,
            "patterns": len(self.patterns),
            "bits": self.patterns.shape[1],
            "label_entropy": float(entropy(np.array(share))),
        }


def entropy(probability: np.ndarray) -> np.ndarray:
    """Return the entropy in bits of a yes or no with this probability, element by element."""
    p = np.clip(probability, 1e-300, 1)
    q = np.clip(1 - probability, 1e-300, 1)
    return -p * np.log2(p) - q * np.log2(q)


def generated(information: float, seed: int) -> Rule:
    """Return a rule on the 4096 patterns of 12 bits that leaves `information` bits in the labels.

    The bits stand at the corners of an icosahedron. f is the sum of a pattern's power in the
    spherical harmonics of degree 0, 1 and 2, the same for all rotations of a pattern, and
    p(y = 1 | x) = 1 / (1 + exp(-gain (f - threshold))). The threshold cuts the patterns as nearly
    in half as f can, and the gain makes I(X;Y) = `information`, at most 0.999. One label is then
    drawn for each pattern; over these I(X;Y) is H(Y), a little below 1.

    Raises RethinkError for an information that no gain reaches.
    """
    patterns = np.array(list(product((0, 1), repeat=12)), np.uint8)
    power = _power(patterns)
    if not 0 < information < _information(power, LARGEST_GAIN):
        raise RethinkError(
            f"information_plane: information is {information:g}, but should be above 0 and below "
            f"{_information(power, LARGEST_GAIN):.3f} bit, which this rule has without noise"
        )
    low, high = 0.0, LARGEST_GAIN
    for _ in range(HALVINGS):
        gain = (low + high) / 2
        enough = _information(power, gain) > information
        low, high = (low, gain) if enough else (gain, high)
    likely = _probabilities(power, gain)
    draws = seeds.generator(seed, "information", "labels").random(len(patterns))
    facts = {"source": "generated", "information": information, "gain": gain}
    return Rule(patterns, (draws < likely).astype(np.uint8), facts)


def _power(patterns: np.ndarray) -> np.ndarray:
    """Return each pattern's power in the lowest spherical harmonics (N,).

    By the addition theorem the power in degree l is the sum of P_l(cos angle) over all pairs of
    points that are on.
    """
    golden = (1 + 5**0.5) / 2
    rectangle = [(0, s, t * golden) for s in (1, -1) for t in (1, -1)]
    corners = np.array([np.roll(point, turn) for turn in range(3) for point in rectangle])
    cosines = corners @ corners.T / (1 + golden**2)
    total = sum(_legendre(degree, cosines) for degree in range(DEGREES))
    on = patterns.astype(float)
    # Patterns that a rotation maps to each other shall not differ by a rounding error.
    return np.einsum("ni,ij,nj->n", on, total, on).round(9)


def _legendre(degree: int, values: np.ndarray) -> np.ndarray:
    return np.polynomial.legendre.legval(values, [0] * degree + [1])


def _threshold(power: np.ndarray) -> float:
    """Return the value between two neighbouring powers that cuts nearest to the half."""
    values, counts = np.unique(power, return_counts=True)
    below = np.cumsum(counts)[:-1] / len(power)
    cut = int(np.abs(below - 0.5).argmin())
    return float(values[cut] + values[cut + 1]) / 2


def _probabilities(power: np.ndarray, gain: float) -> np.ndarray:
    """Return p(y = 1 | x)."""
    return 0.5 * (1 + np.tanh(gain * (power - _threshold(power)) / 2))


def _information(power: np.ndarray, gain: float) -> float:
    """Return I(X;Y) = H(Y) - H(Y|X) in bits."""
    likely = _probabilities(power, gain)
    return float(entropy(likely.mean()) - entropy(likely).mean())


def published(path: Path) -> Rule:
    """Return the rule in a MATLAB file with the published layout: F (N, bits) and y (1, N).

    Raises RethinkError for a file that is not readable or holds something else.
    """
    import scipy.io
    from scipy.io.matlab import MatReadError

    try:
        content = scipy.io.loadmat(path)
        patterns, labels = np.asarray(content["F"]), np.asarray(content["y"]).ravel()
    except (OSError, ValueError, NotImplementedError, KeyError, MatReadError) as error:
        raise RethinkError(
            f"{path}: should be a MATLAB file with F (patterns) and y (labels): {error}"
        ) from None
    if patterns.ndim != 2 or len(patterns) != len(labels):
        raise RethinkError(
            f"{path}: F should have one row for each label of y, not {patterns.shape} for "
            f"{len(labels):,} labels"
        )
    if not (np.isin(patterns, (0, 1)).all() and set(np.unique(labels)) == {0, 1}):
        raise RethinkError(f"{path}: F and y should hold 0 and 1, and y both of them")
    if len(np.unique(patterns, axis=0)) != len(patterns):
        raise RethinkError(f"{path}: the patterns in F should differ from each other")
    return Rule(patterns.astype(np.uint8), labels.astype(np.uint8), {"source": path.name})
