"""Rows of the paper's values beside ours, joined by a line: the parts of a dumbbell plot."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from rethink.analysis.names import model_title, row_title
from rethink.figures import style

ROW = 0.185  # inches
PAPER = {
    "linestyle": "none",
    "marker": "D",
    "markersize": 5,
    "markerfacecolor": "white",
    "markeredgecolor": style.VERMILLION,
}
OURS = {"linestyle": "none", "marker": "o", "markersize": 4, "color": style.BLUE}


def condition(row: Any) -> str:
    """Return what a row was trained on and with, as the paper's Table 1 has it."""
    return row_title(row.corruption, row.regularizer)


def model(row: Any) -> str:
    """Return the title of a row's model."""
    return model_title(row.model)


def places(
    rows: pd.DataFrame,
    label: Callable[[Any], str] = condition,
    heading: Callable[[Any], str] = model,
) -> tuple[np.ndarray, list[str], dict[float, str]]:
    """Return the height of each row, its label, and the headings of groups of rows by height."""
    heights, labels, headings = [], [], {}
    height, group = -1.0, None
    for row in rows.itertuples():
        if heading(row) != group:
            group = heading(row)
            height += 1.25 if headings else 1
            headings[height] = group
        height += 1
        heights.append(height)
        labels.append(label(row))
    return np.array(heights), labels, headings


def draw_pairs(axes: Axes, heights: np.ndarray, rows: pd.DataFrame, value: str) -> None:
    """Draw the columns ``paper_<value>``, and `value` with its deviation ``<value>_sd``."""
    theirs, ours = rows[f"paper_{value}"], rows[value]
    both = theirs.notna() & ours.notna()
    axes.hlines(heights[both], ours[both], theirs[both], color="#9a9a9a", lw=1.2)
    axes.plot(theirs, heights, zorder=3, **PAPER)
    deviations = np.nan_to_num(rows[f"{value}_sd"])
    axes.errorbar(ours, heights, xerr=deviations, elinewidth=0.9, zorder=4, **OURS)


def name_rows(
    panels: Sequence[Axes], heights: np.ndarray, labels: list[str], headings: dict[float, str]
) -> None:
    """Write the rows' labels and the headings, in bold, beside the first of panels that share."""
    axes = panels[0]
    axes.set_ylim(heights[-1] + 0.9, -0.6)
    axes.set_yticks([*heights, *headings], [*labels, *headings.values()])
    for panel in panels:
        panel.tick_params(axis="y", length=0)
        panel.grid(visible=False, axis="y")
    for label in axes.get_yticklabels()[len(labels) :]:
        label.set_fontweight("bold")


def handles(dataset: str = "CIFAR-10") -> list[Line2D]:
    """Return the legend's entries for the paper's values, on that dataset, and ours."""
    return [
        Line2D([], [], label=f"paper ({dataset}), printed", **PAPER),
        Line2D([], [], label="this run", **OURS),
    ]


def remark(axes: Axes, x: float, height: float, text: str) -> None:
    """Write a few small grey words into a row."""
    axes.text(x, height, text, va="center", fontsize=6.5, color=style.GREY)
