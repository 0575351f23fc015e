"""Regularizers: how far noise is fitted against accuracy on real data (Arpit et al., section 5)."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rethink.analysis.names import corruption_title, model_title, regularizer_title
from rethink.analysis.noise_regularizers import NONE, noise_against_real
from rethink.analysis.tables import Tables
from rethink.figures import style

PER_LINE = 3  # panels side by side
LOOKS = (
    style.Look(style.BLUE, "-", "s"),
    style.Look(style.VERMILLION, (0, (6, 1.5)), "D"),
    style.Look(style.GREEN, (0, (2, 1)), "^"),
    style.Look(style.PURPLE, (0, (1, 0.8)), "v"),
    style.Look(style.BROWN, (0, (8, 2)), "X"),
    style.Look(style.SKY, (0, (4, 1, 1, 1)), "P"),
)
PLAIN = style.Look(style.BLACK, "-", "o")


def draw(study: dict[str, Any], tables: Tables, paper: Path) -> tuple[Figure, pd.DataFrame]:
    """Return the figure and what it draws: a panel for each model and noise.

    Points are means, bars standard deviations over replicates; strengths of one regularizer are
    joined, from none to the strongest.
    """
    drawn = noise_against_real(study, tables)
    if drawn.empty:
        return style.message(
            "No regularizer of this study was run on noise and on true data."
        ), drawn
    families = [name for name in dict.fromkeys(drawn["family"]) if name != NONE]
    looks = {name: LOOKS[i % len(LOOKS)] for i, name in enumerate(families)}
    groups = list(drawn.groupby(["model", "noise"], sort=False))
    columns = min(len(groups), PER_LINE)
    lines = -(-len(groups) // columns)
    figure, axes = style.figure(0.5 + 2.3 * lines, lines, columns)
    for panel in axes.flat[len(groups) :]:
        panel.axis("off")
    for ((model, noise), rows), panel in zip(groups, axes.flat, strict=False):
        plain = rows[rows["regularizer"] == NONE]
        for name, look in looks.items():
            mine = rows[rows["family"] == name].sort_values("strength")
            path = pd.concat([plain, mine])
            panel.plot(
                path["noise_accuracy"],
                path["real_accuracy"],
                color=look.colour,
                linestyle=look.dash,
                linewidth=0.8,
            )
            _points(panel, mine, look)
        _points(panel, plain, PLAIN, markersize=8, markerfacecolor="none")
        panel.set_title(f"{model_title(model)}: {corruption_title(noise)}")
        panel.set_xlim(*_around(rows, "noise_accuracy"))
        panel.set_ylim(*_around(rows, "real_accuracy"))
        panel.set_xlabel("training accuracy on the noise [%]")
    for panel in axes[:, 0]:
        panel.set_ylabel("best test accuracy on true data [%]")
    entries = [style.handle(PLAIN._replace(dash="none"), "no regularizer")]
    entries[0].set(markersize=8, markerfacecolor="none")
    entries += [style.handle(look, regularizer_title(name)) for name, look in looks.items()]
    style.legend(figure, entries)
    return figure, drawn


def _around(rows: pd.DataFrame, value: str) -> tuple[float, float]:
    """Return limits that hold all values with their deviations, and some room."""
    deviations = np.nan_to_num(rows[f"{value}_sd"].to_numpy(float))
    low, high = (rows[value] - deviations).min(), (rows[value] + deviations).max()
    if not np.isfinite(low):
        return 0, 100
    room = 0.08 * (high - low) + 0.5
    return low - room, high + room


def _points(axes: Axes, rows: pd.DataFrame, look: style.Look, **changed: Any) -> None:
    axes.errorbar(
        rows["noise_accuracy"],
        rows["real_accuracy"],
        xerr=np.nan_to_num(rows["noise_accuracy_sd"].to_numpy(float)),
        yerr=np.nan_to_num(rows["real_accuracy_sd"].to_numpy(float)),
        color=look.colour,
        linestyle="none",
        marker=look.marker,
        elinewidth=0.8,
        **changed,
    )
