"""What the experiments on memorization measured, as tables: one function for each measure."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from rethink.analysis.names import corruption_order, corruption_title, dataset_title, model_order
from rethink.analysis.statistics import spread, time_to_fit
from rethink.memorization.binomial import quantiles

Results = dict[str, dict[str, Any]]

KEYS = ["experiment", "title", "dataset", "model", "corruption", "data"]
ACCURACIES = ("train_accuracy", "test_accuracy")


def easy_hard(results: Results) -> pd.DataFrame:
    """Return one row for each model and corruption whose examples were followed.

    Columns: `KEYS`, runs, steps, examples, train_accuracy (mean over the runs) and the shares
    wrong, always_right and always_wrong with ``_expected``, all in percent; dispersion, and low and
    high, between which equally hard examples would have it.
    """
    rows = []
    for header, found in _found(results, "easy_hard"):
        low, high = found["dispersion_expected"] or (None, None)
        shares = ("always_right", "always_wrong")
        rows.append(
            {
                **header,
                "runs": found["runs"],
                "steps": found["steps"],
                "examples": len(found["wrong"]),
                "train_accuracy": 100 * found["train_accuracy"],
                "wrong": 100 * found["probability"],
                "dispersion": found["dispersion"],
                "low": low,
                "high": high,
                **{f"{s}{e}": 100 * found[f"{s}{e}"] for s in shares for e in ("", "_expected")},
            }
        )
    return _frame(rows, ["dispersion", "low", "high"])


def difficulties(results: Results) -> pd.DataFrame:
    """Return the followed examples from the easiest to the hardest, a row for each of them.

    Columns: `KEYS`, place (percent of the examples before it), wrong (percent of the runs), and
    equally_hard: what binomial counts of the same mean would typically show at that place.
    """
    frames = []
    for header, found in _found(results, "easy_hard"):
        runs, counts = found["runs"], np.sort(found["wrong"])
        places = (np.arange(len(counts)) + 0.5) / len(counts)
        same = quantiles(runs, found["probability"], places)
        values = {"place": 100 * places, "wrong": 100 * counts / runs}
        frame = pd.DataFrame(values | {"equally_hard": 100 * same / runs})
        frames.append(frame.assign(**header))
    columns = [*KEYS, "place", "wrong", "equally_hard"]
    return pd.concat(frames, ignore_index=True)[columns] if frames else _frame([], columns)


def loss_sensitivity(results: Results) -> pd.DataFrame:
    """Return one row for each corruption that the toy was trained on.

    Columns: `KEYS`, examples, steps, replicates; with mean and ``_sd`` over the replicates: gini of
    the averages over the steps, gini_end of the last step, train_accuracy in percent; and
    sensitivity, the mean of g_x.
    """
    rows = []
    for header, found in _found(results, "loss_sensitivity"):
        values = {
            "gini": found["gini"],
            "gini_end": found["gini_at"][-1],
            "train_accuracy": [100 * value for value in found["train_accuracy"]],
        }
        rows.append(
            {
                **header,
                "examples": found["examples"],
                "steps": found["steps"],
                "replicates": len(found["gini"]),
                **_spreads(values),
                "sensitivity": float(np.mean(np.array(found["sensitivity"], float))),
            }
        )
    return _frame(rows, ["sensitivity"])


def lorenz(results: Results) -> pd.DataFrame:
    """Return Lorenz curves: which share of all sensitivity the least sensitive examples have.

    Columns: `KEYS`, place (percent of the examples) and share (percent), averaged over replicates.
    """
    frames = []
    for header, found in _found(results, "loss_sensitivity"):
        ordered = np.sort(np.array(found["sensitivity"], float), axis=1).cumsum(1)
        shares = (ordered / ordered[:, -1:]).mean(0)
        places = np.arange(len(shares) + 1) / len(shares)
        values = {"place": 100 * places, "share": 100 * np.concatenate([[0], shares])}
        frames.append(pd.DataFrame(values).assign(**header))
    columns = [*KEYS, "place", "share"]
    return pd.concat(frames, ignore_index=True)[columns] if frames else _frame([], columns)


def gini_curves(results: Results) -> pd.DataFrame:
    """Return the Gini coefficients of single steps: `KEYS`, step, gini, gini_sd."""
    rows = [
        {**header, "step": step, **_spreads({"gini": values})}
        for header, found in _found(results, "loss_sensitivity")
        for step, values in zip(found["moments"], found["gini_at"], strict=True)
    ]
    return _frame(rows, ["gini", "gini_sd"])


def critical_samples(results: Results) -> pd.DataFrame:
    """Return one row for each model, corruption and evaluated epoch, 0 being before training.

    Columns: `KEYS`, points, radius, epoch, replicates; with mean and ``_sd`` over the replicates,
    in percent: ratio (of critical samples), train_accuracy, test_accuracy (true labels).
    """
    rows = []
    for header, found in _found(results, "critical_samples"):
        asked = results[header["experiment"]]["critical_samples"]["asked"]
        for epoch, group in pd.DataFrame(found["rows"]).groupby("epoch"):
            values = {name: 100 * group[name].astype(float) for name in ("ratio", *ACCURACIES)}
            rows.append(
                {
                    **header,
                    "points": found["points"],
                    "radius": asked["radius"],
                    "epoch": epoch,
                    "replicates": len(group),
                    **_spreads(values),
                }
            )
    return _frame(rows, ["ratio"])


def capacity(results: Results) -> pd.DataFrame:
    """Return one row for each model, corruption, width and number of training examples.

    Columns: `KEYS`, width, train_examples, widest (whether the width is the largest), whole
    (whether all examples were used), parameters, epochs, n, n_diverged; with mean and ``_sd`` over
    the replicates: train_accuracy, test_accuracy and best_test_accuracy in percent (true labels),
    time and steps to fit with censored, whether that is a lower bound.
    """
    rows = []
    for experiment, result in results.items():
        if "capacity" not in result:
            continue
        found = pd.DataFrame(result["capacity"]["found"])
        for model, of_model in found.groupby("model"):
            most = of_model[["width", "train_examples"]].max()
            keys = ["corruption", "width", "train_examples"]
            for (corruption, width, size), group in of_model.groupby(keys):
                rows.append(
                    {
                        **_header(experiment, result, {"model": model, "corruption": corruption}),
                        "width": width,
                        "train_examples": size,
                        "widest": width == most["width"],
                        "whole": size == most["train_examples"],
                        "parameters": group["parameters"].iloc[0],
                        "epochs": group["epochs"].iloc[0],
                        "n": len(group),
                        "n_diverged": int((group["status"] == "diverged").sum()),
                        **_trained(group),
                    }
                )
    rows.sort(key=_capacity_order)
    return _frame(rows, [])


def _capacity_order(row: dict[str, Any]) -> tuple:
    """Sort key: the widths on all examples come before the smaller sets."""
    network = (row["experiment"], model_order(row["model"]), corruption_order(row["corruption"]))
    return (*network, not row["whole"], row["width"], row["train_examples"])


def _trained(group: pd.DataFrame) -> dict[str, Any]:
    names = (*ACCURACIES, "best_test_accuracy")
    time = time_to_fit(group["time_to_fit_epochs"], group["epochs"], group["status"])
    per_epoch = (group["time_to_fit_steps"] / group["time_to_fit_epochs"]).astype(float).max()
    return {
        **_spreads({name: 100 * group[name].astype(float) for name in names}),
        "time": time.spread.mean,
        "time_sd": time.spread.sd,
        "steps": time.spread.mean * per_epoch,
        "censored": time.censored,
    }


def _spreads(values: dict[str, Any]) -> dict[str, float]:
    """Return mean and ``_sd`` of each of the named values over replicates."""
    found = {}
    for name, of_replicates in values.items():
        over = spread([math.nan if value is None else value for value in of_replicates])
        found |= {name: over.mean, f"{name}_sd": over.sd}
    return found


def _found(results: Results, measure: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield the header and the content of everything found by a measure, in a reader's order."""
    for experiment, result in results.items():
        entries = result.get(measure, {"found": []})["found"]
        order = [
            (model_order(e.get("model", "")), corruption_order(e["corruption"])) for e in entries
        ]
        for i in sorted(range(len(entries)), key=order.__getitem__):
            yield _header(experiment, result, entries[i]), entries[i]


def _header(experiment: str, result: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "experiment": experiment,
        "title": dataset_title(result["dataset"]),
        "dataset": result["dataset"],
        "model": entry.get("model", ""),
        "corruption": entry["corruption"],
        "data": corruption_title(entry["corruption"]),
    }


def _frame(rows: list[dict[str, Any]], numbers: list[str]) -> pd.DataFrame:
    """Return a frame of rows whose `numbers` are floats also where there is none."""
    if not rows:
        return pd.DataFrame(columns=list(dict.fromkeys([*KEYS, *numbers])))
    return pd.DataFrame(rows).astype(dict.fromkeys(numbers, float))
