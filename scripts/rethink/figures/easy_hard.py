"""Easy and hard examples: how many one-epoch runs misclassify each (Arpit et al., Figure 1)."""

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rethink.analysis.memorization import difficulties
from rethink.figures import noises, style

EQUAL = {"linestyle": ":", "linewidth": 1.0, "marker": ""}


def draw(
    study: dict[str, Any], results: dict[str, dict[str, Any]], paper: Path
) -> tuple[Figure, pd.DataFrame]:
    """Return the figure and what it draws: a panel for each corruption, a row for each network.

    Examples are sorted; dotted, what equally hard examples of the same mean would show.
    """
    drawn = difficulties(results)
    if drawn.empty:
        return style.message("No experiment of this study follows single examples."), drawn
    looks = noises.looks(drawn["corruption"])
    groups = noises.networks(drawn)
    columns = len(looks)
    figure, axes = style.figure(0.45 + 1.75 * len(groups), len(groups), columns, sharey=True)
    for (title, rows), panels in zip(groups, axes, strict=True):
        for (name, look), panel in zip(looks.items(), panels, strict=True):
            mine = rows[rows["corruption"] == name]
            if mine.empty:
                panel.axis("off")
                continue
            kept = mine.iloc[style.thin_out(len(mine))]
            panel.plot(kept["place"], kept["equally_hard"], **{"color": style.GREY, **EQUAL})
            panel.plot(kept["place"], kept["wrong"], **{**look, "marker": "", "linestyle": "-"})
            panel.set_title(f"{title}: {mine['data'].iloc[0]}")
            panel.set_xlim(0, 100)
            panel.set_ylim(-3, 103)
        panels[0].set_ylabel("runs that are wrong [%]")
    for panel in axes[-1]:
        panel.set_xlabel("examples, easiest first [%]")
    solid = Line2D([], [], color=style.BLACK, label="this run")
    equal = Line2D([], [], color=style.GREY, **EQUAL, label="equally hard examples (binomial)")
    style.legend(figure, [solid, equal])
    return figure, drawn
