"""Which measure of a trained network tracks its generalization gap?

The measures are those of Jiang et al. (2020) that follow from the weights at the beginning and the
end and from margins, and three that follow from the course of training. A larger value of any of
them is supposed to go with a larger gap.
"""

import math
from typing import Any

import numpy as np
import pandas as pd

from rethink import corruption_names
from rethink.analysis.names import cell_order
from rethink.analysis.rank_correlation import granulated, kendall, sign_errors
from rethink.analysis.statistics import spread
from rethink.analysis.tables import MEASURES, Tables, of_study

# Logarithms of the measures, by their words.
TITLES = {
    "parameter_norm": "parameter norm",
    "distance": "distance from initialization",
    "inverse_margin": "inverse margin",
    "spectral_margin": "spectral norms over margin",
    "frobenius_margin": "Frobenius norms over margin",
    "bartlett": "Bartlett et al. 2017",
    "neyshabur": "Neyshabur et al. 2018",
    "path_norm": "path norm",
    "path_margin": "path norm over margin",
    "stable_ranks": "sum of stable ranks",
    "input_gradient": "gradient by the input",
    "time_to_fit": "epochs to fit",
    "first_error": "training error after epoch 1",
}
GAPS = {"gap_true": "true test labels", "gap_given": "test labels as corrupted"}
AXES = ("model", "labels", "images", "regularizer")
KIND = ["model", "regularizer"]
NONE = "none"
DECISIVE = 3  # levels of random labels, 0 among them, that show a trend
NEAR_ZERO = 0.1  # of m at full label corruption relative to none, for the criterion
INFORMATIVE = 0.1  # least m on true labels: below it a measure says nothing there


def networks(study: dict[str, Any], tables: Tables) -> pd.DataFrame:
    """Return a row for each replicate that fitted its training set and was measured.

    Columns: cell, replicate, the axes model, labels (the corruption of labels or ``none``), images
    (that of images or ``none``) and regularizer, level (of random labels, NaN for others); gap_true
    and gap_given, training accuracy on the given labels less test accuracy on true labels or on
    labels as corrupted; the natural logarithm of each of `TITLES`, NaN where it has no value, e.g.
    without a positive margin; and what summary.csv has of `MEASURES` under ``raw_*``.
    """
    summary = of_study(tables.summary, study)
    fitted = (summary["status"] == "fitted") & summary["parameter_norm"].notna()
    runs = summary[fitted & (summary["corruption_kind"] != "signs")].reset_index(drop=True)
    noisy = runs["corruption_kind"].isin(corruption_names.NOISY_LABELS)
    frame = pd.DataFrame(
        {
            "cell": runs["cell"],
            "replicate": runs["replicate"],
            "model": runs["model"],
            "labels": runs["corruption"].where(noisy, NONE),
            "images": runs["corruption"].where(~noisy, NONE),
            "regularizer": runs["regularizer"],
            "level": runs["level"].where(runs["corruption_kind"].isin((NONE, "labels"))),
            "gap_true": runs["train_accuracy"] - runs["test_accuracy"],
            "gap_given": runs["train_accuracy"] - runs["test_accuracy_given"],
        }
    )
    first = _first_errors(of_study(tables.curves, study))
    keys = pd.MultiIndex.from_frame(frame[["cell", "replicate"]])
    with np.errstate(divide="ignore", invalid="ignore"):
        values = _logarithms(runs, first.reindex(keys).to_numpy())
    values = pd.DataFrame(values).replace([math.inf, -math.inf], math.nan)
    frame = pd.concat([frame, values, runs[list(MEASURES)].add_prefix("raw_")], axis=1)
    return frame.sort_values(
        ["cell", "replicate"], key=lambda c: c.map(cell_order) if c.name == "cell" else c
    ).reset_index(drop=True)


def _first_errors(curves: pd.DataFrame) -> pd.Series:
    """Return the training error after the first epoch, where that was evaluated."""
    first = curves[curves["epoch"] == 1].set_index(["cell", "replicate"])["train_accuracy"]
    return 1 - first


def _logarithms(runs: pd.DataFrame, first_error: np.ndarray) -> dict[str, np.ndarray]:
    """Return the logarithm of each measure, a value for each row of summary.csv."""
    get = {name: runs[name].to_numpy(float) for name in MEASURES}
    half_n = 0.5 * np.log(runs["train_examples"].to_numpy(float))
    margin = np.log(np.where(get["margin"] > 0, get["margin"], math.nan))
    return {
        "parameter_norm": np.log(get["parameter_norm"]) - half_n,
        "distance": np.log(get["distance"]) - half_n,
        "inverse_margin": -margin - half_n,
        "spectral_margin": get["log_spectral_norm"] - margin - half_n,
        "frobenius_margin": get["log_frobenius_norm"] - margin - half_n,
        "bartlett": get["log_bartlett"] - margin,
        "neyshabur": get["log_neyshabur"] - 2 * margin,
        "path_norm": get["log_path_norm"],
        "path_margin": get["log_path_norm"] - margin,
        "stable_ranks": np.log(get["stable_ranks"]),
        "input_gradient": np.log(get["input_gradient"]),
        "time_to_fit": np.log(runs["time_to_fit_epochs"].to_numpy(float, na_value=math.nan)),
        "first_error": np.log(first_error),
    }


def cells(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the means of the rows of `networks` over the replicates of each cell."""
    keys = ["cell", *AXES]
    return frame.drop(columns="replicate").groupby(keys, sort=False).mean().reset_index()


def rankings(frame: pd.DataFrame) -> pd.DataFrame:
    """Return how each measure ranks the gaps of the rows of `networks`.

    One row for each measure and gap, with columns measure, gap, cells (that have the measure), tau
    (over all of them), psi and tau_<axis> (granulated), error_mean and error_worst (sign errors over
    the environments), worst (which environment, in words) and environments (how many).
    """
    means, rows = cells(frame), []
    for measure in TITLES:
        for gap in GAPS:
            parts = granulated(means, AXES, measure, gap)
            errors = sign_errors(frame, AXES, measure, gap)
            worst = max(errors, key=lambda e: e.error, default=None)
            rows.append(
                {
                    "measure": measure,
                    "gap": gap,
                    "cells": int(means[measure].notna().sum()),
                    "tau": kendall(means[measure], means[gap]),
                    "psi": parts.psi,
                    **{f"tau_{axis}": tau for axis, tau in parts.by_axis.items()},
                    "error_mean": float(np.mean([e.error for e in errors])) if errors else math.nan,
                    "error_worst": worst.error if worst else math.nan,
                    "worst": " to ".join(worst.values) if worst else "",
                    "environments": len(errors),
                }
            )
    return pd.DataFrame(rows)


def along_labels(frame: pd.DataFrame) -> pd.DataFrame:
    """Return m(p) / m(0) of each measure and kind of network, by the level p of random labels.

    m = 1 / (1 + C) is 1 for the simplest network and 0 for an infinitely complex one. A kind is a
    model with a regularizer, on images as they are. One row for each measure, kind and level, where
    level 0 has the measure: measure, model, regularizer, level, start (m at level 0), ratio with its
    ``_sd`` over replicates. With a regularizer at least `DECISIVE` levels are asked for.
    """
    whole = frame[(frame["images"] == NONE) & frame["level"].notna()]
    rows = []
    for measure in TITLES:
        known = whole[whole[measure].notna()]
        for (model, regularizer), runs in known.groupby(KIND, sort=False):
            start = runs.loc[runs["level"] == 0, measure]
            few = runs["level"].nunique() < DECISIVE and regularizer != NONE
            if start.empty or few:
                continue
            zero = np.logaddexp(0, start.mean())
            for level, mine in runs.groupby("level"):
                over = spread(np.exp(zero - np.logaddexp(0, mine[measure].to_numpy(float))))
                rows.append(
                    {
                        "measure": measure,
                        "model": model,
                        "regularizer": regularizer,
                        "level": level,
                        "start": float(np.exp(-zero)),
                        "ratio": over.mean,
                        "ratio_sd": over.sd,
                    }
                )
    columns = ["measure", *KIND, "level", "start", "ratio", "ratio_sd"]
    return pd.DataFrame(rows, columns=columns)


def criterion(curves: pd.DataFrame) -> pd.DataFrame:
    """Return whether measures fall to zero as labels become random, from `along_labels`.

    One row for each measure and kind that has at least `DECISIVE` levels: measure, model,
    regularizer, start, level (the highest), end (m there relative to level 0), trend (tau of m and
    the level), and verdict: ``falls to zero`` (a falling trend, and at level 1 at most `NEAR_ZERO`),
    ``vacuous`` (m is below `INFORMATIVE` on true labels already), ``falls`` or ``does not fall``.
    """
    rows = []
    for (measure, model, regularizer), points in curves.groupby(["measure", *KIND], sort=False):
        if len(points) < DECISIVE:
            continue
        points = points.sort_values("level")
        last, trend = points.iloc[-1], kendall(points["level"], points["ratio"])
        falls = trend < 0 and last["ratio"] < 1
        verdict = "falls" if falls else "does not fall"
        if last["start"] < INFORMATIVE:
            verdict = "vacuous"
        elif falls and last["level"] == 1 and last["ratio"] <= NEAR_ZERO:
            verdict = "falls to zero"
        rows.append(
            {
                "measure": measure,
                "model": model,
                "regularizer": regularizer,
                "start": last["start"],
                "level": last["level"],
                "end": last["ratio"],
                "trend": trend,
                "verdict": verdict,
            }
        )
    columns = ["measure", *KIND, "start", "level", "end", "trend", "verdict"]
    return pd.DataFrame(rows, columns=columns)
