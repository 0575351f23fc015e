"""Theorem 1 in floating point: residuals, Lemma 1's smallest eigenvalue, depth against width."""

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rethink.analysis.theorem1 import deep_networks, networks, spectra
from rethink.figures import style

# How a network is evaluated: its colour, dash and words.
EVALUATIONS = {
    "prefix_sums": (style.BLUE, "-", "float64, prefix sums"),
    "float64_sum": (style.GREEN, (0, (6, 1.5)), "float64, plain sum"),
    "float32_sum": (style.VERMILLION, (0, (1, 0.8)), "float32, plain sum"),
}
MARKERS = {"adaptive": "o", "midpoint": "s"}
LOST = 0.5  # a residual beyond this rounds to another label
SIZES = ((style.BLACK, "o"), (style.PURPLE, "D"), (style.SKY, "P"), (style.BROWN, "X"))


def draw(
    study: dict[str, Any], results: dict[str, dict[str, Any]], paper: Path
) -> tuple[Figure, pd.DataFrame]:
    """Return the figure, a row of three panels for each experiment, and what it draws.

    Left, the largest residual over all points and labellings. Middle, the smallest eigenvalue and
    singular value of Lemma 1's matrix against the value that the lemma gives. Right, the width of
    the corollary's networks. The table has a column ``panel`` and leaves empty what does not apply.
    """
    figure, grid = style.figure(0.7 + 2.3 * len(results), len(results), 3)
    drawn = []
    for panels, name in zip(grid, results, strict=True):
        one = {name: results[name]}
        residuals, spectrum, depths = _worst(networks(one)), spectra(one), deep_networks(one)
        _draw_residuals(panels[0], residuals)
        _draw_spectrum(panels[1], spectrum)
        widths = depths.drop_duplicates(["points", "depth"])
        _draw_widths(panels[2], widths)
        panels[0].set_title(residuals["title"].iloc[0])
        parts = {"residual": residuals, "spectrum": spectrum, "width": widths}
        drawn += [part.assign(panel=panel) for panel, part in parts.items()]
    handles = [
        Line2D([], [], color=colour, linestyle=dash, label=words)
        for colour, dash, words in EVALUATIONS.values()
    ]
    handles += [
        Line2D([], [], color=style.GREY, linestyle="none", marker=marker, label=f"{knots} knots")
        for knots, marker in MARKERS.items()
    ]
    style.legend(figure, handles, columns=3)
    table = pd.concat(drawn, ignore_index=True)
    return figure, table[["panel", *(name for name in table if name != "panel")]]


def _worst(table: pd.DataFrame) -> pd.DataFrame:
    """Return the largest residuals over the labellings, a row for each size and rule for knots."""
    values = [f"{name}_residual" for name in EVALUATIONS]
    keys = ["experiment", "title", "dataset", "points", "knots"]
    return table.groupby(keys, sort=False)[values].max().reset_index()


def _draw_residuals(axes: Axes, residuals: pd.DataFrame) -> None:
    for knots, rows in residuals.groupby("knots", sort=False):
        for name, (colour, dash, _) in EVALUATIONS.items():
            face = colour if knots == "adaptive" else "white"
            axes.plot(
                *(rows["points"], rows[f"{name}_residual"]),
                color=colour,
                linestyle=dash,
                marker=MARKERS[knots],
                markerfacecolor=face,
            )
    axes.axhline(LOST, color=style.GREY, linewidth=0.8)
    place = axes.get_yaxis_transform()
    axes.text(
        *(0.98, LOST / 1.5, "above this line, labels are lost"),
        transform=place,
        ha="right",
        va="top",
        fontsize=6.5,
        color=style.GREY,
    )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("points n")
    axes.set_ylabel("largest residual |c(x) − y|")


def _draw_spectrum(axes: Axes, spectrum: pd.DataFrame) -> None:
    ends = spectrum["smallest_difference"].agg(["min", "max"])
    axes.plot(ends, ends, color=style.GREY, linewidth=0.8)
    for knots, rows in spectrum.groupby("knots", sort=False):
        for value, colour in (
            ("smallest_eigenvalue", style.BLACK),
            ("smallest_singular_value", style.SKY),
        ):
            axes.plot(
                *(rows["smallest_difference"], rows[value]),
                linestyle="none",
                color=colour,
                marker=MARKERS[knots],
                markerfacecolor=colour if knots == "adaptive" else "white",
            )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("min (z$_i$ − b$_i$)")
    axes.set_ylabel("smallest value of A")
    for text, colour, height in (
        ("eigenvalue", style.BLACK, 0.9),
        ("singular value", style.SKY, 0.8),
    ):
        axes.text(0.04, height, text, transform=axes.transAxes, color=colour, fontsize=7)


def _draw_widths(axes: Axes, widths: pd.DataFrame) -> None:
    for index, (points, rows) in enumerate(widths.groupby("points")):
        colour, marker = SIZES[index % len(SIZES)]
        axes.plot(rows["depth"], rows["width"], color=colour, marker=marker)
        first = rows.iloc[0]
        axes.annotate(
            *(f"n = {points:,}", (first["depth"], first["width"])),
            xytext=(0, 4.5),
            textcoords="offset points",
            fontsize=7,
            color=colour,
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    depths = sorted(set(widths["depth"]))
    axes.set_xticks(depths, [str(depth) for depth in depths])
    axes.minorticks_off()
    axes.margins(y=0.12)
    axes.set_xlabel("depth k")
    axes.set_ylabel("width of the widest layer")
