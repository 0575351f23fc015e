"""The empirical Rademacher complexity, from below: how well networks fit random signs."""

from typing import Any

import pandas as pd

from rethink.analysis.names import model_order, regularizer_order
from rethink.analysis.statistics import spread
from rethink.analysis.tables import Tables, of_study

KIND = "signs"
COLUMNS = (
    "model",
    "regularizer",
    "cells",
    "draws",
    "networks",
    "n_diverged",
    "train_examples",
    "correlation",
    "correlation_sd",
    "spread_over",
    "test_correlation",
)


def correlations(study: dict[str, Any], tables: Tables) -> pd.DataFrame:
    """Return one row per model and regularizer that was trained on random signs.

    The correlation (1/n) sum_i sigma_i h(x_i) of the signs sigma with a network's predictions h
    in {-1, +1} is 2 * accuracy - 1. For each draw of the signs the mean over its networks is taken,
    and `correlation` is the mean over the draws, which stands for the expectation over sigma;
    `correlation_sd` is the sample deviation over the draws or, of a single draw, over its networks,
    as `spread_over` (``draws``, ``networks``) says. `test_correlation` is the same on the test
    images, whose signs are random too. `cells` are the names of the cells, joined by ``;``.
    """
    summary = of_study(tables.summary, study)
    summary = summary[summary["corruption_kind"] == KIND]
    rows = []
    for (model, regularizer), runs in summary.groupby(["model", "regularizer"]):
        train = 2 * runs["train_accuracy"] - 1
        test = 2 * runs["test_accuracy"] - 1
        draws = runs["corruption"].nunique()
        over = spread(train.groupby(runs["corruption"]).mean() if draws > 1 else train)
        rows.append(
            {
                "model": model,
                "regularizer": regularizer,
                "cells": ";".join(runs["cell"].drop_duplicates()),
                "draws": draws,
                "networks": len(runs),
                "n_diverged": int((runs["status"] == "diverged").sum()),
                "train_examples": int(runs["train_examples"].max()),
                "correlation": over.mean,
                "correlation_sd": over.sd,
                "spread_over": "draws" if draws > 1 else "networks",
                "test_correlation": spread(test.groupby(runs["corruption"]).mean()).mean,
            }
        )
    rows.sort(key=lambda row: (model_order(row["model"]), regularizer_order(row["regularizer"])))
    return pd.DataFrame(rows, columns=list(COLUMNS))
