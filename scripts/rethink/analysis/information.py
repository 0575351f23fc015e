"""The information plane as tables: paths of layers, what they lose, how the networks do."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

Results = dict[str, dict[str, Any]]

BINNINGS = {
    "fixed": "30 fixed bins from −1 to 1",
    "range": "100 bins over each unit’s range",
    "occupancy": "30 equally filled bins",
}
ACTIVATIONS = {"tanh": "tanh", "relu": "ReLU"}
LABELS = {"rule": "rule’s labels", "random": "random labels"}
CONDITION = ["activation", "train_fraction", "depth", "labels"]
SATURATED = 0.005  # bits: a layer that holds all but this of the input is told from it by every bin


def title(row: Any) -> str:
    """Return a condition in words, e.g. ``tanh, 5 hidden layers, 85 % of rule’s labels``."""
    layers = "1 hidden layer" if row.depth == 1 else f"{row.depth} hidden layers"
    return f"{ACTIVATIONS[row.activation]}, {layers}, {100 * row.train_fraction:g} % {LABELS[row.labels]}"


def paths(results: Results) -> pd.DataFrame:
    """Return one row for each condition, rule for bins, layer and epoch.

    Columns: experiment, `CONDITION`, binning, layer (1 is next to the input), layers, bits (of the
    input), epoch, input and label (mean I(X;T) and I(T;Y) in bits), input_sd and label_sd (nan for
    a single replicate).
    """
    parts = []
    for experiment, result, condition in _conditions(results):
        for binning, plane in _planes(condition):
            for number, layer in enumerate(plane["layers"], 1):
                values = {
                    column: _numbers(layer[name].get(part), len(result["epochs"]))
                    for name in ("input", "label")
                    for column, part in ((name, "mean"), (f"{name}_sd", "sd"))
                }
                header = {
                    "experiment": experiment,
                    **{key: condition[key] for key in CONDITION},
                    "binning": binning,
                    "layer": number,
                    "layers": len(plane["layers"]),
                    "bits": np.log2(result["rule"]["patterns"]),
                }
                parts.append(pd.DataFrame({"epoch": result["epochs"], **values}).assign(**header))
    frame = pd.concat(parts, ignore_index=True)
    values = ["epoch", "input", "input_sd", "label", "label_sd"]
    return frame[[*(name for name in frame if name not in values), *values]]


def layers(results: Results) -> pd.DataFrame:
    """Return one row for each condition, rule for bins and layer.

    Columns: those of `paths` up to bits, then for input and label the last value, its sd, lost and
    lost_sd (peak minus last, mean over the replicates of each one's own) and peak_epoch of the
    mean; and whether the layer is ``saturated``: tells all inputs apart at every epoch.
    """
    rows = []
    for experiment, result, condition in _conditions(results):
        for binning, plane in _planes(condition):
            for number, layer in enumerate(plane["layers"], 1):
                row = {
                    "experiment": experiment,
                    **{key: condition[key] for key in CONDITION},
                    "binning": binning,
                    "layer": number,
                    "layers": len(plane["layers"]),
                    "bits": np.log2(result["rule"]["patterns"]),
                }
                for name in ("input", "label"):
                    found = layer[name]
                    row[name] = found["mean"][-1]
                    row[f"{name}_sd"] = found.get("sd", [None])[-1]
                    row[f"{name}_lost"] = found["lost"]["mean"]
                    row[f"{name}_lost_sd"] = found["lost"].get("sd")
                    row[f"{name}_peak_epoch"] = found["peak_epoch"]
                known = [value for value in layer["input"]["mean"] if value is not None]
                row["saturated"] = bool(known) and min(known) > row["bits"] - SATURATED
                rows.append(row)
    numbers = [
        f"{name}{end}"
        for name in ("input", "label")
        for end in ("", "_sd", "_lost", "_lost_sd", "_peak_epoch")
    ]
    return pd.DataFrame(rows).astype(dict.fromkeys(numbers, float))


def networks(results: Results) -> pd.DataFrame:
    """Return one row for each condition: how its networks do at the end.

    Columns: experiment, `CONDITION`, replicates, epochs, train_examples, parameters, steps, and
    mean and sd of train_accuracy and test_accuracy (in percent), train_loss and test_loss (nats).
    """
    rows = []
    for experiment, result, condition in _conditions(results):
        row = {
            "experiment": experiment,
            **{key: condition[key] for key in CONDITION},
            "replicates": result["replicates"],
            "epochs": result["epochs"][-1],
            **{key: condition[key] for key in ("train_examples", "parameters", "steps")},
        }
        for name, curve in condition["curves"].items():
            scale = 100 if name.endswith("accuracy") else 1
            for column, values in ((name, curve["mean"]), (f"{name}_sd", curve.get("sd", [None]))):
                row[column] = np.nan if values[-1] is None else scale * values[-1]
        rows.append(row)
    return pd.DataFrame(rows)


def inequality(results: Results) -> pd.DataFrame:
    """Return one row for each condition and rule for bins: does data processing lose information?

    Columns: experiment, `CONDITION`, binning, and for input and label the share of epochs, steps
    between layers and replicates where a layer seems to hold more than the one before, in percent
    (``_violated``), and the largest such excess in bits (``_largest``).
    """
    rows = []
    for experiment, _, condition in _conditions(results):
        for binning, plane in _planes(condition):
            row = {
                "experiment": experiment,
                **{key: condition[key] for key in CONDITION},
                "binning": binning,
            }
            for name, found in plane["data_processing"].items():
                row[f"{name}_violated"] = 100 * found["violated"]
                row[f"{name}_largest"] = found["largest"]
            rows.append(row)
    return pd.DataFrame(rows)


def main_condition(frame: pd.DataFrame) -> tuple[float, int]:
    """Return the training fraction and the depth at which most activations and labels were run.

    Of several such, the largest fraction and the greatest depth.
    """
    conditions = frame.drop_duplicates(CONDITION)
    counts = conditions.groupby(["train_fraction", "depth"]).size()
    fraction, depth = max(counts.index, key=lambda key: (counts[key], *key))
    return float(fraction), int(depth)


def _conditions(results: Results) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Yield the name of the experiment, its result and a condition; of equal ones the first."""
    seen = set()
    for experiment, result in results.items():
        for condition in result["conditions"]:
            key = tuple(condition[name] for name in CONDITION)
            if key not in seen:
                seen.add(key)
                yield experiment, result, condition


def _planes(condition: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return the planes of a condition by their rules for bins, in the order of `BINNINGS`."""
    return [(name, condition["planes"][name]) for name in BINNINGS if name in condition["planes"]]


def _numbers(values: list[float | None] | None, count: int) -> list[float]:
    return [np.nan if value is None else value for value in values or [None] * count]
