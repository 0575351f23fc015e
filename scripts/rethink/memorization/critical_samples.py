"""Critical samples: test images near which the network changes its mind.

Arpit et al. 2017, section 4: x is a critical sample where some point of the box of radius r around
it is given another class than x itself (not: a wrong class). The critical sample ratio is their
share, a measure of how complex the function is where the data lie. Finding such a point is a
search that may miss one: the ratio found is a lower bound of the true one.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from rethink import seeds
from rethink.datasets.store import Arrays
from rethink.errors import RethinkError
from rethink.memorization.networks import cell, nothing, trainers
from rethink.memorization.noise import corrupted
from rethink.theory.place import Place
from rethink.training.data import generator, image_statistics, whitened
from rethink.training.engine import Trainer
from rethink.training.numerics import autocast

DEFAULTS: dict[str, Any] = {
    "corruptions": ["none", "labels-0.5", "labels-1", "gaussian"],
    "radius": 0.3,
    "step": 0.25,
    "noise": 0.2,
    "iterations": 100,
    "points": 500,
    "evaluations": 8,
    "epochs": None,
    "replicates": 1,
}
BATCH = 500  # points that are searched around at once


def measure(
    clean: Arrays, spec: dict[str, Any], asked: dict[str, Any], place: Place
) -> list[dict[str, Any]]:
    """Return the ratio along training, for each model and corruption.

    asked : ``corruptions``; ``radius``, ``step`` and ``noise`` in gray levels (0-255);
        ``iterations`` of the search; ``points``, how many test images of the corruption, a subset
        drawn from the seed; ``evaluations``, at how many epochs, about evenly spaced, beside the
        untrained network; ``epochs`` (None: the model's own); ``replicates``.
    """
    found, training = [], {"epochs": asked["epochs"], "evaluate_every": 1}
    for model in spec["models"]:
        for name in asked["corruptions"]:

            def ratios(model=model, name=name) -> dict[str, Any]:
                arrays = corrupted(clean, name, spec["seed"])
                return _ratios(arrays, cell(spec, model, **training), asked, place.device.torch)

            entry = place.pieces(f"critical_samples, {model}, {name}", ratios)
            found.append({"model": model, "corruption": name, **entry})
            end = max(row["epoch"] for row in entry["rows"])
            last = np.mean([row["ratio"] for row in entry["rows"] if row["epoch"] == end])
            place.say(f"critical samples, {model}, {name}: {100 * last:.1f} % at the end")
    return found


def _ratios(
    arrays: Arrays, cell: dict[str, Any], asked: dict[str, Any], device: torch.device
) -> dict[str, Any]:
    """Train every replicate, and return the ratio along its training."""
    chosen = evaluated(cell["train"]["epochs"], asked["evaluations"])
    points = Points.draw(arrays, cell, asked["points"], device)
    rows = []
    for trainer in trainers(arrays, cell, asked["replicates"], device):
        rows += _followed(trainer, points, chosen, asked)
    return {"points": points.count, "rows": rows}


def evaluated(epochs: int, count: int) -> list[int]:
    """Return at most `count` epochs after 0, closer together at first, the last one included."""
    places = epochs * np.linspace(0, 1, count + 1)[1:] ** 2
    return sorted({max(1, round(place)) for place in places})


class Points:
    """Test images as the network sees them, and what one gray level is there.

    images : (N, crop, crop, C) float32, whitened
    unit : (N,) by how much an input changes when a pixel does by one of 255 gray levels
    """

    def __init__(self, images: Tensor, unit: Tensor):
        self.images, self.unit, self.count = images, unit, len(images)

    @classmethod
    def draw(
        cls, arrays: Arrays, cell: dict[str, Any], wanted: int, device: torch.device
    ) -> "Points":
        """Return a subset of the test images; the whitening of each is that of the image itself."""
        order = seeds.generator(cell["seed"], "critical_samples").permutation(
            len(arrays.test_labels)
        )
        pixels = torch.from_numpy(np.asarray(arrays.test_images[np.sort(order[:wanted])]))
        pixels = pixels.to(device)
        crop = cell["input"]["crop"]
        top, left = ((side - crop) // 2 for side in pixels.shape[1:3])
        crops = pixels[:, top : top + crop, left : left + crop]
        whitening = cell["input"].get("whitening", "after_crop")
        if whitening == "dataset":
            raise RethinkError(
                f"{cell['name']}: critical_samples measures gray levels, which weigh differently in "
                f"each channel with the whitening 'dataset' of {cell['dataset']}; choose another"
            )
        images = whitened(crops, pixels, whitening)
        if whitening == "fixed":
            return cls(images, torch.full((len(images),), 1 / 127.5, device=device))
        seen = pixels if whitening == "before_crop" else crops
        return cls(images, 1 / (255 * image_statistics(seen)[1]))


def _followed(
    trainer: Trainer, points: Points, chosen: list[int], asked: dict[str, Any]
) -> list[dict[str, Any]]:
    """Train, and return a row for each replicate and chosen epoch, the untrained network first."""
    rows: list[dict[str, Any]] = []

    def look() -> None:
        epoch = trainer.epoch - 1
        if epoch and epoch not in chosen:
            return
        ratios = ratio(trainer, points, asked, epoch)
        for history, value in zip(trainer.histories, ratios, strict=True):
            row = {"replicate": history.replicate, "epoch": epoch, "ratio": value}
            last = history.rows[-1] if history.rows else {}
            for name in ("train_accuracy", "test_accuracy", "test_accuracy_given"):
                row[name] = last.get(name)
            rows.append(row)

    look()
    trainer.run(nothing, look)
    return rows


def ratio(trainer: Trainer, points: Points, asked: dict[str, Any], epoch: int) -> list[float]:
    """Return each replicate's share of critical samples among the points."""
    trainer.network.eval()
    replicates = len(trainer.replicates)

    def logits(images: Tensor) -> Tensor:
        with autocast(trainer.spec["numerics"], trainer.device):
            return trainer.network(images).float()

    found = torch.zeros(replicates, device=trainer.device)
    for start in range(0, points.count, BATCH):
        part = slice(start, start + BATCH)
        stream = generator(trainer.spec["seed"], "critical_samples", epoch, start)
        critical = search(
            logits,
            points.images[part].expand(replicates, -1, -1, -1, -1),
            points.unit[part],
            asked,
            stream,
        )
        found += critical.sum(1)
    return (found / points.count).tolist()


def search(
    logits: Callable[[Tensor], Tensor],
    images: Tensor,
    unit: Tensor,
    asked: dict[str, Any],
    stream: torch.Generator,
) -> Tensor:
    """Return around which images another class was found in the box: bool (K, N).

    The paper's Langevin-like search: from x itself, again and again a ``step`` along the sign of
    the gradient that makes the class predicted at x less likely, plus normal noise of deviation
    ``noise``, and back into the box of ``radius``, until the prediction is another one, for
    ``iterations`` at most.

    Parameters
    ----------
    logits : from images to logits (K, N, classes).
    images : (K, N, H, W, C).
    unit : (N,) what one gray level is in an image.
    asked : ``step``, ``noise`` and ``radius`` in gray levels; ``iterations``.
    stream : of the noise, on the CPU; all replicates get the same.
    """
    with torch.no_grad():
        predicted = logits(images).argmax(-1)
    critical = torch.zeros_like(predicted, dtype=torch.bool)
    left = torch.arange(images.shape[1], device=images.device)
    moved = images.clone()
    for _ in range(asked["iterations"]):
        scale = unit[left, None, None, None]
        gradient = _away(logits, moved, predicted[:, left])
        noise = torch.randn(moved.shape[1:], generator=stream).to(moved.device)
        moved = moved + scale * (asked["step"] * gradient.sign() + asked["noise"] * noise)
        box = images[:, left]
        moved = torch.clamp(moved, box - asked["radius"] * scale, box + asked["radius"] * scale)
        with torch.no_grad():
            critical[:, left] |= logits(moved).argmax(-1) != predicted[:, left]
        # Those that every replicate has found are done.
        open_ = ~critical[:, left].all(0)
        left, moved = left[open_], moved[:, open_]
        if not len(left):
            break
    return critical


def _away(logits: Callable[[Tensor], Tensor], images: Tensor, predicted: Tensor) -> Tensor:
    """Return the gradient of the cross-entropy of the predicted classes: uphill is away from them."""
    images = images.detach().requires_grad_()
    loss = F.cross_entropy(logits(images).flatten(0, 1), predicted.flatten(), reduction="sum")
    return torch.autograd.grad(loss, images)[0]
