"""The paper's Table 1 beside our own cells."""

import math
from pathlib import Path
from typing import Any

import pandas as pd

from rethink.analysis.names import corruption_order, model_order, regularizer_order
from rethink.analysis.tables import NUMBER, TEXT, WHOLE, Tables, of_study, read_paper

PAPER_COLUMNS = {
    "model": TEXT,
    "parameters": WHOLE,
    "corruption": TEXT,
    "regularizer": TEXT,
    "train_accuracy": NUMBER,
    "test_accuracy": NUMBER,
}
OURS = ("train_accuracy", "test_accuracy")


def table1(study: dict[str, Any], tables: Tables, paper: Path) -> pd.DataFrame:
    """Return the paper's 19 rows in its order, then our cells that it lacks, model by model.

    Columns: cell (empty where not run), model, corruption, regularizer, n, n_fitted, n_diverged,
    paper_parameters, parameters, and for train and test accuracy in percent ``paper_*``, ``*``
    (mean), ``*_sd`` and ``*_difference``; NaN where there is no value.
    """
    cells = {
        (row.model, row.corruption, frozenset(row.regularizer.split("+"))): row
        for row in of_study(tables.cells, study).itertuples()
    }
    rows = []
    for row in read_paper(paper / "table1.csv", PAPER_COLUMNS).itertuples():
        cell = cells.pop((row.model, row.corruption, frozenset(row.regularizer.split("+"))), None)
        rows.append(_row(row, cell))
    rows += [_row(None, cell) for cell in sorted(cells.values(), key=_order)]
    frame = pd.DataFrame(rows)
    order = frame["model"].map(model_order)
    return frame.loc[order.sort_values(kind="stable").index].reset_index(drop=True)


def _order(cell: Any) -> tuple:
    return corruption_order(cell.corruption), regularizer_order(cell.regularizer)


def _row(paper: Any, cell: Any) -> dict[str, Any]:
    which = paper if paper is not None else cell
    row = {
        "cell": "" if cell is None else cell.cell,
        "model": which.model,
        "corruption": which.corruption,
        "regularizer": which.regularizer,
        "n": 0 if cell is None else cell.n,
        "n_fitted": 0 if cell is None else cell.n_fitted,
        "n_diverged": 0 if cell is None else cell.n_diverged,
        "paper_parameters": pd.NA if paper is None else paper.parameters,
        "parameters": pd.NA if cell is None else cell.parameters,
    }
    for value in OURS:
        published = math.nan if paper is None else getattr(paper, value)
        mean = math.nan if cell is None else 100 * getattr(cell, f"{value}_mean")
        row[f"paper_{value}"] = published
        row[value] = mean
        row[f"{value}_sd"] = math.nan if cell is None else 100 * getattr(cell, f"{value}_sd")
        row[f"{value}_difference"] = mean - published
    return row
