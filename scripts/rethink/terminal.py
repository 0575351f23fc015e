"""What is done at the front door: choosing Python and preset, aligning columns."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from rethink.config import load
from rethink.grid import Grid, expand

CONFIG = Path(__file__).resolve().parents[2] / "config"


def prefer_this_python() -> None:
    """Let the command `python` of child processes be the interpreter that runs this one.

    A workflow started by the path of its Snakemake, without activating the environment, would
    otherwise run its jobs with whatever Python the system has.
    """
    here = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([here, os.environ.get("PATH", os.defpath)])


def preset_parser(description: str) -> argparse.ArgumentParser:
    """Return a parser with the options that choose a preset, as Snakemake has them."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--preset", default="digits", help="name of a preset in config/")
    parser.add_argument("--configfile", type=Path, help="a preset file of your own instead")
    parser.add_argument(
        "--config", nargs="*", default=[], metavar="KEY=VALUE", help="values over the preset"
    )
    return parser


def chosen_grid(options: argparse.Namespace) -> Grid:
    """Return the grid of the preset that the options name; raises ConfigError."""
    given: dict = {"preset": options.preset}
    source = None
    if options.configfile:
        source = str(options.configfile)
        given = yaml.safe_load(options.configfile.read_text(encoding="utf-8"))
    for entry in options.config:
        key, _, value = entry.partition("=")
        given[key] = yaml.safe_load(value)
    preset = load(given, CONFIG, source)
    return expand(preset, source or preset.preset)


def results_folder(grid: Grid) -> Path:
    """Return the folder of the preset's results, below the current folder."""
    return Path("results") / grid.preset.preset


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Return `rows` as text with aligned columns."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)] if rows else []
    lines = (
        "  ".join([*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[-1]])
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)
