"""What replacing one training example changed, as tables."""

from typing import Any

import pandas as pd

from rethink.analysis.names import corruption_order, corruption_title, dataset_title, model_order

Results = dict[str, dict[str, Any]]

CHANGES = (
    *("largest_loss_change", "largest_probability_change", "mean_loss_change"),
    *("predictions_changed", "parameter_distance"),
)


def networks(results: Results) -> pd.DataFrame:
    """Return one row for each model and corruption, in the catalog's order.

    Columns: experiment, title (of the dataset), dataset, model, corruption, labels (in words),
    train_examples, train_available, pairs, parameters, status, train_accuracy, test_accuracy and
    gap in points (test labels drawn like the training labels), train_loss, test_loss, loss_gap,
    and the summary's `CHANGES`, own_loss_change and forgotten, the shares among them in percent.
    """
    rows = []
    for experiment, result in results.items():
        for network in _ordered(result):
            found = {**network["summary"], **network}
            rows.append(
                {
                    **_header(experiment, result, network),
                    **{name: result[name] for name in ("train_examples", "train_available")},
                    "pairs": result["pairs"],
                    "parameters": network["parameters"],
                    "status": network["status"],
                    "train_accuracy": _percent(network["train_accuracy"]),
                    "test_accuracy": _percent(network["test_accuracy"]),
                    **{name: found[name] for name in ("train_loss", "test_loss", *CHANGES)},
                    "own_loss_change": found["own_loss_change"],
                    "forgotten": found["forgotten"],
                }
            )
    frame = pd.DataFrame(rows)
    numbers = ["train_accuracy", "test_accuracy", "train_loss", "test_loss", *CHANGES]
    frame = frame.astype(dict.fromkeys([*numbers, "own_loss_change", "forgotten"], float))
    for share in ("predictions_changed", "forgotten"):
        frame[share] *= 100
    return frame.assign(
        gap=frame["train_accuracy"] - frame["test_accuracy"],
        loss_gap=frame["test_loss"] - frame["train_loss"],
    )


def pairs(results: Results) -> pd.DataFrame:
    """Return one row for each replaced example: the header of `networks`, pair, and changes.

    own_loss_change is the mean of that at the example that went and at the one that came;
    predictions_changed is in percent.
    """
    rows = []
    for experiment, result in results.items():
        for network in _ordered(result):
            for number, pair in enumerate(network["pairs"]):
                own = [pair[where] for where in ("at_replaced", "at_fresh")]
                rows.append(
                    {
                        **_header(experiment, result, network),
                        "pair": number,
                        **{name: pair[name] for name in CHANGES},
                        "own_loss_change": _mean_difference(own),
                    }
                )
    frame = pd.DataFrame(rows).astype(dict.fromkeys([*CHANGES, "own_loss_change"], float))
    frame["predictions_changed"] *= 100
    return frame


def _ordered(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the networks of a result in a reader's order."""
    return sorted(
        result["networks"],
        key=lambda row: (model_order(row["model"]), corruption_order(row["corruption"])),
    )


def _header(experiment: str, result: dict[str, Any], network: dict[str, Any]) -> dict[str, Any]:
    return {
        "experiment": experiment,
        "title": dataset_title(result["dataset"]),
        "dataset": result["dataset"],
        "model": network["model"],
        "corruption": network["corruption"],
        "labels": corruption_title(network["corruption"]),
    }


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _mean_difference(own: list[dict[str, Any]]) -> float | None:
    """Return the mean loss without minus that with an example; None where one diverged."""
    values = [(entry["loss_without"], entry["loss_with"]) for entry in own]
    if any(value is None for both in values for value in both):
        return None
    return sum(without - with_ for without, with_ in values) / len(values)
