"""What the report says of the information plane."""

from typing import Any

import pandas as pd

from rethink.analysis.information import (
    ACTIVATIONS,
    BINNINGS,
    CONDITION,
    LABELS,
    inequality,
    layers,
    main_condition,
    networks,
    title,
)
from rethink.publish.content import Cell, Table
from rethink.publish.theory_view import NOTHING, TheoryView, costs, decimals, number, percent, table
from rethink.publish.wording import fixed, listing, mean_sd, plural, replicates

KEYS = ["experiment", *CONDITION, "binning"]


def information_plane(view: TheoryView) -> tuple[list[Table], dict[str, Any]]:
    """The information of every layer under every rule for bins; how the networks do; costs."""
    found, trained = layers(view.results), networks(view.results)
    fraction, depth = main_condition(found)
    shown = found[(found["train_fraction"] == fraction) & (found["depth"] == depth)]
    rule = next(iter(view.results.values()))["rule"]
    facts = {
        "patterns": f"{rule['patterns']:,}",
        "bits": rule["bits"],
        "rule": _rule(rule),
        "label_entropy": fixed(rule["label_entropy"], 4),
        "replicates": replicates(trained["replicates"].tolist()),
        "repeated": bool((trained["replicates"] > 1).all()),
        "epochs": listing([f"{n:,}" for n in sorted(set(trained["epochs"]))]),
        "fraction": f"{100 * fraction:g} %",
        "depth": plural(depth, "hidden layer"),
        "losses": "; ".join(_losses(shown)),
        "control": "random" in set(found["labels"]),
        "variants": f"{ACTIVATIONS[found['activation'].iloc[0]]} networks under "
        f"{BINNINGS[found['binning'].iloc[0]]}",
        "accuracies": listing([_accuracy(row) for row in trained.itertuples()]),
    }
    titles = {name: name for name in view.results}
    processing = inequality(view.results).set_index(KEYS)
    parts = [_inputs(found, processing), _labels(found, processing), _networks(trained)]
    return [*parts, costs(view, titles)], view.facts() | facts


def _rule(rule: dict[str, Any]) -> str:
    if rule["source"] != "generated":
        return f"the rule in {rule['source']}"
    return f"a generated rule of {rule['information']:g} bit"


def _losses(shown: pd.DataFrame) -> list[str]:
    """Return for each rule for bins what the hidden layers of each network lose, at most."""
    hidden = shown[shown["layer"] < shown["layers"]]
    words = []
    for binning, rows in hidden.groupby("binning", sort=False):
        largest = [
            f"{ACTIVATIONS[activation]} on {LABELS[labels]} {_most(own['input_lost'])}"
            for (activation, labels), own in rows.groupby(["activation", "labels"], sort=False)
        ]
        words.append(f"{BINNINGS[binning]}: {listing(largest)}")
    return words


def _most(lost: pd.Series) -> str:
    return "diverged" if lost.isna().all() else f"{fixed(lost.max(), 1)} bit"


def _accuracy(row: Any) -> str:
    return f"{title(row)} {fixed(row.train_accuracy, 1)} and {fixed(row.test_accuracy, 1)} %"


def _inputs(found: pd.DataFrame, processing: pd.DataFrame) -> Table:
    rows = [
        [
            *_names(path),
            Cell(_by_layer(path["input"], 1)),
            Cell(_by_layer(path["input_lost"], 1)),
            Cell(", ".join(map(str, path["layer"][path["saturated"]])) or "none"),
            percent(processing.loc[key]["input_violated"], 1),
            number(processing.loc[key]["input_largest"], decimals(2)),
        ]
        for key, path in found.groupby(KEYS, sort=False)
    ]
    columns = [
        ("Networks", "text"),
        ("Bins", "text"),
        ("I(X;T) at the end, by layer [bits]", "name"),
        ("Lost since its peak, by layer [bits]", "name"),
        ("Layers that tell all inputs apart", "text"),
        ("Inequality violated [%]", "number"),
        ("By at most [bits]", "number"),
    ]
    return table("information_plane", columns, rows)


def _labels(found: pd.DataFrame, processing: pd.DataFrame) -> Table:
    rows = [
        [
            *_names(path),
            Cell(_by_layer(path["label"], 2)),
            Cell(_by_layer(path["label_lost"], 2)),
            percent(processing.loc[key]["label_violated"], 1),
        ]
        for key, path in found.groupby(KEYS, sort=False)
    ]
    columns = [
        ("Networks", "text"),
        ("Bins", "text"),
        ("I(T;Y) at the end, by layer [bits]", "name"),
        ("Lost since its peak, by layer [bits]", "name"),
        ("Inequality violated [%]", "number"),
    ]
    return table("information_labels", columns, rows)


def _names(path: pd.DataFrame) -> list[Cell]:
    """Return the fields that say of what a row is: the networks and their rule for bins."""
    return [Cell(title(path.iloc[0])), Cell(BINNINGS[path["binning"].iloc[0]])]


def _by_layer(values: pd.Series, digits: int) -> str:
    return "  ".join(NOTHING if pd.isna(v) else fixed(v, digits) for v in values)


def _networks(trained: pd.DataFrame) -> Table:
    rows = [
        [
            Cell(title(row)),
            number(row.replicates),
            number(row.epochs),
            number(row.steps),
            number(row.train_examples),
            number(row.parameters),
            *(
                _spread(getattr(row, name), getattr(row, f"{name}_sd"), digits)
                for name, digits in (
                    ("train_accuracy", 1),
                    ("test_accuracy", 1),
                    ("train_loss", 3),
                    ("test_loss", 3),
                )
            ),
        ]
        for row in trained.itertuples()
    ]
    columns = [
        ("Networks", "text"),
        ("n", "number"),
        ("Epochs", "number"),
        ("Steps", "number"),
        ("Training examples", "number"),
        ("Parameters", "number"),
        ("Training accuracy [%]", "number"),
        ("Test accuracy [%]", "number"),
        ("Training loss", "number"),
        ("Test loss", "number"),
    ]
    return table("information_networks", columns, rows)


def _spread(mean: float, sd: float, digits: int) -> Cell:
    return Cell("diverged") if pd.isna(mean) else Cell(mean_sd(mean, sd, digits), mean)
