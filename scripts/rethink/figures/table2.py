"""The paper's Table 2 beside ours: top-1 and top-5 accuracy on ImageNet, training and test."""

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rethink.analysis.comparison import table2
from rethink.analysis.names import corruption_title, model_title, row_title
from rethink.analysis.tables import Tables
from rethink.figures import dumbbell, style

# Two rows of panels: the columns of `table2`, with what is best along training in brackets.
PANELS = {
    "top-1": ("train_accuracy", "test_accuracy", "best_test_accuracy"),
    "top-5": ("train_top5_accuracy", "test_top5_accuracy", "best_test_top5_accuracy"),
}
LEAST_GAIN = 0.05  # points; a best value that is less above the last hides behind it
# The best along training: smaller brackets in the colours of the two sides.
PAPER_BEST = {
    "linestyle": "none",
    "marker": "$)$",
    "markersize": 6,
    "markeredgewidth": 0.4,
    "color": style.VERMILLION,
}
OUR_BEST = PAPER_BEST | {"color": style.BLUE}


def draw(study: dict[str, Any], tables: Tables, paper: Path) -> tuple[Figure, pd.DataFrame]:
    """Return the figure and what it draws, in percent.

    Open diamonds are the paper's values, dots our means with their sample standard deviation;
    brackets, joined to them, the best test accuracy along training.
    """
    rows = table2(study, tables, paper)
    heights, labels, headings = dumbbell.places(rows, _label, _heading)
    height = 0.9 + 2 * (0.3 + dumbbell.ROW * heights[-1])
    figure, panels = style.figure(height, 2, 2, sharey=True, sharex=True)
    for (name, (train, test, best)), (left, right) in zip(PANELS.items(), panels, strict=True):
        dumbbell.draw_pairs(left, heights, rows, train)
        _draw_best(right, heights, rows, test, best)
        dumbbell.draw_pairs(right, heights, rows, test)
        left.set_title(f"{name} accuracy on the training set")
        right.set_title(f"{name} accuracy on the test set")
        for place, row in zip(heights, rows.itertuples(), strict=True):
            dumbbell.remark(left, 2, place, _remark(row))
        dumbbell.name_rows([left, right], heights, labels, headings)
    for axes in panels[-1]:
        axes.set_xlabel("accuracy [%]")
        axes.set_xlim(-3, 103)
        axes.set_xticks(range(0, 101, 20))
    marks = [(PAPER_BEST, "paper, best along training"), (OUR_BEST, "this run, the same")]
    handles = dumbbell.handles("ImageNet")
    handles += [Line2D([], [], label=label, **look) for look, label in marks]
    style.legend(figure, handles)
    return figure, rows


def _label(row: Any) -> str:
    """Return what a row was trained with; its labels stand in the heading."""
    return row_title("none", row.regularizer) if row.trained else "printed in the paper"


def _heading(row: Any) -> str:
    if not row.trained:
        return "Winner of ILSVRC 2012"
    return f"{model_title(row.model)}, {corruption_title(row.corruption)}"


def _draw_best(axes: Axes, heights: Any, rows: pd.DataFrame, last: str, best: str) -> None:
    """Draw what is best along training where it can be told from the last value."""
    for prefix, look in (("paper_", PAPER_BEST), ("", OUR_BEST)):
        ends, bests = rows[prefix + last], rows[prefix + best]
        shown = (bests - ends) > LEAST_GAIN
        axes.hlines(heights[shown], ends[shown], bests[shown], color=look["color"], lw=0.7)
        axes.plot(bests[shown], heights[shown], zorder=3, **look)


def _remark(row: Any) -> str:
    """Return what the markers of a row do not say."""
    if not row.trained:
        return "top-5 on the test set only"
    if not row.cell:
        return "not run"
    return f"{row.n_diverged} of {row.n} diverged" if row.n_diverged else ""
