"""I(X;T) of every layer along training, by activation and rule for bins: what is compressed when."""

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from rethink.analysis.information import paths
from rethink.figures import style
from rethink.figures.information_panels import (
    grid,
    information_axis,
    label_outer,
    layer_handles,
    layer_look,
)


def draw(
    study: dict[str, Any], results: dict[str, dict[str, Any]], paper: Path
) -> tuple[Figure, pd.DataFrame]:
    """Return the figure, laid out like the plane, and what it draws: means and their bands."""
    figure, panels, shown = grid(paths(results))
    for axes, rows in panels:
        for layer, path in rows.groupby("layer"):
            look = layer_look(layer, path["layers"].iloc[0])
            axes.plot(path["epoch"], path["input"], color=look.colour, linewidth=1.1)
            mean, deviation = path["input"], path["input_sd"].fillna(0)
            axes.fill_between(
                path["epoch"],
                (mean - deviation).clip(0),
                (mean + deviation).clip(upper=path["bits"]),
                color=look.colour,
                alpha=0.2,
                linewidth=0,
            )
            last = path.iloc[-1]
            axes.plot(last["epoch"], last["input"], color=look.colour, marker=look.marker)
        axes.set_xscale("symlog", linthresh=1)
        axes.set_xlim(0, shown["epoch"].max() * 1.5)
        ticks = [0, *(10**power for power in range(len(str(shown["epoch"].max()))))]
        axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        axes.minorticks_off()
        information_axis(axes.yaxis, rows["bits"].iloc[0])
    label_outer(figure, "epoch", "I(X;T) [bits]")
    style.legend(figure, layer_handles(shown["layers"].iloc[0]))
    return figure, shown
