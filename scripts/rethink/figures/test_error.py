"""Test error against the level of corruption (the paper's Figure 1c)."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from rethink.analysis.levels import along_levels, paper_levels
from rethink.analysis.names import model_title
from rethink.analysis.tables import Tables
from rethink.figures import style

DRAWN = ["model", "regularizer", "kind", "level", "n"]
PANELS = {
    "test_accuracy_given": "test labels corrupted like the training labels",
    "test_accuracy": "true test labels",
}


def draw(study: dict[str, Any], tables: Tables, paper: Path) -> tuple[Figure, pd.DataFrame]:
    """Return the figure and what it draws: both test errors, mean and sd over replicates.

    Left, test labels corrupted like the training labels, which is what the paper plots; right,
    the true ones.
    """
    levels = along_levels(study, tables)
    drawn = levels[DRAWN].copy()
    for column in PANELS:
        drawn[column.replace("accuracy", "error")] = 1 - levels[column]
        drawn[column.replace("accuracy", "error") + "_sd"] = levels[f"{column}_sd"]
    if levels.empty:
        return style.message("No cell of this study has a level of corruption."), drawn
    models = list(dict.fromkeys(levels["model"]))
    figure, (panels,) = style.figure(3.1, 1, 2, sharex=True, sharey=True)
    published = paper_levels(paper, "figure1c.csv", "test_error")
    classes = tables.classes(study["dataset"])
    with_paper = False
    for column, axes in zip(PANELS, panels, strict=True):
        for (model, _, _), line in levels.groupby(["model", "regularizer", "kind"], sort=False):
            look = style.model_look(model, models)
            line = line[line[column].notna()]
            axes.errorbar(
                line["level"],
                1 - line[column],
                yerr=np.nan_to_num(line[f"{column}_sd"]),
                color=look.colour,
                linestyle=look.dash,
                marker=look.marker,
                elinewidth=0.8,
            )
            points = published[published["model"] == model]
            if column == "test_accuracy_given" and not points.empty:
                style.paper_line(axes, points["level"], points["test_error"], look)
                with_paper = True
        if classes:
            _mark_chance(axes, 1 - 1 / classes)
        axes.set_title(PANELS[column])
        axes.set_xlabel("level of corruption")
        axes.set_ylim(0, 1)
    panels[0].set_ylabel("test error")
    handles = [style.handle(style.model_look(m, models), model_title(m)) for m in models]
    if with_paper:
        handles.append(style.paper_handle("paper (CIFAR-10), read off the plot"))
    style.legend(figure, handles)
    return figure, drawn


def _mark_chance(axes: Any, error: float) -> None:
    axes.axhline(error, color=style.GREY, linewidth=0.8, linestyle=(0, (1, 2)))
    axes.annotate(
        f"chance {error:.2g}",
        (0, error),
        xycoords=("axes fraction", "data"),
        xytext=(3, 2),
        textcoords="offset points",
        color=style.GREY,
        fontsize=7,
    )
