"""Complexity measures: how each ranks the generalization gaps of all cells (Jiang et al. 2020)."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rethink.analysis.complexity import AXES, TITLES, networks, rankings
from rethink.analysis.tables import Tables
from rethink.figures import style

ROW = 0.21  # inches
APART = 0.17  # of a row: how far the two gaps stand above and below its middle
GAPS = {
    "gap_true": ({"marker": "o", "color": style.BLUE}, "gap to true test labels", -APART),
    "gap_given": ({"marker": "s", "color": style.VERMILLION}, "gap to corrupted ones", APART),
}
AXIS_LOOKS = dict(zip(AXES, ("$M$", "$L$", "$I$", "$R$"), strict=True))
AXIS_WORDS = {
    "model": "model",
    "labels": "labels",
    "images": "images",
    "regularizer": "regularizer",
}


def draw(study: dict[str, Any], tables: Tables, paper: Path) -> tuple[Figure, pd.DataFrame]:
    """Return the figure and what it draws: a row for each measure.

    Left, Kendall's tau of measure and gap over all cells; middle, granulated: the mean over axes,
    and, as letters, each axis for the gap to true labels; right, sign errors over environments, the
    mean (open) and the worst (filled).
    """
    drawn = rankings(networks(study, tables))
    if drawn["tau"].isna().all():
        return style.message("Fewer than two cells of this study fitted and were measured."), drawn
    figure, (panels,) = style.figure(1.0 + ROW * len(TITLES), 1, 3, sharey=True)
    heights = np.arange(len(TITLES))
    for gap, (look, _, apart) in GAPS.items():
        rows = drawn[drawn["gap"] == gap]
        places = heights + apart
        _points(panels[0], rows["tau"], places, look)
        _points(panels[1], rows["psi"], places, look)
        _points(panels[2], rows["error_mean"], places, look, markerfacecolor="white")
        _points(panels[2], rows["error_worst"], places, look)
    true = drawn[drawn["gap"] == "gap_true"]
    for axis, marker in AXIS_LOOKS.items():
        look = {"marker": marker, "color": style.GREY}
        _points(panels[1], true[f"tau_{axis}"], heights, look, zorder=2)
    titles = ("Kendall’s tau, all cells", "granulated tau", "sign error: mean, worst")
    for panel, title in zip(panels, titles, strict=True):
        panel.set_title(title)
        panel.tick_params(axis="y", length=0)
    for panel in panels[:2]:
        panel.set_xlim(-1.08, 1.08)
        panel.axvline(0, color=style.GREY, linewidth=0.7, zorder=1)
    panels[2].set_xlim(-0.04, 1.04)
    panels[2].axvline(0.5, color=style.GREY, linewidth=0.7, linestyle=(0, (1, 2)), zorder=1)
    panels[0].set_yticks(heights, list(TITLES.values()))
    panels[0].set_ylim(len(TITLES) - 0.4, -0.6)
    style.legend(figure, _handles(true), columns=3)
    return figure, drawn


def _points(
    axes: Axes, values: pd.Series, heights: np.ndarray, look: dict[str, Any], **changed: Any
) -> None:
    look = {"markersize": 4, "zorder": 3, **look, **changed}
    axes.plot(values.to_numpy(float), heights, linestyle="none", **look)


def _handles(true: pd.DataFrame) -> list[Line2D]:
    entries = [
        Line2D([], [], linestyle="none", **look, label=text) for look, text, _ in GAPS.values()
    ]
    for axis, marker in AXIS_LOOKS.items():
        if true[f"tau_{axis}"].notna().any():
            grey = {"color": style.GREY, "linestyle": "none", "markersize": 4}
            entries.append(Line2D([], [], marker=marker, label=AXIS_WORDS[axis], **grey))
    return entries
