"""The information plane for other training fractions and other depths."""

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from rethink.analysis.information import ACTIVATIONS, LABELS, main_condition, paths
from rethink.figures import style
from rethink.figures.information_panels import draw_plane, ends_handles, label_outer

COLUMNS = 3


def draw(
    study: dict[str, Any], results: dict[str, dict[str, Any]], paper: Path
) -> tuple[Figure, pd.DataFrame]:
    """Return the figure and what it draws.

    Networks of one activation under one rule for bins, those of Shwartz-Ziv and Tishby unless the
    preset left them out. First a panel for each kind of labels and training fraction
    at the usual depth, then one for each depth at the usual fraction.
    """
    found = paths(results)
    fraction, depth = main_condition(found)
    found = found[found["activation"] == found["activation"].iloc[0]]
    found = found[found["binning"] == found["binning"].iloc[0]]
    usual = found[found["depth"] == depth]
    panels = [
        (f"{100 * share:g} %, {LABELS[labels]}", rows)
        for labels in LABELS
        for share, rows in usual[usual["labels"] == labels].groupby("train_fraction")
    ]
    others = found[
        (found["train_fraction"] == fraction) & (found["labels"] == usual["labels"].iloc[0])
    ]
    depths = list(others.groupby("depth"))
    if len(depths) > 1:
        panels += [(f"{layers} hidden layer{'s' * (layers > 1)}", rows) for layers, rows in depths]
    return _draw(panels), pd.concat([usual, others[others["depth"] != depth]], ignore_index=True)


def _draw(panels: list[tuple[str, pd.DataFrame]]) -> Figure:
    columns = min(len(panels), COLUMNS)
    lines = -(-len(panels) // columns)
    figure, grid = style.figure(0.6 + 1.75 * lines, lines, columns, sharex=True, sharey=True)
    for axes, (title, rows) in zip(grid.flat, panels, strict=False):
        draw_plane(axes, rows)
        axes.set_title(f"{ACTIVATIONS[rows['activation'].iloc[0]]}, {title}")
    label_outer(figure, "I(X;T) [bits]", "I(T;Y) [bits]")
    for axes in grid.flat[len(panels) :]:
        axes.remove()
    for axes in grid.flat[len(panels) - columns : len(panels)]:  # some have none below
        axes.tick_params(labelbottom=True)
        axes.set_xlabel("I(X;T) [bits]")
    style.legend(figure, ends_handles())
    return figure
