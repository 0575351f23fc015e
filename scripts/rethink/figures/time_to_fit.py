"""Time to fit the training set against the level of corruption (the paper's Figure 1b)."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rethink.analysis.levels import along_levels, paper_levels
from rethink.analysis.names import model_title
from rethink.analysis.tables import Tables
from rethink.figures import style

DRAWN = ["model", "regularizer", "kind", "level", "n", "n_fitted", "outcome"]
PANELS = {"epochs": "time to fit [epochs]", "ratio": "time to fit relative to level 0"}


def draw(study: dict[str, Any], tables: Tables, paper: Path) -> tuple[Figure, pd.DataFrame]:
    """Return the figure and what it draws: epochs on the left, their ratio to level 0 right.

    Points are means, bars sample standard deviations; an arrow marks a lower bound, a cross
    a cell whose replicates all diverged.
    """
    levels = along_levels(study, tables)
    drawn = levels[[*DRAWN, "epochs", "epochs_sd", "ratio", "ratio_sd"]]
    if levels.empty:
        return style.message("No cell of this study has a level of corruption."), drawn
    models = list(dict.fromkeys(levels["model"]))
    figure, (panels,) = style.figure(3.1, 1, 2, sharex=True)
    published = paper_levels(paper, "figure1b.csv", "ratio")
    with_paper = False
    for column, axes in zip(PANELS, panels, strict=True):
        for (model, _, _), line in levels.groupby(["model", "regularizer", "kind"], sort=False):
            _draw_line(axes, line, column, style.model_look(model, models))
            points = published[published["model"] == model]
            if column == "ratio" and not points.empty:
                look = style.model_look(model, models)
                style.paper_line(axes, points["level"], points["ratio"], look)
                with_paper = True
        axes.set_xlabel("level of corruption")
        axes.set_ylabel(PANELS[column])
        axes.set_ylim(0, 1.12 * axes.get_ylim()[1])  # room for the arrows
    for axes in panels:
        _mark_diverged(axes, levels, models)
    if levels["ratio"].isna().all():
        panels[1].text(
            0.5,
            0.04,
            "no ratio of ours: level 0 was not fitted",
            transform=panels[1].transAxes,
            ha="center",
            fontsize=7,
            color=style.GREY,
        )
    handles = [style.handle(style.model_look(m, models), model_title(m)) for m in models]
    if with_paper:
        handles.append(style.paper_handle("paper (CIFAR-10), read off the plot"))
    handles += _special_handles(levels)
    style.legend(figure, handles)
    return figure, drawn


def _draw_line(axes: Axes, line: pd.DataFrame, column: str, look: style.Look) -> None:
    line = line[line[column].notna()]
    fitted = line[line["outcome"] == "fitted"]
    bounds = line[line["outcome"] == "censored"]
    axes.plot(line["level"], line[column], color=look.colour, linestyle=look.dash)
    axes.errorbar(
        fitted["level"],
        fitted[column],
        yerr=np.nan_to_num(fitted[f"{column}_sd"]),
        color=look.colour,
        linestyle="none",
        marker=look.marker,
        elinewidth=0.8,
    )
    axes.plot(bounds["level"], bounds[column], color=look.colour, linestyle="none", marker="_")
    for _, bound in bounds.iterrows():
        axes.annotate(
            "",
            (bound["level"], bound[column]),
            xytext=(0, 13),
            textcoords="offset points",
            arrowprops={"arrowstyle": "<|-", "color": look.colour, "linewidth": 1.1},
        )


def _mark_diverged(axes: Axes, levels: pd.DataFrame, models: list[str]) -> None:
    for _, cell in levels[levels["outcome"] == "diverged"].iterrows():
        axes.plot(
            cell["level"],
            0.98,
            transform=axes.get_xaxis_transform(),
            color=style.model_look(cell["model"], models).colour,
            marker="x",
            clip_on=False,
        )


def _special_handles(levels: pd.DataFrame) -> list[Line2D]:
    """Return the legend's entries for arrows and crosses, where there are any."""
    grey = {"color": style.GREY, "linestyle": "none"}
    handles = []
    if (levels["outcome"] == "censored").any():
        handles.append(Line2D([], [], marker="$\\uparrow$", label="not fitted: at least", **grey))
    if (levels["outcome"] == "diverged").any():
        handles.append(Line2D([], [], marker="x", label="diverged", **grey))
    return handles
