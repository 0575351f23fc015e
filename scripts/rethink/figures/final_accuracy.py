"""Final training and test accuracy of every cell of a study."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from rethink import corruption_names
from rethink.analysis.names import (
    condition_title,
    corruption_order,
    model_order,
    model_title,
    regularizer_order,
)
from rethink.analysis.tables import Tables, of_study
from rethink.corruption_names import NOISY_LABELS
from rethink.figures import style

LOOKS = {
    "train_accuracy": (style.Look(style.BLACK, "none", "s"), "training"),
    "test_accuracy": (style.Look(style.VERMILLION, "none", "o"), "test, true labels"),
    "test_accuracy_given": (style.Look(style.BLUE, "none", "^"), "test, labels as corrupted"),
}
ROW = 0.2  # inches
PER_LINE = 4  # panels side by side


def draw(study: dict[str, Any], tables: Tables, paper: Path) -> tuple[Figure, pd.DataFrame]:
    """Return the figure and what it draws, in percent: a panel per model, a row per condition."""
    cells = of_study(tables.cells, study)
    values = [f"{value}_{s}" for value in LOOKS for s in ("mean", "sd")]
    drawn = cells[["cell", "model", "corruption", "regularizer", "n", "n_diverged"]].join(
        100 * cells[values]
    )
    if cells.empty:
        return style.message("No cell of this study has been run."), drawn
    models = sorted(set(cells["model"]), key=model_order)
    conditions = sorted(
        set(zip(cells["corruption"], cells["regularizer"], strict=True)),
        key=lambda key: (corruption_order(key[0]), regularizer_order(key[1])),
    )
    columns = min(len(models), PER_LINE)
    lines = -(-len(models) // columns)
    height = 0.5 + lines * (0.65 + ROW * len(conditions))
    figure, axes = style.figure(height, lines, columns, sharex=True, sharey=True)
    for panel in axes.flat[len(models) :]:
        panel.axis("off")
    for model, panel in zip(models, axes.flat, strict=False):
        mine = drawn[drawn["model"] == model]
        keys = zip(mine["corruption"], mine["regularizer"], strict=True)
        mine = mine.assign(place=[conditions.index(key) for key in keys])
        for value, (look, _) in LOOKS.items():
            kept = mine if value != "test_accuracy_given" else mine[_labels(mine)]
            panel.errorbar(
                kept[f"{value}_mean"],
                kept["place"],
                xerr=np.nan_to_num(kept[f"{value}_sd"]),
                linestyle="none",
                marker=look.marker,
                color=look.colour,
                elinewidth=0.8,
                markersize=4,
            )
        for cell in mine.itertuples():
            if cell.n_diverged:
                text = f"{cell.n_diverged} of {cell.n} diverged"
                panel.text(40, cell.place, text, va="center", fontsize=6.5, color=style.GREY)
        panel.set_title(model_title(model))
        panel.set_xlim(-3, 103)
    axes[0, 0].set_ylim(len(conditions) - 0.4, -0.6)
    axes[0, 0].set_yticks(range(len(conditions)), [condition_title(*key) for key in conditions])
    for panel in axes[-1]:
        panel.set_xlabel("accuracy [%]")
    shown = [v for v in LOOKS if v != "test_accuracy_given" or _labels(drawn).any()]
    style.legend(figure, [style.handle(*LOOKS[value]) for value in shown])
    return figure, drawn


def _labels(cells: pd.DataFrame) -> pd.Series:
    """Return which cells have test labels of their own: those with corrupted labels."""
    return cells["corruption"].map(lambda name: corruption_names.parse(name).kind in NOISY_LABELS)
