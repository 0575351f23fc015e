"""Training and test accuracy with and without batch normalization (the paper's Figure 2b)."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from rethink.analysis.names import condition_title, model_order, model_title
from rethink.analysis.tables import NUMBER, TEXT, Tables, of_study, read_paper
from rethink.figures import style
from rethink.figures.along_training import SHADE, average, draw_line

PAPER_DATASET = "cifar10"  # elsewhere the paper's steps and accuracies mean nothing
PAPER_COLUMNS = {
    "model": TEXT,
    "split": TEXT,
    "from_thousand_steps": NUMBER,
    "to_thousand_steps": NUMBER,
    "low": NUMBER,
    "high": NUMBER,
    "steps_error": NUMBER,
    "accuracy_error": NUMBER,
}
PANELS = {"train": "training accuracy", "test": "test accuracy"}
EARLY = 0.2  # of training: the first steps, which climb from chance, may leave the panels below
LEAST_SPAN = 0.02  # of a panel: what is steadier than this looks steady


def draw(study: dict[str, Any], tables: Tables, paper: Path) -> tuple[Figure, pd.DataFrame]:
    """Return the figure and what it draws, by model and step.

    Left, the accuracy on the training set: mean and range over the replicates. Right, that on the
    test set: the mean, shaded up to the mean of the best so far. One row of panels for each choice
    of data and regularizer. What the paper's figure shows is drawn as boxes, as wide and as high
    as the reading is uncertain.
    """
    curves = of_study(tables.curves, study)
    curves = curves[curves["train_accuracy"].notna() & curves["test_accuracy"].notna()]
    drawn = average(curves)
    if curves.empty:
        return style.message("No cell of this study has a learning curve."), drawn
    conditions = list(dict.fromkeys(zip(drawn["corruption"], drawn["regularizer"], strict=True)))
    models = sorted(set(drawn["model"]), key=model_order)
    scale, label = style.step_axis(curves["step"])
    figure, axes = style.figure(0.5 + 2.4 * len(conditions), len(conditions), 2, sharex="row")
    published = read_paper(paper / "figure2b.csv", PAPER_COLUMNS)
    with_paper = False
    for condition, row in zip(conditions, axes, strict=True):
        mine = drawn[(drawn["corruption"] == condition[0]) & (drawn["regularizer"] == condition[1])]
        known = study["dataset"] == PAPER_DATASET and condition == ("none", "none")
        with_paper |= known
        for (split, words), panel in zip(PANELS.items(), row, strict=True):
            theirs = published[(published["split"] == split) & known]
            for box in theirs.itertuples():
                _draw_reading(panel, box, style.model_look(box.model, models), 1000 / scale)
            for model in models:
                look = style.model_look(model, models)
                draw_line(panel, mine[mine["model"] == model], split, look, scale)
            panel.set_ylabel(words)
            panel.set_ylim(*_limits(mine, split, theirs))
            panel.set_title("" if condition == ("none", "none") else condition_title(*condition))
    for panel in axes[-1]:
        panel.set_xlabel(label)
        panel.set_xlim(left=0)
    handles: list[Any] = [style.handle(style.model_look(m, models), model_title(m)) for m in models]
    handles.append(Patch(color=style.GREY, alpha=SHADE, lw=0, label="up to the best so far (test)"))
    if with_paper:
        look = {"facecolor": "none", "edgecolor": style.GREY, "linestyle": ":"}
        handles.append(Patch(label="paper, read off the plot, with its error", **look))
    style.legend(figure, handles, columns=2)
    return figure, drawn


def _draw_reading(axes: Axes, box: Any, look: style.Look, scale: float) -> None:
    """Draw what was read off the paper's figure, from its lowest to its highest possible value."""
    left, right = box.from_thousand_steps - box.steps_error, box.to_thousand_steps + box.steps_error
    low, high = box.low - box.accuracy_error, min(1.0, box.high + box.accuracy_error)
    place = (max(0.0, left) * scale, low)
    size = ((right - max(0.0, left)) * scale, high - low)
    outline = {"edgecolor": look.colour, "linestyle": ":", "linewidth": 0.9}
    axes.add_patch(Rectangle(place, *size, facecolor="none", zorder=1.5, **outline))


def _limits(drawn: pd.DataFrame, split: str, published: pd.DataFrame) -> tuple[float, float]:
    """Return the range of a panel: what both sides reach once the first steps are over."""
    late = drawn[drawn["step"] > EARLY * drawn["step"].max()]
    lows = [late[f"{split}_accuracy"].min(), (published["low"] - published["accuracy_error"]).min()]
    highs = [late[f"{split}_accuracy"].max(), late["best_test_accuracy"].max()]
    if split == "train":
        lows.append(late["train_accuracy_min"].min())
        highs = [1.0]
    low, high = np.nanmin(lows), max(highs)
    low = min(low, high - LEAST_SPAN)
    margin = 0.05 * (high - low)
    return low - margin, high + margin
