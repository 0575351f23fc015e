"""The paper's Table 1 beside ours as a dumbbell plot: one row per cell, train and test."""

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from rethink.analysis.comparison import table1
from rethink.analysis.tables import Tables
from rethink.figures import dumbbell, style

PANELS = {"train_accuracy": "training accuracy [%]", "test_accuracy": "test accuracy [%]"}


def draw(study: dict[str, Any], tables: Tables, paper: Path) -> tuple[Figure, pd.DataFrame]:
    """Return the figure and what it draws, in percent.

    Open diamonds are the paper's values, dots our means with their sample standard deviation.
    """
    rows = table1(study, tables, paper)
    heights, labels, headings = dumbbell.places(rows)
    figure, (panels,) = style.figure(0.8 + dumbbell.ROW * heights[-1], 1, 2, sharey=True)
    for (value, label), axes in zip(PANELS.items(), panels, strict=True):
        dumbbell.draw_pairs(axes, heights, rows, value)
        axes.set_xlabel(label)
        axes.set_xlim(-3, 103)
        axes.set_xticks(range(0, 101, 20))
    for height, cell in zip(heights, rows.itertuples(), strict=True):
        text = "not run" if not cell.cell else ""
        if cell.n_diverged:
            text = f"{cell.n_diverged} of {cell.n} diverged"
        dumbbell.remark(panels[0], 2, height, text)
    dumbbell.name_rows(panels, heights, labels, headings)
    style.legend(figure, dumbbell.handles())
    return figure, rows
