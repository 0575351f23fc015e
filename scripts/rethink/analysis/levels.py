"""A study along the level of a corruption: one row per model, regularizer and level."""

import math
from pathlib import Path
from typing import Any

import pandas as pd

from rethink.analysis.names import model_order
from rethink.analysis.statistics import ratio, spread, time_to_fit
from rethink.analysis.tables import NUMBER, TEXT, Tables, of_study, read_paper

KEY = ["model", "regularizer", "kind", "level"]


def series(study: dict[str, Any], tables: Tables) -> list[tuple[str, str, str]]:
    """Return the (model, regularizer, corruption kind) that have cells at several levels."""
    cells = of_study(tables.cells, study)
    cells = cells[cells["level"].notna() & (cells["corruption_kind"] != "none")]
    keys = set(zip(cells["model"], cells["regularizer"], cells["corruption_kind"], strict=True))
    return sorted(keys, key=lambda key: (model_order(key[0]), key[1:]))


def along_levels(study: dict[str, Any], tables: Tables) -> pd.DataFrame:
    """Return time to fit and both test errors of every series of a study, ordered by level.

    The clean cell of a model is level 0 of each of its series. Errors are fractions, times whole
    epochs; `ratio` is the mean time over that at level 0. `outcome` is ``fitted``, ``censored``
    (some replicates did not reach the criterion: time and ratio are lower bounds) or
    ``diverged`` (all did: no time). Values that do not exist are NaN.
    """
    summary = of_study(tables.summary, study)
    rows = []
    for model, regularizer, kind in series(study, tables):
        mine = summary[
            (summary["model"] == model)
            & (summary["regularizer"] == regularizer)
            & summary["corruption_kind"].isin(["none", kind])
        ]
        times = {
            level: time_to_fit(
                cell["time_to_fit_epochs"].astype("float64"), cell["epochs_run"], cell["status"]
            )
            for level, cell in mine.groupby("level")
        }
        start = times.get(0.0)
        for level, cell in mine.groupby("level"):
            time = times[level]
            row = {"model": model, "regularizer": regularizer, "kind": kind, "level": level}
            row |= {"cell": cell["cell"].iloc[0], "n": len(cell)}
            row["n_fitted"] = int((cell["status"] == "fitted").sum())
            row["n_diverged"] = int((cell["status"] == "diverged").sum())
            row["outcome"] = (
                "diverged" if not time.spread.n else "censored" if time.censored else "fitted"
            )
            row["epochs"], row["epochs_sd"] = time.spread.mean, time.spread.sd
            known = start is not None and not start.censored
            row["ratio"], row["ratio_sd"] = (
                ratio(time.spread, start.spread) if known else (math.nan, math.nan)
            )
            if level == 0 and known:
                row["ratio_sd"] = math.nan  # one by definition
            for name in ("test_accuracy", "test_accuracy_given", "train_accuracy"):
                value = spread(cell[name])
                row[name], row[f"{name}_sd"] = value.mean, value.sd
            rows.append(row)
    columns = [*KEY, "cell", "n", "n_fitted", "n_diverged", "outcome"]
    columns += [f"{v}{s}" for v in ("epochs", "ratio") for s in ("", "_sd")]
    columns += [
        f"{v}{s}"
        for v in ("test_accuracy", "test_accuracy_given", "train_accuracy")
        for s in ("", "_sd")
    ]
    return pd.DataFrame(rows, columns=columns)


def paper_levels(paper: Path, table: str, value: str) -> pd.DataFrame:
    """Return the paper's values along the level: model, level, `value`, source."""
    return read_paper(paper / table, {"model": TEXT, "level": NUMBER, value: NUMBER})
