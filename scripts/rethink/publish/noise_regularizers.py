"""What the report says of regularizers on noise and on real data, and of how soon cells fit."""

import math
from typing import Any

import pandas as pd

from rethink.analysis.names import (
    condition_title,
    corruption_title,
    model_title,
    regularizer_title,
)
from rethink.analysis.noise_regularizers import MARGIN, NONE, noise_against_real, progress
from rethink.analysis.tables import of_study
from rethink.publish.content import Cell, Column, Row, Table, anchor
from rethink.publish.studies import NOTHING, StudyView, fit_time, fit_times
from rethink.publish.wording import fixed, listing, mean_sd, signed

Made = tuple[list[Table], dict[str, Any]]


def noise_regularizers(view: StudyView) -> Made:
    """Regularizers on noise beside the same on true data, and how soon each cell fits."""
    frame = noise_against_real(view.study, view.tables)
    tables = ([_regularizers(frame)] if len(frame) else []) + [_progress(view)]
    return tables, _facts(frame)


def _facts(frame: pd.DataFrame) -> dict[str, Any]:
    if frame.empty:
        return dict.fromkeys(("best", "values", "epochs"), "") | {"dropout": None, "several": False}
    others = frame[frame["regularizer"] != NONE]
    dropouts = others[others["family"] == "dropout"]
    held = None
    if len(dropouts) and others["slowed"].notna().any():
        held = all(_best(rows) for _, rows in others.groupby(["model", "noise"]))
    return {
        "dropout": held,
        "several": others["family"].nunique() > 1,
        "epochs": listing([f"{n:,}" for n in sorted(set(frame["epochs"]))]),
        "values": listing(
            [
                f"{model_title(row.model)} with {_name(row.regularizer)} "
                f"{fixed(row.noise_accuracy, 1)} % of {corruption_title(row.noise)}, "
                f"{fixed(row.real_accuracy, 1)} % on true data"
                for row in frame[frame["noise_accuracy"].notna()].itertuples()
            ]
        ),
    }


def _best(rows: pd.DataFrame) -> bool:
    """Return whether some dropout hinders the noise, costs nothing, and no other one beats it."""
    good = rows[(rows["slowed"] > MARGIN) & (rows["cost"] < MARGIN) & ~rows["beaten"]]
    return bool((good["family"] == "dropout").any())


def _name(regularizer: str) -> str:
    return "no regularizer" if regularizer == NONE else regularizer_title(regularizer)


def _regularizers(frame: pd.DataFrame) -> Table:
    rows = [
        Row(
            [
                Cell(model_title(row.model)),
                Cell(corruption_title(row.noise)),
                Cell(_name(row.regularizer)),
                _mean(row.noise_accuracy, row.noise_accuracy_sd),
                _difference(-row.slowed, row.regularizer),
                _mean(row.real_accuracy, row.real_accuracy_sd),
                _difference(-row.cost, row.regularizer),
                _mean(row.real_final, math.nan),
                Cell(str(row.n)),
            ]
        )
        for row in frame.itertuples()
    ]
    columns = [
        ("Model", "name"),
        ("Noise", "name"),
        ("Regularizer", "name"),
        ("Training accuracy on the noise [%]", "number"),
        ("… than without", "number"),
        ("Best test accuracy on true data [%]", "number"),
        ("… than without", "number"),
        ("Test accuracy at the end [%]", "number"),
        ("n", "number"),
    ]
    return _table(columns, rows)


def _progress(view: StudyView) -> Table:
    times = fit_times(of_study(view.tables.summary, view.study))
    rows = [
        Row(
            [
                Cell(model_title(row.model)),
                Cell(condition_title(row.corruption, row.regularizer)),
                _mean(row.first, row.first_sd),
                _mean(row.area, row.area_sd),
                fit_time(times[row.cell]),
                _mean(row.peak, row.peak_sd),
                _mean(row.hit, row.hit_sd),
                Cell(str(row.n)),
            ],
            data={"cell": anchor("cell", *row.cell.split("/"))},
        )
        for row in progress(view.study, view.tables).itertuples()
    ]
    columns = [
        ("Model", "name"),
        ("Data and regularizer", "name"),
        ("Training accuracy after the first epoch [%]", "number"),
        ("… mean over all epochs [%]", "number"),
        ("Time to fit [epochs]", "number"),
        ("Best test accuracy at epoch", "number"),
        ("Random labels fitted [%]", "number"),
        ("n", "number"),
    ]
    table = _table(columns, rows)
    table.name = "progress"
    return table


def _table(columns: list[tuple[str, str]], rows: list[Row]) -> Table:
    return Table("", "", [Column(*column) for column in columns], rows)


def _mean(mean: float, sd: float) -> Cell:
    return Cell(NOTHING) if math.isnan(mean) else Cell(mean_sd(mean, sd, 1), mean)


def _difference(value: float, regularizer: str) -> Cell:
    if regularizer == NONE or math.isnan(value):
        return Cell(NOTHING)
    return Cell(signed(value, 1), value)


# The kind of a study -> its tables of values and the facts for its captions.
KINDS = {"noise_regularizers": noise_regularizers}
