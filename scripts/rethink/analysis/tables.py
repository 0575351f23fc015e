"""The tables of a run: their columns, and one object that loads and checks them."""

import functools
import os
from pathlib import Path
from typing import Any

import pandas as pd

from rethink.errors import RethinkError
from rethink.files import atomic_path
from rethink.training.metrics import CONVEXITY, MEASURES, TOP5, VALUES

TEXT, WHOLE, NUMBER = "text", "whole number", "number"

# What identifies a cell; every table begins with these.
CELL = {
    "dataset": TEXT,
    "model": TEXT,
    "corruption": TEXT,
    "corruption_kind": TEXT,
    "level": NUMBER,
    "regularizer": TEXT,
}
# What cells.csv summarizes over the replicates of a cell.
SUMMARIZED = (
    "online_accuracy",
    "train_accuracy",
    "test_accuracy",
    "test_accuracy_given",
    "best_test_accuracy",
    "time_to_fit_epochs",
)
STATISTICS = ("mean", "sd", "min", "max", "n")
# Of runs that were asked for TOP5 only: columns that are there where some cell of a table has them.
BEST_TOP5 = "best_test_top5_accuracy"

EPOCH = {"replicate": WHOLE, "epoch": WHOLE, "step": WHOLE, "learning_rate": NUMBER}
COLUMNS: dict[str, dict[str, str]] = {
    "curves": {**CELL, **EPOCH, **dict.fromkeys(VALUES, NUMBER)},
    "summary": {
        **CELL,
        "parameters": WHOLE,
        "train_examples": WHOLE,
        "validation_examples": WHOLE,
        "steps_per_epoch": WHOLE,
        "fit_criterion": TEXT,
        "replicate": WHOLE,
        "status": TEXT,
        "stopped_early": TEXT,
        "epochs_run": WHOLE,
        "kept_epoch": WHOLE,
        "time_to_fit_epochs": WHOLE,
        "time_to_fit_steps": WHOLE,
        **dict.fromkeys(VALUES, NUMBER),
        "best_test_accuracy": NUMBER,
        "best_test_epoch": WHOLE,
        **dict.fromkeys(MEASURES, NUMBER),
    },
    "cells": {
        **CELL,
        "classes": WHOLE,
        "test_examples": WHOLE,
        "parameters": WHOLE,
        "n": WHOLE,
        "n_fitted": WHOLE,
        "n_diverged": WHOLE,
        "epochs_run": WHOLE,
        "fit_criterion": TEXT,
        **{f"{v}_{s}": WHOLE if s == "n" else NUMBER for v in SUMMARIZED for s in STATISTICS},
        "train_seconds": NUMBER,
        "device": TEXT,
    },
    "runs": {
        **CELL,
        "seed": WHOLE,
        "started": TEXT,
        "finished": TEXT,
        "seconds": NUMBER,
        "train_seconds": NUMBER,
        "epoch_seconds": NUMBER,
        "images_per_second": NUMBER,
        "cpu_seconds": NUMBER,
        "peak_memory_mb": NUMBER,
        "attempts": WHOLE,
        "device_type": TEXT,
        "device_name": TEXT,
        "numerics": TEXT,
        "threads": WHOLE,
        "host": TEXT,
        "processor": TEXT,
        "cores": WHOLE,
        "memory_mb": WHOLE,
        "system": TEXT,
        "commit": TEXT,
        "dirty": TEXT,
        "software": TEXT,
        "spec_sha256": TEXT,
        "code_sha256": TEXT,
        "data_sha256": TEXT,
        "command": TEXT,
    },
}
OPTIONAL: dict[str, dict[str, str]] = {
    "curves": dict.fromkeys((*TOP5, CONVEXITY), NUMBER),
    "summary": dict.fromkeys((*TOP5, BEST_TOP5, CONVEXITY), NUMBER),
    "cells": {
        f"{v}_{s}": WHOLE if s == "n" else NUMBER
        for v in (*TOP5, BEST_TOP5, CONVEXITY)
        for s in STATISTICS
    },
    "runs": {},
}
STATUSES = ("fitted", "not_fitted", "diverged")


def cell_name(frame: pd.DataFrame) -> pd.Series:
    """Return the name of each row's cell, e.g. ``cifar10/inception/labels-0.5/none``."""
    parts = [frame[part] for part in ("dataset", "model", "corruption", "regularizer")]
    return parts[0].str.cat(parts[1:], sep="/")


def read_table(
    path: str | os.PathLike, columns: dict[str, str], optional: dict[str, str] | None = None
) -> pd.DataFrame:
    """Return a CSV file with exactly the dtypes that `columns` asks for.

    A column of `optional` that the file lacks comes out without values.

    Text is never missing (an empty field is the empty string); whole numbers are `Int64` and
    numbers `float64`, both with missing values where the field is empty. Other columns are left
    out. Raises RethinkError that names the file and the column for a column that is missing and
    for a field that is not of its kind.
    """
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    except FileNotFoundError:
        raise RethinkError(
            f"{path}: the table is not there; `scripts/aggregate.py` writes it"
        ) from None
    except (ValueError, UnicodeDecodeError) as error:
        detail = " ".join(str(error).split())
        raise RethinkError(f"{path}: not readable as CSV: {detail}") from None
    for column in optional or {}:
        if column not in frame.columns:
            frame[column] = ""
    return typed(frame, columns | (optional or {}), path)


def typed(frame: pd.DataFrame, columns: dict[str, str], source: Any) -> pd.DataFrame:
    """Return the `columns` of a frame of strings with their dtypes; `source` names it in errors."""
    for column in columns:
        if column not in frame.columns:
            raise RethinkError(f"{source}: column '{column}' is missing")
    return pd.DataFrame({c: _convert(frame[c], kind, source) for c, kind in columns.items()})


def _convert(values: pd.Series, kind: str, source: Any) -> pd.Series:
    if kind == TEXT:
        return values.fillna("")
    numbers = pd.to_numeric(values.where(values != ""), errors="coerce").astype("float64")
    infinite = numbers.isin([float("inf"), float("-inf")])
    # A diverged run writes nan and inf; both are "no value", any other text is a mistake.
    written = values.fillna("").str.lower().isin(["", "nan", "inf", "-inf"])
    wrong = numbers.isna() & ~written
    if kind == WHOLE:
        wrong |= numbers.notna() & ~infinite & (numbers % 1 != 0)
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        raise RethinkError(
            f"{source}: column '{values.name}', row {row + 1}: should be a {kind}, "
            f"not '{values.iloc[row]}'"
        )
    numbers = numbers.mask(infinite)
    return numbers.astype("Int64") if kind == WHOLE else numbers


def write_table(frame: pd.DataFrame, path: str | os.PathLike) -> None:
    """Write `frame` as CSV, the same bytes for the same values."""
    with atomic_path(path) as temporary:
        frame.to_csv(temporary, index=False, float_format="%.10g", lineterminator="\n")


class Tables:
    """The tables in a folder, each loaded when it is first asked for.

    `curves`, `summary`, `cells` and `runs` carry a column `cell` with the cell's name.
    """

    def __init__(self, folder: str | os.PathLike):
        self.folder = Path(folder)

    @functools.cached_property
    def curves(self) -> pd.DataFrame:
        """One row per cell, replicate and evaluated epoch."""
        return self._load("curves")

    @functools.cached_property
    def summary(self) -> pd.DataFrame:
        """One row per cell and replicate: how its training ended."""
        frame = self._load("summary")
        wrong = ~frame["status"].isin(STATUSES)
        if wrong.any():
            raise RethinkError(
                f"{self.folder / 'summary.csv'}: column 'status': should be one of "
                f"{', '.join(STATUSES)}, not '{frame['status'][wrong].iloc[0]}'"
            )
        return frame

    @functools.cached_property
    def cells(self) -> pd.DataFrame:
        """One row per cell: statistics over its replicates."""
        return self._load("cells")

    @functools.cached_property
    def runs(self) -> pd.DataFrame:
        """One row per cell: where, when and by what it was computed."""
        return self._load("runs")

    def _load(self, name: str) -> pd.DataFrame:
        frame = read_table(self.folder / f"{name}.csv", COLUMNS[name], OPTIONAL[name])
        frame.insert(0, "cell", cell_name(frame))
        return frame

    def classes(self, dataset: str) -> int | None:
        """Return the number of classes of a dataset, None where the tables do not say."""
        return self._of_dataset(dataset, "classes")

    def test_examples(self, dataset: str) -> int | None:
        """Return the number of test images of a dataset, None where the tables do not say."""
        return self._of_dataset(dataset, "test_examples")

    def _of_dataset(self, dataset: str, column: str) -> int | None:
        known = self.cells.loc[self.cells["dataset"] == dataset, column].dropna()
        return int(known.iloc[0]) if len(known) else None


def of_study(frame: pd.DataFrame, study: dict[str, Any]) -> pd.DataFrame:
    """Return the rows of `frame` that belong to `study`.

    A study that lists its ``cells`` picks those; otherwise the tables are its own and all its
    dataset's rows belong to it.
    """
    mine = frame["dataset"] == study["dataset"]
    if "cells" in study:
        mine &= frame["cell"].isin(set(study["cells"]))
    return frame[mine].reset_index(drop=True)


def read_paper(path: str | os.PathLike, columns: dict[str, str]) -> pd.DataFrame:
    """Return one of the paper's tables; the column `source` is always among them."""
    return read_table(path, {**columns, "source": TEXT})
