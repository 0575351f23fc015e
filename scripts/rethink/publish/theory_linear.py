"""What the report says of linear models with more dimensions than examples."""

from typing import Any

import pandas as pd

from rethink.analysis.linear_models import METHODS, STARTS, ends, hessians, interpolants
from rethink.publish.content import Cell, Table
from rethink.publish.theory_view import (
    TheoryView,
    costs,
    decimals,
    number,
    percent,
    table,
)
from rethink.publish.wording import fixed, listing, scientific


def linear_models(view: TheoryView) -> tuple[list[Table], dict[str, Any]]:
    """Interpolants and their norms, where SGD ends, the Hessians at two interpolants."""
    direct, ended, curved = (function(view.results) for function in (interpolants, ends, hessians))
    titles = {
        name: direct.loc[direct["experiment"] == name, "title"].iloc[0] for name in view.results
    }
    tables = [_ends(ended), _interpolants(direct), _hessians(curved), costs(view, titles)]
    zero, other = (ended[ended["start"] == start] for start in STARTS)
    facts = {
        "sizes": listing(
            [
                f"{row.title}: {row.train_examples:,} images of {row.dimensions:,} pixels"
                for row in direct.drop_duplicates("experiment").itertuples()
            ]
        ),
        "zero": _largest(zero["difference_from_minimum_norm"]),
        "other": fixed(other["difference_from_minimum_norm"].min(), 2),
        "expected": _largest(other["difference_from_expected"]),
        "not_arrived": listing(
            [METHODS[name] for name in dict.fromkeys(ended.loc[~ended["arrived"], "method"])]
        ),
        "hessians": _largest(curved["relative_difference"]),
        "ranks": listing(sorted({f"{r.rank} of {r.dimensions}" for r in curved.itertuples()})),
    }
    return tables, view.facts() | facts


def _largest(values: pd.Series) -> str:
    return scientific(values.max())


def _interpolants(direct: pd.DataFrame) -> Table:
    rows = [
        [
            Cell(row.title),
            Cell(f"minimum norm + {row.scale:g} u" if row.scale else "minimum norm", row.scale),
            number(row.norm, decimals(3)),
            number(row.residual, scientific),
            percent(row.train_error),
            percent(row.test_error),
            number(row.difference_from_minimum_norm, decimals(3)),
        ]
        for row in direct.itertuples()
    ]
    columns = [
        ("Data", "name"),
        ("Interpolant", "text"),
        ("Norm", "number"),
        ("Largest residual", "number"),
        ("Training error [%]", "number"),
        ("Test error [%]", "number"),
        ("Distance from the minimum-norm solution", "number"),
    ]
    return table("linear_models", columns, rows)


def _ends(ended: pd.DataFrame) -> Table:
    rows = [
        [
            Cell(row.title),
            Cell(METHODS[row.method]),
            Cell(STARTS[row.start]),
            number(row.batch_size),
            number(row.steps),
            Cell("yes" if row.arrived else "no"),
            number(row.difference_from_minimum_norm, _distance),
            number(row.difference_from_expected, scientific),
            number(row.norm, decimals(3)),
            percent(row.test_error),
        ]
        for row in ended.itertuples()
    ]
    columns = [
        ("Data", "name"),
        ("Method", "text"),
        ("Start", "text"),
        ("Batch", "number"),
        ("Steps", "number"),
        ("Arrived", "text"),
        ("Distance from the minimum-norm solution", "number"),
        ("Distance from where theory sends it", "number"),
        ("Norm", "number"),
        ("Test error [%]", "number"),
    ]
    return table("sgd_ends", columns, rows)


def _distance(value: float) -> str:
    return fixed(value, 3) if value >= 0.01 else scientific(value)


def _hessians(curved: pd.DataFrame) -> Table:
    rows = [
        [
            Cell(row.title),
            Cell(row.loss),
            number(row.distance, decimals(3)),
            number(row.prediction_difference, scientific),
            number(row.relative_difference, scientific),
            number(row.rank),
            number(row.dimensions),
        ]
        for row in curved.itertuples()
    ]
    columns = [
        ("Data", "name"),
        ("Loss", "text"),
        ("Distance of the two interpolants", "number"),
        ("Largest difference of their predictions", "number"),
        ("Difference of their Hessians", "number"),
        ("Rank", "number"),
        ("Dimensions", "number"),
    ]
    return table("hessians", columns, rows)
