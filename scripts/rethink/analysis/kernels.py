"""Exact interpolation by kernels beside the paper's Table 3, and the norms of interpolants."""

import math
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd

from rethink.analysis.names import dataset_title
from rethink.analysis.tables import NUMBER, TEXT, read_paper

Results = dict[str, dict[str, Any]]

# What the paper calls the features that an experiment computes.
PREPROCESSING = {"pixels": "none", "gabor": "gabor filters", "random_conv": "random conv-net"}
FEATURES = {"none": "pixels", "gabor filters": "Gabor", "random conv-net": "random conv."}
MINIMUM = "minimum norm"


def experiment_titles(results: Results) -> dict[str, str]:
    """Return what each kernel experiment is called; those alike are told apart by their names."""
    titles = {name: _title(result) for name, result in results.items()}
    count = Counter(titles.values())
    return {
        name: f"{title} ({name})" if count[title] > 1 else title for name, title in titles.items()
    }


def _title(result: dict[str, Any]) -> str:
    features = result["features"]
    words = FEATURES[PREPROCESSING[features["kind"]]]
    if features.get("standardize"):
        words = f"standardized {words}"
    if result["kernel"] == "linear":
        words += ", linear kernel"
    return f"{dataset_title(result['dataset'])} {words}"


def paper_key(result: dict[str, Any]) -> tuple[str, str]:
    """Return the dataset and preprocessing by which the paper's tables know an experiment."""
    features = result["features"]
    preprocessing = PREPROCESSING[features["kind"]]
    return result["dataset"], "standardized" if features.get("standardize") else preprocessing


def best_regularized(result: dict[str, Any]) -> dict[str, Any] | None:
    """Return the row with the smallest test error among those with lambda > 0, if any."""
    rows = [row for row in result["rows"] if row["regularization"] > 0]
    return min(rows, key=lambda row: row["test_error"]) if rows else None


def errors(results: Results, paper: Path) -> pd.DataFrame:
    """Return one row for each experiment and lambda, then the paper's rows that were not run.

    Columns: experiment (its name, empty where not run), title, dataset, preprocessing, kernel,
    gamma, filters (of random convolutions), train_examples, train_available, regularization, ridge (what was added to the diagonal),
    l2 (``no``; ``best``, the lambda > 0 of least test error; ``yes``, any other), train_error,
    test_error, leave_one_out_error, paper_test_error and difference in percent, rkhs_norm,
    interpolates. The paper's errors stand beside lambda = 0 and the best lambda.
    """
    columns = dict.fromkeys(("dataset", "preprocessing", "l2_regularization"), TEXT)
    published = {
        (row.dataset, row.preprocessing, row.l2_regularization): row.test_error
        for row in read_paper(paper / "table3.csv", {**columns, "test_error": NUMBER}).itertuples()
    }
    left = dict(published)
    rows = []
    for name, title in experiment_titles(results).items():
        result = results[name]
        best = best_regularized(result)
        for row in result["rows"]:
            l2 = "no" if row["regularization"] == 0 else "best" if row is best else "yes"
            key = (*paper_key(result), {"no": "no", "best": "yes"}.get(l2, ""))
            left.pop(key, None)
            rows.append(_error_row(name, title, result, row, l2, published.get(key, math.nan)))
    for (dataset, preprocessing, l2), error in left.items():
        title = f"{dataset_title(dataset)} {FEATURES[preprocessing]}"
        mine = {"title": title, "dataset": dataset, "preprocessing": preprocessing}
        l2 = "best" if l2 == "yes" else l2
        rows.append({**NOT_RUN, **mine, "l2": l2, "paper_test_error": error})
    frame = pd.DataFrame(rows, columns=ERROR_COLUMNS)
    kinds = dict.fromkeys(("filters", "train_examples", "train_available"), "Int64")
    kinds |= dict.fromkeys(("test_error", "paper_test_error", "rkhs_norm"), "float64")
    frame = frame.astype(kinds)
    return frame.assign(difference=frame["test_error"] - frame["paper_test_error"])


NOT_RUN = {"experiment": "", "kernel": "", "interpolates": False}
ERROR_COLUMNS = [
    *("experiment", "title", "dataset", "preprocessing", "kernel", "gamma", "filters"),
    *("train_examples", "train_available", "regularization", "ridge", "l2"),
    *("train_error", "test_error", "leave_one_out_error", "paper_test_error", "difference"),
    *("rkhs_norm", "interpolates"),
]


def _error_row(
    name: str, title: str, result: dict[str, Any], row: dict[str, Any], l2: str, published: float
) -> dict[str, Any]:
    dataset, preprocessing = paper_key(result)
    left_out = row["leave_one_out"].get("error")
    return {
        "experiment": name,
        "title": title,
        "dataset": dataset,
        "preprocessing": preprocessing,
        "kernel": result["kernel"],
        "gamma": result["gamma"],
        "filters": result["features"].get("filters"),
        "train_examples": result["train_examples"],
        "train_available": result["train_available"],
        "regularization": row["regularization"],
        "ridge": row["ridge"],
        "l2": l2,
        "train_error": 100 * row["train_error"],
        "test_error": 100 * row["test_error"],
        "leave_one_out_error": math.nan if left_out is None else 100 * left_out,
        "paper_test_error": published,
        "rkhs_norm": row["rkhs_norm"],
        "interpolates": row["interpolates"],
    }


def norms(results: Results, paper: Path) -> pd.DataFrame:
    """Return the norm of each interpolant and its test error, then the paper's that were not run.

    Columns: experiment (empty where not run), title, dataset, preprocessing, interpolant
    (``minimum norm`` or one of `INTERPOLANTS`), examples (the values that it takes on), norm,
    minimum_norm (of the same training examples) and ratio of the two, train_error, test_error,
    test_error_elsewhere (without the test points that it was forced at) and
    minimum_norm_test_error in percent; paper_norm and paper_test_error. Errors are against the
    true labels, but for the training error where the training labels are random.
    """
    columns = {**dict.fromkeys(("dataset", "preprocessing"), TEXT), "norm": NUMBER}
    table, plain = read_paper(paper / "norms.csv", columns), errors({}, paper)
    published = _by_experiment(table, "norm")
    their_errors = _by_experiment(plain[plain["l2"] == "no"], "paper_test_error")
    rows = []
    for name, title in experiment_titles(results).items():
        dataset, preprocessing = paper_key(results[name])
        for row in _interpolants(results[name]):
            mine = {"experiment": name, "title": title}
            rows.append({**mine, "dataset": dataset, "preprocessing": preprocessing, **row})
    run = {(row["dataset"], row["preprocessing"]) for row in rows}
    for dataset, preprocessing in published:
        if (dataset, preprocessing) not in run:
            title = f"{dataset_title(dataset)} {FEATURES[preprocessing]}"
            mine = {"title": title, "dataset": dataset, "preprocessing": preprocessing}
            rows.append({"experiment": "", **mine, "interpolant": MINIMUM})
    for row in rows:
        key = (row["dataset"], row["preprocessing"])
        if row["interpolant"] == MINIMUM and key in published:
            row |= {"paper_norm": published[key], "paper_test_error": their_errors[key]}
    return pd.DataFrame(rows, columns=NORM_COLUMNS).astype({"examples": "Int64"})


NORM_COLUMNS = [
    *("experiment", "title", "dataset", "preprocessing", "interpolant", "examples", "norm"),
    *("minimum_norm", "ratio", "train_error", "test_error", "test_error_elsewhere"),
    *("minimum_norm_test_error", "paper_norm", "paper_test_error"),
]
# What counterexamples are called, in the order in which they are shown.
INTERPOLANTS = {
    "random_test_labels": "random labels at test points",
    "random_training_labels": "random training labels",
    "random_centres": "random centres",
}


def _by_experiment(frame: pd.DataFrame, value: str) -> dict[tuple[str, str], float]:
    keys = zip(frame["dataset"], frame["preprocessing"], strict=True)
    return dict(zip(keys, frame[value], strict=True))


def _interpolants(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the interpolants of one experiment; none where nothing interpolates."""
    plain = next((row for row in result["rows"] if row["interpolates"]), None)
    if plain is None:
        return []
    size, norm, test_error = result["train_examples"], plain["rkhs_norm"], plain["test_error"]
    rows = [
        {
            "interpolant": MINIMUM,
            "examples": size,
            "norm": norm,
            "minimum_norm": norm,
            "ratio": 1.0,
            "train_error": 100 * plain["train_error"],
            "test_error": 100 * test_error,
            "minimum_norm_test_error": 100 * test_error,
        }
    ]
    for key, title in INTERPOLANTS.items():
        entry = result["counterexamples"].get(key, {})
        if "rkhs_norm" not in entry:
            continue
        elsewhere = entry.get("test_error_elsewhere")
        rows.append(
            {
                "interpolant": title,
                "examples": entry.get("centres", size) + entry.get("points", 0),
                "norm": entry["rkhs_norm"],
                "minimum_norm": entry.get("minimum_norm", norm),
                "ratio": entry["norm_ratio"],
                "train_error": 100 * entry.get("train_error", 0.0),
                "test_error": 100 * entry["test_error"],
                "test_error_elsewhere": math.nan if elsewhere is None else 100 * elsewhere,
                "minimum_norm_test_error": (100 * entry.get("test_error_minimum_norm", test_error)),
            }
        )
    return rows
