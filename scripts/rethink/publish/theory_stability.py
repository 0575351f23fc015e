"""What the report says of stability: training again with one example replaced."""

from typing import Any

import pandas as pd

from rethink.analysis.names import dataset_title, model_order, model_title
from rethink.analysis.stability import networks
from rethink.publish.content import Cell, Table
from rethink.publish.theory_view import (
    TheoryView,
    costs,
    decimals,
    number,
    percent,
    table,
)
from rethink.publish.wording import fixed, listing, plural


def stability(view: TheoryView) -> tuple[list[Table], dict[str, Any]]:
    """What replacing an example changes, for every model, with true and with random labels."""
    found = networks(view.results)
    titles = {name: dataset_title(result["dataset"]) for name, result in view.results.items()}
    models = sorted(set(found["model"]), key=model_order)
    facts = {
        "models": listing([model_title(name) for name in models]),
        "pairs": listing([plural(n, "example") for n in sorted(set(found["pairs"]))]),
        "sizes": listing(
            [
                f"{row.title}: {row.train_examples:,} of {row.train_available:,} training images"
                for row in found.drop_duplicates("experiment").itertuples()
            ]
        ),
        "bounds": listing([_bound(rows) for _, rows in _by_model(found)]),
        "gaps": listing([f"{_name(row)} {fixed(row.gap, 1)}" for row in found.itertuples()]),
        "unfitted": listing(
            [f"{_name(row)} ({row.status.replace('_', ' ')})" for row in _unfitted(found)]
        ),
    }
    return [_changes(found), costs(view, titles)], view.facts() | facts


def _by_model(found: pd.DataFrame) -> Any:
    return found.groupby(["experiment", "model"], sort=False)


def _unfitted(found: pd.DataFrame) -> list[Any]:
    return [row for row in found.itertuples() if row.status != "fitted"]


def _name(row: Any) -> str:
    return f"{model_title(row.model)} on {row.labels}"


def _bound(rows: pd.DataFrame) -> str:
    """Return a model's largest change of a loss, whatever the labels, and its gap on each."""
    return f"{model_title(rows['model'].iloc[0])} {fixed(rows['largest_loss_change'].max(), 1)}"


def _changes(found: pd.DataFrame) -> Table:
    several = found["experiment"].nunique() > 1
    rows = [
        [
            Cell(f"{model_title(row.model)}, {row.title}" if several else model_title(row.model)),
            Cell(row.labels),
            percent(row.gap, 1),
            *(
                number(value, decimals(3))
                for value in (
                    row.loss_gap,
                    row.own_loss_change,
                    row.largest_loss_change,
                    row.largest_probability_change,
                    row.mean_loss_change,
                )
            ),
            percent(row.predictions_changed),
            percent(row.forgotten, 0),
            number(row.parameter_distance, decimals(3)),
            Cell(row.status.replace("_", " ")),
        ]
        for row in found.itertuples()
    ]
    columns = [
        ("Model", "name"),
        ("Labels", "text"),
        ("Gap [points]", "number"),
        ("Gap in the loss", "number"),
        ("Loss without − with the example", "number"),
        ("Largest change of a loss", "number"),
        ("Largest change of a probability", "number"),
        ("Mean change of the loss", "number"),
        ("Predictions changed [%]", "number"),
        ("Forgotten [%]", "number"),
        ("Distance of the parameters", "number"),
        ("Outcome", "name"),
    ]
    return table("stability", columns, rows)
