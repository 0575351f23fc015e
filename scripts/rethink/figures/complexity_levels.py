"""Complexity measures against the level of random labels: a good one should fall to zero."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from rethink.analysis.complexity import TITLES, along_labels, networks
from rethink.analysis.names import model_order, model_title
from rethink.analysis.tables import Tables
from rethink.figures import style

PER_LINE = 4  # panels side by side


def draw(study: dict[str, Any], tables: Tables, paper: Path) -> tuple[Figure, pd.DataFrame]:
    """Return the figure and what it draws: a panel for each measure, a line for each model.

    m = 1 / (1 + C) relative to level 0 on a common scale; points are means, bars standard
    deviations over replicates.
    """
    drawn = along_labels(networks(study, tables))
    counts = drawn.groupby(["measure", "model"])["level"].transform("count")
    drawn = drawn[counts > 1].reset_index(drop=True)
    if drawn.empty:
        return style.message("No network fitted labels at two levels of this study."), drawn
    measures = [name for name in TITLES if name in set(drawn["measure"])]
    models = sorted(set(drawn["model"]), key=model_order)
    lines = -(-len(measures) // PER_LINE)
    figure, axes = style.figure(0.5 + 1.35 * lines, lines, PER_LINE, sharex=True, sharey=True)
    for panel in axes.flat[len(measures) :]:
        panel.axis("off")
    for measure, panel in zip(measures, axes.flat, strict=False):
        panel.axhline(0, color=style.GREY, linewidth=0.7, zorder=1)
        panel.set_title(TITLES[measure], fontsize=6.8)
        for model in models:
            rows = drawn[(drawn["measure"] == measure) & (drawn["model"] == model)]
            look = style.model_look(model, models)
            panel.errorbar(
                rows["level"],
                rows["ratio"],
                yerr=np.nan_to_num(rows["ratio_sd"].to_numpy(float)),
                color=look.colour,
                linestyle=look.dash,
                marker=look.marker,
                elinewidth=0.8,
            )
    axes[0, 0].set_ylim(-0.05, max(1.1, 1.08 * drawn["ratio"].max()))
    for column in range(PER_LINE):
        last = max((i for i in range(lines) if i * PER_LINE + column < len(measures)), default=0)
        axes[last, column].set_xlabel("share of random labels")
        axes[last, column].tick_params(labelbottom=True)
    for panel in axes[:, 0]:
        panel.set_ylabel("m(p) / m(0)")
    style.legend(
        figure, [style.handle(style.model_look(m, models), model_title(m)) for m in models]
    )
    return figure, drawn
