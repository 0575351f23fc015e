"""Interpolants by linear models, the paths of SGD and the Hessians as tables."""

from typing import Any

import pandas as pd

from rethink.analysis.names import dataset_title

Results = dict[str, dict[str, Any]]

METHODS = {"sgd": "SGD, constant step", "block_kaczmarz": "SGD, batches solved exactly"}
STARTS = {"from_zero": "from zero", "from_elsewhere": "from a random start"}


def interpolants(results: Results) -> pd.DataFrame:
    """Return one row for each interpolant that was computed directly.

    Columns: experiment, title, dataset, train_examples, dimensions, scale (of what was added to the
    minimum-norm solution outside the span of the examples, in units of the random start's own part
    there), norm, residual, train_error and test_error in percent, difference_from_minimum_norm.
    """
    rows = []
    for experiment, result in results.items():
        for name, values in result["interpolants"].items():
            rows.append({**_header(experiment, result), "scale": _scale(name), **_measures(values)})
    return pd.DataFrame(rows)


def _scale(name: str) -> float:
    """Return the scale in ``minimum_norm_plus_0.5_start``."""
    return float(name.split("_")[3]) if "plus" in name else 0.0


def ends(results: Results) -> pd.DataFrame:
    """Return one row for each way to descend and each start: where it ended.

    Columns: those of `interpolants` without scale, and method, batch_size, start, steps, arrived,
    difference_from_expected (the minimum-norm solution plus what of the start lies outside the
    span of the examples), outside_row_span.
    """
    rows = []
    for experiment, result in results.items():
        for name in METHODS:
            method = result["methods"][name]
            for start in STARTS:
                values = method[start]
                rows.append(
                    {
                        **_header(experiment, result),
                        "method": name,
                        "start": start,
                        **{key: method[key] for key in ("batch_size", "steps", "arrived")},
                        **_measures(values),
                        "difference_from_expected": values["difference_from_expected"],
                        "outside_row_span": values["outside_row_span"],
                    }
                )
    return pd.DataFrame(rows)


def paths(results: Results) -> pd.DataFrame:
    """Return the distances along each descent.

    Columns: experiment, title, dataset, method, steps, and, relative to where they are measured
    from, from_zero and from_elsewhere (from the minimum-norm solution) and from_elsewhere_expected
    (from the interpolant that this start should lead to).
    """
    frames = []
    for experiment, result in results.items():
        for name in METHODS:
            header = {**_header(experiment, result), "method": name}
            frames.append(pd.DataFrame(result["methods"][name]["trace"]).assign(**header))
    return pd.concat(frames, ignore_index=True)


def hessians(results: Results) -> pd.DataFrame:
    """Return one row for each loss: how the Hessians at two interpolants differ, and their rank."""
    rows = []
    for experiment, result in results.items():
        for row in result["hessians"]:
            values = {key: value for key, value in row.items() if key != "eigenvalues"}
            rows.append({**_header(experiment, result), **values})
    return pd.DataFrame(rows)


def spectra(results: Results) -> pd.DataFrame:
    """Return the eigenvalues of the Hessians that are not zero.

    Columns: experiment, title, dataset, loss, interpolant (``minimum norm`` or ``another``), index
    (from 1), eigenvalue.
    """
    rows = []
    for experiment, result in results.items():
        for row in result["hessians"]:
            for which, values in zip(("minimum norm", "another"), row["eigenvalues"], strict=True):
                for index, value in enumerate(values, 1):
                    rows.append(
                        {
                            **_header(experiment, result),
                            "loss": row["loss"],
                            "interpolant": which,
                            "index": index,
                            "eigenvalue": value,
                        }
                    )
    return pd.DataFrame(rows)


def _header(experiment: str, result: dict[str, Any]) -> dict[str, Any]:
    return {
        "experiment": experiment,
        "title": dataset_title(result["dataset"]),
        "dataset": result["dataset"],
        "train_examples": result["train_examples"],
        "dimensions": result["dimensions"],
    }


def _measures(values: dict[str, float]) -> dict[str, float]:
    return {
        "norm": values["norm"],
        "residual": values["residual"],
        "train_error": 100 * values["train_error"],
        "test_error": 100 * values["test_error"],
        "difference_from_minimum_norm": values["difference_from_minimum_norm"],
    }
