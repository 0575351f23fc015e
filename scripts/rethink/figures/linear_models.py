"""Which interpolant SGD finds among linear models, and that curvature does not tell (Section 5)."""

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rethink.analysis.linear_models import METHODS, interpolants, paths, spectra
from rethink.figures import style

# The distances along a descent: look of the line, words.
DISTANCES = {
    "from_zero": (
        {"color": style.BLUE, "marker": "o", "markersize": 4, "markerfacecolor": "white"},
        "from zero: distance from the minimum-norm solution",
    ),
    "from_elsewhere": (
        {"color": style.VERMILLION, "marker": "s", "markersize": 2.5},
        "from a random start: distance from the minimum-norm solution",
    ),
    "from_elsewhere_expected": (
        # without a line: it would run along the first
        {"color": style.BLACK, "marker": ".", "markersize": 3, "linestyle": "none"},
        "from a random start: distance from the minimum-norm solution + u",
    ),
}
DASHES = dict(zip(METHODS, ("-", (0, (1, 1.2))), strict=True))
LOSSES = {"squared": style.BLUE, "logistic": style.PURPLE}


def draw(
    study: dict[str, Any], results: dict[str, dict[str, Any]], paper: Path
) -> tuple[Figure, pd.DataFrame]:
    """Return the figure, a row of three panels for each experiment, and what it draws.

    Left, how far SGD is from where it should end, step by step. Middle, norms and test errors of
    interpolants. Right, the eigenvalues of the Hessians at two of them. The table has a column
    ``panel`` and leaves empty what does not apply.
    """
    parts = {
        "path": paths(results),
        "interpolant": interpolants(results),
        "spectrum": spectra(results),
    }
    figure, grid = style.figure(1.25 + 2.2 * len(results), len(results), 3)
    for panels, name in zip(grid, results, strict=True):
        path, interpolant, spectrum = (part[part["experiment"] == name] for part in parts.values())
        _draw_paths(panels[0], path)
        _draw_interpolants(panels[1], interpolant)
        _draw_spectra(panels[2], spectrum)
        first = interpolant.iloc[0]
        panels[0].set_title(
            f"{first['title']}: {first['train_examples']} examples, {first['dimensions']} dimensions"
        )
    handles = [Line2D([], [], **look, label=words) for look, words in DISTANCES.values()]
    handles += [
        Line2D([], [], color=style.GREY, linestyle=dash, label=METHODS[name])
        for name, dash in DASHES.items()
    ]
    style.legend(figure, handles, columns=2)
    table = pd.concat([part.assign(panel=panel) for panel, part in parts.items()])
    return figure, table[["panel", *(name for name in table if name != "panel")]]


def _draw_paths(axes: Axes, path: pd.DataFrame) -> None:
    for method, rows in path.groupby("method", sort=False):
        for column, (look, _) in DISTANCES.items():
            axes.plot(
                *(rows["steps"], rows[column]),
                **{"linestyle": DASHES[method], "linewidth": 0.9, **look},
            )
    axes.set_xscale("symlog", linthresh=1)
    axes.set_yscale("log")
    axes.set_xlabel("steps")
    axes.set_ylabel("relative distance")


def _draw_interpolants(axes: Axes, interpolant: pd.DataFrame) -> None:
    axes.plot(interpolant["norm"], interpolant["test_error"], color=style.GREY, linewidth=0.8)
    axes.plot(interpolant["norm"], interpolant["test_error"], **style.OUR_POINT)
    for row in interpolant.itertuples():
        axes.annotate(
            *(f"{row.scale:g}", (row.norm, row.test_error)),
            xytext=(0, 5),
            textcoords="offset points",
            ha="center",
            fontsize=7,
        )
    axes.text(
        *(0.03, 0.93, "at each point, s in minimum norm + s u"),
        transform=axes.transAxes,
        fontsize=6,
        color=style.GREY,
    )
    axes.margins(x=0.12, y=0.25)
    axes.set_xlabel("norm")
    axes.set_ylabel("test error [%]")


def _draw_spectra(axes: Axes, spectrum: pd.DataFrame) -> None:
    for (loss, interpolant), rows in spectrum.groupby(["loss", "interpolant"], sort=False):
        least = interpolant == "minimum norm"
        axes.plot(
            *(rows["index"], rows["eigenvalue"]),
            linestyle="none",
            color=LOSSES[loss],
            marker="o" if least else "+",
            markersize=5 if least else 4,
            markerfacecolor="white",
            zorder=2 if least else 3,
        )
    axes.set_yscale("log")
    axes.set_xlabel("index")
    axes.set_ylabel("eigenvalue of the Hessian")
    handles = [
        Line2D([], [], linestyle="none", marker="s", color=colour, label=f"{loss} loss")
        for loss, colour in LOSSES.items()
    ]
    handles += [
        Line2D([], [], linestyle="none", color=style.GREY, label=words, **look)
        for words, look in (
            ("minimum norm", {"marker": "o", "markerfacecolor": "white"}),
            ("another interpolant", {"marker": "+"}),
        )
    ]
    axes.legend(handles=handles, fontsize=6, handlelength=1, labelspacing=0.2)
