"""Claims on learning curves (Figures 1a and 2b)."""

import math

import numpy as np
import pandas as pd

from rethink.analysis.convergence import volatility
from rethink.analysis.names import corruption_title
from rethink.claims.claim import Case, Outcome
from rethink.claims.evidence import Evidence, Measure, measure
from rethink.claims.fitting import Limits

MODEL = "inception"
NOISE = ("shuffled_pixels", "random_pixels", "gaussian")


def first_step(curve: pd.DataFrame, reached: pd.Series) -> float:
    """Return the training step of the first row where `reached`, infinity where none is."""
    steps = curve.loc[reached.fillna(False).astype(bool), "step"]
    return float(steps.iloc[0]) if len(steps) else math.inf


def _steps(evidence: Evidence, cell: str, loss: float) -> float:
    """Return the mean steps until the training loss is `loss`; infinity if a replicate never is."""
    found = [first_step(curve, curve["train_loss"] <= loss) for curve in evidence.curves(cell)]
    return float(np.mean(found)) if found else math.inf


def _thousands(steps: float) -> str:
    return f"{steps / 1000:.2f}k" if math.isfinite(steps) else "never"


def fits_noise(evidence: Evidence, limits: Limits) -> list[Case]:
    """C13: Inception fits images whose structure is destroyed."""

    def case(corruption: str) -> Case:
        cell = evidence.cell(MODEL, corruption)

        def decide() -> Outcome:
            last = []
            for curve in evidence.curves(cell):
                accurate = first_step(curve, curve["train_accuracy"] >= limits["train"] / 100)
                low = first_step(curve, curve["train_loss"] < limits["loss"])
                last.append(max(accurate, low))
            holds = bool(last) and max(last) <= 1000 * limits["steps"]
            worst = max(last, default=math.inf)
            return Outcome(holds, f"{_thousands(worst)} steps (n = {len(last)})")

        return Case(corruption_title(corruption), (cell,), decide)

    return [case(corruption) for corruption in NOISE]


def harder_data_take_longer(evidence: Evidence, limits: Limits) -> list[Case]:
    """C14: true labels are fitted first, then shuffled pixels, noise, random labels."""
    names = ("none", *NOISE, "labels-1")
    cells = tuple(evidence.cell(MODEL, name) for name in names)

    def decide() -> Outcome:
        steps = [_steps(evidence, cell, limits["loss"]) for cell in cells]
        true, shuffled, random_pixels, gaussian, labels = steps
        early, late = min(random_pixels, gaussian), max(random_pixels, gaussian)
        ours = ", ".join(
            f"{corruption_title(name)} {_thousands(value)}"
            for name, value in zip(names, steps, strict=True)
        )
        return Outcome(true < shuffled < early and late < labels, f"{ours} steps")

    return [Case("Inception", cells, decide)]


def starts_late_then_converges(evidence: Evidence, limits: Limits) -> list[Case]:
    """C15: random labels: a long plateau, then a fast fall."""
    cells = (evidence.cell(MODEL, "labels-1"), evidence.cell(MODEL))

    def decide() -> Outcome:
        initial = math.log(evidence.classes())
        scale = initial / math.log(10)  # the paper's plateau is that of ten classes
        plateaus, falls = [], []
        for curve in evidence.curves(cells[0]):
            loss = curve["train_loss"]
            plateaus.append(_plateau(curve, limits["plateau"] * scale))
            begin = first_step(curve, loss <= 0.9 * initial)
            end = first_step(curve, loss <= 0.1 * initial)
            falls.append(end - begin if math.isfinite(end) else math.inf)
        true = _steps(evidence, cells[1], limits["true"])
        plateau, fall = float(np.mean(plateaus)), float(np.mean(falls))
        holds = plateau >= limits["factor"] * true and fall < 1000 * limits["fall"]
        ours = (
            f"plateau {_thousands(plateau)} steps, true labels at loss {limits['true']:g} after "
            f"{_thousands(true)}, fall in {_thousands(fall)} (n = {len(falls)})"
        )
        return Outcome(holds, ours)

    return [Case("Inception", cells, decide)]


def _plateau(curve: pd.DataFrame, loss: float) -> float:
    """Return the step of the last epoch before the training loss is first at `loss` or less."""
    until = first_step(curve, curve["train_loss"] <= loss)
    before = curve.loc[curve["step"] < until, "step"]
    return float(before.iloc[-1]) if len(before) else 0.0


def batch_norm_steadies(evidence: Evidence, limits: Limits) -> list[Case]:
    """C21: once fitted, the training accuracy is steadier with batch normalization."""
    cells = (evidence.cell("inception_no_bn"), evidence.cell(MODEL))

    def decide() -> Outcome:
        without, with_norm = (_volatility(evidence, cell, limits["train"] / 100) for cell in cells)
        ours = f"sd {_points(without)} without, {_points(with_norm)} with BatchNorm"
        if not without.n or not with_norm.n:
            return Outcome(False, ours, f"never at {limits['train']:g} % for long enough")
        return Outcome(without.mean > with_norm.mean, ours)

    return [Case("Inception", cells, decide)]


def _points(value: Measure) -> str:
    return f"{value.mean:.4f} points (n = {value.n})" if value.n else "undefined"


def _volatility(evidence: Evidence, cell: str, level: float) -> Measure:
    """Return the sd over epochs of the training accuracy, in points, from the first at `level` on."""
    return measure([100 * volatility(curve, level) for curve in evidence.curves(cell)])


def early_stopping_gains_little(evidence: Evidence, limits: Limits) -> list[Case]:
    """C22: on CIFAR-10 the best test accuracy along training is hardly above the last."""
    cell = evidence.cell(MODEL)

    def decide() -> Outcome:
        gain = evidence.percent(cell, "best_test_accuracy").minus(
            evidence.percent(cell, "test_accuracy")
        )
        return Outcome(gain.mean <= limits["gain"] and not gain.missing, f"{gain.mean:.2f} points")

    return [Case("Inception", (cell,), decide)]
