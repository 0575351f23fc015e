"""What Arpit et al. 2017 say of memorization, beside what a run shows: yes or no, and by how much.

Each statement is decided for one network on one dataset, and only where the conditions that it
compares were run. A single run is no test of significance: the numbers stand beside the answer.
"""

from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd

from rethink.analysis.memorization import (
    Results,
    capacity,
    critical_samples,
    easy_hard,
    loss_sensitivity,
)
from rethink.analysis.names import model_title
from rethink.corruption_names import parse

CLOSE = 1.0  # points of accuracy within which a width is as good as the best


class Statement(NamedTuple):
    """A statement of Arpit et al., where it was looked at, what was seen, and whether it held."""

    text: str
    where: str
    seen: str
    held: bool


def statements(results: Results) -> list[Statement]:
    """Return every statement that the experiments can decide, measure after measure."""
    decided = (
        (easy_hard(results), _easy_hard),
        (loss_sensitivity(results), _loss_sensitivity),
        (critical_samples(results), _critical_samples),
        (capacity(results), _capacity),
    )
    found = []
    for frame, decide in decided:
        for _, rows in frame.groupby(["experiment", "model"], sort=False):
            first = rows.iloc[0]
            where = f"{model_title(first['model'])}, {first['title']}".removeprefix(", ")
            for text, seen, held in decide(rows):
                found.append(Statement(text, where, seen, bool(held)))
    return found


Decided = Iterator[tuple[str, str, bool]]


def _easy_hard(rows: pd.DataFrame) -> Decided:
    rows = rows[rows["dispersion"].notna()].set_index("corruption")
    spread = rows["dispersion"]

    def found(name: str) -> str:
        row = rows.loc[name]
        return f"dispersion {row['dispersion']:.1f}, {row['low']:.1f} to {row['high']:.1f} if equally hard"

    if "none" in rows.index:
        held = spread["none"] > rows.loc["none", "high"]
        yield "On real data some examples are easier than others", found("none"), held
    if "gaussian" in rows.index:
        low, high = rows.loc["gaussian", ["low", "high"]]
        held = low <= spread["gaussian"] <= high
        yield "Noise images are equally hard", found("gaussian"), held
    if {"none", "labels-1", "gaussian"} <= set(rows.index):
        three = spread[["none", "labels-1", "gaussian"]]
        seen = ", ".join(f"{value:.1f} ({rows.loc[name, 'data']})" for name, value in three.items())
        held = three.is_monotonic_decreasing
        yield "Random labels lie between real data and noise images", f"dispersion {seen}", held


def _loss_sensitivity(rows: pd.DataFrame) -> Decided:
    true, noises = _split(rows)
    if len(true) and len(noises):
        value = true["gini"].iloc[0]
        yield (
            "A few examples shape the loss on real data, most do on noise",
            f"Gini coefficient {value:.3f} against {_each(noises, 'gini', '{:.3f}')}",
            (noises["gini"] < value).all(),
        )


def _critical_samples(rows: pd.DataFrame) -> Decided:
    trained = rows[rows["epoch"] > 0]
    by_data = trained.groupby("corruption", sort=False)
    first, last = (rows.set_index("corruption") for rows in (by_data.head(1), by_data.tail(1)))
    changes = [
        f"{row['data']} {first.loc[name, 'ratio']:.0f} to {row['ratio']:.0f} %"
        for name, row in last.iterrows()
    ]
    if (last["epoch"] > first["epoch"]).all():
        rises = (last["ratio"] > first["ratio"]).all()
        yield "The critical sample ratio rises during training", "; ".join(changes), rises
    true, noises = _split(last.reset_index())
    if len(true) and len(noises):
        value = true["ratio"].iloc[0]
        yield (
            "The critical sample ratio is higher for noise",
            f"{value:.0f} % against {_each(noises, 'ratio', '{:.0f} %')}",
            (noises["ratio"] > value).all(),
        )
    for name in last.index:
        mine = trained[(trained["corruption"] == name) & trained["test_accuracy"].notna()]
        if _partly_random(name) and len(mine) > 1:
            yield _order(mine)


def _order(rows: pd.DataFrame) -> tuple[str, str, bool]:
    """Decide whether test accuracy peaks before the labels are fitted, and falls afterwards."""
    best, end = rows.loc[rows["test_accuracy"].idxmax()], rows.iloc[-1]
    seen = (
        f"{best['data']}: {best['test_accuracy']:.1f} % after {best['epoch']} epochs with "
        f"{best['train_accuracy']:.0f} % of the labels fitted, {end['test_accuracy']:.1f} % with "
        f"{end['train_accuracy']:.0f} %"
    )
    held = (
        best["test_accuracy"] > end["test_accuracy"]
        and best["train_accuracy"] < end["train_accuracy"]
    )
    return "Simple patterns are learned before noise is memorized", seen, held


def _capacity(rows: pd.DataFrame) -> Decided:
    signal = rows["corruption"].map(lambda name: name == "none" or _partly_random(name))
    learnable = rows[rows["whole"] & signal]
    needed = {
        names: _enough(found)
        for names, found in learnable.groupby(["corruption", "data"], sort=False)
    }
    widths = [width for width in needed.values() if width is not None]
    if len(widths) > 1 and len(widths) == len(needed):
        seen = "; ".join(f"{data} {width:,}" for (_, data), width in needed.items())
        held = widths == sorted(widths) and widths[-1] > widths[0]
        yield "More capacity is needed with noise", f"hidden units: {seen}", held
    growth = {
        names: _growth(found[found["widest"]])
        for names, found in rows.groupby(["corruption", "data"], sort=False)
    }
    growth = {names: value for names, value in growth.items() if value is not None}
    true = [value for (name, _), value in growth.items() if name == "none"]
    noise = [value for (name, _), value in growth.items() if name != "none"]
    if true and noise:
        seen = "; ".join(f"{data} x {value:.2f}" for (_, data), value in growth.items())
        sizes = rows.loc[rows["widest"], "train_examples"]
        yield (
            "Time to fit grows faster with the number of examples for noise",
            f"from {sizes.min():,} to {sizes.max():,} examples: {seen}",
            min(noise) > true[0],
        )


def _enough(rows: pd.DataFrame) -> float | None:
    """Return the least width whose best test accuracy is within `CLOSE` of the largest."""
    known = rows[rows["best_test_accuracy"].notna()].sort_values("width")
    if len(known) < 2:
        return None
    close = known["best_test_accuracy"] >= known["best_test_accuracy"].max() - CLOSE
    return known.loc[close, "width"].iloc[0]


def _growth(rows: pd.DataFrame) -> float | None:
    """Return the time to fit the most examples over that for the fewest; None where one is none."""
    rows = rows.sort_values("train_examples")
    if len(rows) < 2 or rows[["time"]].iloc[[0, -1]].isna().any(axis=None):
        return None
    if rows["censored"].iloc[0]:
        return None
    return rows["time"].iloc[-1] / rows["time"].iloc[0]


def _split(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of true data and those of noise."""
    true = rows["corruption"] == "none"
    return rows[true], rows[~true]


def _partly_random(name: str) -> bool:
    kind, level, _ = parse(name)
    return kind in ("labels", "wrong_labels") and level < 1


def _each(rows: pd.DataFrame, value: str, form: str) -> str:
    return ", ".join(f"{form.format(row[value])} ({row['data']})" for _, row in rows.iterrows())
