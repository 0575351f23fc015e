"""Easy and hard examples: how often one epoch of training gets each of them right.

Arpit et al. 2017, Figure 1: a network is trained for one epoch from many initializations and
orders. Were all examples equally hard, the number of runs that misclassify an example would be
binomial with one probability for all of them. On real data it is spread wider: some examples are
learned by nearly every run and some by nearly none.
"""

import math
from typing import Any

import numpy as np
import torch

from rethink import seeds
from rethink.datasets.store import Arrays
from rethink.memorization.binomial import spread
from rethink.memorization.networks import cell, nothing, trainers
from rethink.memorization.noise import corrupted
from rethink.theory.place import Place
from rethink.training.engine import Trainer
from rethink.training.limits import evaluation_batch
from rethink.training.numerics import autocast

DEFAULTS: dict[str, Any] = {
    "corruptions": ["none", "labels-1", "gaussian"],
    "runs": 100,
    "examples": 1000,
}


def measure(
    clean: Arrays, spec: dict[str, Any], asked: dict[str, Any], place: Place
) -> list[dict[str, Any]]:
    """Return what was found for each model and corruption.

    asked : ``corruptions``; ``runs``, of one epoch each; ``examples``, how many training examples
        are followed: a subset drawn from the seed, the same for all models and corruptions.
    """
    found = []
    for model in spec["models"]:
        for name in asked["corruptions"]:

            def runs(model=model, name=name) -> dict[str, Any]:
                arrays = corrupted(clean, name, spec["seed"])
                return _runs(arrays, cell(spec, model, epochs=1), asked, place.device.torch)

            entry = place.pieces(f"easy_hard, {model}, {name}", runs)
            found.append({"model": model, "corruption": name, **entry})
            share = 100 * entry["probability"]
            place.say(f"easy and hard, {model}, {name}: {share:.1f} % wrong after one epoch")
    return found


def _runs(
    arrays: Arrays, cell: dict[str, Any], asked: dict[str, Any], device: torch.device
) -> dict[str, Any]:
    """Train every run for its epoch, and count which examples it gets wrong."""
    rows = _followed(arrays, cell, asked["examples"])
    counts, accuracies, steps = np.zeros(len(rows), int), [], 0
    for trainer in trainers(arrays, cell, asked["runs"], device):
        trainer.run(nothing, nothing)
        counts += _wrong(trainer, rows).sum(0)
        accuracies += [history.rows[-1]["train_accuracy"] for history in trainer.histories]
        steps = trainer.steps
    return {
        "runs": asked["runs"],
        "steps": steps,
        "train_accuracy": float(np.mean(accuracies)),
        "examples": rows.tolist(),
        "wrong": counts.tolist(),
        **spread(counts, asked["runs"]),
    }


def _followed(arrays: Arrays, cell: dict[str, Any], wanted: int) -> np.ndarray:
    """Return the places among the training examples of those that are followed, sorted."""
    count = cell["train"]["train_examples"] or len(arrays.train_labels)
    return np.sort(seeds.generator(cell["seed"], "easy_hard").permutation(count)[:wanted])


@torch.inference_mode()
def _wrong(trainer: Trainer, rows: np.ndarray) -> np.ndarray:
    """Return which of the examples at `rows` each replicate misclassifies, bool (K, examples)."""
    trainer.network.eval()
    train, parts = trainer.data.train, []
    size = evaluation_batch(math.prod(trainer.data.input_shape))
    for start in range(0, len(rows), size):
        index = torch.from_numpy(rows[start : start + size])
        images = train.images.central(index.to(train.images.index_device))
        with autocast(trainer.spec["numerics"], trainer.device):
            logits = trainer.network(images.expand(len(trainer.replicates), *images.shape))
        parts.append(logits.argmax(-1) != train.labels[index.to(trainer.device)])
    return torch.cat(parts, dim=1).cpu().numpy()
