"""Loss sensitivity: how unequally training examples shape the loss (Arpit et al., section 3.2)."""

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rethink.analysis.memorization import gini_curves, lorenz
from rethink.figures import noises, style

EQUAL = {"color": style.GREY, "linestyle": ":", "linewidth": 1.0}


def draw(
    study: dict[str, Any], results: dict[str, dict[str, Any]], paper: Path
) -> tuple[Figure, pd.DataFrame]:
    """Return the figure and what it draws: Lorenz curves of g_x, Gini coefficients of the steps.

    A row of panels for each experiment. Points are means over replicates, bars standard deviations.
    """
    curves, steps = lorenz(results), gini_curves(results)
    drawn = pd.concat([curves.assign(panel="lorenz"), steps.assign(panel="gini")])
    if curves.empty:
        return style.message("No experiment of this study measures loss sensitivity."), drawn
    looks = noises.looks(curves["corruption"])
    groups = noises.networks(curves)
    figure, axes = style.figure(0.5 + 2.2 * len(groups), len(groups), 2)
    for (title, rows), (left, right) in zip(groups, axes, strict=True):
        left.plot([0, 100], [0, 100], **EQUAL)
        mine = steps[steps["experiment"] == rows["experiment"].iloc[0]]
        for name, look in looks.items():
            curve = rows[rows["corruption"] == name]
            if curve.empty:
                continue
            curve = curve.iloc[style.thin_out(len(curve))]
            left.plot(curve["place"], curve["share"], **{**look, "marker": ""})
            noises.line(right, mine[mine["corruption"] == name], "step", "gini", look)
        left.set_title(f"{title}: Lorenz curves of the averages over the steps")
        left.set_xlim(0, 100)
        left.set_ylim(0, 103)
        left.set_xlabel("examples, least sensitive first [%]")
        left.set_ylabel("share of all sensitivity [%]")
        right.set_title(f"{title}: single steps")
        right.set_ylim(bottom=0)
        right.set_xlim(0, 1.04 * mine["step"].max())
        right.set_xlabel("training steps")
        right.set_ylabel("Gini coefficient")
    equal = Line2D([], [], **EQUAL, label="all examples alike")
    style.legend(figure, [*noises.handles(looks), equal])
    return figure, drawn
