"""What the report says of the first author's demonstration: its printed log beside our runs."""

import math
from typing import Any

from rethink.analysis.demo import beside_the_log
from rethink.analysis.names import corruption_title, model_title
from rethink.publish.content import Cell, Column, Row, Table, anchor
from rethink.publish.studies import NOT_RUN, NOTHING, StudyView, diverged
from rethink.publish.wording import EN_DASH, fixed, listing, signed, span

QUANTITIES = {
    "train_accuracy": "training",
    "test_accuracy": "test",
    "test_accuracy_given": "test, labels as corrupted",
}


def demo(view: StudyView) -> tuple[list[Table], dict[str, Any]]:
    """Every number that the log prints, with ours over the same epochs."""
    frame = beside_the_log(view.study, view.tables, view.paper)
    table = Table("", "", _columns(), [_row(row) for row in frame.itertuples()])
    known = frame[frame["ours"].notna() & (frame["from_epoch"] == frame["to_epoch"])]
    facts = {
        "epochs": listing([f"{n:,}" for n in sorted(set(frame["epochs"]) - {0})]) or "no",
        "values": listing(
            [
                f"{model_title(row.model)} on {corruption_title(row.corruption)}, "
                f"{QUANTITIES[row.quantity]}, epoch {row.from_epoch}: log {_range(row.low, row.high)}, "
                f"this run {fixed(row.ours, 1)} %"
                for row in known.itertuples()
            ]
        ),
    }
    return [table], facts


def _columns() -> list[Column]:
    return [
        Column("Model", "name"),
        Column("Labels", "name"),
        Column("Accuracy [%]", "name"),
        Column("Epoch"),
        Column("The repository’s log"),
        Column("This run"),
        Column("Difference"),
        Column("n"),
    ]


def _row(row: Any) -> Row:
    single = row.from_epoch == row.to_epoch
    epochs = f"{row.from_epoch}" if single else f"{row.from_epoch}{EN_DASH}{row.to_epoch}"
    known = not math.isnan(row.ours)
    if known:
        ours = (
            span([row.ours_low, row.ours_high]) if not single or row.n > 1 else fixed(row.ours, 2)
        )
        difference = signed(row.ours - (row.low + row.high) / 2, 1)
    else:
        ours, difference = ("not that far" if row.cell else NOT_RUN), NOTHING
    cells = [
        Cell(model_title(row.model)),
        Cell(corruption_title(row.corruption)),
        Cell(QUANTITIES[row.quantity]),
        Cell(epochs, row.from_epoch),
        Cell(_range(row.low, row.high)),
        Cell(ours + (diverged(row) if row.cell else "")),
        Cell(difference),
        Cell(str(row.n) if row.cell else NOTHING),
    ]
    return Row(cells, data={"cell": anchor("cell", *row.cell.split("/"))} if row.cell else {})


def _range(low: float, high: float) -> str:
    return f"{low:g}" if low == high else f"{low:g}{EN_DASH}{high:g}"


# The kind of a study -> its tables of values and the facts for its captions.
KINDS = {"demo": demo}
