"""One look for all figures: sizes, and a colour, dash and marker for every condition.

Colours are from the Okabe-Ito palette, which stays apart under the common colour-vision
deficiencies; its yellow and orange are left out as lines, being too pale on white. A condition is
never told by colour alone.
"""

import io
import os
from collections.abc import Iterable
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rethink import corruption_names
from rethink.files import write_bytes

WIDTH = 6.8  # inches: the text width of an A4 page with its margins
PERCENT_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
THOUSANDS_FROM = 3000  # steps; shorter runs count single steps
MAX_POINTS = 300  # of a drawn line; more cannot be told apart at this size

BLACK, GREY = "#000000", "#6e6e6e"
BLUE, VERMILLION, GREEN, PURPLE, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9"
BROWN = "#7A4A00"

RC = {
    "axes.grid": True,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 8,
    "errorbar.capsize": 2,
    "figure.constrained_layout.use": True,
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.5,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "legend.handlelength": 3.2,
    "lines.linewidth": 1.3,
    "lines.markersize": 4.5,
    "path.simplify": True,
    "svg.fonttype": "path",
    "svg.hashsalt": "rethink",
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
}


class Look(NamedTuple):
    """How a condition is drawn, the same in every figure."""

    colour: str
    dash: str | tuple
    marker: str


CORRUPTIONS = {
    "none": Look(BLACK, "-", "o"),
    "labels": Look(VERMILLION, (0, (6, 1.5)), "s"),
    "wrong_labels": Look(BROWN, (0, (8, 2)), "X"),
    "signs": Look(GREY, (0, (3, 1, 1, 1, 1, 1)), "*"),
    "shuffled_pixels": Look(BLUE, (0, (4, 1, 1, 1)), "^"),
    "random_pixels": Look(GREEN, (0, (2, 1)), "D"),
    "gaussian": Look(PURPLE, (0, (1, 0.8)), "v"),
    "gaussian_noise": Look(SKY, (0, (5, 1, 1, 1, 1, 1)), "P"),
}
MODELS = {
    "inception": Look(BLUE, "-", "o"),
    "inception_no_bn": Look(SKY, (0, (4, 1, 1, 1)), "P"),
    "alexnet": Look(VERMILLION, (0, (6, 1.5)), "s"),
    "mlp_3x512": Look(PURPLE, (0, (1, 0.8)), "D"),
    "mlp_1x512": Look(GREEN, (0, (2, 1)), "^"),
}
# Of regularizers, in the order in which a figure names them.
REGULARIZERS = (
    Look(BLUE, "-", "o"),
    Look(VERMILLION, (0, (6, 1.5)), "s"),
    Look(GREEN, (0, (2, 1)), "^"),
    Look(PURPLE, (0, (4, 1, 1, 1)), "D"),
    Look(BLACK, (0, (1, 0.8)), "v"),
    Look(BROWN, (0, (8, 2)), "X"),
)
OTHERS = (
    Look(BLACK, (0, (3, 1, 1, 1, 1, 1)), "v"),
    Look(BROWN, (0, (8, 2)), "X"),
    Look(GREY, "-", "*"),
)


def corruption_look(name: str) -> Look:
    """Return the look of a corruption; levels and variants of a kind share it."""
    return CORRUPTIONS[corruption_names.parse(name).kind]


def model_look(name: str, models: Iterable[str]) -> Look:
    """Return the look of a model among the `models` of a figure; new ones get one in order."""
    if name in MODELS:
        return MODELS[name]
    return OTHERS[sorted(set(models) - set(MODELS)).index(name) % len(OTHERS)]


def regularizer_looks(names: Iterable[str]) -> dict[str, Look]:
    """Return the looks of the regularizers of a figure, which begin anew after six."""
    return {name: REGULARIZERS[i % len(REGULARIZERS)] for i, name in enumerate(names)}


def figure(height: float, rows: int = 1, columns: int = 1, **arguments: object) -> tuple:
    """Return a figure of the page's width and an array (rows, columns) of its axes."""
    result = Figure(figsize=(WIDTH, height))
    return result, result.subplots(rows, columns, squeeze=False, **arguments)


def paper_line(axes: Axes, x: object, y: object, look: Look) -> None:
    """Draw the paper's values: open markers in the condition's colour, thin and dotted."""
    axes.plot(
        x,
        y,
        color=look.colour,
        linestyle=":",
        linewidth=0.8,
        marker=look.marker,
        markerfacecolor="white",
        markeredgewidth=0.8,
        markersize=4,
        zorder=1.5,
    )


def paper_handle(label: str) -> Line2D:
    """Return the legend's entry for the paper's values."""
    return Line2D(
        [], [], color=GREY, linestyle=":", marker="o", markerfacecolor="white", label=label
    )


# One value of the paper's and one of ours, where no condition has to be told.
PAPER_POINT = {
    "linestyle": "none",
    "marker": "D",
    "markersize": 5,
    "markerfacecolor": "white",
    "markeredgecolor": VERMILLION,
    "zorder": 3,
}
OUR_POINT = {"linestyle": "none", "marker": "o", "color": BLUE, "zorder": 4}


def point_handle(look: dict[str, object], label: str) -> Line2D:
    """Return the legend's entry for single values, e.g. `PAPER_POINT`."""
    return Line2D([], [], **look, label=label)


def handle(look: Look, label: str) -> Line2D:
    """Return the legend's entry for a condition."""
    return Line2D([], [], color=look.colour, linestyle=look.dash, marker=look.marker, label=label)


def legend(result: Figure, handles: list[Line2D], columns: int = 4) -> None:
    """Put the legend above the panels."""
    result.legend(handles=handles, loc="outside upper left", ncols=columns, columnspacing=1.6)


def message(text: str) -> Figure:
    """Return a figure that only says why there is nothing to draw."""
    result, axes = figure(1.0)
    axes[0, 0].axis("off")
    axes[0, 0].text(0.5, 0.5, text, ha="center", va="center", color=GREY)
    return result


def remark(axes: Axes, height: float, text: str) -> None:
    """Write a few words at the left end of the row at `height`."""
    place = axes.get_yaxis_transform()
    axes.text(0.015, height, text, transform=place, va="center", fontsize=6.5, color=GREY)


def error_axis(axes: Axes, values: Iterable[float]) -> None:
    """Make the x axis fit errors in percent: logarithmic with plain numbers, unless one is zero."""
    known = [value for value in values if not np.isnan(value)]
    if not known or min(known) <= 0:
        axes.set_xlim(left=0)
        return
    low, high = min(known) / 1.6, max(known) * 1.6
    inside = [tick for tick in PERCENT_TICKS if low <= tick <= high]
    axes.set_xscale("log")
    axes.set_xlim(low, min(high, 115))
    axes.set_xticks(inside, [f"{tick:g}" for tick in inside])
    axes.minorticks_off()


def step_axis(steps: Iterable[int]) -> tuple[int, str]:
    """Return what to divide training steps by on an axis that reaches all of them, and its label."""
    if max(steps) >= THOUSANDS_FROM:
        return 1000, "thousand training steps"
    return 1, "training steps"


def thin_out(count: int) -> np.ndarray:
    """Return the indices of at most `MAX_POINTS` of `count` points, the first and last included."""
    return np.unique(np.linspace(0, count - 1, min(count, MAX_POINTS)).round().astype(int))


def use() -> None:
    """Make the style this process's own."""
    matplotlib.use("svg")
    matplotlib.rcParams.update(RC)


def save(result: Figure, path: str | os.PathLike) -> None:
    """Write a figure as SVG, the same bytes for the same figure."""
    buffer = io.BytesIO()
    result.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    write_bytes(path, buffer.getvalue())
