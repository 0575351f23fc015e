"""Networks, noises and regularizers on one grid: which cells are fitted, and what they test."""

from typing import Any

import pandas as pd

from rethink.analysis.names import corruption_order, model_order, regularizer_order
from rethink.analysis.statistics import spread
from rethink.analysis.tables import CONVEXITY, Tables, of_study

TRUE = "none"
FIT = 99.0  # percent of the training set, which count as fitted


def accuracies(study: dict[str, Any], tables: Tables) -> pd.DataFrame:
    """Return one row for each cell of a study, in a reader's order.

    Columns: cell, model, corruption, regularizer, n, n_diverged; in percent with ``_sd`` over the
    replicates: train and test (true labels), of the parameters that were kept. A cell without a
    value has NaN.
    """
    cells = of_study(tables.cells, study)
    frame = cells[["cell", "model", "corruption", "regularizer", "n", "n_diverged"]].copy()
    for name in ("train", "test"):
        frame[name] = 100 * cells[f"{name}_accuracy_mean"]
        frame[f"{name}_sd"] = 100 * cells[f"{name}_accuracy_sd"]
    order = sorted(range(len(frame)), key=lambda i: _order(frame.iloc[i]))
    return frame.iloc[order].reset_index(drop=True)


def _order(row: pd.Series) -> tuple:
    regularizer = regularizer_order(row["regularizer"])
    return model_order(row["model"]), regularizer, corruption_order(row["corruption"])


def twins(study: dict[str, Any], tables: Tables) -> pd.DataFrame:
    """Return one row for each cell on noise whose twin on true data was run as well.

    The twin has the same network, regularizer and settings. Columns: cell, model, noise (a
    corruption), regularizer, n; in percent with ``_sd``: noise_train, true_train, noise_test and
    true_test; gap, the points by which noise is fitted less than true data; parameters; and
    convexity, the largest excess over a chord in any replicate of both, NaN where it is not
    measured.
    """
    frame = accuracies(study, tables)
    of_summary = of_study(tables.summary, study).groupby("cell")
    excess, parameters = of_summary[CONVEXITY].max(), of_summary["parameters"].first()
    true = frame[frame["corruption"] == TRUE].set_index(["model", "regularizer"])
    rows = []
    for cell in frame[frame["corruption"] != TRUE].itertuples():
        if (cell.model, cell.regularizer) not in true.index:
            continue
        twin = true.loc[(cell.model, cell.regularizer)]
        rows.append(
            {
                "cell": cell.cell,
                "model": cell.model,
                "noise": cell.corruption,
                "regularizer": cell.regularizer,
                "n": cell.n,
                "noise_train": cell.train,
                "noise_train_sd": cell.train_sd,
                "true_train": twin["train"],
                "true_train_sd": twin["train_sd"],
                "noise_test": cell.test,
                "noise_test_sd": cell.test_sd,
                "true_test": twin["test"],
                "true_test_sd": twin["test_sd"],
                "gap": twin["train"] - cell.train,
                "parameters": parameters[cell.cell],
                "convexity": spread([excess[cell.cell], excess[twin["cell"]]]).max,
            }
        )
    return pd.DataFrame(rows, columns=None if rows else ["cell", "model", "noise", "gap"])
