"""What the report says of regularizers on random labels, of BatchNorm, and of random signs."""

import math
from typing import Any

import pandas as pd

from rethink.analysis.comparison import table4
from rethink.analysis.convergence import end_of_training
from rethink.analysis.names import (
    cell_order,
    condition_title,
    model_title,
    outcome,
    row_title,
)
from rethink.analysis.rademacher import correlations
from rethink.analysis.tables import NUMBER, TEXT, read_paper
from rethink.publish.content import Cell, Column, Row, Table, anchor
from rethink.publish.studies import NOT_RUN, NOTHING, StudyView, accuracy
from rethink.publish.wording import fixed, listing, mean_sd, plural, signed

NOT_IN_PAPER = "not in paper"
STEADY_FROM = 0.999  # training accuracy from which on the volatility counts


def _table(columns: list[tuple[str, str]], rows: list[Row]) -> Table:
    return Table("", "", [Column(*column) for column in columns], rows)


def _link(cell: str) -> dict[str, str]:
    return {"cell": anchor("cell", *cell.split("/"))} if cell else {}


def table_four(view: StudyView) -> tuple[list[Table], dict[str, Any]]:
    """The paper's Table 4 beside ours, with how each training ended."""
    frame = table4(view.study, view.tables, view.paper)
    rows = [Row(_fourth(row), data=_link(row.cell)) for row in frame.itertuples()]
    table = _table(
        [
            ("Model", "name"),
            ("Labels and regularizer", "text"),
            ("Training accuracy [%]: paper (CIFAR-10)", "number"),
            ("This run", "number"),
            ("Difference", "number"),
            ("On images as they are", "number"),
            ("Epochs", "number"),
            ("Outcome: paper", "name"),
            ("This run", "name"),
            ("n", "number"),
        ],
        rows,
    )
    run = frame[frame["cell"] != ""]
    facts = {
        "published": int((frame["paper_outcome"] != "").sum()),
        "run": int(((frame["paper_outcome"] != "") & (frame["cell"] != "")).sum()),
        "augmented": bool(run["augmented"].any()),
        "values": listing([_ended(row) for row in run.itertuples()]) or NOT_RUN,
    }
    return [table], facts


def _fourth(row: Any) -> list[Cell]:
    """Return the fields of one row of Table 4."""
    known, published = not math.isnan(row.accuracy), bool(row.paper_outcome)
    theirs = NOT_IN_PAPER if not published else NOTHING
    if not math.isnan(row.paper_accuracy):
        theirs = fixed(row.paper_accuracy, 2)
    compared = known and not math.isnan(row.paper_accuracy)
    plain = Cell("same")
    if row.augmented:
        plain = accuracy(row.train_accuracy, row.train_accuracy_sd, row, scale=1)
    return [
        Cell(model_title(row.model)),
        Cell(condition_title(row.corruption, row.regularizer)),
        Cell(theirs),
        accuracy(row.accuracy, row.accuracy_sd, row, scale=1) if row.cell else Cell(NOT_RUN),
        Cell(signed(row.accuracy_difference, 2) if compared else NOTHING),
        plain if row.cell else Cell(NOT_RUN),
        Cell(str(row.epochs) if row.cell else NOT_RUN),
        Cell(row.paper_outcome or NOT_IN_PAPER),
        Cell(outcome(row.n, row.n_fitted, row.n_diverged) if row.cell else NOT_RUN),
        Cell(str(row.n)),
    ]


def _ended(row: Any) -> str:
    """Return how a cell ended, in words for the alternative text."""
    name = f"{model_title(row.model)} with {condition_title(row.corruption, row.regularizer)}"
    ended = outcome(row.n, row.n_fitted, row.n_diverged)
    return f"{name} {ended}" + ("" if math.isnan(row.accuracy) else f" at {row.accuracy:.1f} %")


def batch_norm(view: StudyView) -> tuple[list[Table], dict[str, Any]]:
    """How steadily training ends with and without BatchNorm, and what stopping early would gain."""
    frame = end_of_training(view.study, view.tables, STEADY_FROM)
    frame = frame.sort_values("cell", key=lambda names: names.map(cell_order))
    published = read_paper(
        view.paper / "figure2b.csv",
        {"model": TEXT, "split": TEXT, "quantity": TEXT, "low": NUMBER, "accuracy_error": NUMBER},
    )
    plateaus = published[(published["split"] == "test") & (published["quantity"] == "plateau")]
    plateaus = plateaus.set_index("model")
    rows = [Row(_steadiness(row, plateaus), data=_link(row.cell)) for row in frame.itertuples()]
    table = _table(
        [
            ("Model", "name"),
            ("Data or regularizer", "name"),
            ("Test accuracy [%]: paper (CIFAR-10)", "number"),
            ("At the end", "number"),
            ("Difference [points]", "number"),
            ("Best along training", "number"),
            ("Gain of the best [points]", "number"),
            ("Unsteadiness [points]", "number"),
            ("n", "number"),
        ],
        rows,
    )
    words = [
        f"{model_title(row.model)} ends at {100 * row.test_accuracy:.1f} %, its best was "
        f"{100 * row.best_test_accuracy:.1f} %"
        for row in frame.itertuples()
        if not math.isnan(row.test_accuracy)
    ]
    return [table], {"ends": listing(words) or "no values", "steady": f"{100 * STEADY_FROM:g}"}


def _steadiness(row: Any, plateaus: pd.DataFrame) -> list[Cell]:
    """Return the fields of one row on the end of training."""
    plain = (row.corruption, row.regularizer) == ("none", "none")
    theirs = difference = NOTHING
    if plain and row.model in plateaus.index:
        entry = plateaus.loc[row.model]
        theirs = mean_sd(100 * entry["low"], 100 * entry["accuracy_error"], 1)
        if not math.isnan(row.test_accuracy):
            difference = signed(100 * (row.test_accuracy - entry["low"]), 1)
    unsteady = Cell(f"never at {100 * STEADY_FROM:g} % for long")
    if row.volatility_n:
        unsteady = Cell(
            mean_sd(100 * row.volatility, 100 * row.volatility_sd, 3), 100 * row.volatility
        )
    gain = Cell("diverged" if row.n_diverged else "not recorded")
    if not math.isnan(row.gain):
        gain = Cell(mean_sd(100 * row.gain, 100 * row.gain_sd), 100 * row.gain)
    return [
        Cell(model_title(row.model)),
        Cell(row_title(row.corruption, row.regularizer)),
        Cell(theirs),
        accuracy(row.test_accuracy, row.test_accuracy_sd, row),
        Cell(difference),
        accuracy(row.best_test_accuracy, row.best_test_accuracy_sd, row),
        gain,
        unsteady,
        Cell(str(row.n)),
    ]


def rademacher(view: StudyView) -> tuple[list[Table], dict[str, Any]]:
    """The bound from below on the empirical Rademacher complexity, and what it leaves to say."""
    frame = correlations(view.study, view.tables)
    rows = [Row(_complexity(row)) for row in frame.itertuples()]
    table = _table(
        [
            ("Model", "name"),
            ("Regularizer", "name"),
            ("Correlation with the signs", "number"),
            ("Spread over", "name"),
            ("On test images", "number"),
            ("Test error that the bound allows [%]", "number"),
            ("Images", "number"),
        ],
        rows,
    )
    plain = frame[(frame["regularizer"] == "none") & frame["correlation"].notna()]
    words = [f"{model_title(row.model)} {row.correlation:.3f}" for row in plain.itertuples()]
    return [table], {
        "values": listing(words) or NOT_RUN,
        "several": bool((frame["draws"] > 1).any()),
    }


def _complexity(row: Any) -> list[Cell]:
    """Return the fields of one row on random signs."""
    draws, networks = plural(row.draws, "draw"), plural(row.networks, "network")
    over = draws if row.draws == row.networks else f"{draws}, {networks}"
    if row.spread_over == "networks":
        over = f"{networks} on one draw"
    bound, allowed = Cell("diverged"), Cell(NOTHING)
    if not math.isnan(row.correlation):
        lost = f" ({row.n_diverged} of {row.networks} diverged)" if row.n_diverged else ""
        bound = Cell(mean_sd(row.correlation, row.correlation_sd, 3) + lost, row.correlation)
        allowed = Cell(f"≥ {fixed(100 * max(0.0, row.correlation), 1)}", 100 * row.correlation)
    test = NOTHING if math.isnan(row.test_correlation) else fixed(row.test_correlation, 3)
    return [
        Cell(model_title(row.model)),
        Cell(row_title("none", row.regularizer)),
        bound,
        Cell(over),
        Cell(test),
        allowed,
        Cell(f"{row.train_examples:,}"),
    ]


# The kind of a study -> its tables of values and the facts for its captions.
KINDS = {"table4": table_four, "batch_norm": batch_norm, "rademacher": rademacher}
