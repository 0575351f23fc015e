"""What the report says of each kind of study: its table of values, and facts for its captions."""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from rethink.analysis.comparison import OURS, table1
from rethink.analysis.convergence import steps_to_loss
from rethink.analysis.levels import along_levels, paper_levels
from rethink.analysis.names import (
    cell_order,
    condition_title,
    corruption_title,
    model_order,
    model_title,
    regularizer_title,
    row_title,
)
from rethink.analysis.statistics import TimeToFit, time_to_fit
from rethink.analysis.tables import NUMBER, TEXT, Tables, of_study, read_paper
from rethink.publish.content import Cell, Column, Row, Table, anchor
from rethink.publish.wording import fixed, listing, mean_sd, replicates, signed

NOT_RUN = "not run"
NOTHING = "–"  # a value that cannot exist, as opposed to one that is missing
LOSS = 0.1  # the loss at which the paper's Figure 1a was read off


@dataclass(frozen=True)
class StudyView:
    """A study as the report sees it: its description, its tables, the dataset's title."""

    study: dict[str, Any]
    tables: Tables
    dataset_title: str
    paper: Path

    @property
    def cells(self) -> pd.DataFrame:
        """The study's rows of cells.csv in a reader's order."""
        cells = of_study(self.tables.cells, self.study)
        return cells.sort_values("cell", key=lambda names: names.map(cell_order)).reset_index(
            drop=True
        )

    def facts(self) -> dict[str, Any]:
        """Return what every caption may use."""
        cells = self.cells
        classes = self.tables.classes(self.study["dataset"])
        return {
            "study": self.study,
            "dataset": self.dataset_title,
            "is_cifar10": self.study["dataset"] == "cifar10",
            "models": listing(
                [model_title(m) for m in sorted(set(cells["model"]), key=model_order)]
            ),
            "replicates": replicates(cells["n"].tolist()) if len(cells) else "no replicates",
            "criterion": criterion(cells["fit_criterion"]),
            "chance": fixed(100 / classes, 1) if classes else None,
            "count": len(cells),
        }


def criterion(texts: Any) -> str:
    """Return the fit criterion of some cells in words."""
    words = []
    for text in dict.fromkeys(texts):
        match = re.fullmatch(r"train_accuracy >= ([0-9.]+)", text)
        words.append(
            f"a training accuracy of at least {100 * float(match[1]):g} %" if match else text
        )
    return " or ".join(words)


def accuracy(mean: float, sd: float, row: Any, scale: float = 100) -> Cell:
    """Return an accuracy in percent, and how many of the `row`'s replicates diverged.

    A missing accuracy is said to be so.
    """
    if math.isnan(mean):
        return Cell("diverged" if row.n_diverged else "not recorded")
    text = mean_sd(scale * mean, scale * sd)
    return Cell(text + diverged(row), scale * mean)


def diverged(row: Any) -> str:
    """Return a remark on the replicates of a cell that diverged, empty where none did."""
    if not row.n_diverged:
        return ""
    return " (diverged)" if row.n_diverged == row.n else f" ({row.n_diverged} of {row.n} diverged)"


def fit_time(time: TimeToFit) -> Cell:
    """Return a time to fit in epochs; a lower bound where some replicate never fitted."""
    if not time.spread.n:
        return Cell("diverged")
    if time.censored:
        return Cell(f"> {fixed(time.spread.mean, 1).removesuffix('.0')}", time.spread.mean)
    return Cell(mean_sd(time.spread.mean, time.spread.sd, 1), time.spread.mean)


def fit_times(summary: pd.DataFrame) -> dict[str, TimeToFit]:
    """Return the time to fit of every cell in a summary table."""
    return {
        name: time_to_fit(
            rows["time_to_fit_epochs"].astype("float64"), rows["epochs_run"], rows["status"]
        )
        for name, rows in summary.groupby("cell")
    }


def _link(cell: str) -> dict[str, str]:
    return {"cell": anchor("cell", *cell.split("/"))}


def learning_curves(view: StudyView) -> tuple[list[Table], dict[str, Any]]:
    """Values of the learning curves: how soon the loss falls, and where it ends."""
    cells = view.cells
    curves = of_study(view.tables.curves, view.study)
    steps = steps_to_loss(curves, LOSS)
    columns = {"corruption": TEXT, "kind": TEXT, "thousand_steps": NUMBER, "loss": NUMBER}
    points = read_paper(view.paper / "figure1a.csv", columns)
    points = points[(points["kind"] == "crossing") & (points["loss"] == LOSS)]
    published = dict(zip(points["corruption"], 1000 * points["thousand_steps"], strict=True))
    rows, order = [], []
    for cell in cells.itertuples():
        reached, never = steps.get(cell.cell, (None, 0))
        if reached is None or (never and cell.n_diverged == cell.n):
            mine = Cell("diverged" if cell.n_diverged else "not recorded")
        elif never:
            mine = Cell(f"not reached by {never} of {cell.n}")
        else:
            mine = Cell(mean_sd(reached.mean, reached.sd, 0), reached.mean)
            order.append((reached.mean, cell.corruption))
        comparable = (cell.model, cell.regularizer) == ("inception", "none")
        theirs = published.get(cell.corruption) if comparable else None
        rows.append(
            Row(
                [
                    Cell(model_title(cell.model)),
                    Cell(condition_title(cell.corruption, cell.regularizer)),
                    Cell(fixed(theirs, 0) if theirs else NOTHING),
                    mine,
                    _less(mine, theirs, 0),
                    accuracy(cell.train_accuracy_mean, cell.train_accuracy_sd, cell),
                    accuracy(cell.test_accuracy_mean, cell.test_accuracy_sd, cell),
                ],
                data=_link(cell.cell),
            )
        )
    table = _table(
        [
            ("Model", "name"),
            ("Data", "name"),
            ("Steps to loss 0.1, paper (CIFAR-10)", "number"),
            ("Steps to loss 0.1", "number"),
            ("Difference", "number"),
            ("Training accuracy [%]", "number"),
            ("Test accuracy [%]", "number"),
        ],
        rows,
    )
    order = [corruption_title(name) for _, name in sorted(order)]
    return [table], {"order": listing(list(dict.fromkeys(order))), "loss": LOSS}


def corruption_levels(view: StudyView) -> tuple[list[Table], dict[str, Any]]:
    """Values along the level of corruption: both test errors, time to fit and its ratio."""
    levels = along_levels(view.study, view.tables)
    errors = _by_level(paper_levels(view.paper, "figure1c.csv", "test_error"), "test_error")
    ratios = _by_level(paper_levels(view.paper, "figure1b.csv", "ratio"), "ratio")
    rows = []
    for row in levels.itertuples():
        key = (row.model, round(row.level, 6))
        theirs = {"error": errors.get(key), "ratio": ratios.get(key)}
        if row.regularizer != "none" or row.kind != "labels":
            theirs = dict.fromkeys(theirs)
        name = model_title(row.model)
        if row.regularizer != "none":
            name += f", {regularizer_title(row.regularizer)}"
        if row.kind != "labels":
            name += f", {row.kind.replace('_', ' ')}"
        error = _error(row.test_accuracy_given, row.test_accuracy_given_sd, row)
        ratio = _ratio(row)
        rows.append(
            Row(
                [
                    Cell(name),
                    Cell(fixed(row.level, 2), row.level),
                    Cell(NOTHING if theirs["error"] is None else fixed(theirs["error"], 3)),
                    error,
                    _less(error, theirs["error"], 3),
                    _error(row.test_accuracy, row.test_accuracy_sd, row),
                    _epochs(row),
                    Cell(NOTHING if theirs["ratio"] is None else fixed(theirs["ratio"], 2)),
                    ratio,
                    _less(ratio, theirs["ratio"], 2),
                ],
                data=_link(row.cell),
            )
        )
    table = _table(
        [
            ("Model", "name"),
            ("Level", "number"),
            ("Test error, labels as corrupted: paper (CIFAR-10)", "number"),
            ("Test error, labels as corrupted", "number"),
            ("Difference", "number"),
            ("Test error, true labels", "number"),
            ("Time to fit [epochs]", "number"),
            ("Relative to level 0: paper (CIFAR-10)", "number"),
            ("Relative to level 0", "number"),
            ("Difference", "number"),
        ],
        rows,
    )
    facts = {
        "times": _per_model(levels, "epochs", 1, "epochs"),
        "errors": _per_model(levels, "test_accuracy_given", 2, "", complement=True),
        "censored": bool((levels["outcome"] == "censored").any()),
        "diverged": bool((levels["outcome"] == "diverged").any()),
    }
    return [table], facts


def _less(ours: Cell, theirs: float | None, digits: int) -> Cell:
    """Return by how much our value is above the paper's; none for a bound or what is missing."""
    if theirs is None or ours.sort is None or ours.text.startswith(">"):
        return Cell(NOTHING)
    return Cell(signed(ours.sort - theirs, digits), ours.sort - theirs)


def _by_level(frame: pd.DataFrame, value: str) -> dict[tuple[str, float], float]:
    keys = zip(frame["model"], frame["level"].round(6), strict=True)
    return dict(zip(keys, frame[value], strict=True))


def _error(mean: float, sd: float, row: Any) -> Cell:
    if math.isnan(mean):
        return Cell("diverged" if row.n_diverged else "not recorded")
    return Cell(mean_sd(1 - mean, sd, 3) + diverged(row), 1 - mean)


def _epochs(row: Any) -> Cell:
    if row.outcome == "diverged":
        return Cell("diverged")
    if row.outcome == "censored":
        return Cell(f"> {fixed(row.epochs, 1).removesuffix('.0')}", row.epochs)
    return Cell(mean_sd(row.epochs, row.epochs_sd, 1), row.epochs)


def _ratio(row: Any) -> Cell:
    if row.outcome == "diverged":
        return Cell("diverged")
    if math.isnan(row.ratio):
        return Cell("level 0 not fitted")
    if row.outcome == "censored":
        return Cell(f"> {fixed(row.ratio, 2)}", row.ratio)
    return Cell(mean_sd(row.ratio, row.ratio_sd), row.ratio)


def _per_model(
    levels: pd.DataFrame, value: str, digits: int, unit: str, complement: bool = False
) -> str:
    """Return the values at each model's lowest and highest level, for the alternative text."""
    words = []
    for model, rows in levels.groupby("model", sort=False):
        rows = rows[rows[value].notna()].sort_values("level")
        if len(rows) < 2:
            continue
        ends = [1 - v if complement else v for v in rows[value].iloc[[0, -1]]]
        low, high = rows["level"].iloc[[0, -1]]
        # A censored time is a lower bound; the words must not make it a measurement.
        bound = not complement and rows["outcome"].iloc[-1] == "censored"
        at_least = "at least " if bound else ""
        words.append(
            f"{model_title(model)} from {fixed(ends[0], digits)} at level {low:g} to "
            f"{at_least}{fixed(ends[1], digits)} at level {high:g}"
        )
    return (listing(words) + (f" ({unit})" if unit else "")) if words else "no values"


def table_one(view: StudyView) -> tuple[list[Table], dict[str, Any]]:
    """The paper's Table 1 beside ours, and the parameter counts of the models."""
    frame = table1(view.study, view.tables, view.paper)
    rows = []
    for row in frame.itertuples():
        cells = [
            Cell(model_title(row.model)),
            Cell(row_title(row.corruption, row.regularizer)),
        ]
        for value in OURS:
            theirs = getattr(row, f"paper_{value}")
            mean, sd = getattr(row, value), getattr(row, f"{value}_sd")
            known = not math.isnan(mean)
            mine = accuracy(mean, sd, row, scale=1) if row.cell else Cell(NOT_RUN)
            difference = getattr(row, f"{value}_difference")
            cells += [
                Cell("not in paper" if math.isnan(theirs) else fixed(theirs, 2)),
                mine,
                Cell(signed(difference, 2) if known and not math.isnan(difference) else NOTHING),
            ]
        cells.append(Cell(str(row.n)))
        rows.append(Row(cells, data=_link(row.cell) if row.cell else {}))
    values = _table(
        [
            ("Model", "name"),
            ("Regularizer or labels", "name"),
            ("Training: paper (CIFAR-10)", "number"),
            ("Training: this run", "number"),
            ("Difference", "number"),
            ("Test: paper (CIFAR-10)", "number"),
            ("Test: this run", "number"),
            ("Difference", "number"),
            ("n", "number"),
        ],
        rows,
    )
    run = frame[frame["cell"] != ""]
    random = run[run["corruption"] == "labels-1"]
    true = run[(run["corruption"] == "none") & (run["regularizer"] == "none")]
    facts = {
        "published": int(frame["paper_test_accuracy"].notna().sum()),
        "run": int((frame["paper_test_accuracy"].notna() & (frame["cell"] != "")).sum()),
        "random_test": _words(random, "test_accuracy"),
        "random_train": _words(random, "train_accuracy"),
        "true_test": _words(true, "test_accuracy"),
    }
    return [values, _parameters(frame)], facts


def _words(frame: pd.DataFrame, value: str) -> str:
    frame = frame[frame[value].notna()]
    words = [f"{model_title(row.model)} {getattr(row, value):.1f} %" for row in frame.itertuples()]
    return listing(words) or "not run"


def _parameters(frame: pd.DataFrame) -> Table:
    rows = []
    for model, group in frame.groupby("model", sort=False):
        theirs, ours = group["paper_parameters"].dropna(), group["parameters"].dropna()
        rows.append(
            Row(
                [
                    Cell(model_title(model)),
                    Cell(f"{theirs.iloc[0]:,}" if len(theirs) else "not in paper"),
                    Cell(f"{ours.iloc[0]:,}" if len(ours) else NOT_RUN),
                ]
            )
        )
    table = _table(
        [
            ("Model", "name"),
            ("Parameters, paper (28x28x3 input)", "number"),
            ("Parameters, this run", "number"),
        ],
        rows,
    )
    table.name = "parameters"
    return table


def grid(view: StudyView) -> tuple[list[Table], dict[str, Any]]:
    """Final accuracies of every cell of a study."""
    times = fit_times(of_study(view.tables.summary, view.study))
    rows = [
        Row(
            [
                Cell(model_title(cell.model)),
                Cell(condition_title(cell.corruption, cell.regularizer)),
                accuracy(cell.train_accuracy_mean, cell.train_accuracy_sd, cell),
                accuracy(cell.test_accuracy_mean, cell.test_accuracy_sd, cell),
                accuracy(cell.test_accuracy_given_mean, cell.test_accuracy_given_sd, cell),
                fit_time(times[cell.cell]) if cell.cell in times else Cell("not recorded"),
                Cell(str(cell.n)),
            ],
            data=_link(cell.cell),
        )
        for cell in view.cells.itertuples()
    ]
    table = _table(
        [
            ("Model", "name"),
            ("Data and regularizer", "name"),
            ("Training accuracy [%]", "number"),
            ("Test accuracy, true labels [%]", "number"),
            ("Test accuracy, labels as corrupted [%]", "number"),
            ("Time to fit [epochs]", "number"),
            ("n", "number"),
        ],
        rows,
    )
    return [table], {}


def _table(columns: list[tuple[str, str]], rows: list[Row]) -> Table:
    return Table("", "", [Column(*column) for column in columns], rows)


# The kind of a study -> its tables of values and the facts for its captions.
KINDS = {
    "learning_curves": learning_curves,
    "corruption_levels": corruption_levels,
    "table1": table_one,
    "grid": grid,
}
