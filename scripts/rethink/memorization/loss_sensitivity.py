"""Loss sensitivity: how much having been trained on an example shapes the loss, and how unequally.

Arpit et al. 2017, section 3.2: g_x is the average over the steps t of ||dL_t / dx||_1, where x is
a training example and L_t the loss after t steps of SGD, found by backpropagation through all of
these steps. The Gini coefficient of g_x over the examples is 0 where all matter equally, and near
1 where a few alone do. As in the paper this is for a toy: a small perceptron on small images.

Left open by the paper and chosen here: L_t is the mean loss over all training examples, and x acts
on it by way of the parameters alone, not as an example that the loss is measured on.
"""

import dataclasses
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call

from rethink import seeds
from rethink.datasets.store import Arrays
from rethink.errors import RethinkError
from rethink.memorization.noise import corrupted
from rethink.models.layers import initialize
from rethink.models.mlp import build
from rethink.theory.place import Place
from rethink.training.data import generator

DEFAULTS: dict[str, Any] = {
    "corruptions": ["none", "labels-1", "gaussian"],
    "hidden": [16, 16],
    "examples": 1000,
    "pool": 2,
    "epochs": 25,
    "batch_size": 100,
    "learning_rate": 0.5,
    "replicates": 5,
    "moments": 10,
}


def measure(
    clean: Arrays, spec: dict[str, Any], asked: dict[str, Any], place: Place
) -> list[dict[str, Any]]:
    """Return what was found for each corruption.

    asked : ``corruptions``; ``hidden`` widths; ``examples``, how many training images;
        ``pool``, the side of the squares of pixels that are averaged to one; ``epochs``,
        ``batch_size`` and ``learning_rate`` of plain SGD; ``replicates``; ``moments``, at how many
        steps, evenly spaced and the last included, the loss is traced back.
    """
    small = pooled(clean, asked["pool"])
    found = []
    for name in asked["corruptions"]:

        def sensitivity(name=name) -> dict[str, Any]:
            images, labels = _examples(corrupted(small, name, spec["seed"]), spec, asked)
            device = place.device.torch
            toy = Toy(images.to(device), labels.to(device), clean.classes, spec["seed"], asked)
            return {"examples": len(labels), **toy.result()}

        entry = place.pieces(f"loss_sensitivity, {name}", sensitivity)
        found.append({"corruption": name, **entry})
        mean = np.mean(found[-1]["gini"])
        place.say(f"loss sensitivity, {name}: Gini coefficient {mean:.3f}")
    return found


def pooled(clean: Arrays, side: int) -> Arrays:
    """Return a dataset with each `side` x `side` square of its pixels averaged to one, uint8."""
    height, width, channels = clean.image_shape
    if height % side or width % side:
        raise RethinkError(
            f"loss_sensitivity: pool is {side}, which does not divide the {height}x{width} images "
            f"of {clean.name}"
        )
    if side == 1:
        return clean
    shape = (height // side, width // side, channels)

    def smaller(images: np.ndarray) -> np.ndarray:
        blocks = images.reshape(len(images), shape[0], side, shape[1], side, channels)
        return np.rint(blocks.mean(axis=(2, 4))).astype(np.uint8)

    return dataclasses.replace(
        clean,
        image_shape=shape,
        train_images=smaller(clean.train_images),
        test_images=smaller(clean.test_images),
    )


def _examples(arrays: Arrays, spec: dict[str, Any], asked: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """Return the images that are trained on, float 0..1 (n, H, W, C), and their labels (n,)."""
    count = len(arrays.train_labels)
    order = seeds.generator(spec["seed"], "loss_sensitivity").permutation(count)
    rows = np.sort(order[: asked["examples"]])
    images = torch.from_numpy(np.asarray(arrays.train_images[rows], np.float32)) / 255
    return images, torch.from_numpy(np.asarray(arrays.train_labels[rows], np.int64))


class Toy:
    """Replicates of a small perceptron, trained with every step kept for backpropagation.

    images : (n, H, W, C) float
    labels : (n,) int64
    """

    def __init__(
        self, images: Tensor, labels: Tensor, classes: int, seed: int, asked: dict[str, Any]
    ):
        self.asked, self.seed = asked, seed
        self.replicates = list(range(asked["replicates"]))
        height, width, channels = images.shape[1:]
        self.network = build(
            (channels, height, width),
            classes,
            replicates=len(self.replicates),
            hidden=list(asked["hidden"]),
        )
        initialize(self.network, [generator(seed, r, "init") for r in self.replicates])
        self.network.to(images.device)
        # A copy of the images for each replicate: what one learned says nothing of another's.
        shape = (len(self.replicates), *images.shape)
        self.images = images.expand(shape).clone().requires_grad_()
        self.labels = labels.expand(len(self.replicates), -1)

    def result(self) -> dict[str, Any]:
        """Train, and return the sensitivity of the loss at the chosen steps.

        ``sensitivity`` (replicates, n) is g_x, the mean over these steps; ``gini`` its Gini
        coefficient, one for each replicate; ``gini_at`` (steps, replicates) those of the single
        steps; ``train_accuracy`` (replicates,) at the end.
        """
        moments, sensitivities, parameters = [], [], dict(self.network.named_parameters())
        batches = list(self._batches())
        chosen = _evenly(len(batches), self.asked["moments"])
        for step, rows in enumerate(batches, 1):
            parameters = self._step(parameters, rows)
            if step in chosen:
                moments.append(step)
                sensitivities.append(self._sensitivity(parameters))
        stacked = np.stack(sensitivities).astype(float)
        mean = stacked.mean(0)
        return {
            "steps": len(batches),
            "sensitivity": mean.tolist(),
            "gini": [gini(row) for row in mean],
            "moments": moments,
            "gini_at": [[gini(row) for row in at] for at in stacked],
            "train_accuracy": self._accuracy(parameters),
        }

    def _batches(self) -> list[Tensor]:
        """Return the rows of every step's batch, each (replicates, batch)."""
        count, size = self.labels.shape[1], self.asked["batch_size"]
        batches = []
        for epoch in range(1, self.asked["epochs"] + 1):
            orders = [
                torch.randperm(count, generator=generator(self.seed, r, "order", epoch))
                for r in self.replicates
            ]
            batches += torch.stack(orders).to(self.images.device).split(size, dim=1)
        return batches

    def _losses(self, parameters: dict[str, Tensor], images: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss of each replicate (K,)."""
        logits = functional_call(self.network, parameters, (images,))
        losses = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
        return losses.view(labels.shape).mean(1)

    def _step(self, parameters: dict[str, Tensor], rows: Tensor) -> dict[str, Tensor]:
        """Return the parameters after a step of SGD, as a function of the images."""
        replicate = torch.arange(len(rows), device=rows.device)[:, None]
        images, labels = self.images[replicate, rows], self.labels[replicate, rows]
        loss = self._losses(parameters, images, labels).sum()
        gradients = torch.autograd.grad(loss, list(parameters.values()), create_graph=True)
        rate = self.asked["learning_rate"]
        return {
            name: value - rate * gradient
            for (name, value), gradient in zip(parameters.items(), gradients, strict=True)
        }

    def _sensitivity(self, parameters: dict[str, Tensor]) -> np.ndarray:
        """Return ||dL / dx||_1 for each replicate and example (K, n)."""
        loss = self._losses(parameters, self.images.detach(), self.labels).sum()
        (gradient,) = torch.autograd.grad(loss, self.images, retain_graph=True)
        return gradient.flatten(2).abs().sum(-1).cpu().numpy()

    @torch.no_grad()
    def _accuracy(self, parameters: dict[str, Tensor]) -> list[float]:
        logits = functional_call(self.network, parameters, (self.images,))
        return (logits.argmax(-1) == self.labels).double().mean(1).tolist()


def _evenly(steps: int, count: int) -> set[int]:
    """Return at most `count` evenly spaced steps, the last included."""
    return set(np.unique(np.linspace(0, steps, count + 1).round().astype(int)[1:]).tolist())


def gini(values: Any) -> float:
    """Return the Gini coefficient of values that are not negative (n,).

    Half the mean absolute difference of all ordered pairs, over the mean: 0 for equal values,
    (n - 1) / n for a single one that is not zero. Of zeros alone it is 0.
    """
    ordered = np.sort(np.asarray(values, float))
    count, total = len(ordered), ordered.sum()
    if total == 0:
        return 0.0
    ranks = 2 * np.arange(1, count + 1) - count - 1
    return float(ranks @ ordered / (count * total))
