"""What the report says of complexity measures and generalization gaps."""

import math
from typing import Any

import pandas as pd

from rethink.analysis.complexity import (
    GAPS,
    INFORMATIVE,
    NEAR_ZERO,
    NONE,
    TITLES,
    along_labels,
    cells,
    criterion,
    networks,
    rankings,
)
from rethink.analysis.names import condition_title, model_title, network_title
from rethink.analysis.tables import of_study
from rethink.publish.content import Cell, Column, Row, Table, anchor
from rethink.publish.studies import NOTHING, StudyView
from rethink.publish.wording import fixed, listing, magnitude, plural, signed

STRONG = 0.5  # tau from which on a measure is said to rank the gaps


def complexity_measures(view: StudyView) -> tuple[list[Table], dict[str, Any]]:
    """How measures rank the gaps, what they do as labels become random, and their values."""
    frame = networks(view.study, view.tables)
    ranked, decided = rankings(frame), criterion(along_labels(frame))
    wanted = of_study(view.tables.summary, view.study)["cell"].nunique()
    tables = [_rankings(ranked)]
    tables += [_levels(decided)] if len(decided) else []
    tables += [_values(frame)] if len(frame) else []
    return tables, _facts(ranked, decided, frame) | {"wanted": plural(wanted, "cell")}


def _facts(ranked: pd.DataFrame, decided: pd.DataFrame, frame: pd.DataFrame) -> dict[str, Any]:
    true = ranked[(ranked["gap"] == "gap_true") & ranked["tau"].notna()]
    granulated = true[true["psi"].notna()].sort_values("psi", ascending=False)
    words = [f"{TITLES[row.measure]} {signed(row.tau, 2)}" for row in true.itertuples()]
    verdicts = decided.groupby("measure", sort=False)["verdict"].agg(set)
    passed = [TITLES[name] for name, seen in verdicts.items() if seen == {"falls to zero"}]
    named = [f"{TITLES[row.measure]} ({signed(row.psi, 2)})" for row in granulated.itertuples()]
    errors = true[true["error_worst"].notna()]
    return {
        "fitted": frame["cell"].nunique(),
        "hollow": bool((decided["regularizer"] != NONE).any()),
        "values": listing(words) or "no values",
        "best": named[0] if named else "",
        "worst": named[-1] if len(named) > 1 else "",
        "strong_from": f"{STRONG:g}",
        "strong": int((true["psi"] >= STRONG).sum()),
        "negative": int((true["psi"] < 0).sum()),
        "measures": len(true),
        "robust": int((errors["error_worst"] < 0.5).sum()),
        "judged": len(errors),
        "passed": listing(passed),
        "decided": len(verdicts),
        "vacuous": int((decided["verdict"] == "vacuous").sum()),
        "pairs": len(decided),
        "ends": listing(
            [
                f"{TITLES[row.measure]} of {network_title(row.model, row.regularizer)} {fixed(row.end, 2)}"
                for row in decided.itertuples()
            ]
        )
        or "no values",
        "near_zero": f"{NEAR_ZERO:g}",
        "informative": f"{INFORMATIVE:g}",
    }


def _rankings(ranked: pd.DataFrame) -> Table:
    rows = [
        Row(
            [
                Cell(TITLES[row.measure]),
                Cell(GAPS[row.gap]),
                _number(row.tau),
                _number(row.psi),
                *(_number(getattr(row, f"tau_{axis}")) for axis in ("model", "labels")),
                *(_number(getattr(row, f"tau_{axis}")) for axis in ("images", "regularizer")),
                _share(row.error_mean),
                Cell(
                    NOTHING if math.isnan(row.error_worst) else fixed(row.error_worst, 2),
                    row.error_worst,
                    more=_change(row.worst),
                ),
                Cell(str(row.cells)),
            ]
        )
        for row in ranked.itertuples()
    ]
    columns = [
        ("Measure", "name"),
        ("Gap to", "name"),
        ("tau", "number"),
        ("Granulated", "number"),
        ("… by model", "number"),
        ("… by labels", "number"),
        ("… by images", "number"),
        ("… by regularizer", "number"),
        ("Sign error, mean", "number"),
        ("… worst", "number"),
        ("Cells", "number"),
    ]
    return Table("", "", [Column(*column) for column in columns], rows)


def _change(worst: str) -> str:
    """Return the worst environment as it stands below its error."""
    return worst.replace("_", " ")


def _levels(decided: pd.DataFrame) -> Table:
    rows = [
        Row(
            [
                Cell(TITLES[row.measure]),
                Cell(network_title(row.model, row.regularizer)),
                Cell(magnitude(row.start), row.start),
                Cell(fixed(row.level, 2), row.level),
                Cell(magnitude(row.end), row.end),
                _number(row.trend),
                Cell(row.verdict),
            ]
        )
        for row in decided.itertuples()
    ]
    columns = [
        ("Measure", "name"),
        ("Network", "name"),
        ("m(0)", "number"),
        ("Highest level p", "number"),
        ("m(p) / m(0) there", "number"),
        ("Trend (tau)", "number"),
        ("As labels become random, m", "name"),
    ]
    table = Table("", "", [Column(*column) for column in columns], rows)
    table.name = "complexity_levels"
    return table


def _values(frame: pd.DataFrame) -> Table:
    """Return what was measured of each cell, means over its networks."""
    rows = []
    for row in cells(frame).itertuples():
        corruption = row.labels if row.labels != "none" else row.images
        rows.append(
            Row(
                [
                    Cell(model_title(row.model)),
                    Cell(condition_title(corruption, row.regularizer)),
                    Cell(fixed(100 * row.gap_true, 1), row.gap_true),
                    Cell(fixed(100 * row.gap_given, 1), row.gap_given),
                    *(
                        _size(getattr(row, f"raw_{name}"))
                        for name in ("margin", "margin_median", "distance", "input_gradient")
                    ),
                    _share(row.raw_corrected),
                ],
                data={"cell": anchor("cell", *row.cell.split("/"))},
            )
        )
    columns = [
        ("Model", "name"),
        ("Data and regularizer", "name"),
        ("Gap, true labels [points]", "number"),
        ("Gap, labels as corrupted [points]", "number"),
        ("Margin, 10th percentile", "number"),
        ("Margin, median", "number"),
        ("Distance from initialization", "number"),
        ("Gradient by the input", "number"),
        ("Wrong labels seen through", "number"),
    ]
    table = Table("", "", [Column(*column) for column in columns], rows)
    table.name = "network_measures"
    return table


def _number(value: float) -> Cell:
    return Cell(NOTHING) if math.isnan(value) else Cell(signed(value, 2), value)


def _share(value: float) -> Cell:
    return Cell(NOTHING) if math.isnan(value) else Cell(fixed(value, 2), value)


def _size(value: float) -> Cell:
    if math.isnan(value):
        return Cell(NOTHING)
    return Cell(fixed(value, 2) if abs(value) >= 0.01 or value <= 0 else magnitude(value), value)


# The kind of a study -> its tables of values and the facts for its captions.
KINDS = {"complexity_measures": complexity_measures}
