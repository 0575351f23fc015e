"""Claims on explicit and implicit regularizers on CIFAR-10 (Tables 1 and 4)."""

from rethink.analysis.names import model_title, regularizer_title
from rethink.claims.claim import Case, Outcome, Undecidable
from rethink.claims.evidence import Evidence, Measure
from rethink.claims.fitting import Limits

FULL = {
    "inception": "crop+weight_decay",
    "inception_no_bn": "weight_decay",
    "alexnet": "crop+weight_decay",
    "mlp_3x512": "weight_decay",
    "mlp_1x512": "weight_decay",
}
WITH_CROP = ("inception", "alexnet")


def _test(evidence: Evidence, model: str, regularizer: str) -> Measure:
    return evidence.percent(evidence.cell(model, "none", regularizer), "test_accuracy")


def _cells(evidence: Evidence, model: str, *regularizers: str) -> tuple[str, ...]:
    return tuple(evidence.cell(model, "none", name) for name in regularizers)


def generalizes_unregularized(evidence: Evidence, limits: Limits) -> list[Case]:
    """C16: without any regularizer the test accuracy is far above chance."""
    least = {
        "inception": limits["inception"],
        "alexnet": limits["alexnet"],
        "mlp_3x512": limits["mlp"],
        "mlp_1x512": limits["mlp"],
    }

    def case(model: str) -> Case:
        def decide() -> Outcome:
            accuracy = _test(evidence, model, "none")
            return Outcome(accuracy.at_least(least[model]), str(accuracy))

        return Case(model_title(model), _cells(evidence, model, "none"), decide)

    return [case(model) for model in least]


def regularizers_gain_little(evidence: Evidence, limits: Limits) -> list[Case]:
    """C17: switching all regularizers off costs a few points only."""

    def case(model: str) -> Case:
        def decide() -> Outcome:
            cost = _test(evidence, model, FULL[model]).minus(_test(evidence, model, "none"))
            return Outcome(cost.mean <= limits["cost"] and not cost.missing, str(cost))

        return Case(model_title(model), _cells(evidence, model, FULL[model], "none"), decide)

    return [case(model) for model in FULL]


def augmentation_gains_more(evidence: Evidence, limits: Limits) -> list[Case]:
    """C18: random crops help more than weight decay."""

    def case(model: str) -> Case:
        def decide() -> Outcome:
            base = _test(evidence, model, "none")
            crop = _test(evidence, model, "crop").minus(base)
            decay = _test(evidence, model, "weight_decay").minus(base)
            more = crop.minus(decay)
            ours = f"crop {crop.mean:+.2f}, weight decay {decay.mean:+.2f} (n = {more.n})"
            return Outcome(more.mean > 0 and not more.missing, ours)

        cells = _cells(evidence, model, "none", "crop", "weight_decay")
        return Case(model_title(model), cells, decide)

    return [case(model) for model in WITH_CROP]


def weight_decay_matters_little(evidence: Evidence, limits: Limits) -> list[Case]:
    """C19: weight decay changes the test accuracy by little, everywhere."""
    pairs = [(model, "crop+weight_decay", "crop") for model in WITH_CROP]
    pairs += [(model, "weight_decay", "none") for model in FULL]

    def case(model: str, decayed: str, plain: str) -> Case:
        def decide() -> Outcome:
            change = _test(evidence, model, decayed).minus(_test(evidence, model, plain))
            holds = abs(change.mean) <= limits["change"] and not change.missing
            return Outcome(holds, f"{change.mean:+.2f} (n = {change.n})")

        name = f"{model_title(model)}, {regularizer_title(plain)}"
        return Case(name, _cells(evidence, model, decayed, plain), decide)

    return [case(*pair) for pair in pairs]


def batch_norm_helps(evidence: Evidence, limits: Limits) -> list[Case]:
    """C20: removing batch normalization costs a few points of test accuracy."""

    def case(regularizer: str) -> Case:
        cells = (
            evidence.cell("inception", "none", regularizer),
            evidence.cell("inception_no_bn", "none", regularizer),
        )

        def decide() -> Outcome:
            with_norm, without = (evidence.percent(cell, "test_accuracy") for cell in cells)
            drop = with_norm.minus(without)
            low, high = limits["low"] - limits["slack"], limits["high"] + limits["slack"]
            return Outcome(low <= drop.mean <= high and not drop.missing, str(drop))

        return Case(regularizer_title(regularizer), cells, decide)

    return [case("weight_decay"), case("none")]


def decay_leaves_random_labels(evidence: Evidence, limits: Limits) -> list[Case]:
    """C23: random labels are fitted under weight decay too, by all but AlexNet."""

    def case(model: str) -> Case:
        cell = evidence.cell(model, "labels-1", "weight_decay")

        def decide() -> Outcome:
            accuracy = evidence.percent(cell, "train_accuracy")
            if model == "alexnet":
                failed = not accuracy.n or accuracy.mean < limits["fails"]
                return Outcome(failed, str(accuracy))
            return Outcome(accuracy.at_least(limits["train"]), str(accuracy))

        return Case(model_title(model), (cell,), decide)

    return [case(model) for model in ("inception", "alexnet", "mlp_3x512", "mlp_1x512")]


def augmentation_leaves_random_labels(evidence: Evidence, limits: Limits) -> list[Case]:
    """C24: random labels are fitted under augmentation too, with the longer schedule."""

    def case(regularizer: str) -> Case:
        cell = evidence.cell("inception", "labels-1", regularizer)

        def decide() -> Outcome:
            accuracy = evidence.percent(cell, "online_accuracy")
            return Outcome(
                accuracy.at_least(limits["train"]),
                str(accuracy),
                _schedule_note(evidence, cell, limits["decay"]),
            )

        return Case(regularizer_title(regularizer), (cell,), decide)

    return [case("crop"), case("augment")]


def _schedule_note(evidence: Evidence, cell: str, decay: float) -> str:
    """Return a remark where a cell did not use the decay that the paper changed to."""
    try:
        used = evidence.spec(cell)["train"]["learning_rate_decay"]
    except (Undecidable, KeyError, TypeError):
        return ""
    return "" if used == decay else f"{cell} used a decay of {used:g}, the paper {decay:g}"
