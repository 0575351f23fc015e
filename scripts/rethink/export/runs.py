"""The learning curves of a run as plain records, which every tracker of experiments takes."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from rethink.analysis.tables import BEST_TOP5, CELL, TOP5, VALUES, Tables


class Point(NamedTuple):
    """A value of a metric at the end of an epoch; `time` is POSIX seconds."""

    metric: str
    epoch: int
    value: float
    time: float


class Run(NamedTuple):
    """One replicate of a cell.

    `name` is ``dataset/model/corruption/regularizer/replicate``; `parameters` are what it was
    trained with and `final` how it ended, by name; `points` are ordered by epoch; `started` and
    `finished` are POSIX seconds.
    """

    name: str
    parameters: dict[str, str]
    final: dict[str, float]
    points: list[Point]
    started: float
    finished: float


# What is worth a column in a tracker's table of runs.
PARAMETERS = ("seed", "numerics", "device_name", "commit")
FINAL = (
    *(*VALUES, *TOP5, "best_test_accuracy", BEST_TOP5),
    *("time_to_fit_epochs", "time_to_fit_steps", "parameters"),
)


def runs(tables: Path) -> Iterator[Run]:
    """Yield the replicates of every cell in a folder of tables.

    A replicate's time is not recorded but its cell's: epochs are spread evenly over that. Raises
    RethinkError for tables that are missing or malformed.
    """
    found = Tables(tables)
    records = found.runs.set_index("cell")
    curves = dict(iter(found.curves.groupby(["cell", "replicate"])))
    for row in found.summary.to_dict("records"):
        key = (row["cell"], row["replicate"])
        record = records.loc[row["cell"]]
        started, finished = (
            datetime.fromisoformat(record[key]).timestamp() for key in ("started", "finished")
        )
        curve = curves.get(key, found.curves.iloc[:0]).sort_values("epoch")
        yield Run(
            f"{row['cell']}/{row['replicate']}",
            _parameters(row, record),
            {name: float(row[name]) for name in FINAL if pd.notna(row[name])},
            list(_points(curve, started, finished)),
            started,
            finished,
        )


def _parameters(row: dict[str, Any], record: pd.Series) -> dict[str, str]:
    values = {key: row[key] for key in (*CELL, "replicate", "status", "train_examples")}
    values |= {key: record[key] for key in PARAMETERS}
    return {key: str(value) for key, value in values.items() if pd.notna(value) and value != ""}


def _points(curve: pd.DataFrame, started: float, finished: float) -> Iterator[Point]:
    metrics = [name for name in ("learning_rate", *VALUES, *TOP5) if name in curve.columns]
    last = curve["epoch"].max() if len(curve) else 1
    for row in curve[["epoch", *metrics]].to_dict("records"):
        epoch = int(row["epoch"])
        time = started + (finished - started) * epoch / last
        for name in metrics:
            if pd.notna(row[name]):
                yield Point(name, epoch, float(row[name]), time)
