"""What is kept of a training run: the learning curves and their summary."""

import csv
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

POSITION = ("replicate", "epoch", "step", "learning_rate")
# What is measured at the end of an epoch; accuracies are fractions.
VALUES = (
    "online_loss",
    "online_accuracy",
    "train_loss",
    "train_accuracy",
    "train_accuracy_hit",
    "train_accuracy_untouched",
    "train_accuracy_true",
    "validation_loss",
    "validation_accuracy",
    "test_loss",
    "test_accuracy",
    "test_loss_given",
    "test_accuracy_given",
)
COLUMNS = POSITION + VALUES
# Columns of runs that are asked for them (`top5`) only, and of networks that are convex.
TOP5 = ("train_top5_accuracy", "test_top5_accuracy")
CONVEXITY = "convexity_excess"

# What `rethink.training.measures` finds in a network at the end.
MEASURES = (
    "margin",
    "margin_median",
    "corrected",
    "input_gradient",
    "parameter_norm",
    "distance",
    "log_spectral_norm",
    "log_frobenius_norm",
    "stable_ranks",
    "log_bartlett",
    "log_neyshabur",
    "log_path_norm",
)


@dataclass
class History:
    """The learning curve of one replicate, and why it ended."""

    replicate: int
    rows: list[dict[str, Any]] = field(default_factory=list)
    epochs_run: int = 0
    ended: str = ""  # "", "diverged", "early"
    measures: dict[str, float] = field(default_factory=dict)

    def add(self, row: dict[str, Any], patience: int | None) -> None:
        """Append an evaluated epoch; end early after `patience` epochs without improvement.

        Values that are not finite become None: the loss of a run that diverged is no number.
        """
        self.rows.append({name: _finite(value) for name, value in row.items()})
        if patience is not None and not self.ended:
            best = self.kept(early_stopping=True)
            if row["epoch"] - best["epoch"] >= patience:
                self.ended = "early"

    def kept(self, early_stopping: bool) -> dict[str, Any]:
        """Return the row of the epoch whose parameters are the run's result.

        With early stopping the one with the least validation loss, the first of equal ones.
        """
        if not early_stopping:
            return self.rows[-1]
        return min(
            self.rows,
            key=lambda row: math.inf if row["validation_loss"] is None else row["validation_loss"],
        )


def _finite(value: Any) -> Any:
    """Round to the eight digits that are written, so that curves and summary agree."""
    if isinstance(value, float):
        return float(f"{value:.8g}") if math.isfinite(value) else None
    return value


def curves_csv(histories: Iterable[History]) -> str:
    """Return the text of ``curves.csv``: one row per replicate and evaluated epoch."""
    rows = [row for history in histories for row in history.rows]
    extra = (*TOP5, CONVEXITY)
    columns = COLUMNS + tuple(name for name in extra if any(name in row for row in rows))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_text(row.get(name)) for name in columns] for row in rows)
    return text.getvalue()


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.8g}" if isinstance(value, float) else str(value)


def summarize(history: History, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the summary of one replicate: status, time to fit, and the values at its kept epoch.

    A run has fitted at the first evaluated epoch whose training accuracy, in evaluation mode and on
    the labels as given, reaches `fit_accuracy`.
    """
    kept = history.kept(bool(settings["early_stopping"]))
    fitted = next(
        (row for row in history.rows if row["train_accuracy"] >= settings["fit_accuracy"]), None
    )
    best = max(history.rows, key=lambda row: row["test_accuracy"])
    top5 = {name: kept[name] for name in TOP5 if name in kept}
    if top5:
        top5["best_test_top5_accuracy"] = max(row["test_top5_accuracy"] for row in history.rows)
    status = "fitted" if fitted else "not_fitted"
    return {
        "replicate": history.replicate,
        "status": "diverged" if history.ended == "diverged" else status,
        "stopped_early": history.ended == "early",
        "epochs_run": history.epochs_run,
        "kept_epoch": kept["epoch"],
        "time_to_fit_epochs": fitted["epoch"] if fitted else None,
        "time_to_fit_steps": fitted["step"] if fitted else None,
        **{name: kept.get(name) for name in VALUES},
        "best_test_accuracy": best["test_accuracy"],
        "best_test_epoch": best["epoch"],
        **{name: _finite(history.measures.get(name)) for name in MEASURES},
        **top5,
        **{name: kept[name] for name in (CONVEXITY,) if name in kept},
    }
