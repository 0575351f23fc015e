"""Norms of kernel interpolants beside their test errors (Section 5)."""

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rethink.analysis.kernels import INTERPOLANTS, MINIMUM, norms
from rethink.figures import style

ROW = 0.42  # inches
STEP = 0.17  # of a row, from one kind of interpolant to the next
LOOKS = {
    MINIMUM: style.OUR_POINT,
    **{
        name: {**style.OUR_POINT, "marker": marker, "color": colour, "zorder": 3.5}
        for name, marker, colour in zip(
            INTERPOLANTS.values(), "s^X", (style.GREEN, style.PURPLE, style.BLACK), strict=True
        )
    },
}


def draw(
    study: dict[str, Any], results: dict[str, dict[str, Any]], paper: Path
) -> tuple[Figure, pd.DataFrame]:
    """Return the figure and what it draws: a row for each interpolant, errors in percent.

    From left to right: the minimum norm of each experiment, the norm of other interpolants in units
    of the minimum norm for the same training examples, and the test errors of all.
    """
    drawn = norms(results, paper)
    if not drawn["experiment"].any():
        return style.message("No experiment of this study interpolates without jitter."), drawn
    titles = list(dict.fromkeys(drawn["title"]))
    drawn_at = drawn.assign(y=drawn["title"].map(titles.index) - 1.5 * STEP)
    figure, (panels,) = style.figure(0.85 + ROW * len(titles), 1, 3, sharey=True)
    minima = drawn_at[drawn_at["interpolant"] == MINIMUM]
    published = minima[minima["paper_norm"].notna()]
    panels[0].plot(minima["norm"], minima["y"], **style.OUR_POINT)
    panels[0].plot(published["paper_norm"], published["y"], **style.PAPER_POINT)
    for index, (name, look) in enumerate(LOOKS.items()):
        mine = drawn_at[drawn_at["interpolant"] == name]
        y = mine["y"] + STEP * index  # below each other: equal values would hide
        panels[1].plot(mine["ratio"], y, **look)
        panels[2].plot(mine["test_error"], y, **look)
    panels[2].plot(published["paper_test_error"], published["y"], **style.PAPER_POINT)
    _finish(panels, drawn, titles)
    shown = [name for name in LOOKS if (drawn["interpolant"] == name).any()]
    handles = [style.point_handle(LOOKS[name], name) for name in shown]
    handles.append(style.point_handle(style.PAPER_POINT, "minimum norm, paper"))
    style.legend(figure, handles, columns=3)
    return figure, drawn


def _finish(panels: list[Axes], drawn: pd.DataFrame, titles: list[str]) -> None:
    """Name axes and rows, say which rows were not run."""
    panels[0].set_xlabel("minimum norm")
    panels[0].set_xlim(left=0)
    panels[1].set_xlabel("norm / minimum norm")
    panels[1].set_xscale("log")
    panels[2].set_xlabel("test error [%]")
    style.error_axis(panels[2], [*drawn["test_error"], *drawn["paper_test_error"]])
    panels[0].set_ylim(len(titles) - 0.5, -0.5)
    panels[0].set_yticks(range(len(titles)), titles)
    for axes in panels:
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")
        for height in range(1, len(titles)):
            axes.axhline(height - 0.5, color=style.GREY, linewidth=0.4, alpha=0.4, zorder=0)
    for height, title in enumerate(titles):
        if not drawn.loc[drawn["title"] == title, "experiment"].any():
            style.remark(panels[1], height, "not run")
