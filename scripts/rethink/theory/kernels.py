"""Kernel matrices by blocks: inner products, squared distances, the Gaussian kernel.

A kernel is evaluated from inner products of features, so that features too many to hold (those
of random convolutions) need only their matrix of inner products. Examples are numbered through,
the training examples first, then the test examples.
"""

from dataclasses import dataclass, replace
from typing import Protocol

import torch

from rethink.theory.blocks import spans

MEDIAN_EXAMPLES = 2000


class Products(Protocol):
    """The inner products of the features of all examples."""

    size: int

    @property
    def dtype(self) -> torch.dtype: ...

    def block(self, rows: slice, columns: slice) -> torch.Tensor:
        """Return a new array of the inner products of two ranges of examples."""
        ...

    def squared_norms(self) -> torch.Tensor: ...

    def to(self, dtype: torch.dtype) -> "Products": ...


class FeatureProducts:
    """Inner products of explicit features (examples, features)."""

    def __init__(self, features: torch.Tensor):
        self.features, self.size = features, len(features)

    @property
    def dtype(self) -> torch.dtype:
        return self.features.dtype

    def block(self, rows: slice, columns: slice) -> torch.Tensor:
        return self.features[rows] @ self.features[columns].T

    def squared_norms(self) -> torch.Tensor:
        return torch.linalg.vector_norm(self.features, dim=1).square_()

    def to(self, dtype: torch.dtype) -> "FeatureProducts":
        return FeatureProducts(self.features.to(dtype))


class StoredProducts:
    """Inner products that were summed up beforehand, kept as the block columns of `tiles`.

    `dtype` is that of the blocks handed out; the stored numbers keep their own.
    """

    def __init__(self, size: int, tile: int, dtype: torch.dtype, device: torch.device):
        self.size, self.spans, self.dtype = size, spans(size, tile), dtype
        self.columns = [
            torch.zeros(size - start, stop - start, dtype=dtype, device=device)
            for start, stop in self.spans
        ]

    def add(self, features: torch.Tensor) -> None:
        """Add the inner products of some more features (examples, features)."""
        features = features.to(self.columns[0].dtype)
        for (start, stop), column in zip(self.spans, self.columns, strict=True):
            column.addmm_(features[start:], features[start:stop].T)

    def block(self, rows: slice, columns: slice) -> torch.Tensor:
        out = torch.empty(
            rows.stop - rows.start,
            columns.stop - columns.start,
            dtype=self.dtype,
            device=self.columns[0].device,
        )
        for (start, stop), column in zip(self.spans, self.columns, strict=True):
            left, right = max(start, columns.start), min(stop, columns.stop)
            if left >= right:
                continue
            place = out[:, left - columns.start : right - columns.start]
            split = min(max(start, rows.start), rows.stop)
            # rows above the stored triangle are columns of an earlier block, by symmetry
            if split > rows.start:
                mirrored = self.block(slice(left, right), slice(rows.start, split))
                place[: split - rows.start] = mirrored.T
            if split < rows.stop:
                stored = column[split - start : rows.stop - start, left - start : right - start]
                place[split - rows.start :] = stored
        return out

    def squared_norms(self) -> torch.Tensor:
        return torch.cat([column.diagonal() for column in self.columns]).to(self.dtype)

    def to(self, dtype: torch.dtype) -> "StoredProducts":
        other = object.__new__(StoredProducts)
        other.size, other.spans, other.columns, other.dtype = (
            self.size,
            self.spans,
            self.columns,
            dtype,
        )
        return other


@dataclass(frozen=True)
class Kernel:
    """k(x, x') = exp(-gamma |x - x'|^2), or the inner product where gamma is None.

    norms : squared norms of the features of all examples (size,)
    """

    products: Products
    norms: torch.Tensor
    gamma: float | None

    @classmethod
    def of(cls, products: Products, gamma: float | None) -> "Kernel":
        """Return the kernel on `products`."""
        return cls(products, products.squared_norms(), gamma)

    def to(self, dtype: torch.dtype) -> "Kernel":
        """Return the same kernel evaluated in another precision."""
        if dtype == self.products.dtype:
            return self
        products = self.products.to(dtype)
        return replace(self, products=products, norms=products.squared_norms())

    def block(self, rows: slice, columns: slice) -> torch.Tensor:
        """Return k between two ranges of examples, as a new array (rows, columns)."""
        block = self.products.block(rows, columns)
        if self.gamma is None:
            return block
        squared_distances(block, self.norms[rows], self.norms[columns])
        block.mul_(-self.gamma).exp_()
        # the distance of an example to itself is zero, and not what rounding leaves of it
        first, last = max(rows.start, columns.start), min(rows.stop, columns.stop)
        if first < last:
            own = slice(first - rows.start, last - rows.start)
            block[own, first - columns.start : last - columns.start].fill_diagonal_(1)
        return block

    def diagonal(self, rows: slice) -> torch.Tensor:
        """Return k(x, x) for a range of examples."""
        return self.norms[rows] if self.gamma is None else torch.ones_like(self.norms[rows])

    def apply(self, rows: slice, size: int, coefficients: torch.Tensor, tile: int) -> torch.Tensor:
        """Return the expansion on the first `size` examples, evaluated at the examples `rows`."""
        values = coefficients.new_zeros(rows.stop - rows.start, coefficients.shape[1])
        for start, stop in spans(size, tile):
            values.addmm_(self.block(rows, slice(start, stop)), coefficients[start:stop])
        return values

    def apply_symmetric(self, coefficients: torch.Tensor, tile: int) -> torch.Tensor:
        """Return K a on the first len(a) examples, evaluating each entry of K once."""
        size = len(coefficients)
        values = torch.zeros_like(coefficients)
        for start, stop in spans(size, tile):
            block = self.block(slice(start, size), slice(start, stop))
            values[start:].addmm_(block, coefficients[start:stop])
            values[start:stop].addmm_(block[stop - start :].T, coefficients[stop:])
        return values


def squared_distances(
    products: torch.Tensor, row_norms: torch.Tensor, column_norms: torch.Tensor
) -> torch.Tensor:
    """Overwrite inner products by |x|^2 + |x'|^2 - 2 <x, x'>, at least 0, and return them."""
    return products.mul_(-2).add_(row_norms[:, None]).add_(column_norms).clamp_(min=0)


def median_squared_distance(products: Products, size: int) -> float:
    """Return the median over the pairs of the first examples, 2,000 or `size` if fewer."""
    rows = slice(0, min(size, MEDIAN_EXAMPLES))
    norms = products.squared_norms()[rows]
    distances = squared_distances(products.block(rows, rows), norms, norms)
    first, second = torch.tril_indices(*distances.shape, offset=-1, device=distances.device)
    return float(distances[first, second].median())
