"""What the report says of the studies of ImageNet: Table 2 and Figure 2a."""

import math
from pathlib import Path
from typing import Any

import pandas as pd

from rethink.analysis.comparison import published_table2, table2
from rethink.analysis.convergence import end_of_training
from rethink.analysis.names import (
    cell_order,
    condition_title,
    corruption_title,
    model_title,
    row_title,
)
from rethink.analysis.tables import of_study
from rethink.publish.content import Cell, Column, Row, Table, anchor
from rethink.publish.studies import NOT_RUN, NOTHING, StudyView, accuracy
from rethink.publish.wording import fixed, listing, mean_sd, signed

NOT_IN_PAPER = "not in paper"
# A column of the report -> of `table2`: at the end of training, and the best on the way.
ENDS = {
    "Top-1 training": ("train_accuracy", None),
    "Top-5 training": ("train_top5_accuracy", None),
    "Top-1 test": ("test_accuracy", "best_test_accuracy"),
    "Top-5 test": ("test_top5_accuracy", "best_test_top5_accuracy"),
}
DATASET = "imagenet"  # the name under which a dataset is the paper's


def _table(columns: list[tuple[str, str]], rows: list[Row]) -> Table:
    return Table("", "", [Column(*column) for column in columns], rows)


def _link(cell: str) -> dict[str, str]:
    return {"cell": anchor("cell", *cell.split("/"))} if cell else {}


def table_two(view: StudyView) -> tuple[list[Table], dict[str, Any]]:
    """The paper's Table 2 beside ours: a row for either, and one for the difference."""
    frame = table2(view.study, view.tables, view.paper)
    rows = []
    for row in frame.itertuples():
        name = f"{model_title(row.model)}, {corruption_title(row.corruption)}"
        if not row.trained:
            name = "Winner of ILSVRC 2012"
        regularizer = row_title("none", row.regularizer) if row.trained else NOTHING
        head = [Cell(name), Cell(regularizer)]
        rows.append(Row([*head, Cell("paper (ImageNet)"), *_theirs(row)]))
        if row.trained:
            rows.append(Row([*head, Cell("this run"), *_ours(row)], data=_link(row.cell)))
            if row.cell and not math.isnan(row.paper_test_accuracy):
                rows.append(Row([*head, Cell("difference"), *_differences(row)]))
    table = _table(
        [
            ("Model and labels", "text"),
            ("Regularizer", "text"),
            ("Of", "name"),
            *((f"{title} [%]", "number") for title in ENDS),
            ("n", "number"),
        ],
        rows,
    )
    theirs = frame["paper_test_accuracy"].notna() & frame["trained"]
    run = frame[frame["cell"] != ""]
    facts = {
        "is_imagenet": view.study["dataset"] == DATASET,
        "published": int(theirs.sum()),
        "run": int((theirs & (frame["cell"] != "")).sum()),
        "values": listing([_words(row) for row in run.itertuples()]) or NOT_RUN,
    }
    return [table], facts


def _theirs(row: Any) -> list[Cell]:
    cells = []
    for end, best in ENDS.values():
        value = getattr(row, f"paper_{end}")
        highest = getattr(row, f"paper_{best}") if best else math.nan
        text = fixed(value, 2) if not math.isnan(value) else NOTHING
        if math.isnan(row.paper_test_top5_accuracy):
            text = NOT_IN_PAPER
        if not math.isnan(highest):
            text += f" ({fixed(highest, 2)})"
        cells.append(Cell(text))
    return [*cells, Cell(NOTHING if math.isnan(row.paper_test_top5_accuracy) else "1")]


def _ours(row: Any) -> list[Cell]:
    if not row.cell:
        return [*(Cell(NOT_RUN) for _ in ENDS), Cell("0")]
    cells = []
    for end, best in ENDS.values():
        value, highest = getattr(row, end), getattr(row, best) if best else math.nan
        cell = accuracy(value, getattr(row, f"{end}_sd"), row, scale=1)
        if not math.isnan(highest):
            cell.text += f" ({fixed(highest, 2)})"
        cells.append(cell)
    return [*cells, Cell(str(row.n))]


def _differences(row: Any) -> list[Cell]:
    values = [getattr(row, f"{end}_difference") for end, _ in ENDS.values()]
    return [*(Cell(NOTHING if math.isnan(v) else signed(v, 2)) for v in values), Cell(NOTHING)]


def _words(row: Any) -> str:
    name = f"{model_title(row.model)} on {condition_title(row.corruption, row.regularizer)}"
    if math.isnan(row.test_accuracy):
        return f"{name} diverged"
    return f"{name} {row.train_accuracy:.1f} % in training and {row.test_accuracy:.1f} % in test"


def figure_2a(view: StudyView) -> tuple[list[Table], dict[str, Any]]:
    """What stopping at the best moment would have gained, and when that was."""
    frame = end_of_training(view.study, view.tables, level=1.0)
    frame = frame.sort_values("cell", key=lambda names: names.map(cell_order))
    summary = of_study(view.tables.summary, view.study)
    epochs = summary.groupby("cell")[["best_test_epoch", "epochs_run"]].mean().astype("float64")
    gains = _paper_gains(view.paper)
    rows = [
        Row(_gain(row, epochs.loc[row.cell], gains), data=_link(row.cell))
        for row in frame.itertuples()
    ]
    table = _table(
        [
            ("Model and labels", "text"),
            ("Regularizer", "text"),
            ("Test accuracy at the end [%]", "number"),
            ("Best along training", "number"),
            ("Gain of the best [points]: paper (ImageNet)", "number"),
            ("This run", "number"),
            ("Epoch of the best", "number"),
            ("n", "number"),
        ],
        rows,
    )
    words = [
        f"{condition_title(row.corruption, row.regularizer)} ends at "
        f"{100 * row.test_accuracy:.1f} %, its best was {100 * row.best_test_accuracy:.1f} %"
        for row in frame.itertuples()
        if not math.isnan(row.test_accuracy)
    ]
    return [table], {
        "ends": listing(words) or "no values",
        "is_imagenet": view.study["dataset"] == DATASET,
    }


def _paper_gains(paper: Path) -> dict[tuple[str, str, frozenset[str]], float]:
    """Return the paper's gains in points by model, corruption and the parts of a regularizer."""
    rows = published_table2(paper)
    rows = rows.assign(gain=rows["best_test_accuracy"] - rows["test_accuracy"])
    return {
        (row.model, row.corruption, frozenset(row.regularizer.split("+"))): row.gain
        for row in rows[rows["gain"].notna()].itertuples()
    }


def _gain(row: Any, epochs: pd.Series, gains: dict[Any, float]) -> list[Cell]:
    """Return the fields of one row on stopping early."""
    theirs = gains.get((row.model, row.corruption, frozenset(row.regularizer.split("+"))))
    gain, epoch = Cell("diverged" if row.n_diverged else "not recorded"), Cell(NOTHING)
    if not math.isnan(row.gain):
        gain = Cell(mean_sd(100 * row.gain, 100 * row.gain_sd), 100 * row.gain)
        best, run = epochs["best_test_epoch"], epochs["epochs_run"]
        epoch = Cell(f"{fixed(best, 0)} of {fixed(run, 0)}", best)
    return [
        Cell(f"{model_title(row.model)}, {corruption_title(row.corruption)}"),
        Cell(row_title("none", row.regularizer)),
        accuracy(row.test_accuracy, row.test_accuracy_sd, row),
        accuracy(row.best_test_accuracy, row.best_test_accuracy_sd, row),
        Cell(NOTHING if theirs is None else signed(theirs, 2)),
        gain,
        epoch,
        Cell(str(row.n)),
    ]


# The kind of a study -> its tables of values and the facts for its captions.
KINDS = {"table2": table_two, "figure2a": figure_2a}
