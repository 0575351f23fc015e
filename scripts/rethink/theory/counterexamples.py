"""Interpolants that the minimum norm passes over (Section 5): same training error, no sense.

All are measured in the norm of the kernel's Hilbert space, sqrt(sum over classes of a^T K a).
"""

import math
from typing import Any

import numpy as np
import torch

from rethink import seeds
from rethink.theory.kernels import Kernel, squared_distances
from rethink.theory.tiles import Cholesky

CENTRES = 1000
CHECKED = 5000
INTERPOLATES = 1e-2


def one_hot(labels: torch.Tensor, classes: int, dtype: torch.dtype) -> torch.Tensor:
    """Return targets (n, classes) of 0 and 1."""
    return torch.nn.functional.one_hot(labels, classes).to(dtype)


def error(values: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the share of rows whose largest value is not at the label."""
    return float((values.argmax(1) != labels).double().mean())


def random_labels(labels: torch.Tensor, classes: int, *key: object) -> torch.Tensor:
    """Return labels drawn uniformly, one for each of `labels`, on their device."""
    drawn = seeds.generator(*key).integers(classes, size=len(labels))
    return torch.from_numpy(drawn).to(labels.device)


def random_training_labels(
    kernel: Kernel,
    factor: Cholesky,
    minimum: float,
    train_labels: torch.Tensor,
    test_labels: torch.Tensor,
    classes: int,
    tile: int,
    key: tuple,
) -> dict[str, Any]:
    """Return the norm that random labels of the training points need: they too are fitted.

    `minimum` is the norm that the true labels need. The test error is against the true labels.
    """
    size = factor.size
    targets = one_hot(
        random_labels(train_labels, classes, *key, "random training labels"),
        classes,
        factor.columns[0].dtype,
    )
    half = factor.solve_lower(targets)
    own = _root(half.double().square())
    coefficients = factor.solve_upper(half)
    predicted = kernel.apply(slice(size, size + len(test_labels)), size, coefficients, tile)
    return {
        "rkhs_norm": own,
        "norm_ratio": own / minimum,
        "test_error": error(predicted, test_labels),
    }


def random_test_labels(
    kernel: Kernel,
    factor: Cholesky,
    coefficients: torch.Tensor,
    minimum: float,
    train_labels: torch.Tensor,
    test_labels: torch.Tensor,
    classes: int,
    points: int,
    tile: int,
    key: tuple,
) -> dict[str, Any]:
    """Return the smallest-norm interpolant that also takes random labels at test points.

    The first `points` test examples get random labels R. With f the minimum-norm interpolant of
    the training data, of norm `minimum`, V = L^-1 K(train, points) and the Schur complement
    S = K(points, points) - V^T V, the interpolant of both has
    |g|^2 = |f|^2 + tr((R - f)^T S^-1 (R - f)). That it still fits is checked on training examples.
    """
    size, dtype = factor.size, coefficients.dtype
    forced = slice(size, size + points)
    targets = one_hot(
        random_labels(test_labels[:points], classes, *key, "random test labels"), classes, dtype
    )
    half = coefficients.new_empty(size, points)
    for start, stop in factor.spans:
        half[start:stop] = kernel.block(forced, slice(start, stop)).T
    factor.solve_lower(half)
    schur = kernel.block(forced, forced).double()
    for start, stop in factor.spans:
        part = half[start:stop].double()
        schur.addmm_(part.T, part, alpha=-1)
    lower, info = torch.linalg.cholesky_ex(schur)
    if int(info):
        return {"note": "the joint kernel matrix of training and test points is singular"}
    missing = (targets - kernel.apply(forced, size, coefficients, tile)).double()
    added = torch.cholesky_solve(missing, lower)
    norm = math.hypot(minimum, _root(missing * added))

    changed = coefficients - factor.solve_upper(half @ added.to(dtype))

    def values(rows: slice) -> torch.Tensor:
        own = kernel.apply(rows, size, changed, tile)
        return own.add_(kernel.block(rows, forced) @ added.to(dtype))

    predicted = values(slice(size, size + len(test_labels)))
    checked = min(size, CHECKED)
    return {
        "points": points,
        "rkhs_norm": norm,
        "norm_ratio": norm / minimum,
        "train_error": error(values(slice(0, checked)), train_labels[:checked]),
        "train_examples_checked": checked,
        "test_error": error(predicted, test_labels),
        "test_error_at_points": error(predicted[:points], test_labels[:points]),
        "test_error_elsewhere": (
            error(predicted[points:], test_labels[points:]) if points < len(test_labels) else None
        ),
        "residual_at_points": float((predicted[:points] - targets).abs().max()),
    }


def random_centres(
    features: torch.Tensor,
    gamma: float,
    train_labels: torch.Tensor,
    test: torch.Tensor,
    test_labels: torch.Tensor,
    classes: int,
    key: tuple,
) -> dict[str, Any]:
    """Return a Gaussian expansion with randomly placed centres that interpolates, float64.

    Each coordinate of a centre is that of a training point drawn for this coordinate alone: the
    centres lie in the range of the data but resemble none of it. There are as many centres as
    training points, the first 1,000 or all if fewer; the minimum norm it is compared with is that
    of the same points.
    """
    count = min(len(features), CENTRES)
    points, labels = features[:count].double().cpu(), train_labels[:count].cpu()
    test, test_labels = test.double().cpu(), test_labels.cpu()
    generator = seeds.generator(*key, "random centres")
    drawn = generator.permuted(np.tile(np.arange(count), (points.shape[1], 1)), axis=1).T
    centres = points.gather(0, torch.from_numpy(drawn.copy()))
    targets = one_hot(labels, classes, torch.float64)
    least, singular = torch.linalg.solve_ex(_gaussian(points, points, gamma), targets)
    expansion, singular_too = torch.linalg.solve_ex(_gaussian(points, centres, gamma), targets)
    if int(singular) or int(singular_too):
        return {"note": "the matrix of the random centres is singular"}
    values = _gaussian(points, centres, gamma) @ expansion
    minimum = _root(targets * least)
    norm = _root(expansion * (_gaussian(centres, centres, gamma) @ expansion))
    residual = float((values - targets).abs().max())
    return {
        "centres": count,
        "rkhs_norm": norm,
        "minimum_norm": minimum,
        "norm_ratio": norm / minimum,
        "residual": residual,
        "interpolates": residual < INTERPOLATES,
        "train_error": error(values, labels),
        "test_error": error(_gaussian(test, centres, gamma) @ expansion, test_labels),
        "test_error_minimum_norm": error(_gaussian(test, points, gamma) @ least, test_labels),
    }


def _root(products: torch.Tensor) -> float:
    """Return the root of the sum; rounding may leave it a little below 0."""
    return math.sqrt(max(float(products.sum()), 0.0))


def _gaussian(rows: torch.Tensor, columns: torch.Tensor, gamma: float) -> torch.Tensor:
    norms = [points.square().sum(1) for points in (rows, columns)]
    return squared_distances(rows @ columns.T, *norms).mul_(-gamma).exp_()
