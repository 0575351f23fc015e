"""What the report says of Theorem 1, Lemma 1 and the corollary."""

from typing import Any

import pandas as pd

from rethink.analysis.theorem1 import deep_networks, networks, spectra
from rethink.publish.content import Cell, Table
from rethink.publish.theory_view import (
    TheoryView,
    costs,
    decimals,
    difference,
    number,
    percent,
    table,
)
from rethink.publish.wording import fixed, listing, magnitude, scientific

KNOTS = "adaptive"  # the rule that keeps rounding errors from growing
DIGITS = 4  # of the lemma's values: they agree to more
KEPT = 5e-6  # half of the last digit that results keep, relative


def theorem1(view: TheoryView) -> tuple[list[Table], dict[str, Any]]:
    """The networks of Theorem 1, their weights and residuals; Lemma 1; the corollary's networks."""
    built, lemma, deep = (function(view.results) for function in (networks, spectra, deep_networks))
    titles = {
        name: built.loc[built["experiment"] == name, "title"].iloc[0] for name in view.results
    }
    tables = [_networks(built), _lemma(lemma), _depths(deep), costs(view, titles)]
    good = built[built["knots"] == KNOTS]
    largest = good[good["points"] == good["points"].max()]
    off = (lemma["smallest_eigenvalue"] / lemma["smallest_difference"] - 1).abs().max()
    lost = built[built["float32_sum_label_accuracy"] < 1]
    facts = {
        "points": listing([f"{n:,}" for n in sorted(set(built["points"]))]),
        "most": f"{largest['points'].iloc[0]:,}",
        "weights": listing(sorted({f"{n:,}" for n in largest["parameters"]})),
        "prefix_residual": scientific(largest["prefix_sums_residual"].max()),
        "float64_residual": scientific(largest["float64_sum_residual"].max()),
        "float32_accuracy": _percent(largest["float32_sum_label_accuracy"].min()),
        "lost_from": f"{lost['points'].min():,}" if len(lost) else "",
        "eigenvalue_off": scientific(max(off, KEPT)),
        "lemma_points": f"{lemma['points'].max():,}",
        "depths": listing([str(depth) for depth in sorted(set(deep["depth"]))]),
        "duplicates": listing(_duplicates(view, titles)),
    }
    return tables, view.facts() | facts


def _percent(share: float) -> str:
    return f"{fixed(100 * share, 1)} %"


def _duplicates(view: TheoryView, titles: dict[str, str]) -> list[str]:
    """Say how many images were left out because another training image equals them."""
    return [
        f"{result['duplicates_left_out']} in {titles[name]}"
        for name, result in view.results.items()
        if result["duplicates_left_out"]
    ]


def _networks(built: pd.DataFrame) -> Table:
    rows = [
        [
            Cell(row.title),
            number(row.points),
            Cell(row.target),
            Cell(row.knots),
            number(row.expected_parameters),
            number(row.parameters),
            number(row.parameters - row.expected_parameters, difference(0)),
            *(
                number(value, magnitude)
                for value in (
                    row.prefix_sums_residual,
                    row.float64_sum_residual,
                    row.float32_sum_residual,
                )
            ),
            percent(100 * row.float64_sum_label_accuracy, 1),
            percent(100 * row.float32_sum_label_accuracy, 1),
        ]
        for row in built.itertuples()
    ]
    columns = [
        ("Data", "name"),
        ("n", "number"),
        ("Labels", "text"),
        ("Knots", "text"),
        ("Weights: paper, 2n + d", "number"),
        ("Weights: built", "number"),
        ("Difference", "number"),
        ("Residual, float64 prefix sums", "number"),
        ("Residual, float64 plain sum", "number"),
        ("Residual, float32 plain sum", "number"),
        ("Labels met, float64 [%]", "number"),
        ("Labels met, float32 [%]", "number"),
    ]
    return table("theorem1", columns, rows)


def _lemma(lemma: pd.DataFrame) -> Table:
    rows = [
        [
            Cell(row.title),
            number(row.points),
            Cell(row.knots),
            *(
                number(value, lambda v: scientific(v, DIGITS))
                for value in (row.smallest_difference, row.smallest_eigenvalue)
            ),
            number(row.smallest_singular_value, magnitude),
            number(row.condition, magnitude),
            number(row.rank),
        ]
        for row in lemma.itertuples()
    ]
    columns = [
        ("Data", "name"),
        ("n", "number"),
        ("Knots", "text"),
        ("Smallest eigenvalue: paper, min(zᵢ − bᵢ)", "number"),
        ("Smallest eigenvalue: computed", "number"),
        ("Smallest singular value", "number"),
        ("Condition number", "number"),
        ("Rank", "number"),
    ]
    return table("lemma1", columns, rows)


def _depths(deep: pd.DataFrame) -> Table:
    rows = [
        [
            Cell(row.title),
            number(row.points),
            Cell(row.target),
            number(row.depth),
            number(row.width),
            number(row.width * row.depth / row.points, decimals(2)),
            number(row.parameters),
            number(row.residual, magnitude),
            percent(100 * row.label_accuracy, 1),
        ]
        for row in deep.itertuples()
    ]
    columns = [
        ("Data", "name"),
        ("n", "number"),
        ("Labels", "text"),
        ("Depth k", "number"),
        ("Width", "number"),
        ("Width in units of n/k", "number"),
        ("Weights that are not zero", "number"),
        ("Largest residual", "number"),
        ("Labels met [%]", "number"),
    ]
    return table("depths", columns, rows)
