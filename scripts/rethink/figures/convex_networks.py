"""Networks on noise beside their twins on true data: what each fits in the same setting."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from rethink.analysis.names import corruption_title, model_title, regularizer_title
from rethink.analysis.noise_grid import twins
from rethink.analysis.tables import Tables
from rethink.figures import style

ROW = 0.24  # inches
TRUE, NOISE = style.Look(style.BLACK, "none", "o"), style.Look(style.VERMILLION, "none", "s")
PANELS = {"train": "training accuracy [%]", "test": "test accuracy on true labels [%]"}


def draw(study: dict[str, Any], tables: Tables, paper: Path) -> tuple[Figure, pd.DataFrame]:
    """Return the figure and what it draws, in percent: a row per network and noise.

    Points are means over replicates, bars standard deviations, joined by a line.
    """
    drawn = twins(study, tables)
    if drawn.empty:
        return style.message("No network of this study was run on noise and on true data."), drawn
    figure, axes = style.figure(0.95 + ROW * len(drawn), 1, 2, sharey=True)
    places = np.arange(len(drawn))
    for (value, label), panel in zip(PANELS.items(), axes[0], strict=True):
        panel.hlines(
            places, drawn[f"noise_{value}"], drawn[f"true_{value}"], color=style.GREY, lw=0.8
        )
        for data, look in (("true", TRUE), ("noise", NOISE)):
            panel.errorbar(
                drawn[f"{data}_{value}"],
                places,
                xerr=np.nan_to_num(drawn[f"{data}_{value}_sd"].to_numpy(float)),
                color=look.colour,
                linestyle="none",
                marker=look.marker,
                elinewidth=0.8,
            )
        panel.set_xlim(-3, 103)
        panel.set_xlabel(label)
    axes[0, 0].set_ylim(len(drawn) - 0.4, -0.6)
    axes[0, 0].set_yticks(places, [_row(row) for row in drawn.itertuples()])
    style.legend(figure, [style.handle(TRUE, "true data"), style.handle(NOISE, "noise")])
    return figure, drawn


def _row(row: Any) -> str:
    name = f"{model_title(row.model)}: {corruption_title(row.noise)}"
    return name if row.regularizer == "none" else f"{name}, {regularizer_title(row.regularizer)}"
