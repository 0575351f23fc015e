"""Claims on ImageNet (Table 2, Figure 2a)."""

from rethink.claims.claim import Case, Outcome
from rethink.claims.evidence import Evidence, Measure
from rethink.claims.fitting import Limits

MODEL = "inception_v3"
NOT_AUGMENTATION = {"none", "weight_decay", "dropout"}
TOP5 = "test_top5_accuracy"


def _cell(
    evidence: Evidence, corruption: str, augmented: bool, dropout: bool, weight_decay: bool
) -> str:
    """Return the cell with these regularizers on, however its augmentation is called."""
    for name in sorted(evidence.cells):
        dataset, model, found, regularizer = name.split("/")
        parts = set(regularizer.split("+"))
        if (dataset, model, found) == (evidence.imagenet, MODEL, corruption) and (
            bool(parts - NOT_AUGMENTATION),
            "dropout" in parts,
            "weight_decay" in parts,
        ) == (augmented, dropout, weight_decay):
            return name
    wanted = {"augment": augmented, "weight_decay": weight_decay, "dropout": dropout}
    regularizer = "+".join(part for part, on in wanted.items() if on) or "none"
    return f"{evidence.imagenet}/{MODEL}/{corruption}/{regularizer}"


def fits_random_labels(evidence: Evidence, limits: Limits) -> list[Case]:
    """C25: random labels on ImageNet are mostly fitted, and tested at chance."""

    def case(title: str, dropout: bool, weight_decay: bool, least: float) -> Case:
        cell = _cell(evidence, "labels-1", False, dropout, weight_decay)

        def decide() -> Outcome:
            train = evidence.percent(cell, "train_accuracy")
            test = evidence.percent(cell, "test_accuracy")
            chance = evidence.imagenet_chance()
            limit = evidence.tolerance(limits["near"], 3, chance / 100, evidence.imagenet)
            near = abs(test.mean - chance) <= limit and not test.missing
            return Outcome(train.at_least(least) and near, f"train {train}, test {test}")

        return Case(title, (cell,), decide)

    return [
        case("dropout and weight decay", True, True, limits["regularized"]),
        case("weight decay", False, True, limits["regularized"]),
        case("no regularizer", False, False, limits["plain"]),
    ]


def regularizers_gain(evidence: Evidence, limits: Limits) -> list[Case]:
    """C26: what all regularizers, and augmentation alone, gain."""
    plain = _cell(evidence, "none", False, False, False)

    def case(title: str, cell: str, expected: float) -> Case:
        def decide() -> Outcome:
            gain = _top1(evidence, cell).minus(_top1(evidence, plain))
            near = abs(gain.mean - expected) <= limits["near"] and not gain.missing
            return Outcome(near, str(gain))

        return Case(title, (cell, plain), decide)

    return [
        case("all regularizers", _cell(evidence, "none", True, True, True), limits["full"]),
        case("augmentation", _cell(evidence, "none", True, False, False), limits["augmentation"]),
    ]


def _top1(evidence: Evidence, cell: str) -> Measure:
    return evidence.percent(cell, "test_accuracy")


def early_stopping_gains(evidence: Evidence, limits: Limits) -> list[Case]:
    """C27: without augmentation the best test accuracy along training is above the last."""

    def case(title: str, weight_decay: bool) -> Case:
        cell = _cell(evidence, "none", False, False, weight_decay)

        def decide() -> Outcome:
            gain = evidence.percent(cell, "best_test_accuracy").minus(_top1(evidence, cell))
            return Outcome(gain.mean > limits["gain"] and not gain.missing, str(gain))

        return Case(title, (cell,), decide)

    return [case("weight decay", True), case("no regularizer", False)]


def stays_near_the_winner(evidence: Evidence, limits: Limits) -> list[Case]:
    """C28: without any regularizer the top-5 accuracy is near that of ILSVRC 2012's winner."""
    cell = _cell(evidence, "none", False, False, False)

    def decide() -> Outcome:
        top5 = evidence.extra_percent(cell, TOP5)
        return Outcome(top5.at_least(limits["winner"] - limits["near"]), str(top5))

    return [Case("no regularizer", (cell,), decide)]
