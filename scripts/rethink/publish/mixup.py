"""What the report says of mixup on corrupted labels."""

import math
from typing import Any

from rethink.analysis.mixup import NONE, compared, statements
from rethink.analysis.names import corruption_title, model_title, regularizer_title
from rethink.publish.content import Cell, Column, Row, Table, anchor
from rethink.publish.studies import NOT_RUN, NOTHING, StudyView
from rethink.publish.wording import fixed, listing, mean_sd


def mixup(view: StudyView) -> tuple[list[Table], dict[str, Any]]:
    """Errors under corrupted labels beside the published ones, and which statements hold."""
    frame = compared(view.study, view.tables, view.paper)
    rows = [Row(_fields(row), data=_link(row.cell)) for row in frame.itertuples()]
    columns = [
        ("Model", "name"),
        ("Labels", "name"),
        ("Regularizer", "name"),
        ("Best test error [%]: published (CIFAR-10)", "number"),
        ("This run", "number"),
        ("Test error at the end [%]: published (CIFAR-10)", "number"),
        ("This run", "number"),
        ("Training error, true labels [%]", "number"),
        ("Training error, random labels [%]", "number"),
        ("n", "number"),
    ]
    table = Table("", "", [Column(*column) for column in columns], rows)
    decided = [
        (text if count == total or not count else f"{text} ({count} of {total})", holds, count)
        for text, holds, count, total in statements(frame)
    ]
    run = frame[(frame["cell"] != "") & frame["last_error"].notna()]
    classes = view.tables.classes(view.study["dataset"])
    return [table], {
        "guess": fixed(100 - 100 / classes, 0) if classes else None,
        "held": listing([text for text, holds, _ in decided if holds]),
        "mixed": listing([text for text, holds, count in decided if count and not holds]),
        "not_held": listing([text for text, _, count in decided if not count]),
        "values": listing([_words(row) for row in run.itertuples()]) or "no values",
    }


def _fields(row: Any) -> list[Cell]:
    """Return the fields of one row; a network that was only published has no name here."""
    regularizer = regularizer_title(row.regularizer if row.cell else row.method)
    ours = [_error(row, value) for value in ("best_error", "last_error")]
    return [
        Cell(model_title(row.model) if row.cell else NOTHING),
        Cell(corruption_title(row.corruption)),
        Cell("no regularizer" if regularizer == NONE else regularizer),
        _published(row.paper_best_error),
        ours[0],
        _published(row.paper_last_error),
        ours[1],
        _error(row, "true_error"),
        _error(row, "random_error"),
        Cell(str(row.n)),
    ]


def _published(value: float) -> Cell:
    return Cell(NOTHING) if math.isnan(value) else Cell(fixed(value, 1), value)


def _error(row: Any, value: str) -> Cell:
    """Return an error of a cell in percent, or why there is none."""
    if not row.cell:
        return Cell(NOT_RUN)
    mean = getattr(row, value)
    if math.isnan(mean):
        return Cell("diverged" if row.n_diverged else NOTHING)
    return Cell(mean_sd(mean, getattr(row, f"{value}_sd"), 1), mean)


def _words(row: Any) -> str:
    """Return the errors of a cell for the alternative text."""
    regularizer = (
        "no regularizer" if row.regularizer == NONE else regularizer_title(row.regularizer)
    )
    return (
        f"{model_title(row.model)} on {corruption_title(row.corruption)} with {regularizer} "
        f"{fixed(row.best_error, 1)} %, at the end {fixed(row.last_error, 1)} %"
    )


def _link(cell: str) -> dict[str, str]:
    return {"cell": anchor("cell", *cell.split("/"))} if cell else {}


# The kind of a study -> its tables of values and the facts for its captions.
KINDS = {"mixup": mixup}
