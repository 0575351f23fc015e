"""Accuracy along training of the first author's demonstration, beside the log that it prints."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rethink.analysis.demo import printed
from rethink.analysis.names import corruption_order, corruption_title, model_order, model_title
from rethink.analysis.tables import Tables, of_study
from rethink.figures import style

TEST = "test_accuracy_given"  # The repository corrupts the labels of its test set too.
LINES = {"train_accuracy": ("-", "training"), TEST: ((0, (2, 1)), "test, labels as corrupted")}
PER_LINE = 2


def draw(study: dict[str, Any], tables: Tables, paper: Path) -> tuple[Figure, pd.DataFrame]:
    """Return the figure and what it draws, in percent by epoch: a panel for each network.

    Lines are means over replicates, bands reach from the smallest to the largest; bars and points
    are what the log prints.
    """
    curves = of_study(tables.curves, study)
    drawn = _averaged(curves)
    if drawn.empty:
        return style.message("No cell of this study has a learning curve."), drawn
    models = sorted(set(drawn["model"]), key=model_order)
    figure, axes = style.figure(2.9, 1, max(PER_LINE, len(models)), sharey=True)
    log = printed(paper)
    for panel in axes.flat[len(models) :]:
        panel.axis("off")
    for model, panel in zip(models, axes.flat, strict=False):
        mine = drawn[drawn["model"] == model]
        for (_, quantity), line in mine.groupby(["corruption", "quantity"], sort=False):
            _line(panel, line, LINES[quantity][0])
        for row in log[log["model"] == model].itertuples():
            _print(panel, row)
        panel.set_title(model_title(model))
        panel.set_xlabel("epoch")
        panel.set_ylim(-3, 105)
    axes[0, 0].set_ylabel("accuracy [%]")
    names = sorted(set(drawn["corruption"]), key=corruption_order)
    handles = [
        style.handle(style.Look(style.corruption_look(n).colour, "-", ""), corruption_title(n))
        for n in names
    ]
    handles += [
        style.handle(style.Look(style.GREY, dash, ""), words) for dash, words in LINES.values()
    ]
    handles.append(style.point_handle(style.PAPER_POINT, "the repository's log"))
    style.legend(figure, handles, columns=3)
    return figure, drawn


def _averaged(curves: pd.DataFrame) -> pd.DataFrame:
    """Return mean and range over the replicates by model, corruption, quantity and epoch."""
    parts = []
    for quantity in LINES:
        values = curves.assign(value=100 * curves[quantity]).dropna(subset="value")
        groups = values.groupby(["model", "corruption", "epoch"])["value"]
        frame = groups.agg(["mean", "min", "max", "size"]).reset_index()
        parts.append(frame.assign(quantity=quantity))
    return pd.concat(parts, ignore_index=True)


def _line(panel: Axes, line: pd.DataFrame, dash: Any) -> None:
    line = line.iloc[style.thin_out(len(line))]
    look = style.corruption_look(line["corruption"].iloc[0])
    panel.fill_between(line["epoch"], line["min"], line["max"], color=look.colour, alpha=0.18, lw=0)
    panel.plot(line["epoch"], line["mean"], color=look.colour, linestyle=dash, linewidth=1.1)


def _print(panel: Axes, row: Any) -> None:
    """Draw what the log prints: a point, or a bar over the epochs for which it holds."""
    middle = (row.low + row.high) / 2
    colour = style.corruption_look(row.corruption).colour
    if row.from_epoch < row.to_epoch:
        ends = np.array([row.from_epoch, row.to_epoch], float)
        panel.plot(ends, [middle, middle], color=colour, linewidth=3.5, alpha=0.25, zorder=1.5)
    point = {**style.PAPER_POINT, "markeredgecolor": colour}
    panel.plot([row.to_epoch], [middle], **point)
