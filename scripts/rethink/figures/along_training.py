"""Accuracy along training: lines with what a replicate or a stop on the way would change."""

import pandas as pd
from matplotlib.axes import Axes

from rethink.figures import style

SHADE = 0.18
KEYS = ["model", "corruption", "regularizer", "step"]


def average(curves: pd.DataFrame) -> pd.DataFrame:
    """Return mean and range over replicates of both accuracies, and the mean of the best so far.

    curves : rows of curves.csv that have both accuracies.

    Columns: model, corruption, regularizer, step, train_accuracy, train_accuracy_min,
    train_accuracy_max, test_accuracy, best_test_accuracy, replicates.
    """
    best = curves.sort_values("epoch").groupby(["cell", "replicate"])["test_accuracy"].cummax()
    groups = curves.assign(best=best).groupby(KEYS)
    parts = {
        "train_accuracy": groups["train_accuracy"].mean(),
        "train_accuracy_min": groups["train_accuracy"].min(),
        "train_accuracy_max": groups["train_accuracy"].max(),
        "test_accuracy": groups["test_accuracy"].mean(),
        "best_test_accuracy": groups["best"].mean(),
        "replicates": groups.size().astype("Int64"),
    }
    return pd.DataFrame(parts).reset_index()


def draw_line(axes: Axes, line: pd.DataFrame, split: str, look: style.Look, scale: int) -> None:
    """Draw one line of `average`; steps are divided by `scale`.

    split : ``train``, shaded from the smallest to the largest replicate, or ``test``, shaded from
        the mean up to the mean of the best so far.
    """
    kept = line.iloc[style.thin_out(len(line))] if len(line) else line
    steps, mean = kept["step"].astype("float64") / scale, kept[f"{split}_accuracy"]
    low, high = kept["train_accuracy_min"], kept["train_accuracy_max"]
    if split == "test":
        low, high = mean, kept["best_test_accuracy"]
    axes.fill_between(steps, low, high, color=look.colour, alpha=SHADE, linewidth=0)
    axes.plot(
        steps,
        mean,
        color=look.colour,
        linestyle=look.dash,
        marker=look.marker,
        markevery=max(1, len(kept) // 8),
        markersize=3.5,
    )
