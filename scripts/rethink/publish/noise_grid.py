"""What the report says of noises on a grid of networks and regularizers, and of convex networks."""

import math
from typing import Any

import pandas as pd

from rethink.analysis.names import (
    corruption_order,
    corruption_title,
    model_title,
    regularizer_title,
)
from rethink.analysis.noise_grid import FIT, TRUE, accuracies, twins
from rethink.analysis.tables import of_study
from rethink.publish.content import Cell, Column, Row, Table, anchor
from rethink.publish.studies import NOTHING, StudyView, fit_time, fit_times, grid
from rethink.publish.wording import fixed, listing, mean_sd, scientific, signed, span

Made = tuple[list[Table], dict[str, Any]]

LESS = 10.0  # points by which noise is fitted less than true data where something stops it
ROUNDING = 1e-5  # excess over a chord, relative to the largest logit, that rounding explains


def noise_grid(view: StudyView) -> Made:
    """Accuracies of every cell of the grid, and in which columns noise is fitted."""
    frame = accuracies(view.study, view.tables)
    tables, _ = grid(view)
    tables[0].name = "grid"
    return tables, _fitted(frame)


def _fitted(frame: pd.DataFrame) -> dict[str, Any]:
    """Return which choices of network and regularizer fit all noises that they saw, or none."""
    noisy = frame[frame["corruption"] != TRUE]
    noises = sorted(set(noisy["corruption"]), key=corruption_order)
    every, some, never = [], [], []
    for (model, regularizer), rows in noisy.groupby(["model", "regularizer"], sort=False):
        fitted = int((rows["train"] >= FIT).sum())
        name = model_title(model)
        if regularizer != "none":
            name += f" with {regularizer_title(regularizer)}"
        if fitted == len(rows):
            every.append(name)
        elif fitted:
            some.append(f"{name} ({fitted} of {len(rows)})")
        else:
            never.append(f"{name} ({_range(rows['train'])})")
    return {
        "limit": f"{FIT:g}",
        "noises": listing([corruption_title(name) for name in noises]),
        "every": listing(every),
        "some": listing(some),
        "never": listing(never),
    }


def _range(values: pd.Series) -> str:
    known = values.dropna()
    return f"{span(list(known))} %" if len(known) else "diverged"


def convex_networks(view: StudyView) -> Made:
    """Every network on noise beside its twin on true data, with what was found of convexity."""
    frame = twins(view.study, view.tables)
    times = fit_times(of_study(view.tables.summary, view.study))
    rows = [
        Row(
            [
                Cell(model_title(row.model)),
                Cell(_noise(row)),
                _mean(row.true_train, row.true_train_sd),
                _mean(row.noise_train, row.noise_train_sd),
                Cell(NOTHING if math.isnan(row.gap) else signed(row.gap, 1), row.gap),
                fit_time(times[row.cell]),
                _mean(row.true_test, row.true_test_sd),
                Cell(f"{row.parameters:,}", row.parameters),
                Cell(_excess(row.convexity)),
                Cell(str(row.n)),
            ],
            data={"cell": anchor("cell", *row.cell.split("/"))},
        )
        for row in frame.itertuples()
    ]
    columns = [
        ("Model", "name"),
        ("Noise", "name"),
        ("Training accuracy, true data [%]", "number"),
        ("… noise [%]", "number"),
        ("True less noise", "number"),
        ("Time to fit the noise [epochs]", "number"),
        ("Test accuracy, true data [%]", "number"),
        ("Parameters", "number"),
        ("Excess over chords", "number"),
        ("n", "number"),
    ]
    return [Table("", "", [Column(*column) for column in columns], rows)], _convex(frame)


def _noise(row: Any) -> str:
    name = corruption_title(row.noise)
    return name if row.regularizer == "none" else f"{name}, {regularizer_title(row.regularizer)}"


def _mean(mean: float, sd: float) -> Cell:
    return Cell("diverged") if math.isnan(mean) else Cell(mean_sd(mean, sd, 1), mean)


def _excess(value: float) -> str:
    if math.isnan(value):
        return NOTHING
    return scientific(value)


def _convex(frame: pd.DataFrame) -> dict[str, Any]:
    """Return which convex networks fit noise, which less than true data, and which neither."""
    facts: dict[str, Any] = {"less": f"{LESS:g}", "limit": f"{FIT:g}", "rounding": ROUNDING}
    words: dict[str, list[str]] = {"memorize": [], "held": [], "slower": [], "idle": []}
    convex = frame[frame["convexity"].notna()] if len(frame) else frame
    for row in convex.itertuples():
        text = (
            f"{model_title(row.model)} on {_noise(row)} ({fixed(row.noise_train, 1)} %, "
            f"true data {fixed(row.true_train, 1)} %)"
        )
        words[_judged(row)].append(text)
    largest = convex["convexity"].max() if len(convex) else math.nan
    return {
        **facts,
        **{name: listing(texts) for name, texts in words.items()},
        "checked": None if math.isnan(largest) else bool(largest <= ROUNDING),
        "largest": _excess(largest),
        "values": listing(
            [
                f"{model_title(row.model)} {fixed(row.noise_train, 1)} % of {_noise(row)} and "
                f"{fixed(row.true_train, 1)} % of true data"
                for row in frame.itertuples()
                if not math.isnan(row.noise_train)
            ]
        ),
    }


def _judged(row: Any) -> str:
    """Return whether noise is memorized, held back, fitted a little less, or nothing is learned."""
    if row.noise_train >= FIT:
        return "memorize"
    if row.gap >= LESS:
        return "held"
    return "slower" if row.noise_train >= FIT / 2 else "idle"


# The kind of a study -> its tables of values and the facts for its captions.
KINDS = {"noise_grid": noise_grid, "convex_networks": convex_networks}
