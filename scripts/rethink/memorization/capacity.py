"""Capacity and time against noise: perceptrons of several widths, and sets of several sizes.

Arpit et al. 2017, section 3.3: with more noise a wider network is needed for the same validation
accuracy, and the time to fit the training set grows faster with its size.
"""

from typing import Any

import torch

from rethink.datasets.store import Arrays
from rethink.errors import RethinkError
from rethink.memorization.networks import cell, nothing, trainers
from rethink.memorization.noise import corrupted
from rethink.theory.place import Place
from rethink.training.metrics import summarize

DEFAULTS: dict[str, Any] = {
    "corruptions": ["none", "labels-0.5", "labels-1", "gaussian"],
    "widths": [8, 32, 128, 512],
    "sizes": [],
    "epochs": None,
    "replicates": 1,
}
KEPT = (
    *("status", "time_to_fit_epochs", "time_to_fit_steps", "train_accuracy", "test_accuracy"),
    *("best_test_accuracy", "best_test_epoch"),
)


def measure(
    clean: Arrays, spec: dict[str, Any], asked: dict[str, Any], place: Place
) -> list[dict[str, Any]]:
    """Return a row for each model, corruption, width, number of training examples and replicate.

    asked : ``corruptions``; ``widths`` that every hidden layer of the model is given in turn;
        ``sizes`` of training sets, on each of which the widest of them is trained, beside all
        examples; ``epochs`` (None: the model's own); ``replicates``.

    Raises RethinkError for a model without hidden widths.
    """
    rows = []
    for model in spec["models"]:
        for name in asked["corruptions"]:
            arrays = corrupted(clean, name, spec["seed"])
            for width, size in _pairs(asked):
                made = (arrays, spec, asked, model, width, size, place.device.torch)
                found = place.pieces(
                    f"capacity, {model}, {name}, {width}, {size}",
                    lambda made=made: _trained(*made),
                )
                rows += [{"model": model, "corruption": name, "width": width} | r for r in found]
                last = rows[-1]
                place.say(
                    f"capacity, {model}, {name}: width {width}, "
                    f"{last['train_examples']:,} examples, {last['status']}"
                )
    return rows


def _pairs(asked: dict[str, Any]) -> list[tuple[int, int | None]]:
    """Return the widths with all examples, and the sizes with the largest width."""
    widest = max(asked["widths"])
    return [*((w, None) for w in asked["widths"]), *((widest, n) for n in asked["sizes"])]


def _trained(
    arrays: Arrays,
    spec: dict[str, Any],
    asked: dict[str, Any],
    model: str,
    width: int,
    size: int | None,
    device: torch.device,
) -> list[dict[str, Any]]:
    """Return how the training of each replicate ended."""
    hidden = spec["models"][model]["arguments"].get("hidden")
    if hidden is None:
        raise RethinkError(
            f"{spec['name']}: capacity needs models with hidden widths, perceptrons such as "
            f"'mlp_1x512'; '{model}' has none"
        )
    mine = cell(
        spec,
        model,
        epochs=asked["epochs"],
        train_examples=size,
        evaluate_every=1,
        arguments={"hidden": [width] * len(hidden)},
    )
    rows = []
    for trainer in trainers(arrays, mine, asked["replicates"], device):
        trainer.run(nothing, nothing)
        for history in trainer.histories:
            summary = summarize(history, mine["train"])
            rows.append(
                {
                    "train_examples": len(trainer.data.train),
                    "replicate": history.replicate,
                    "parameters": trainer.parameters,
                    "epochs": mine["train"]["epochs"],
                    **{name: summary[name] for name in KEPT},
                }
            )
    return rows
