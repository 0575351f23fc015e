"""Claims of the slides of a student team on this paper: what, if anything, stops memorization.

They name networks, corruptions and regularizers but no numbers: what counts as fitted is chosen
here. A case is a network on a dataset; those on the dataset that stands for CIFAR-10 and those on
CIFAR-100 count alike.
"""

from collections.abc import Callable, Iterable

from rethink.analysis.names import corruption_title, model_title, regularizer_title
from rethink.claims.claim import Case, Outcome
from rethink.claims.evidence import Evidence, Measure
from rethink.claims.fitting import Limits
from rethink.corruption_names import parse

PERCEPTRONS = ("mlp_1x512", "mlp_3x512")
SHALLOW = "mlp_1x512"  # the slides' perceptron of two layers of weights
CNN = "alexnet"
CONVEX = ("convex_mlp_1x512", "convex_mlp_3x512", "convex_mlp_3x512_bn")
IMAGES = ("shuffled_pixels", "random_pixels", "gaussian")
LABELS = "labels-1"
SECOND = "cifar100"

Decide = Callable[[str], Outcome]


def _datasets(evidence: Evidence) -> tuple[str, ...]:
    return (evidence.dataset, SECOND)


def _name(dataset: str, model: str, corruption: str = "none", regularizer: str = "none") -> str:
    return f"{dataset}/{model}/{corruption}/{regularizer}"


def _train(evidence: Evidence, cell: str) -> Measure:
    return evidence.percent(cell, "train_accuracy")


def _title(cell: str) -> str:
    """Return a cell's words, e.g. ``MLP 1x512, gaussian, dropout, cifar100``."""
    dataset, model, corruption, regularizer = cell.split("/")
    words = [model_title(model), corruption_title(corruption)]
    words += [] if regularizer == "none" else [regularizer_title(regularizer)]
    return ", ".join([*words, dataset])


def _levels(evidence: Evidence, dataset: str, models: Iterable[str]) -> list[str]:
    """Return the levels of random labels on which one of the models was run, all random among them."""
    run = {
        cell.split("/")[2]
        for cell in evidence.cells
        if any(cell.startswith(f"{dataset}/{m}/labels-") for m in models) and cell.endswith("/none")
    }
    return sorted(run | {LABELS}, key=lambda name: parse(name).level or 0)


def _fitted(evidence: Evidence, cells: Iterable[str], least: float) -> list[Case]:
    """Return a case per cell: its training accuracy reaches `least` percent."""

    def case(cell: str) -> Case:
        def decide() -> Outcome:
            accuracy = _train(evidence, cell)
            return Outcome(accuracy.at_least(least), str(accuracy))

        return Case(_title(cell), (cell,), decide)

    return [case(cell) for cell in cells]


def fits_every_level(evidence: Evidence, limits: Limits) -> list[Case]:
    """S1: a perceptron fits labels at every level of corruption."""
    cells = [
        _name(dataset, model, corruption)
        for dataset in _datasets(evidence)
        for model in PERCEPTRONS
        for corruption in _levels(evidence, dataset, [model])
    ]
    return _fitted(evidence, cells, limits["train"])


def fits_corrupted_images(evidence: Evidence, limits: Limits) -> list[Case]:
    """S2: the perceptron of two layers fits every corruption of the images."""
    cells = [_name(d, SHALLOW, c) for d in _datasets(evidence) for c in IMAGES]
    return _fitted(evidence, cells, limits["train"])


def widens_the_gap(evidence: Evidence, limits: Limits) -> list[Case]:
    """S3: corruption by itself raises the generalization error."""

    def gap(cell: str) -> Measure:
        return _train(evidence, cell).minus(evidence.percent(cell, "test_accuracy"))

    def case(dataset: str, model: str, corruption: str) -> Case:
        cells = (_name(dataset, model, corruption), _name(dataset, model))

        def decide() -> Outcome:
            noisy, clean = (gap(cell) for cell in cells)
            wider = noisy.minus(clean)
            ours = f"{noisy.mean:.2f} against {clean.mean:.2f}"
            return Outcome(wider.at_least(limits["gap"]), ours)

        return Case(_title(cells[0]), cells, decide)

    return [
        case(dataset, model, corruption)
        for dataset in _datasets(evidence)
        for model in (*PERCEPTRONS, CNN)
        for corruption in (LABELS, *IMAGES)
    ]


def _regularized(evidence: Evidence, regularizer: str, corruptions: Iterable[str]) -> list[str]:
    return [
        _regularized_name(evidence, dataset, model, corruption, regularizer)
        for dataset in _datasets(evidence)
        for model in PERCEPTRONS
        for corruption in corruptions
    ]


def _regularized_name(
    evidence: Evidence, dataset: str, model: str, corruption: str, regularizer: str
) -> str:
    """Return the name of a cell; a sum of regularizers is found in whatever order it is written."""
    for parts in (regularizer.split("+"), regularizer.split("+")[::-1]):
        name = _name(dataset, model, corruption, "+".join(parts))
        if name in evidence.cells:
            return name
    return name


def dropout_does_not_stop(evidence: Evidence, limits: Limits) -> list[Case]:
    """S4: with dropout noise is fitted all the same."""
    cells = _regularized(evidence, "dropout", (LABELS, *IMAGES))
    return _fitted(evidence, cells, limits["train"])


def weight_decay_does_not_stop(evidence: Evidence, limits: Limits) -> list[Case]:
    """S5: with weight decay noise is fitted all the same."""
    cells = _regularized(evidence, "weight_decay", (LABELS, *IMAGES))
    return _fitted(evidence, cells, limits["train"])


def both_do_not_stop(evidence: Evidence, limits: Limits) -> list[Case]:
    """S6: with dropout and weight decay random labels are fitted all the same."""
    cells = _regularized(evidence, "dropout+weight_decay", (LABELS,))
    return _fitted(evidence, cells, limits["train"])


def early_stopping_stops(evidence: Evidence, limits: Limits) -> list[Case]:
    """S7: with early stopping noise is not fitted."""

    def case(cell: str) -> Case:
        def decide() -> Outcome:
            accuracy = _train(evidence, cell)
            epochs = evidence.rows(cell)["kept_epoch"].astype("float64").mean()
            holds = bool(accuracy.n) and not accuracy.missing and accuracy.mean < limits["train"]
            return Outcome(holds, f"{accuracy}, epoch {epochs:.0f}")

        return Case(_title(cell), (cell,), decide)

    return [case(cell) for cell in _regularized(evidence, "early_stopping", (LABELS, *IMAGES))]


def cnn_fits_like_perceptrons(evidence: Evidence, limits: Limits) -> list[Case]:
    """S8: a convolutional network fits corrupted images about as far as perceptrons do."""

    def case(dataset: str, corruption: str) -> Case:
        cells = tuple(_name(dataset, model, corruption) for model in (CNN, SHALLOW))

        def decide() -> Outcome:
            cnn, perceptron = (_train(evidence, cell) for cell in cells)
            apart = cnn.minus(perceptron)
            ours = f"{cnn.mean:.2f} against {perceptron.mean:.2f}"
            return Outcome(abs(apart.mean) <= limits["apart"] and not apart.missing, ours)

        return Case(_title(cells[0]), cells, decide)

    return [case(d, c) for d in _datasets(evidence) for c in IMAGES]


def images_before_labels(evidence: Evidence, limits: Limits) -> list[Case]:
    """S9: a convolutional network fits random images sooner than random labels."""

    def case(dataset: str, corruption: str) -> Case:
        cells = tuple(_name(dataset, CNN, name) for name in (corruption, LABELS))

        def decide() -> Outcome:
            images, labels = (evidence.time(cell) for cell in cells)
            shown = [
                f"{'> ' if time.censored else ''}{time.spread.mean:.1f}"
                for time in (images, labels)
            ]
            holds = not images.censored and images.spread.mean < labels.spread.mean
            return Outcome(holds, f"{shown[0]} against {shown[1]} epochs")

        return Case(_title(cells[0]), cells, decide)

    return [case(d, c) for d in _datasets(evidence) for c in ("random_pixels", "gaussian")]


def _convex(evidence: Evidence, limits: Limits, corruptions: Iterable[str]) -> list[Case]:
    """Return a case per convex network and noise: fitted less than true data, and not wholly."""

    def case(cell: str, twin: str) -> Case:
        def decide() -> Outcome:
            noise, true = _train(evidence, cell), _train(evidence, twin)
            less = true.minus(noise)
            stopped = noise.mean < limits["train"] and less.at_least(limits["less"])
            untrained = true.mean < noise.mean + limits["less"] and noise.mean < limits["train"]
            note = f"{_title(cell)}: true data are not fitted further" if untrained else ""
            return Outcome(stopped, f"{noise}, true data {true.mean:.2f}", note)

        return Case(_title(cell), (cell, twin), decide)

    return [
        case(_name(dataset, model, corruption), _name(dataset, model))
        for dataset in _datasets(evidence)
        for model in CONVEX
        for corruption in corruptions
    ]


def convex_does_not_fit_labels(evidence: Evidence, limits: Limits) -> list[Case]:
    """S10: an input-output convex network fits true labels, but not random ones."""
    return _convex(evidence, limits, (LABELS,))


def convex_does_not_fit_images(evidence: Evidence, limits: Limits) -> list[Case]:
    """S11: an input-output convex network fits true images, but not noise."""
    return _convex(evidence, limits, IMAGES)


def has_the_capacity(evidence: Evidence, limits: Limits) -> list[Case]:
    """S12: the capacity suffices to memorize the whole data set."""

    def case(cell: str) -> Case:
        def decide() -> Outcome:
            accuracy = _train(evidence, cell)
            ratio = evidence.parameters(cell) / evidence.train_examples(cell)
            return Outcome(accuracy.at_least(limits["train"]), f"{accuracy}, p/n {ratio:.1f}")

        return Case(_title(cell), (cell,), decide)

    return [
        case(_name(dataset, model, LABELS))
        for dataset in _datasets(evidence)
        for model in (*PERCEPTRONS, CNN)
    ]
