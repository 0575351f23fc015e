"""Cholesky factorization of a matrix too large to hold in full: only its lower triangle is kept.

The triangle is cut into block columns of `tile` columns, each a dense array of the rows from its
diagonal block on: n^2/2 + n tile/2 numbers in all. The factorization is left-looking and in
place: a column is filled, all finished columns are subtracted from it by one matrix product each,
its diagonal block is factored, the rows below are solved. A finished column never changes again,
so that an interrupted factorization resumes after its last one.

torch does the products, on the processor and on a graphics card alike.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from rethink.files import atomic_path, read_json, write_json
from rethink.theory.blocks import spans

# A pivot this many roundings of the largest diagonal entry above zero is noise, not rank.
PIVOT_ROUNDINGS = 4


class NotPositiveDefinite(ArithmeticError):
    """The factorization met a pivot that is not positive beyond rounding, at `row`."""

    def __init__(self, row: int):
        self.row = row
        super().__init__(f"not positive definite at row {row}")


class Clock:
    """Adds up the seconds of named stages, and the operations of factorizations."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.flops = 0.0

    @contextlib.contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - started
            self.seconds[stage] = self.seconds.get(stage, 0.0) + spent


class ColumnFiles:
    """Finished block columns as ``.npy`` files of the folder `folder`, each written at once.

    Of a factorization that failed only the row is left.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def _column(self, index: int) -> Path:
        return self.folder / f"column-{index:04d}.npy"

    @property
    def _failure(self) -> Path:
        return self.folder / "failed.json"

    def load(self, index: int) -> torch.Tensor | None:
        """Return the column of that index, or None where it was not finished."""
        path = self._column(index)
        return torch.from_numpy(np.load(path)) if path.exists() else None

    def save(self, index: int, column: torch.Tensor) -> None:
        """Keep a finished column."""
        with atomic_path(self._column(index)) as temporary:
            np.save(temporary, column.cpu().numpy())

    def fail(self, row: int) -> None:
        """Keep the row at which the factorization failed, in place of the columns before it."""
        write_json(self._failure, {"row": row})
        for path in self.folder.glob("column-*.npy"):
            path.unlink()

    def failed(self) -> int | None:
        """Return the row at which the factorization failed, None where it did not."""
        return read_json(self._failure)["row"] if self._failure.exists() else None


class Cholesky:
    """The factor L of K = L L^T (lower triangular), made by `factorize`.

    columns : for each block of `spans`, the rows from its first index on; zeros above the diagonal
    """

    def __init__(self, columns: list[torch.Tensor], size: int, tile: int):
        self.columns, self.size, self.spans = columns, size, spans(size, tile)

    @property
    def min_diagonal(self) -> float:
        """The smallest diagonal entry of L: near zero where K is nearly singular."""
        return min(float(column.diagonal().min()) for column in self.columns)

    def solve_lower(self, right: torch.Tensor) -> torch.Tensor:
        """Overwrite `right` (size, m) by L^-1 right and return it."""
        for (start, stop), column in zip(self.spans, self.columns, strict=True):
            width = stop - start
            own = right[start:stop]
            own.copy_(torch.linalg.solve_triangular(column[:width], own, upper=False))
            right[stop:].addmm_(column[width:], own, alpha=-1)
        return right

    def solve_upper(self, right: torch.Tensor) -> torch.Tensor:
        """Overwrite `right` (size, m) by L^-T right and return it."""
        for (start, stop), column in zip(self.spans[::-1], self.columns[::-1], strict=True):
            width = stop - start
            own = right[start:stop]
            own.addmm_(column[width:].T, right[stop:], alpha=-1)
            own.copy_(torch.linalg.solve_triangular(column[:width].T, own, upper=True))
        return right

    def solve(self, right: torch.Tensor) -> torch.Tensor:
        """Return K^-1 right, `right` (size, m) being left as it is."""
        return self.solve_upper(self.solve_lower(right.clone()))

    def inverse_diagonal(self) -> torch.Tensor:
        """Return the diagonal of K^-1 (size,), float64, in size^3/3 operations.

        It holds one block column of L^-1 at a time: (K^-1)_ii is the sum of squares of its column.
        """
        result = torch.empty(self.size, dtype=torch.float64, device=self.columns[0].device)
        for first, (start, stop) in enumerate(self.spans):
            height, width = self.size - start, stop - start
            inverse = self.columns[0].new_zeros(height, width)
            inverse[:width].fill_diagonal_(1)
            for (above, below), column in zip(
                self.spans[first:], self.columns[first:], strict=True
            ):
                own = inverse[above - start : below - start]
                own.copy_(torch.linalg.solve_triangular(column[: below - above], own, upper=False))
                inverse[below - start :].addmm_(column[below - above :], own, alpha=-1)
            result[start:stop] = inverse.square_().sum(0, dtype=torch.float64)
        return result


def factorize(
    fill: Callable[[int, int], torch.Tensor],
    size: int,
    tile: int,
    largest: float,
    store: ColumnFiles | None = None,
    clock: Clock | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Cholesky:
    """Return the Cholesky factor of a symmetric positive definite `size` x `size` matrix.

    Parameters
    ----------
    fill : returns, given the first and one past the last index of a block column, a new array of
        its rows from the first index on; its dtype and device are those of the work. What it
        holds above the diagonal is not read.
    largest : the largest diagonal entry of the matrix, which tells what a pivot's rounding is
    store : keeps finished columns across processes, and that a factorization failed
    clock : gets the seconds of the stages ``gram`` (filling) and ``factorization``
    say : is told of every finished column

    Raises NotPositiveDefinite.
    """
    if store and (row := store.failed()) is not None:
        raise NotPositiveDefinite(row)
    try:
        return _factorize(fill, size, tile, largest, store, clock or Clock(), say)
    except NotPositiveDefinite as failure:
        if store:
            store.fail(failure.row)
        raise


def _factorize(
    fill: Callable[[int, int], torch.Tensor],
    size: int,
    tile: int,
    largest: float,
    store: ColumnFiles | None,
    clock: Clock,
    say: Callable[[str], None],
) -> Cholesky:
    blocks = spans(size, tile)
    columns: list[torch.Tensor] = []
    for index, (start, stop) in enumerate(blocks):
        column = store.load(index) if store else None
        if column is None:
            with clock("gram"):
                column = fill(start, stop)
            with clock("factorization"):
                _subtract(column, columns, blocks, start, stop)
                _finish(column, start, largest)
                if column.is_cuda:
                    torch.cuda.synchronize()
            clock.flops += size**3 / 3 * (_share(stop / size) - _share(start / size))
            if store:
                store.save(index, column)
        columns.append(column)
        say(f"column {index + 1} of {len(blocks)} done, {_share(stop / size):.0%} of the work")
    return Cholesky(columns, size, tile)


def _share(part: float) -> float:
    """Return the share of the operations that the first `part` of the columns takes."""
    return 3 * part**2 - 2 * part**3  # a column at x costs x (1 - x)


def _subtract(
    column: torch.Tensor,
    finished: list[torch.Tensor],
    blocks: list[tuple[int, int]],
    start: int,
    stop: int,
) -> None:
    """Subtract what the finished columns contribute to the one from `start` to `stop`."""
    for (first, _), left in zip(blocks, finished, strict=False):
        rows = left[start - first :]
        column.addmm_(rows, rows[: stop - start].T, alpha=-1)


def _finish(column: torch.Tensor, start: int, largest: float) -> None:
    """Factor the diagonal block of a column and solve the rows below it, both in place."""
    width = column.shape[1]
    factor, info = torch.linalg.cholesky_ex(column[:width])
    if int(info):
        raise NotPositiveDefinite(start + int(info) - 1)
    pivots = factor.diagonal().square()
    floor = PIVOT_ROUNDINGS * torch.finfo(column.dtype).eps * largest
    if not bool((pivots > floor).all()):
        raise NotPositiveDefinite(start + int((~(pivots > floor)).int().argmax()))
    column[:width] = factor
    # by rows, so that the copy that the solver makes stays small
    for first, last in spans(len(column) - width, width):
        rows = column[width + first : width + last]
        rows.copy_(torch.linalg.solve_triangular(factor.T, rows, upper=True, left=False))
