"""The paper's Table 4 beside ours: training accuracy on random labels under regularizers."""

import math
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rethink.analysis.comparison import table4
from rethink.analysis.names import condition_title, outcome, row_title
from rethink.analysis.tables import Tables
from rethink.figures import dumbbell, style

DETAIL = 98.0  # percent; the right panel shows what lies above
PLAIN = {
    "linestyle": "none",
    "marker": "o",
    "markersize": 6,
    "markerfacecolor": "none",
    "markeredgecolor": style.BLUE,
    "markeredgewidth": 0.8,
}


def draw(study: dict[str, Any], tables: Tables, paper: Path) -> tuple[Figure, pd.DataFrame]:
    """Return the figure and what it draws, in percent.

    Open diamonds are the paper's values, dots our means with their sample standard deviation;
    where images were augmented, rings are our accuracy on the images as they are.
    """
    rows = table4(study, tables, paper)
    heights, labels, headings = dumbbell.places(rows, _label)
    figure, (panels,) = style.figure(0.8 + dumbbell.ROW * heights[-1], 1, 2, sharey=True)
    plain = rows["augmented"] & rows["train_accuracy"].notna()
    for axes in panels:
        dumbbell.draw_pairs(axes, heights, rows, "accuracy")
        axes.plot(rows["train_accuracy"][plain], heights[plain], zorder=3.5, **PLAIN)
        axes.set_xlabel("training accuracy [%]")
    panels[0].set_xlim(-3, 103)
    panels[0].set_xticks(range(0, 101, 20))
    panels[1].set_xlim(DETAIL - 0.03, 100.09)
    panels[1].set_title(f"the same, above {DETAIL:g} %")
    for height, row in zip(heights, rows.itertuples(), strict=True):
        # Where our dot leaves room: left of it, or right of one that is low.
        low = not math.isnan(row.accuracy) and row.accuracy < 50
        dumbbell.remark(panels[0], row.accuracy + 5 if low else 2, height, _remark(row))
    dumbbell.name_rows(panels, heights, labels, headings)
    handles = dumbbell.handles()
    if plain.any():
        handles.append(Line2D([], [], label="this run, images not augmented", **PLAIN))
    style.legend(figure, handles)
    return figure, rows


def _label(row: Any) -> str:
    """Return what a row was trained with; that labels are random goes without saying here."""
    if row.corruption == "labels-1":
        return row_title("none", row.regularizer)
    return condition_title(row.corruption, row.regularizer)


def _remark(row: Any) -> str:
    """Return what the markers of a row do not say: training that failed, cells that are missing."""
    words = []
    if row.paper_outcome not in ("", "fitted"):
        words.append(f"paper: {row.paper_outcome}")
    if not row.cell:
        words.append("not run")
    elif row.n_fitted < row.n:
        words.append(f"this run: {outcome(row.n, row.n_fitted, row.n_diverged)}")
    return "; ".join(words)
