"""Networks and regularizers against noises: how far each cell is fitted, and what it tests."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rethink.analysis.names import (
    corruption_order,
    corruption_title,
    model_order,
    model_title,
    regularizer_order,
    regularizer_title,
)
from rethink.analysis.noise_grid import accuracies
from rethink.analysis.tables import Tables
from rethink.figures import style

PANELS = {"train": "training accuracy [%]", "test": "test accuracy on true labels [%]"}
ROW, MARGIN = 0.19, 1.6  # inches: a row of numbers; titles and the names below the columns
DARK = 60  # percent from which numbers are written in white
WIDE = 16  # columns beside which the second panel does not fit


def draw(study: dict[str, Any], tables: Tables, paper: Path) -> tuple[Figure, pd.DataFrame]:
    """Return the figure and what it draws: a column per network and regularizer, a row per noise.

    Numbers are means over replicates; shades are the same numbers. Cells that were not run are
    left empty.
    """
    drawn = accuracies(study, tables)
    if drawn.empty:
        return style.message("No cell of this study has been run."), drawn
    columns = sorted(
        set(zip(drawn["model"], drawn["regularizer"], strict=True)),
        key=lambda key: (model_order(key[0]), regularizer_order(key[1])),
    )
    rows = sorted(set(drawn["corruption"]), key=corruption_order)
    beside = 2 * len(columns) <= WIDE
    lines = 1 if beside else 2
    figure, axes = style.figure(lines * (MARGIN + ROW * len(rows)), lines, 3 - lines)
    for (value, title), panel in zip(PANELS.items(), axes.flat, strict=True):
        _matrix(panel, drawn, value, rows, columns)
        panel.set_title(title)
    names = [_column(*key) for key in columns]
    for panel in axes.flat:
        panel.set_xticks(range(len(columns)), names, rotation=40, ha="right", fontsize=6.5)
        panel.set_yticks(range(len(rows)), [corruption_title(name) for name in rows])
    if beside:
        axes[0, 1].set_yticks(range(len(rows)), [""] * len(rows))
    return figure, drawn


def _column(model: str, regularizer: str) -> str:
    name = model_title(model)
    return name if regularizer == "none" else f"{name}, {regularizer_title(regularizer)}"


def _matrix(
    panel: Axes, drawn: pd.DataFrame, value: str, rows: list[str], columns: list[tuple[str, str]]
) -> None:
    """Draw one value of all cells as shades with their numbers."""
    shades = np.full((len(rows), len(columns)), np.nan)
    for cell in drawn.itertuples():
        place = rows.index(cell.corruption), columns.index((cell.model, cell.regularizer))
        number = getattr(cell, value)
        shades[place] = number
        text = "–" if np.isnan(number) else f"{number:.0f}"
        colour = "white" if number >= DARK else style.BLACK
        panel.text(*place[::-1], text, ha="center", va="center", fontsize=6.5, color=colour)
    panel.imshow(shades, cmap="Blues", vmin=0, vmax=110, aspect="auto")
    panel.grid(False)
    panel.tick_params(length=0)
    for side in panel.spines.values():
        side.set_visible(False)
