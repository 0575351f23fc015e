"""Regularizers: how far noise is fitted against accuracy on real data (Arpit et al., section 5)."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
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
        _points(panel, plain, PLAIN)
        panel.set_title(f"{model_title(model)}: {corruption_title(noise)}")
        panel.set_xlim(-3, 103)
        low, high = rows["real_accuracy"].min(), rows["real_accuracy"].max()
        room = 0.15 * (high - low) + 1.5
        panel.set_ylim(low - room, high + room)
        panel.set_xlabel("training accuracy on the noise [%]")
    for panel in axes[:, 0]:
        panel.set_ylabel("best test accuracy on true data [%]")
    entries = [style.handle(PLAIN, "none")]
    entries += [style.handle(look, regularizer_title(name)) for name, look in looks.items()]
    style.legend(figure, entries)
    return figure, drawn


def _points(panel: Any, rows: pd.DataFrame, look: style.Look) -> None:
    panel.errorbar(
        rows["noise_accuracy"],
        rows["real_accuracy"],
        xerr=np.nan_to_num(rows["noise_accuracy_sd"].astype(float)),
        yerr=np.nan_to_num(rows["real_accuracy_sd"].astype(float)),
        color=look.colour,
        linestyle="none",
        marker=look.marker,
        elinewidth=0.8,
    )
