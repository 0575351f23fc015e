"""Learning curves in numbers: how soon they fall, and how they end."""

import math
from typing import Any

import pandas as pd

from rethink.analysis.statistics import Spread, spread
from rethink.analysis.tables import Tables, of_study


def steps_to_loss(curves: pd.DataFrame, threshold: float) -> dict[str, tuple[Spread, int]]:
    """Return, for each cell, the training steps until the loss is first `threshold` or less.

    The loss is that of the training set at the end of an epoch. The statistics are over the
    replicates that reach it; the second number counts those that never do.
    """
    result = {}
    for cell, rows in curves.groupby("cell"):
        reached = rows[rows["train_loss"] <= threshold].groupby("replicate")["step"].min()
        replicates = rows["replicate"].nunique()
        result[cell] = (spread(reached.astype("float64")), replicates - len(reached))
    return result


def volatility(curve: pd.DataFrame, level: float) -> float:
    """Return the standard deviation of the training accuracy over epochs, once it was `level`.

    The epochs count from the first whose accuracy, a fraction, is `level` or more. NaN where
    there are fewer than three.

    curve : rows of curves.csv of one replicate
    """
    reached = curve.loc[curve["train_accuracy"] >= level, "step"]
    if reached.empty:
        return math.nan
    later = curve.loc[curve["step"] >= reached.min(), "train_accuracy"].dropna()
    return float(later.std(ddof=1)) if len(later) > 2 else math.nan


def end_of_training(study: dict[str, Any], tables: Tables, level: float) -> pd.DataFrame:
    """Return how steadily the cells of a study end, and what stopping earlier would have gained.

    Columns: cell, model, corruption, regularizer, n, n_diverged, and, each with its deviation
    ``*_sd`` over the replicates, as fractions: ``test_accuracy`` at the end, the best along
    training (``best_test_accuracy``), their difference ``gain``, and the ``volatility`` of the
    training accuracy from `level` on, which `volatility_n` replicates have.
    """
    summary = of_study(tables.summary, study)
    curves = of_study(tables.curves, study)
    volatilities = {
        cell: [volatility(curve, level) for _, curve in rows.groupby("replicate")]
        for cell, rows in curves.groupby("cell")
    }
    rows = []
    for cell, runs in summary.groupby("cell"):
        first = runs.iloc[0]
        row = {key: first[key] for key in ("cell", "model", "corruption", "regularizer")}
        row |= {"n": len(runs), "n_diverged": int((runs["status"] == "diverged").sum())}
        values = {
            "test_accuracy": runs["test_accuracy"],
            "best_test_accuracy": runs["best_test_accuracy"],
            "gain": runs["best_test_accuracy"] - runs["test_accuracy"],
            "volatility": volatilities.get(cell, []),
        }
        for name, numbers in values.items():
            over = spread(numbers)
            row |= {name: over.mean, f"{name}_sd": over.sd}
        rows.append(row | {"volatility_n": over.n})
    names = ["test_accuracy", "best_test_accuracy", "gain", "volatility"]
    columns = [f"{name}{suffix}" for name in names for suffix in ("", "_sd")]
    known = ["cell", "model", "corruption", "regularizer", "n", "n_diverged"]
    return pd.DataFrame(rows, columns=[*known, *columns, "volatility_n"])
