"""The information plane: I(T;Y) against I(X;T) of every layer, by activation and rule for bins."""

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from rethink.analysis.information import paths
from rethink.figures import style
from rethink.figures.information_panels import (
    draw_plane,
    ends_handles,
    grid,
    label_outer,
    layer_handles,
)


def draw(
    study: dict[str, Any], results: dict[str, dict[str, Any]], paper: Path
) -> tuple[Figure, pd.DataFrame]:
    """Return the figure, a row for each network and a column for each rule, and what it draws."""
    figure, panels, shown = grid(paths(results))
    for axes, rows in panels:
        draw_plane(axes, rows)
    label_outer(figure, "I(X;T) [bits]", "I(T;Y) [bits]")
    style.legend(figure, [*layer_handles(shown["layers"].iloc[0]), *ends_handles()])
    return figure, shown
