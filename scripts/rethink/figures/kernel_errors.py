"""Test error of exact interpolation by kernels beside the paper's Table 3."""

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from rethink.analysis.kernels import errors
from rethink.figures import style

ROW = 0.34  # inches
OTHER_LAMBDA = {"linestyle": "none", "marker": "|", "color": style.BLUE, "markersize": 7}
BEST_LAMBDA = {**style.OUR_POINT, "marker": "^", "color": style.BLACK}
PAPER_LAMBDA = {**style.PAPER_POINT, "marker": "^", "markersize": 6}


def draw(
    study: dict[str, Any], results: dict[str, dict[str, Any]], paper: Path
) -> tuple[Figure, pd.DataFrame]:
    """Return the figure and what it draws: a row for each experiment and lambda, in percent.

    Dots are without regularization, triangles with the lambda > 0 of least test error, ticks with
    the others; open symbols are the paper's. Rows of the paper that were not run come last.
    """
    drawn = errors(results, paper)
    titles = list(dict.fromkeys(drawn["title"]))
    heights = drawn["title"].map({title: i for i, title in enumerate(titles)}).to_numpy(float)
    figure, ((axes,),) = style.figure(0.75 + ROW * len(titles))
    for height in range(len(titles)):
        axes.axhline(height, color=style.GREY, linewidth=0.4, alpha=0.4, zorder=0)
    # slightly apart, so that equal values do not hide each other
    shift = drawn["l2"].map({"no": -0.13, "best": 0.13, "yes": 0.13}).to_numpy(float)
    for l2, look in (("yes", OTHER_LAMBDA), ("no", style.OUR_POINT), ("best", BEST_LAMBDA)):
        mine = (drawn["l2"] == l2).to_numpy()
        axes.plot(drawn["test_error"][mine], (heights + shift)[mine], **look)
    for l2, look in (("no", style.PAPER_POINT), ("best", PAPER_LAMBDA)):
        mine = (drawn["l2"] == l2).to_numpy()
        axes.plot(drawn["paper_test_error"][mine], (heights + shift)[mine], **look)
    style.error_axis(axes, [*drawn["test_error"], *drawn["paper_test_error"]])
    axes.set_xlabel("test error [%]")
    axes.set_ylim(len(titles) - 0.5, -0.5)
    axes.set_yticks(range(len(titles)), [_label(drawn, title) for title in titles])
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    handles = [
        style.point_handle(style.OUR_POINT, "this run, no regularization"),
        style.point_handle(BEST_LAMBDA, "this run, λ > 0 of least test error"),
        style.point_handle(OTHER_LAMBDA, "this run, other λ"),
        style.point_handle(style.PAPER_POINT, "paper, no regularization"),
        style.point_handle(PAPER_LAMBDA, "paper, l2 regularization"),
    ]
    style.legend(figure, handles, columns=3)
    return figure, drawn


def _label(drawn: pd.DataFrame, title: str) -> str:
    """Return a row's label, with the number of training examples below it if it was run."""
    row = drawn[drawn["title"] == title].iloc[0]
    if not row["experiment"]:
        return f"{title}\nnot run"
    used, there = row["train_examples"], row["train_available"]
    filters = "" if pd.isna(row["filters"]) else f"{row['filters']:,} filters, "
    of = "" if used == there else f" of {there:,}"
    return f"{title}\n{filters}{used:,}{of} examples"
