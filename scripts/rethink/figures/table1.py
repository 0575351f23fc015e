"""The paper's Table 1 beside ours as a dumbbell plot: one row per cell, train and test."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rethink.analysis.comparison import table1
from rethink.analysis.names import model_title, row_title
from rethink.analysis.tables import Tables
from rethink.figures import style

PANELS = {"train_accuracy": "training accuracy [%]", "test_accuracy": "test accuracy [%]"}
ROW = 0.185  # inches


def draw(study: dict[str, Any], tables: Tables, paper: Path) -> tuple[Figure, pd.DataFrame]:
    """Return the figure and what it draws, in percent.

    Open diamonds are the paper's values, dots our means with their sample standard deviation.
    """
    rows = table1(study, tables, paper)
    heights, labels, headings = _places(rows)
    figure, (panels,) = style.figure(0.8 + ROW * heights[-1], 1, 2, sharey=True)
    for (value, label), axes in zip(PANELS.items(), panels, strict=True):
        both = rows[f"paper_{value}"].notna() & rows[value].notna()
        axes.hlines(
            heights[both], rows[value][both], rows[f"paper_{value}"][both], color="#9a9a9a", lw=1.2
        )
        axes.plot(
            rows[f"paper_{value}"],
            heights,
            linestyle="none",
            marker="D",
            markersize=5,
            markerfacecolor="white",
            markeredgecolor=style.VERMILLION,
            zorder=3,
        )
        axes.errorbar(
            rows[value],
            heights,
            xerr=np.nan_to_num(rows[f"{value}_sd"]),
            linestyle="none",
            marker="o",
            markersize=4,
            color=style.BLUE,
            elinewidth=0.9,
            zorder=4,
        )
        axes.set_xlabel(label)
        axes.set_xlim(-3, 103)
        axes.set_xticks(range(0, 101, 20))
    for height, cell in zip(heights, rows.itertuples(), strict=True):
        text = "not run" if not cell.cell else ""
        if cell.n_diverged:
            text = f"{cell.n_diverged} of {cell.n} diverged"
        panels[0].text(2, height, text, va="center", fontsize=6.5, color=style.GREY)
    axes = panels[0]
    axes.set_ylim(heights[-1] + 0.9, -0.6)
    axes.set_yticks([*heights, *headings], [*labels, *headings.values()])
    axes.tick_params(axis="y", length=0)
    for label in axes.get_yticklabels()[len(labels) :]:
        label.set_fontweight("bold")
    for axes in panels:
        axes.grid(visible=False, axis="y")
    style.legend(
        figure,
        [
            Line2D(
                [],
                [],
                linestyle="none",
                marker="D",
                markerfacecolor="white",
                markeredgecolor=style.VERMILLION,
                label="paper (CIFAR-10), printed",
            ),
            Line2D([], [], linestyle="none", marker="o", color=style.BLUE, label="this run"),
        ],
    )
    return figure, rows


def _places(rows: pd.DataFrame) -> tuple[np.ndarray, list[str], dict[float, str]]:
    """Return the height of each row, its label, and the headings of the models by height."""
    heights, labels, headings = [], [], {}
    height, model = -1.0, None
    for row in rows.itertuples():
        if row.model != model:
            model = row.model
            height += 1.25 if headings else 1
            headings[height] = model_title(model)
        height += 1
        heights.append(height)
        labels.append(row_title(row.corruption, row.regularizer))
    return np.array(heights), labels, headings
