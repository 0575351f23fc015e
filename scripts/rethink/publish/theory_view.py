"""A study of theory as the report sees it, and what the tables of all kinds share."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from rethink.publish.content import Cell, Column, Row, Table
from rethink.publish.wording import duration, fixed, listing, plural, signed

NOTHING = "–"  # a value that cannot exist, as opposed to one that is missing


@dataclass(frozen=True)
class TheoryView:
    """A study with the results of its experiments.

    study : its description, as its figures get it
    results, runs : by the experiment's name, its result.json and its run.json
    titles : by name, the titles of the datasets
    paper : folder of the paper's values
    """

    study: dict[str, Any]
    results: dict[str, dict[str, Any]]
    runs: dict[str, dict[str, Any]]
    titles: dict[str, str]
    paper: Path

    def facts(self) -> dict[str, Any]:
        """Return what every caption may use."""
        names = [result["dataset"] for result in self.results.values() if "dataset" in result]
        return {
            "study": self.study,
            "datasets": listing([self.titles.get(name, name) for name in dict.fromkeys(names)]),
            "experiments": plural(len(self.results), "experiment"),
        }


def table(name: str, columns: list[tuple[str, str]], rows: list[list[Cell]]) -> Table:
    """Return a table of `rows` that the captions file ``table_<name>`` describes."""
    return Table(
        "", "", [Column(*column) for column in columns], [Row(row) for row in rows], name=name
    )


def whole(value: float) -> str:
    """Return a whole number as text."""
    return f"{value:,.0f}"


def decimals(digits: int) -> Callable[[float], str]:
    """Return the function that writes a number with so many decimals."""
    return lambda value: fixed(value, digits)


def difference(digits: int) -> Callable[[float], str]:
    """Return the function that writes a difference, with its sign and so many decimals."""
    return lambda value: signed(value, digits)


def number(value: float | None, write: Callable[[float], str] = whole) -> Cell:
    """Return a cell with a number as `write` puts it; ``–`` where there is none."""
    if value is None or pd.isna(value):
        return Cell(NOTHING)
    return Cell(write(value), float(value))


def percent(value: float | None, digits: int = 2) -> Cell:
    """Return a percentage without its sign; ``–`` where there is none."""
    return number(value, decimals(digits))


def costs(view: TheoryView, titles: dict[str, str]) -> Table:
    """Return what each experiment cost; `titles` says what they are called."""
    rows = []
    for name, title in titles.items():
        run = view.runs[name]
        device = run.get("device") or {"type": "cpu"}
        gpu = device["type"] != "cpu"
        rows.append(
            [
                Cell(title),
                Cell(device.get("name") or device["type"] if gpu else "CPU"),
                number(run.get("threads")),
                number(run["seconds"], duration),
                number(run.get("peak_memory_mb"), _gigabytes),
                number(run.get("device_peak_memory_mb"), _gigabytes),
            ]
        )
    columns = [
        ("Experiment", "text"),
        ("Device", "text"),
        ("Threads", "number"),
        ("Time", "number"),
        ("Peak memory", "number"),
        ("Peak memory of the GPU", "number"),
    ]
    return table("theory_costs", columns, rows)


def _gigabytes(megabytes: float) -> str:
    return f"{fixed(megabytes / 1024, 2)} GB"
