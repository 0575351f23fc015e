"""Claims on what lies between true and random labels (Figures 1b and 1c)."""

import itertools
from collections.abc import Callable

from rethink.analysis.names import model_title
from rethink.claims.claim import Case, Outcome
from rethink.claims.evidence import Evidence, Measure
from rethink.claims.fitting import Limits

SHOWN = ("inception", "alexnet", "mlp_1x512")  # the models of both figures
Points = list[tuple[float, Measure]]


def _along_levels(
    evidence: Evidence, read: Callable[[str], Measure], decide: Callable[[Points], Outcome]
) -> list[Case]:
    """Return one case per model, decided on what `read` gives at each level, in order."""

    def case(model: str) -> Case:
        levels = evidence.levels(model)
        cells = tuple(evidence.level_cell(model, level) for level in levels)
        return Case(
            model_title(model),
            cells,
            lambda: decide([(p, read(cell)) for p, cell in zip(levels, cells, strict=True)]),
        )

    return [case(model) for model in SHOWN]


def _series(points: Points, digits: int = 1) -> str:
    spreads = [value.sd for _, value in points if value.sd == value.sd]
    text = " ".join(f"{value.mean:.{digits}f}" for _, value in points)
    counts = sorted({value.n for _, value in points})
    replicates = "-".join(map(str, dict.fromkeys((counts[0], counts[-1]))))
    widest = f", sd up to {max(spreads):.{digits}f}" if spreads else ""
    return f"{text} (n = {replicates}{widest})"


def _lost(points: Points) -> bool:
    return any(value.missing for _, value in points)


def slows_down_little(evidence: Evidence, limits: Limits) -> list[Case]:
    """C5: random labels take longer to fit than true ones by a small factor only."""

    def case(model: str) -> Case:
        cells = (evidence.cell(model), evidence.cell(model, "labels-1"))

        def decide() -> Outcome:
            true, random = (evidence.time(cell) for cell in cells)
            if true.censored or not true.spread.n or not random.spread.n:
                return Outcome(False, "never fitted", f"{model_title(model)}: no time to compare")
            ratio = random.spread.mean / true.spread.mean
            words = f"{random.spread.mean:.1f} / {true.spread.mean:.1f} epochs = "
            if random.censored:
                note = f"{model_title(model)}: the budget ended before random labels were fitted"
                return Outcome(False, f"{words}more than {ratio:.2f}", note)
            return Outcome(ratio <= limits["ratio"], f"{words}{ratio:.2f} (n = {random.spread.n})")

        return Case(model_title(model), cells, decide)

    return [case(model) for model in SHOWN]


def takes_longer_with_level(evidence: Evidence, limits: Limits) -> list[Case]:
    """C6: the time to fit does not fall as the labels get worse, one small step apart."""

    def case(model: str) -> Case:
        levels = evidence.levels(model)
        cells = tuple(evidence.level_cell(model, level) for level in levels)

        def decide() -> Outcome:
            times = [evidence.time(cell) for cell in cells]
            if not all(time.spread.n for time in times):
                return Outcome(False, "diverged at some level")
            means = [time.spread.mean for time in times]
            back = [a - b for a, b in itertools.pairwise(means) if b < a]
            shown = " ".join(
                f"{'>' if time.censored else ''}{time.spread.mean:.1f}" for time in times
            )
            open_ended = sum(time.censored for time in times)
            # two lower bounds have no order
            holds = (
                len(back) <= limits["steps"]
                and max(back, default=0) <= limits["epochs"]
                and open_ended <= 1
            )
            note = (
                f"{model_title(model)}: not fitted within the budget at {open_ended} levels"
                if open_ended
                else ""
            )
            return Outcome(holds, f"{shown} epochs", note)

        return Case(model_title(model), cells, decide)

    return [case(model) for model in SHOWN]


def fits_every_level(evidence: Evidence, limits: Limits) -> list[Case]:
    """C7: the corrupted training labels are fitted at every level."""

    def decide(points: Points) -> Outcome:
        level, worst = min(points, key=lambda point: point[1].mean)
        holds = all(value.at_least(limits["train"]) for _, value in points)
        return Outcome(holds, f"lowest {worst} at p = {level:g}")

    return _along_levels(evidence, lambda cell: evidence.percent(cell, "train_accuracy"), decide)


def error_grows_smoothly(evidence: Evidence, limits: Limits) -> list[Case]:
    """C8: the test error grows steadily with the level, without jumps."""

    def decide(points: Points) -> Outcome:
        steps = [
            (b[1].mean - a[1].mean, (b[0] - a[0]) / 0.1) for a, b in itertools.pairwise(points)
        ]
        smooth = all(-limits["back"] <= step <= limits["jump"] * width for step, width in steps)
        return Outcome(smooth and not _lost(points), _series(points))

    return _along_levels(evidence, evidence.error, decide)


def ends_at_chance(evidence: Evidence, limits: Limits) -> list[Case]:
    """C9: with all labels random the test error is that of guessing."""

    def case(model: str) -> Case:
        cell = evidence.cell(model, "labels-1")

        def decide() -> Outcome:
            error = evidence.error(cell)
            limit = evidence.tolerance(limits["chance"], 3, evidence.chance() / 100)
            near = abs(error.mean - (100 - evidence.chance())) <= limit
            return Outcome(near and not error.missing, str(error))

        return Case(model_title(model), (cell,), decide)

    return [case(model) for model in SHOWN]


def uses_remaining_signal(evidence: Evidence, limits: Limits) -> list[Case]:
    """C10: as long as some labels are true, the test error stays below that of guessing."""

    def decide(points: Points) -> Outcome:
        between = [(level, value) for level, value in points if 0 < level < 1]
        worst = 100 - evidence.chance()
        below = all(value.mean < worst for _, value in between)
        half = all(value.mean <= limits["half"] for level, value in between if level == 0.5)
        return Outcome(below and half and not _lost(between), _series(between))

    return _along_levels(evidence, evidence.error, decide)


def keeps_the_order(evidence: Evidence, limits: Limits) -> list[Case]:
    """C11: better architectures generalize better until the labels are nearly random."""
    common = [set(evidence.levels(model)) for model in SHOWN]
    levels = sorted(set.intersection(*common))

    def case(level: float) -> Case:
        cells = tuple(evidence.level_cell(model, level) for model in SHOWN)

        def decide() -> Outcome:
            values = [evidence.error(cell) for cell in cells]
            means = [value.mean for value in values]
            holds = not any(value.missing for value in values)
            if level <= limits["ordered"]:
                holds &= means[0] < means[1] < means[2]
            if level >= limits["level"]:
                holds &= max(means) - min(means) <= limits["apart"]
            return Outcome(holds, " ".join(f"{mean:.1f}" for mean in means))

        return Case(f"p = {level:g}", cells, decide)

    decided = [p for p in levels if p <= limits["ordered"] or p >= limits["level"]]
    return [case(level) for level in decided]


def errors_agree(evidence: Evidence, limits: Limits) -> list[Case]:
    """C12: the errors on corrupted and on true test labels fit together."""

    def case(model: str) -> Case:
        levels = [level for level in evidence.levels(model) if level]
        cells = tuple(evidence.level_cell(model, level) for level in levels)

        def decide() -> Outcome:
            off = []
            for level, cell in zip(levels, cells, strict=True):
                clean = evidence.error(cell, "test_accuracy").mean / 100
                expected = 1 - (1 - level) * (1 - clean) - level / evidence.classes()
                off.append(abs(evidence.error(cell).mean - 100 * expected))
            # a label drawn by chance adds the most noise where it is right half of the time
            limit = evidence.tolerance(limits["points"], 2, 0.5)
            holds = all(value <= limit for value in off)
            return Outcome(holds, f"off by {max(off):.2f} points at most")

        return Case(model_title(model), cells, decide)

    return [case(model) for model in SHOWN]
