"""The networks of Theorem 1, Lemma 1's spectra and the corollary's networks as tables."""

from typing import Any

import pandas as pd

from rethink.analysis.names import dataset_title

Results = dict[str, dict[str, Any]]

EVALUATIONS = ("prefix_sums", "float64_sum", "float32_sum")


def networks(results: Results) -> pd.DataFrame:
    """Return one row for each network: experiment, dataset, points, target, knots.

    Further columns: title (of the dataset), dimensions, parameters, expected_parameters (2n + d),
    largest_weight, exact_residual, and ``*_residual`` and ``*_label_accuracy`` for each of
    `EVALUATIONS`.
    """
    rows = []
    for experiment, result in results.items():
        for network in result["networks"]:
            for knots, fit in network["knots"].items():
                values = {
                    f"{evaluation}_{name}": fit[evaluation][name]
                    for evaluation in EVALUATIONS
                    for name in ("residual", "label_accuracy")
                }
                rows.append(
                    {
                        **_point(experiment, result, network),
                        "knots": knots,
                        "dimensions": network["dimensions"],
                        "parameters": network["parameters"],
                        "expected_parameters": 2 * network["points"] + network["dimensions"],
                        "largest_weight": fit["largest_weight"],
                        "exact_residual": fit["exact_residual"],
                        **values,
                    }
                )
    return pd.DataFrame(rows)


def spectra(results: Results) -> pd.DataFrame:
    """Return one row for each matrix of Lemma 1: experiment, title, dataset, points, knots, values."""
    return pd.DataFrame(
        [
            {
                "experiment": experiment,
                "title": dataset_title(result["dataset"]),
                "dataset": result["dataset"],
                "points": size["points"],
                "knots": knots,
                **values,
            }
            for experiment, result in results.items()
            for size in result["lemma1"]
            for knots, values in size.items()
            if knots != "points"
        ]
    )


def deep_networks(results: Results) -> pd.DataFrame:
    """Return one row for each network of the corollary.

    Columns: experiment, title, dataset, points, target, depth, width (of its widest layer),
    parameters, shared (whether its units share a direction, as in Theorem 1), residual,
    label_accuracy.
    """
    names = ("depth", "width", "parameters", "shared", "residual", "label_accuracy")
    return pd.DataFrame(
        [
            {**_point(experiment, result, network), **{name: deep[name] for name in names}}
            for experiment, result in results.items()
            for network in result["networks"]
            for deep in network["depths"]
        ]
    )


def _point(experiment: str, result: dict[str, Any], network: dict[str, Any]) -> dict[str, Any]:
    return {
        "experiment": experiment,
        "title": dataset_title(result["dataset"]),
        "dataset": result["dataset"],
        "points": network["points"],
        "target": network["target"],
    }
