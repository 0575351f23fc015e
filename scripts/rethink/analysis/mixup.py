"""mixup on corrupted labels: our cells beside Table 2 of Zhang, Cisse, Dauphin and Lopez-Paz (2018)."""

import math
from pathlib import Path
from typing import Any

import pandas as pd

from rethink.analysis.names import corruption_order, model_order
from rethink.analysis.noise_regularizers import family, strength
from rethink.analysis.statistics import spread
from rethink.analysis.tables import NUMBER, TEXT, Tables, of_study, read_paper

NONE, MIXUP, DROPOUT = "none", "mixup", "dropout"
METHODS = (NONE, DROPOUT, MIXUP, f"{MIXUP}+{DROPOUT}")
PUBLISHED = {
    "corruption": TEXT,
    "method": TEXT,
    "alpha": NUMBER,
    "dropout": NUMBER,
    "best_error": NUMBER,
    "last_error": NUMBER,
}
ERRORS = ("best_error", "last_error", "true_error", "random_error")


def method(regularizer: str) -> str:
    """Return the column of the published table that a regularizer belongs to.

    By those of its parts that are a strength of mixup or of dropout: ``mixup+dropout`` for
    ``crop+dropout-30+mixup-8``, ``none`` for ``crop``.
    """
    families = {family(part) for part in regularizer.split("+")}
    return "+".join(name for name in (MIXUP, DROPOUT) if name in families) or NONE


def compared(study: dict[str, Any], tables: Tables, paper: Path) -> pd.DataFrame:
    """Return one row for each cell of a study, in a reader's order, then what only was published.

    Columns: cell (empty where not run), model, corruption, regularizer, method, n, n_diverged; in
    percent with ``_sd`` over the replicates: best_error and last_error on true test labels, the
    best along training and that at its end; true_error and random_error on the training labels as
    given, of the examples that kept their label and of those whose label was drawn anew (NaN where
    there are none); and paper_best_error, paper_last_error of another network, or NaN.
    """
    published = read_paper(paper / "mixup.csv", PUBLISHED).set_index(["corruption", "method"])
    summary = of_study(tables.summary, study)
    rows = [_row(name, runs) for name, runs in summary.groupby("cell")]
    for row in rows:
        row |= _published(published, row["corruption"], row["method"])
    done = {(row["corruption"], row["method"]) for row in rows}
    rows += [
        {
            **dict.fromkeys(("cell", "model", "regularizer"), ""),
            "corruption": corruption,
            "method": name,
            "n": 0,
            "n_diverged": 0,
            **dict.fromkeys([f"{e}{s}" for e in ERRORS for s in ("", "_sd")], math.nan),
            **_published(published, corruption, name),
        }
        for corruption, name in published.index
        if (corruption, name) not in done
    ]
    return pd.DataFrame(sorted(rows, key=_order))


def _row(name: str, runs: pd.DataFrame) -> dict[str, Any]:
    """Return a cell's row, given those of its replicates in summary.csv."""
    first = runs.iloc[0]
    clean = first["corruption"] == NONE
    accuracies = {
        "best_error": runs["best_test_accuracy"],
        "last_error": runs["test_accuracy"],
        "true_error": runs["train_accuracy" if clean else "train_accuracy_untouched"],
        "random_error": runs["train_accuracy_hit"],
    }
    row = {key: first[key] for key in ("model", "corruption", "regularizer")}
    row |= {"cell": name, "method": method(first["regularizer"]), "n": len(runs)}
    row["n_diverged"] = int((runs["status"] == "diverged").sum())
    for error, values in accuracies.items():
        over = spread(100 * (1 - values.astype(float)))
        row |= {error: over.mean, f"{error}_sd": over.sd}
    return row


def _published(published: pd.DataFrame, corruption: str, name: str) -> dict[str, float]:
    """Return the published errors under a corruption by a method, NaN where there are none."""
    known = (corruption, name) in published.index
    return {
        f"paper_{error}": published.loc[(corruption, name), error] if known else math.nan
        for error in ("best_error", "last_error")
    }


def _order(row: dict[str, Any]) -> tuple:
    """Sort key: what was not run comes last."""
    strengths = tuple(strength(part) for part in row["regularizer"].split("+"))
    by = corruption_order(row["corruption"]), METHODS.index(row["method"]), strengths
    return not row["cell"], model_order(row["model"]), *by, row["regularizer"]


def statements(frame: pd.DataFrame) -> list[tuple[str, bool, int, int]]:
    """Return what the mixup paper says of corrupted labels, and whether it holds here.

    Each is decided wherever a network was trained without a method and with mixup on the same
    corrupted labels: (statement, whether it held everywhere, in how many places, of how many).
    A cell of mixup counts with its strength of least error at the end.
    """
    held: dict[str, list[bool]] = {}
    for _, rows in frame[frame["cell"] != ""].groupby(["model", "corruption"]):
        noisy = rows[rows["random_error"].notna()]
        plain, mixed = noisy[noisy["method"] == NONE], noisy[noisy["method"] == MIXUP]
        if plain.empty or mixed.empty:
            continue
        erm, ours = plain.iloc[0], mixed.loc[mixed["last_error"].idxmin()]
        lost = [row["last_error"] - row["best_error"] for row in (erm, ours)]
        found = {
            "mixup ends at a lower test error": ours["last_error"] < erm["last_error"],
            "its best test error is lower, too": ours["best_error"] < erm["best_error"],
            "it loses less after its best epoch": lost[1] < lost[0],
            "it fits fewer of the random labels": ours["random_error"] > erm["random_error"],
        }
        for text, holds in found.items():
            held.setdefault(text, []).append(bool(holds))
    return [(text, all(seen), sum(seen), len(seen)) for text, seen in held.items()]
