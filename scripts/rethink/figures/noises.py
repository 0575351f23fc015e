"""Lines for several noises in one panel: levels of one kind share a colour, from pale to full."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D

from rethink import corruption_names
from rethink.analysis.names import corruption_order, corruption_title, model_title
from rethink.figures import style

PALEST = 0.55  # how much white is mixed into the colour of the lowest level


def looks(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return how the line of each corruption is drawn, in a reader's order."""
    ordered = sorted(set(names), key=corruption_order)
    found = {}
    for name in ordered:
        kind = corruption_names.parse(name).kind
        alike = [other for other in ordered if corruption_names.parse(other).kind == kind]
        below = len(alike) - 1 - alike.index(name)
        pale = PALEST * below / max(1, len(alike) - 1)
        look = style.corruption_look(name)
        found[name] = {
            "color": tuple((1 - pale) * np.array(to_rgb(look.colour)) + pale),
            "linestyle": look.dash,
            "marker": look.marker,
            "markerfacecolor": "white" if below else look.colour,
        }
    return found


def handles(drawn: dict[str, dict[str, Any]]) -> list[Line2D]:
    """Return the legend's entries."""
    return [Line2D([], [], **look, label=corruption_title(name)) for name, look in drawn.items()]


def line(
    axes: Axes, rows: pd.DataFrame, x: str, y: str, look: dict[str, Any], **changed: Any
) -> None:
    """Draw means over replicates with their standard deviations, where there are any."""
    deviations = np.nan_to_num(rows[f"{y}_sd"].to_numpy(float))
    axes.errorbar(rows[x], rows[y], yerr=deviations, **{**look, **changed}, elinewidth=0.8)


def networks(frame: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return the rows of each experiment and model with a title that tells them apart."""
    groups = frame.groupby(["experiment", "model"], sort=False)
    several = frame["dataset"].nunique() > 1
    found = []
    for (_, model), rows in groups:
        names = [model_title(model)] if model else []
        if several or not names:
            names.append(rows["title"].iloc[0])
        found.append((", ".join(names), rows))
    return found
