"""Claims on fitting random labels, on images that are noise, and on what the models are."""

from typing import Any

from rethink.analysis.names import model_title
from rethink.claims.claim import Case, Outcome, Undecidable
from rethink.claims.evidence import Evidence
from rethink.models.catalog import MODELS

Limits = dict[str, float]

TRAINABLE = ("inception", "inception_no_bn", "alexnet", "mlp_3x512", "mlp_1x512")
PAPER_SIDE = 28  # of the images that the paper's parameter counts are for
# What may differ between true and random labels: the data, and how often the run is repeated.
DATA_KEYS = frozenset({"name", "corruption", "replicates"})


def fits_random_labels(evidence: Evidence, limits: Limits) -> list[Case]:
    """C1: without a regularizer every model fits random labels."""

    def case(model: str) -> Case:
        cell = evidence.cell(model, "labels-1")

        def decide() -> Outcome:
            accuracy = evidence.percent(cell, "train_accuracy")
            return Outcome(accuracy.at_least(limits["train"]), str(accuracy))

        return Case(model_title(model), (cell,), decide)

    return [case(model) for model in TRAINABLE]


def tests_at_chance(evidence: Evidence, limits: Limits) -> list[Case]:
    """C2: trained on random labels, the test accuracy is that of guessing."""

    def case(model: str) -> Case:
        cell = evidence.cell(model, "labels-1")

        def decide() -> Outcome:
            accuracy = evidence.percent(cell, "test_accuracy")
            limit = evidence.tolerance(limits["chance"], 3, evidence.chance() / 100)
            near = abs(accuracy.mean - evidence.chance()) <= limit
            return Outcome(near and not accuracy.missing, str(accuracy))

        return Case(model_title(model), (cell,), decide)

    return [case(model) for model in TRAINABLE]


def gap_widens(evidence: Evidence, limits: Limits) -> list[Case]:
    """C3: the same model's generalization gap grows by much when labels are randomized."""

    def case(model: str) -> Case:
        cells = (evidence.cell(model, "labels-1"), evidence.cell(model))

        def decide() -> Outcome:
            gaps = [
                evidence.percent(cell, "train_accuracy").minus(
                    evidence.percent(cell, "test_accuracy")
                )
                for cell in cells
            ]
            wider = gaps[0].minus(gaps[1])
            ours = f"{gaps[0].mean:.2f} against {gaps[1].mean:.2f}"
            return Outcome(wider.at_least(limits["gap"]), ours)

        return Case(model_title(model), cells, decide)

    return [case(model) for model in TRAINABLE]


def same_schedule(evidence: Evidence, limits: Limits) -> list[Case]:
    """C4: random labels are fitted with the specification of the true ones, data apart."""

    def case(model: str) -> Case:
        cells = (evidence.cell(model), evidence.cell(model, "labels-1"))

        def decide() -> Outcome:
            true, random = (_flat(evidence.spec(cell)) for cell in cells)
            differing = sorted(
                key
                for key in (true.keys() | random.keys()) - DATA_KEYS
                if true.get(key) != random.get(key)
            )
            fitted = evidence.percent(cells[1], "train_accuracy").at_least(limits["train"])
            ours = f"differs in {', '.join(differing)}" if differing else "same"
            return Outcome(
                not differing and fitted,
                ours if fitted else f"{ours}, but the labels are not fitted",
            )

        return Case(model_title(model), cells, decide)

    return [case(model) for model in TRAINABLE]


def _flat(spec: dict[str, Any]) -> dict[str, Any]:
    """Return a specification with the settings of its sections under ``section.key``."""
    flat = {}
    for key, value in spec.items():
        inner = value if isinstance(value, dict) else None
        flat |= {f"{key}.{k}": v for k, v in inner.items()} if inner is not None else {key: value}
    return flat


def reaches_signs(evidence: Evidence, limits: Limits) -> list[Case]:
    """C36: signs drawn at random are fitted, so that the Rademacher complexity is about 1."""

    def case(model: str) -> Case:
        cell = evidence.cell(model, "signs")

        def decide() -> Outcome:
            accuracy = evidence.percent(cell, "train_accuracy")
            correlation = accuracy._replace(mean=accuracy.mean / 50 - 1, sd=accuracy.sd / 50)
            return Outcome(correlation.at_least(limits["correlation"]), str(correlation))

        return Case(model_title(model), (cell,), decide)

    return [case(model) for model in TRAINABLE]


def has_more_parameters_than_examples(evidence: Evidence, limits: Limits) -> list[Case]:
    """C37: the parameter counts are the paper's, and exceed the examples by far."""

    def case(model: str) -> Case:
        candidates = sorted(name for name in evidence.cells if _is_of(name, evidence, model))
        cell = candidates[0] if candidates else evidence.cell(model)

        def decide() -> Outcome:
            count, paper = evidence.parameters(cell), MODELS[model].paper_parameters
            most = max(evidence.train_examples(name) for name in candidates)
            ratio = count / most
            exact = count == paper
            side = evidence.spec(cell).get("input", {}).get("crop", PAPER_SIDE)
            if side != PAPER_SIDE:
                raise Undecidable(
                    f"{cell} sees {side}x{side} pixels, the paper's counts are for 28x28"
                )
            note = "" if exact else f"{model_title(model)}: the paper has {paper:,}, on 28x28x3"
            return Outcome(exact and ratio > limits["ratio"], f"{count:,}, p/n {ratio:.1f}", note)

        return Case(model_title(model), (cell,), decide)

    return [case(model) for model in TRAINABLE]


def _is_of(name: str, evidence: Evidence, model: str) -> bool:
    return name.startswith(f"{evidence.dataset}/{model}/")
