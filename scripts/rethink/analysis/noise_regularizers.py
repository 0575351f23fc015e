"""What regularizers do to the fitting of noise and to real data, and how soon cells fit."""

import math
import re
from typing import Any

import pandas as pd

from rethink.analysis.names import (
    cell_order,
    corruption_order,
    model_order,
    regularizer_order,
)
from rethink.analysis.statistics import spread
from rethink.analysis.tables import Tables, of_study

MARGIN = 1.0  # points of accuracy that count as a difference
NONE = "none"


def family(regularizer: str) -> str:
    """Return the regularizer of which this is one strength: ``dropout`` for ``dropout-25``."""
    return re.sub(r"[-_]?\d+$", "", regularizer)


def strength(regularizer: str) -> int:
    """Return the number at the end of a regularizer's name, 0 where there is none."""
    found = re.search(r"\d+$", regularizer)
    return int(found[0]) if found else 0


def noise_against_real(study: dict[str, Any], tables: Tables) -> pd.DataFrame:
    """Return one row for each model, noise and regularizer with cells on the noise and on true data.

    Columns: model, noise (a corruption), regularizer, family, strength; n; in percent with ``_sd``
    over the replicates: noise_accuracy (training, at the end) and real_accuracy (best test accuracy
    of the same regularizer on true data); real_final, test accuracy at its end; epochs run on the
    noise; slowed and cost, the differences in points from no regularizer, positive where the
    regularizer hinders the noise or costs accuracy; and beaten, whether another regularizer hinders
    the noise more at no greater cost.
    """
    cells = of_study(tables.cells, study).set_index("cell")
    epochs = of_study(tables.summary, study).groupby("cell")["epochs_run"].max()
    rows = []
    for name, cell in cells.iterrows():
        true = "/".join([cell["dataset"], cell["model"], NONE, cell["regularizer"]])
        if cell["corruption"] == NONE or true not in cells.index:
            continue
        real = cells.loc[true]
        rows.append(
            {
                "model": cell["model"],
                "noise": cell["corruption"],
                "regularizer": cell["regularizer"],
                "family": family(cell["regularizer"]),
                "strength": strength(cell["regularizer"]),
                "n": cell["n"],
                "noise_accuracy": 100 * cell["train_accuracy_mean"],
                "noise_accuracy_sd": 100 * cell["train_accuracy_sd"],
                "real_accuracy": 100 * real["best_test_accuracy_mean"],
                "real_accuracy_sd": 100 * real["best_test_accuracy_sd"],
                "real_final": 100 * real["test_accuracy_mean"],
                "epochs": epochs[name],
            }
        )
    if not rows:
        return pd.DataFrame(columns=["model", "noise", "regularizer", "family", "strength"])
    rows.sort(key=lambda row: (_order(row), row["strength"]))
    return _compared(pd.DataFrame(rows)).sort_index()


def _order(row: dict[str, Any]) -> tuple:
    """Sort key: strengths of a family stand together."""
    noise = corruption_order(row["noise"])
    return model_order(row["model"]), noise, regularizer_order(row["family"])


def _compared(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with their differences from no regularizer, and which are beaten."""
    parts = []
    for _, rows in frame.groupby(["model", "noise"]):
        plain = rows[rows["regularizer"] == NONE]
        base = (
            plain.iloc[0] if len(plain) else {"noise_accuracy": math.nan, "real_accuracy": math.nan}
        )
        slowed = base["noise_accuracy"] - rows["noise_accuracy"]
        cost = base["real_accuracy"] - rows["real_accuracy"]
        beaten = [bool(((slowed > slowed[i]) & (cost <= cost[i])).any()) for i in rows.index]
        parts.append(rows.assign(slowed=slowed, cost=cost, beaten=beaten))
    return pd.concat(parts)


def progress(study: dict[str, Any], tables: Tables) -> pd.DataFrame:
    """Return how soon each cell of a study fits, one row for each, in a reader's order.

    Columns: cell, model, corruption, regularizer, n, n_diverged; with ``_sd`` over the replicates,
    in percent: first (training accuracy after the first evaluated epoch), area (its mean over the
    evaluated epochs), hit (at the end, on the labels that were drawn anew, as given);
    and in epochs: peak (of the best test accuracy).
    """
    curves = of_study(tables.curves, study)
    summary = of_study(tables.summary, study)
    rows = []
    for cell, runs in summary.groupby("cell"):
        by_replicate = [r for _, r in curves[curves["cell"] == cell].groupby("replicate")]
        values = {
            "first": [100 * rows["train_accuracy"].iloc[0] for rows in by_replicate],
            "area": [100 * rows["train_accuracy"].mean() for rows in by_replicate],
            "hit": 100 * runs["train_accuracy_hit"].astype(float),
            "peak": runs["best_test_epoch"].astype(float),
        }
        row = {key: runs[key].iloc[0] for key in ("cell", "model", "corruption", "regularizer")}
        row |= {"n": len(runs), "n_diverged": int((runs["status"] == "diverged").sum())}
        for name, of_replicates in values.items():
            over = spread(of_replicates)
            row |= {name: over.mean, f"{name}_sd": over.sd}
        rows.append(row)
    frame = pd.DataFrame(rows)
    return frame.sort_values("cell", key=lambda names: names.map(cell_order), ignore_index=True)
