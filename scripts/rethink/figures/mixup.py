"""mixup on corrupted labels: test error at its best and at the end, training error by label."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rethink.analysis.mixup import NONE, compared
from rethink.analysis.names import corruption_title, model_title, regularizer_title
from rethink.analysis.tables import Tables
from rethink.figures import dumbbell, style

BELOW = 0.3  # of a row: how much lower the published values stand
BEST = {"linestyle": "none", "marker": "o", "markerfacecolor": "white", "markersize": 4.5}
LAST = {"linestyle": "none", "marker": "o", "markersize": 4.5}
PAPER_BEST = {"linestyle": "none", "marker": "D", "markerfacecolor": "white", "markersize": 3.5}
PAPER_LAST = {"linestyle": "none", "marker": "D", "markersize": 3.5}
TRUE = {"linestyle": "none", "marker": "^", "markersize": 4.5}
RANDOM = {"linestyle": "none", "marker": "s", "markersize": 4}


def draw(study: dict[str, Any], tables: Tables, paper: Path) -> tuple[Figure, pd.DataFrame]:
    """Return the figure and what it draws: a row for each cell.

    Left, the error on true test labels, at its best and at the end of training, joined by a line;
    below it what was published. Right, the training error at the end, of examples with their true
    label and of those with a random one. Bars are standard deviations over replicates.
    """
    drawn = compared(study, tables, paper)
    rows = drawn[drawn["cell"] != ""]
    if rows.empty:
        return style.message("No cell of this study was trained."), drawn
    heights, labels, headings = dumbbell.places(rows, _label, _heading)
    figure, (panels,) = style.figure(0.9 + 0.21 * heights[-1], 1, 2, sharey=True)
    test, train = panels
    for first, second, height, colour, looks in (
        ("best_error", "last_error", heights, style.BLUE, (BEST, LAST)),
        (
            "paper_best_error",
            "paper_last_error",
            heights + BELOW,
            style.VERMILLION,
            (PAPER_BEST, PAPER_LAST),
        ),
    ):
        test.hlines(height, rows[first], rows[second], color=colour, linewidth=1)
        for value, look in zip((first, second), looks, strict=True):
            _points(test, rows, value, height, {**look, "color": colour})
    _points(train, rows, "true_error", heights, {**TRUE, "color": style.BLACK})
    _points(train, rows, "random_error", heights, {**RANDOM, "color": style.GREEN})
    test.set_xlabel("test error, true labels [%]")
    train.set_xlabel("training error at the end [%]")
    for panel in panels:
        panel.set_xlim(-3, 103)
    dumbbell.name_rows(panels, heights, labels, headings)
    style.legend(figure, _handles(rows), columns=3)
    return figure, drawn


def _label(row: Any) -> str:
    return "no regularizer" if row.regularizer == NONE else regularizer_title(row.regularizer)


def _heading(row: Any) -> str:
    return f"{model_title(row.model)}: {corruption_title(row.corruption)}"


def _points(
    axes: Any, rows: pd.DataFrame, value: str, heights: np.ndarray, look: dict[str, Any]
) -> None:
    deviations = np.nan_to_num(rows[f"{value}_sd"]) if f"{value}_sd" in rows else None
    axes.errorbar(rows[value], heights, xerr=deviations, elinewidth=0.8, zorder=3, **look)


def _handles(rows: pd.DataFrame) -> list[Line2D]:
    entries = [(BEST, style.BLUE, "test, best epoch"), (LAST, style.BLUE, "test, at the end")]
    if rows["paper_last_error"].notna().any():
        entries.append((PAPER_BEST, style.VERMILLION, "published (CIFAR-10), best"))
        entries.append((PAPER_LAST, style.VERMILLION, "published (CIFAR-10), end"))
    entries.append((TRUE, style.BLACK, "training, true labels"))
    if rows["random_error"].notna().any():
        entries.append((RANDOM, style.GREEN, "training, random labels"))
    return [Line2D([], [], label=text, **{**look, "color": c}) for look, c, text in entries]
