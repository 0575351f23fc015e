"""How well networks fit random signs: the empirical Rademacher complexity from below."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from rethink.analysis.names import row_title
from rethink.analysis.rademacher import correlations
from rethink.analysis.tables import Tables
from rethink.figures import dumbbell, style

LOOKS = {
    "correlation": (style.Look(style.BLACK, "none", "s"), "training images: bound from below"),
    "test_correlation": (
        style.Look(style.BLUE, "none", "^"),
        "test images, with signs of their own",
    ),
}


def draw(study: dict[str, Any], tables: Tables, paper: Path) -> tuple[Figure, pd.DataFrame]:
    """Return the figure and what it draws: correlations of predictions with random signs."""
    rows = correlations(study, tables)
    if rows.empty:
        return style.message("No cell of this study was trained on random signs."), rows
    heights, labels, headings = dumbbell.places(
        rows, lambda row: row_title("none", row.regularizer)
    )
    figure, ((axes,),) = style.figure(0.9 + dumbbell.ROW * heights[-1])
    deviations = {"correlation": rows["correlation_sd"], "test_correlation": np.zeros(len(rows))}
    for value, (look, _) in LOOKS.items():
        axes.errorbar(
            rows[value],
            heights,
            xerr=np.nan_to_num(deviations[value]),
            linestyle="none",
            marker=look.marker,
            color=look.colour,
            elinewidth=0.9,
            markersize=4.5,
        )
    for value in (0, 1):
        axes.axvline(value, color=style.GREY, linewidth=0.8, linestyle=(0, (1, 2)), zorder=1)
    for height, row in zip(heights, rows.itertuples(), strict=True):
        if row.n_diverged:
            text = f"{row.n_diverged} of {row.networks} diverged"
            dumbbell.remark(axes, 0.4, height, text)
    dumbbell.name_rows([axes], heights, labels, headings)
    low = min(0.0, rows["correlation"].min(), rows["test_correlation"].min())
    axes.set_xlim((low if math.isfinite(low) else 0.0) - 0.06, 1.04)
    axes.set_xlabel("correlation of a network's predictions with random signs")
    style.legend(figure, [style.handle(*entry) for entry in LOOKS.values()])
    return figure, rows
