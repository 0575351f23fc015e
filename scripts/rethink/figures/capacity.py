"""Capacity and time against noise (Arpit et al., section 3.3)."""

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rethink.analysis.memorization import capacity
from rethink.figures import noises, style


def draw(
    study: dict[str, Any], results: dict[str, dict[str, Any]], paper: Path
) -> tuple[Figure, pd.DataFrame]:
    """Return the figure and what it draws: a row of panels for each network.

    Best test accuracy and time to fit against the width of the hidden layers, and time to fit
    against the number of training examples. Points are means over replicates, bars standard
    deviations; an arrow stands where some replicate had not fitted when training ended.
    """
    drawn = capacity(results)
    if drawn.empty:
        return style.message("No experiment of this study varies the capacity."), drawn
    looks = noises.looks(drawn["corruption"])
    groups = noises.networks(drawn)
    figure, axes = style.figure(0.7 + 1.9 * len(groups), len(groups), 3)
    for (title, rows), panels in zip(groups, axes, strict=True):
        for name, look in looks.items():
            mine = rows[rows["corruption"] == name]
            noises.line(panels[0], mine[mine["whole"]], "width", "best_test_accuracy", look)
            _times(panels[1], mine[mine["whole"]], "width", look)
            sizes = mine[mine["widest"]].sort_values("train_examples")
            _times(panels[2], sizes, "train_examples", look)
        panels[0].set_title("best test accuracy [%]")
        panels[0].set_ylim(0, 103)
        panels[1].set_title("time to fit [epochs]")
        panels[2].set_title(f"time to fit [epochs], width {rows['width'].max():,}")
        for panel, values in zip(panels, ("width", "width", "train_examples"), strict=True):
            _powers(panel, sorted(set(rows[values])))
        for panel in panels[1:]:
            panel.set_ylim(0, 1.15 * rows["time"].max())
        panels[0].set_ylabel(title)
    for panel, label in zip(axes[-1], ("hidden units",) * 2 + ("training examples",), strict=True):
        panel.set_xlabel(label)
    entries = noises.handles(looks)
    if drawn["censored"].any():
        grey = {"color": style.GREY, "linestyle": "none"}
        entries.append(Line2D([], [], marker="$\\uparrow$", label="not fitted: at least", **grey))
    style.legend(figure, entries)
    return figure, drawn


def _times(axes: Axes, rows: pd.DataFrame, x: str, look: dict[str, Any]) -> None:
    rows = rows[rows["time"].notna()]
    fitted, open_ended = rows[~rows["censored"]], rows[rows["censored"]]
    axes.plot(rows[x], rows["time"], color=look["color"], linestyle=look["linestyle"])
    noises.line(axes, fitted, x, "time", look, linestyle="none")
    axes.plot(open_ended[x], open_ended["time"], **{**look, "linestyle": "none", "marker": "_"})
    for row in open_ended.itertuples():
        axes.annotate(
            "",
            (getattr(row, x), row.time),
            xytext=(0, 11),
            textcoords="offset points",
            arrowprops={"arrowstyle": "<|-", "color": look["color"], "linewidth": 1.1},
        )


def _powers(axes: Axes, values: list[int]) -> None:
    """Make the x axis logarithmic, with ticks at the values that were measured."""
    axes.set_xscale("log")
    axes.set_xticks(values, [f"{value:,}" for value in values], rotation=30, ha="right")
    axes.minorticks_off()
