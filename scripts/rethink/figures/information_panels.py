"""What the figures of the information plane share: looks of layers, and the grid of panels."""

from collections.abc import Iterator

import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MultipleLocator

from rethink.analysis.information import ACTIVATIONS, BINNINGS, LABELS, main_condition
from rethink.figures import style

MARKERS = "os^Dv*P"
PALEST = 0.88  # of the colour map: beyond it lines are too pale on white


def layer_look(layer: int, layers: int) -> style.Look:
    """Return the look of a layer: darker next to the input, a marker of its own."""
    share = PALEST * (layer - 1) / max(layers - 1, 1)
    return style.Look(to_hex(colormaps["viridis"](share)), "-", MARKERS[layer - 1])


def layer_handles(layers: int) -> list[Line2D]:
    """Return the legend's entries for the layers of a network."""
    names = [f"hidden layer {n}" for n in range(1, layers)] + ["softmax"]
    return [style.handle(layer_look(n, layers), name) for n, name in enumerate(names, 1)]


def grid(found: pd.DataFrame) -> tuple[Figure, Iterator[tuple[Axes, pd.DataFrame]], pd.DataFrame]:
    """Return a figure with a panel for each network (rows) and rule for bins (columns).

    found : the table `rethink.analysis.information.paths`

    Returns the figure, its panels with the rows of the table that belong there, and the part of the
    table that is drawn: one training fraction and one depth.
    """
    fraction, depth = main_condition(found)
    shown = found[(found["train_fraction"] == fraction) & (found["depth"] == depth)]
    networks = list(shown.groupby(["labels", "activation"], sort=False))
    networks.sort(key=lambda entry: entry[0][0] == "random")
    binnings = [name for name in BINNINGS if name in set(shown["binning"])]
    height = 0.75 + 1.6 * len(networks)
    figure, panels = style.figure(height, len(networks), len(binnings), sharex=True, sharey=True)
    for axes, binning in zip(panels[0], binnings, strict=True):
        axes.set_title(BINNINGS[binning])
    for axes, ((labels, activation), _) in zip(panels[:, -1], networks, strict=True):
        text = f"{ACTIVATIONS[activation]}, {LABELS[labels]}"
        axes.annotate(
            text, (1.03, 0.5), xycoords="axes fraction", rotation=270, va="center", fontsize=7.5
        )
    pairs = (
        (axes, rows[rows["binning"] == binning])
        for line, (_, rows) in zip(panels, networks, strict=True)
        for axes, binning in zip(line, binnings, strict=True)
    )
    return figure, pairs, shown


def draw_plane(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw the path of each layer in the information plane, means over the replicates.

    From the initialization (open) to the end of training (filled), with the deviation there.
    """
    for layer, path in rows.groupby("layer"):
        look = layer_look(layer, path["layers"].iloc[0])
        axes.plot(path["input"], path["label"], color=look.colour, linewidth=1)
        first, last = path.iloc[0], path.iloc[-1]
        mine = {"marker": look.marker, "color": look.colour, "linestyle": "none"}
        axes.plot(first["input"], first["label"], **mine, markerfacecolor="white", markersize=4)
        axes.errorbar(
            *(last["input"], last["label"]),
            xerr=last["input_sd"],
            yerr=last["label_sd"],
            capsize=0,
            elinewidth=0.7,
            markersize=5,
            zorder=4,
            **mine,
        )
    information_axis(axes.xaxis, rows["bits"].iloc[0])
    axes.set_ylim(-0.05, 1.05)


def information_axis(axis: Axis, bits: float) -> None:
    """Make an axis reach from 0 to all `bits` of the input, with ticks at whole numbers."""
    getattr(axis.axes, f"set_{axis.axis_name}lim")(-0.4, bits + 0.4)
    axis.set_major_locator(MultipleLocator(max(1, round(bits / 4))))


def ends_handles() -> list[Line2D]:
    """Return the legend's entries for where a path starts and ends."""
    grey = {"color": style.GREY, "marker": "o", "linestyle": "none"}
    return [
        Line2D([], [], **grey, markerfacecolor="white", label="before training"),
        Line2D([], [], **grey, label="after training, ± 1 sd"),
    ]


def label_outer(figure: Figure, x: str, y: str) -> None:
    """Label the axes at the left and the bottom edge."""
    for axes in figure.axes:
        place = axes.get_subplotspec()
        if place.is_first_col():
            axes.set_ylabel(y)
        if place.is_last_row():
            axes.set_xlabel(x)
