"""Accuracy along training with and without regularizers (the paper's Figure 2a, ImageNet)."""

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from rethink.analysis.names import (
    corruption_order,
    corruption_title,
    model_order,
    model_title,
    regularizer_order,
    row_title,
)
from rethink.analysis.tables import NUMBER, TEXT, Tables, of_study, read_paper
from rethink.figures import style
from rethink.figures.along_training import SHADE, average, draw_line

# The paper draws this model on this dataset; elsewhere its accuracies mean nothing.
PAPER = ("imagenet", "inception_v3", "none")
PAPER_COLUMNS = {
    "regularizer": TEXT,
    "split": TEXT,
    "quantity": TEXT,
    "accuracy": NUMBER,
    "accuracy_error": NUMBER,
}
PANELS = {"train": "training accuracy", "test": "test accuracy"}
BEST = {"linestyle": "none", "marker": "*", "markersize": 10, "markeredgecolor": "white"}
PAPER_MARKERS = {"end": "<", "peak": "^"}  # on the right edge of a panel


def draw(study: dict[str, Any], tables: Tables, paper: Path) -> tuple[Figure, pd.DataFrame]:
    """Return the figure and what it draws, by model, labels, regularizer and step.

    Left, the accuracy on the training set: mean and range over the replicates. Right, that on the
    test set: the mean, shaded up to the mean of the best so far, with a star where the mean is
    highest. One row of panels for each choice of model and labels. Of the paper's figure the
    accuracies are drawn, at the right edge, and not the steps: those were of another optimizer.
    """
    curves = of_study(tables.curves, study)
    curves = curves[curves["train_accuracy"].notna() & curves["test_accuracy"].notna()]
    drawn = average(curves)
    if curves.empty:
        return style.message("No cell of this study has a learning curve."), drawn
    groups = sorted(
        set(zip(drawn["model"], drawn["corruption"], strict=True)),
        key=lambda group: (model_order(group[0]), corruption_order(group[1])),
    )
    looks = style.regularizer_looks(sorted(set(drawn["regularizer"]), key=regularizer_order))
    scale, label = style.step_axis(curves["step"])
    figure, axes = style.figure(0.6 + 2.6 * len(groups), len(groups), 2, sharex="row")
    published = read_paper(paper / "figure2a.csv", PAPER_COLUMNS)
    with_paper = False
    for (model, corruption), row in zip(groups, axes, strict=True):
        mine = drawn[(drawn["model"] == model) & (drawn["corruption"] == corruption)]
        known = (study["dataset"], model, corruption) == PAPER
        with_paper |= known
        for (split, words), panel in zip(PANELS.items(), row, strict=True):
            for regularizer, line in mine.groupby("regularizer"):
                draw_line(panel, line, split, looks[regularizer], scale)
                if split == "test":
                    _mark_best(panel, line, looks[regularizer], scale)
            if known:
                _draw_readings(panel, published[published["split"] == split], looks)
            panel.set_ylabel(words)
            panel.set_ylim(0, 1.02)
        row[0].set_title(f"{model_title(model)}, {corruption_title(corruption)}")
    for panel in axes[-1]:
        panel.set_xlabel(label)
        panel.set_xlim(left=0)
    handles: list[Any] = [style.handle(look, row_title("none", r)) for r, look in looks.items()]
    handles.append(Patch(color=style.GREY, alpha=SHADE, lw=0, label="up to the best so far (test)"))
    handles.append(Line2D([], [], color=style.GREY, label="best along training", **BEST))
    if with_paper:
        handles += _paper_handles()
    style.legend(figure, handles, columns=2)
    return figure, drawn


def _mark_best(axes: Axes, line: pd.DataFrame, look: style.Look, scale: int) -> None:
    """Draw a star where stopping would have been best."""
    best = line.loc[line["test_accuracy"].idxmax()]
    axes.plot(best["step"] / scale, best["test_accuracy"], color=look.colour, zorder=4, **BEST)


def _draw_readings(axes: Axes, readings: pd.DataFrame, looks: dict[str, style.Look]) -> None:
    """Draw the paper's accuracies at the right edge, each with the error of its reading."""
    # The three settings keep apart, the ends from the peaks too.
    places = {"end": 1.0, "peak": 1.03}
    for reading in readings.itertuples():
        if reading.regularizer not in looks:
            continue
        axes.errorbar(
            places[reading.quantity],
            reading.accuracy,
            yerr=reading.accuracy_error,
            transform=axes.get_yaxis_transform(),
            color=looks[reading.regularizer].colour,
            marker=PAPER_MARKERS[reading.quantity],
            markerfacecolor="white",
            markersize=5,
            linewidth=0.8,
            clip_on=False,
            zorder=5,
        )


def _paper_handles() -> list[Line2D]:
    words = {
        "end": "paper, read off the plot: at the end",
        "peak": "paper: its highest test accuracy",
    }
    look = {"linestyle": "none", "color": style.GREY, "markerfacecolor": "white"}
    return [
        Line2D([], [], marker=marker, label=words[quantity], **look)
        for quantity, marker in PAPER_MARKERS.items()
    ]
