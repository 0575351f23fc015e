"""What an interrupted kernel experiment has finished, kept for the process that goes on with it."""

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rethink.files import atomic_path, read_json, write_json
from rethink.theory.tiles import ColumnFiles


class Row(NamedTuple):
    """What one regularization gave.

    values : of its row in result.json
    predicted : the labels predicted for the test examples, (M,)
    counterexamples : the interpolants of larger norm, None where it has none
    """

    values: dict[str, Any]
    predicted: np.ndarray
    counterexamples: dict[str, Any] | None


class FinishedRow:
    """A row in the folder `folder`, and until it is finished the columns of its factorizations."""

    def __init__(self, folder: Path):
        self.folder = folder

    def columns(self, factorization: str) -> ColumnFiles:
        """Return where the columns of one of its factorizations lie."""
        return ColumnFiles(self._columns / factorization)

    @property
    def _columns(self) -> Path:
        return self.folder / "columns"

    def load(self) -> Row | None:
        """Return the row, None where it was not finished."""
        if not (self.folder / "row.json").exists():
            return None
        return Row(**read_json(self.folder / "row.json"), predicted=np.load(self._predicted))

    @property
    def _predicted(self) -> Path:
        return self.folder / "predicted.npy"

    def save(self, row: Row) -> None:
        """Keep the row in place of the columns."""
        with atomic_path(self._predicted) as temporary:
            np.save(temporary, row.predicted)
        kept = {"values": row.values, "counterexamples": row.counterexamples}
        write_json(self.folder / "row.json", kept)
        shutil.rmtree(self._columns, ignore_errors=True)
