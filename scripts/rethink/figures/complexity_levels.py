"""Complexity measures against the level of random labels: a good one should fall to zero."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rethink.analysis.complexity import KIND, NONE, TITLES, along_labels, networks
from rethink.analysis.names import model_order, network_title, regularizer_order
from rethink.analysis.tables import Tables
from rethink.figures import style

PER_LINE = 4  # panels side by side


def draw(study: dict[str, Any], tables: Tables, paper: Path) -> tuple[Figure, pd.DataFrame]:
    """Return the figure and what it draws: a panel for each measure, a line for each kind of network.

    m = 1 / (1 + C) relative to level 0 on a common scale; points are means, bars standard
    deviations over replicates.
    """
    drawn = along_labels(networks(study, tables))
    counts = drawn.groupby(["measure", *KIND])["level"].transform("count")
    drawn = drawn[counts > 1].reset_index(drop=True)
    if drawn.empty:
        return style.message("No network fitted labels at two levels of this study."), drawn
    measures = [name for name in TITLES if name in set(drawn["measure"])]
    looks = _looks(drawn)
    lines = -(-len(measures) // PER_LINE)
    figure, axes = style.figure(0.5 + 1.35 * lines, lines, PER_LINE, sharex=True, sharey=True)
    for panel in axes.flat[len(measures) :]:
        panel.axis("off")
    for measure, panel in zip(measures, axes.flat, strict=False):
        panel.axhline(0, color=style.GREY, linewidth=0.7, zorder=1)
        panel.set_title(TITLES[measure], fontsize=6.8)
        mine = drawn[drawn["measure"] == measure]
        for (model, regularizer), look in looks.items():
            rows = mine[(mine["model"] == model) & (mine["regularizer"] == regularizer)]
            spreads = np.nan_to_num(rows["ratio_sd"].to_numpy(float))
            panel.errorbar(rows["level"], rows["ratio"], yerr=spreads, elinewidth=0.8, **look)
    axes[0, 0].set_ylim(-0.05, max(1.1, 1.08 * drawn["ratio"].max()))
    for column in range(PER_LINE):
        last = max((i for i in range(lines) if i * PER_LINE + column < len(measures)), default=0)
        axes[last, column].set_xlabel("share of random labels")
        axes[last, column].tick_params(labelbottom=True)
    for panel in axes[:, 0]:
        panel.set_ylabel("m(p) / m(0)")
    handles = [Line2D([], [], **look, label=network_title(*kind)) for kind, look in looks.items()]
    style.legend(figure, handles)
    return figure, drawn


def _looks(drawn: pd.DataFrame) -> dict[tuple[str, str], dict[str, Any]]:
    """Return how each kind of network is drawn: a model in its look, with a regularizer hollow."""
    kinds = set(drawn[KIND].itertuples(index=False, name=None))
    models = {model for model, _ in kinds}
    others = sorted({regularizer for _, regularizer in kinds} - {NONE}, key=regularizer_order)
    of_regularizers = style.regularizer_looks(others)
    looks = {}
    for model, regularizer in sorted(
        kinds, key=lambda kind: (model_order(kind[0]), regularizer_order(kind[1]))
    ):
        own = style.model_look(model, models)
        look = {"color": own.colour, "linestyle": own.dash, "marker": own.marker}
        if regularizer != NONE:
            look |= {"marker": of_regularizers[regularizer].marker, "markerfacecolor": "white"}
        looks[model, regularizer] = look
    return looks
