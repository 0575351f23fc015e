"""Training again with one example replaced: what changes, beside the generalization gap."""

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rethink.analysis.names import model_title
from rethink.analysis.stability import networks, pairs
from rethink.figures import style

ROW = 0.3  # inches
PANELS = {
    "largest_loss_change": "largest change of a\ntest loss (any label)",
    "predictions_changed": "test predictions\nchanged [%]",
    "own_loss_change": "change of the loss at\nthe examples themselves",
    "gap": "generalization gap\n[points of accuracy]",
}
KEYS = ["experiment", "model", "corruption"]
BOUND = {"color": style.GREY, "linestyle": ":", "linewidth": 1.3}


def draw(
    study: dict[str, Any], results: dict[str, dict[str, Any]], paper: Path
) -> tuple[Figure, pd.DataFrame]:
    """Return the figure and what it draws: one row for each replaced example and one for all.

    Small symbols are single replaced examples, large ones all of them together: their largest for
    the largest change of a loss, else their mean. The gaps are those of the one network that was
    trained on the examples as they are.
    """
    whole, single = networks(results), pairs(results)
    heights, headings = _places(whole)
    whole["y"] = heights
    single["y"] = single.merge(whole[[*KEYS, "y"]], on=KEYS)["y"]
    figure, (panels,) = style.figure(1.0 + ROW * (heights[-1] + 1), 1, len(PANELS), sharey=True)
    for (name, label), axes in zip(PANELS.items(), panels, strict=True):
        for row in whole.itertuples():
            look = style.corruption_look(row.corruption)
            mine = {"linestyle": "none", "marker": look.marker, "color": look.colour}
            if name in single:
                alone = single[single["y"] == row.y]
                axes.plot(alone[name], alone["y"], **mine, markersize=2.5, alpha=0.6)
            axes.plot(getattr(row, name), row.y, **mine, markersize=6.5, markerfacecolor="none")
            if name == "own_loss_change":
                axes.plot(row.loss_gap, row.y, marker="x", color=look.colour)
        axes.set_xlabel(label)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
    _draw_bounds(panels[0], whole)
    panels[0].set_ylim(heights[-1] + 0.6, -0.6)
    panels[0].set_yticks([*heights, *headings], [*whole["labels"], *headings.values()])
    for text in panels[0].get_yticklabels()[len(heights) :]:
        text.set_fontweight("bold")
    style.legend(figure, _handles())
    drawn = pd.concat([single.astype({"pair": "Int64"}), whole], ignore_index=True)
    return figure, drawn[[*KEYS, "title", "dataset", "labels", "pair", *PANELS, "loss_gap"]]


def _draw_bounds(axes: Axes, whole: pd.DataFrame) -> None:
    """Draw what was found for any labels across all rows of a model: one bound holds for all."""
    for _, rows in whole.groupby(KEYS[:2], sort=False):
        largest = rows["largest_loss_change"].max()
        axes.plot([largest] * 2, [rows["y"].min() - 0.4, rows["y"].max() + 0.4], **BOUND)


def _places(whole: pd.DataFrame) -> tuple[list[float], dict[float, str]]:
    """Return the height of each row, and the headings of the models by their height."""
    heights: list[float] = []
    headings: dict[float, str] = {}
    height, before = -1.0, None
    several = whole["experiment"].nunique() > 1
    for row in whole.itertuples():
        if (row.experiment, row.model) != before:
            before = (row.experiment, row.model)
            height += 1.2 if headings else 1
            name = model_title(row.model)
            headings[height] = f"{name}, {row.title}" if several else name
        height += 1
        heights.append(height)
    return heights, headings


def _handles() -> list[Line2D]:
    grey = {"color": style.GREY, "linestyle": "none", "marker": "o"}
    return [
        Line2D([], [], **grey, markersize=2.5, label="one replaced example"),
        Line2D([], [], **grey, markersize=6.5, markerfacecolor="none", label="all together"),
        Line2D([], [], **{**grey, "marker": "x"}, label="test loss − training loss"),
        Line2D([], [], **BOUND, label="lower bound of β"),
    ]
