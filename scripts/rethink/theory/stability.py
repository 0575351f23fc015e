"""Uniform stability, as far as it can be measured: train again with one example replaced.

An algorithm A is beta-uniformly stable if replacing one example of any training set S changes the
loss at any point by beta at most, and then its expected generalization gap is at most beta
(Bousquet and Elisseeff 2002). The supremum over sets, examples and points cannot be measured. What
is found for a few replaced examples and the test images is a lower bound of it.

Both networks of a pair start from the same parameters and see the same batches in the same order,
the replaced example in the place of the other. What is left to tell them apart is that example.
"""

import dataclasses
import importlib
import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rethink import seeds
from rethink.corruption_names import parse
from rethink.corruptions import corrupt_labels
from rethink.datasets.store import Arrays, open_dataset
from rethink.errors import RethinkError, suggest
from rethink.theory.place import Place
from rethink.training.data import Images, load
from rethink.training.engine import Trainer
from rethink.training.limits import evaluation_batch
from rethink.training.numerics import autocast

DEFAULTS: dict[str, Any] = {
    "corruptions": ["none", "labels-1"],
    "pairs": 5,
    "train_examples": None,
    "seed": 0,
    "numerics": "fp32",
    "train": {},
}
REQUIRED = ("name", "dataset", "models", "input")


def run(values: dict[str, Any], place: Place) -> None:
    """Measure every model on every corruption: result.json and, last, run.json.

    Parameters
    ----------
    values : name, dataset; ``models``, by name the ``module`` and ``arguments`` of a cell's model
        and its ``train`` settings; ``train``, settings that all models share; ``input`` as in a
        cell; corruptions (``none`` and ``labels-P``); pairs (replaced examples for each);
        train_examples (None: all but those that replace others); seed; numerics.
    place : its data are clean; random labels are drawn from the seed, as the corruption's are.

    Raises RethinkError for anything else.
    """
    spec = checked(values)
    started = time.perf_counter()
    data = open_dataset(place.manifest, verify=True)
    if data.corruption != "none":
        raise RethinkError(f"{spec['name']}: {place.manifest} is a corruption; give the clean data")
    sample = Sample.draw(data, spec)
    seconds = {"prepare": time.perf_counter() - started}
    networks = []
    for model in spec["models"]:
        for corruption in spec["corruptions"]:
            begun = time.perf_counter()
            study = Study(sample.labelled(corruption, spec["seed"]), spec, model, place)
            networks.append({"model": model, "corruption": corruption, **study.result()})
            seconds[f"{model}/{corruption}"] = time.perf_counter() - begun
    result = {
        "schema": 1,
        "kind": "stability",
        "name": spec["name"],
        "dataset": data.name,
        "classes": data.classes,
        "train_examples": sample.size,
        "train_available": len(data.train_labels),
        "test_examples": len(data.test_labels),
        "pairs": spec["pairs"],
        "networks": networks,
    }
    place.finish(result, spec["numerics"], seconds)


def checked(values: dict[str, Any]) -> dict[str, Any]:
    """Return the specification with its defaults; raises RethinkError for one that is none."""
    known = [*REQUIRED, *DEFAULTS]
    for key in values:
        if key not in known:
            raise RethinkError(f"stability: unknown key '{key}'{suggest(key, known)}")
    for key in REQUIRED:
        if key not in values:
            raise RethinkError(f"stability: '{key}' is missing")
    spec = {**DEFAULTS, **values}
    if not isinstance(spec["pairs"], int) or spec["pairs"] < 1:
        raise RethinkError("stability: pairs should be a whole number of at least 1")
    for name in spec["corruptions"]:
        if name != "none" and _level(name) is None:
            raise RethinkError(
                f"stability: corruption '{name}' should be 'none' or random labels, 'labels-1'"
            )
    for name, model in spec["models"].items():
        for key in ("module", "arguments"):
            if key not in model:
                raise RethinkError(f"stability: models.{name}.{key} is missing")
        if settings_of(spec, name)["early_stopping"]:
            raise RethinkError(
                f"stability: models.{name}.train.early_stopping should be null: what is compared "
                "is the end of training"
            )
    return spec


def settings_of(spec: dict[str, Any], model: str) -> dict[str, Any]:
    """Return the training settings of a model: its own over the shared ones, evaluated once."""
    settings = {**spec["train"], **spec["models"][model].get("train", {})}
    missing = [key for key in ("epochs", "early_stopping") if key not in settings]
    if missing:
        raise RethinkError(f"stability: models.{model}.train.{missing[0]} is missing")
    return {**settings, "evaluate_every": settings["epochs"], "train_examples": None}


def _level(corruption: str) -> float | None:
    """Return the level of a corruption of labels, None for any other."""
    try:
        kind, level, _ = parse(corruption)
    except ValueError as error:
        raise RethinkError(f"stability: {error}") from None
    return level if kind == "labels" else None


@dataclass(frozen=True)
class Sample:
    """A training set S and the examples that will replace some of its own.

    data : the whole dataset, with the labels to be learned
    chosen : S, indices of training images (n,)
    replaced : for each pair, the place in S of the example that goes (pairs,)
    fresh : for each pair, the index of the image that comes instead, not in S (pairs,)
    """

    data: Arrays
    chosen: np.ndarray
    replaced: np.ndarray
    fresh: np.ndarray

    @classmethod
    def draw(cls, data: Arrays, spec: dict[str, Any]) -> "Sample":
        """Return S and its replacements, drawn from the seed: the same for all models and labels.

        Raises RethinkError where there are not `pairs` images beside S.
        """
        count, pairs = len(data.train_labels), spec["pairs"]
        size = spec["train_examples"] or count - pairs
        if not pairs <= size <= count - pairs:
            raise RethinkError(
                f"{spec['name']}: train_examples is {size:,} and pairs is {pairs}, but {data.name} "
                f"has {count:,} training images; {pairs} must be left to replace as many"
            )
        key = (spec["seed"], data.name, "stability")
        order = seeds.generator(*key, "images").permutation(count)
        places = seeds.generator(*key, "replaced").permutation(size)
        return cls(data, np.sort(order[:size]), places[:pairs], order[size : size + pairs])

    @property
    def size(self) -> int:
        """The number n of examples in S."""
        return len(self.chosen)

    def labelled(self, corruption: str, seed: int) -> "Sample":
        """Return the same examples with the labels of a corruption, those that its data carry."""
        level = _level(corruption)
        if level is None:
            return self
        labels = {
            split: corrupt_labels(
                np.asarray(getattr(self.data, f"{split}_labels")),
                self.data.classes,
                level,
                seeds.generator(seed, self.data.name, "labels", split),
            )
            for split in ("train", "test")
        }
        given, hit = labels["train"]
        data = dataclasses.replace(
            self.data,
            corruption=corruption,
            train_labels=given,
            train_hit=hit,
            test_labels_given=labels["test"][0],
        )
        return dataclasses.replace(self, data=data)

    def arrays(self, pair: int | None) -> Arrays:
        """Return S as a dataset of its own; with the example of a `pair` replaced, unless None."""
        rows = self.chosen.copy()
        if pair is not None:
            rows[self.replaced[pair]] = self.fresh[pair]
        data = self.data
        return dataclasses.replace(
            data,
            train_images=data.train_images[rows],
            train_labels=data.train_labels[rows],
            train_labels_true=data.train_labels_true[rows],
            train_hit=None if data.train_hit is None else data.train_hit[rows],
        )


@dataclass(frozen=True)
class Trained:
    """A trained network and what it makes of images: log-probabilities (images, classes), float64.

    test : of the test images
    own : of the examples that are replaced and, after these, of those that replace them
    parameters : all of its parameters in one row
    last : the last row of its learning curve
    status : ``fitted``, ``not_fitted`` or ``diverged``
    """

    test: Tensor
    own: Tensor
    parameters: Tensor
    last: dict[str, Any]
    status: str


class Study:
    """Trains one model on S and on S with one example replaced, pair after pair."""

    def __init__(self, sample: Sample, spec: dict[str, Any], model: str, place: Place):
        entry = spec["models"][model]
        self.build = importlib.import_module(f"rethink.models.{entry['module']}").build
        self.sample, self.place, self.label = sample, place, f"{model}, {sample.data.corruption}"
        self.device = place.device.torch
        self.cell = {
            "name": spec["name"],
            "dataset": spec["dataset"],
            "seed": spec["seed"],
            "numerics": spec["numerics"],
            "input": spec["input"],
            "model": {"arguments": entry["arguments"]},
            "train": settings_of(spec, model),
        }
        data = sample.data
        rows = np.concatenate([sample.chosen[sample.replaced], sample.fresh])
        self.own_images = Images(data.train_images[rows], spec["input"]["crop"], self.device, False)
        self.own_labels = _labels(data.train_labels[rows])
        self.test_labels = _labels(data.test_labels_given)

    def result(self) -> dict[str, Any]:
        """Return how far the network of S and those of its neighbours are apart."""

        def trained(pair: int | None) -> Trained:
            piece = self.place.pieces(f"{self.label}, {pair}", lambda: vars(self.train(pair)))
            return Trained(**piece)

        whole = trained(None)
        self.place.say(f"{self.label}: trained on {self.sample.size:,} examples, {whole.status}")
        pairs, count = [], len(self.sample.replaced)
        for pair in range(count):
            other = trained(pair)
            pairs.append(self.compare(whole, other, pair))
            self.place.say(f"{self.label}: pair {pair + 1} of {count}, {other.status}")
        return {
            "parameters": len(whole.parameters),
            "status": whole.status,
            "train_accuracy": whole.last["train_accuracy"],
            "test_accuracy": whole.last["test_accuracy_given"],
            "train_loss": whole.last["train_loss"],
            "test_loss": whole.last["test_loss_given"],
            "pairs": pairs,
            "summary": summary(pairs),
        }

    def train(self, pair: int | None) -> Trained:
        """Return the network trained on S, with the example of a `pair` replaced unless None."""
        data = load(self.sample.arrays(pair), self.cell, self.device)
        trainer = Trainer(self.build, data, self.cell, [0], self.device)
        trainer.run(lambda: None, lambda: None)
        (history,) = trainer.histories
        accuracy = history.rows[-1]["train_accuracy"]
        fitted = accuracy is not None and accuracy >= self.cell["train"]["fit_accuracy"]
        parameters = [p.detach().double().flatten().cpu() for p in trainer.optimizer.parameters]
        return Trained(
            self._log_probabilities(trainer, data.test.images),
            self._log_probabilities(trainer, self.own_images),
            torch.cat(parameters),
            history.rows[-1],
            history.ended or ("fitted" if fitted else "not_fitted"),
        )

    @torch.inference_mode()
    def _log_probabilities(self, trainer: Trainer, images: Images) -> Tensor:
        trainer.network.eval()
        parts, size = [], evaluation_batch(math.prod(trainer.data.input_shape))
        for start in range(0, images.count, size):
            batch = images.central(slice(start, start + size))
            with autocast(self.cell["numerics"], self.device):
                logits = trainer.network(batch[None])
            parts.append(logits[0].double().log_softmax(-1).cpu())
        return torch.cat(parts)

    def compare(self, whole: Trained, other: Trained, pair: int) -> dict[str, Any]:
        """Return what replacing one example changed.

        The loss is the cross-entropy. Its largest change is over all test images and all labels
        that they might have, its mean change over the test images with labels drawn as those of S.
        ``at_replaced`` and ``at_fresh`` tell of the example that went and of the one that came,
        each with and without it in the training set.
        """
        sample, count = self.sample, len(self.sample.replaced)
        change = _losses(whole.test, self.test_labels) - _losses(other.test, self.test_labels)
        return {
            "replaced": int(sample.chosen[sample.replaced[pair]]),
            "by": int(sample.fresh[pair]),
            "status": other.status,
            "largest_loss_change": float((whole.test - other.test).abs().max()),
            "mean_loss_change": float(change.abs().mean()),
            "largest_probability_change": float((whole.test.exp() - other.test.exp()).abs().max()),
            "predictions_changed": float(
                (whole.test.argmax(1) != other.test.argmax(1)).double().mean()
            ),
            "parameter_distance": float(
                torch.linalg.vector_norm(whole.parameters - other.parameters)
                / torch.linalg.vector_norm(whole.parameters)
            ),
            "at_replaced": self._with_and_without(whole, other, pair),
            "at_fresh": self._with_and_without(other, whole, count + pair),
        }

    def _with_and_without(self, inside: Trained, outside: Trained, row: int) -> dict[str, Any]:
        """Return loss and correctness at one example, trained with it and trained without it."""
        found: dict[str, Any] = {}
        for name, trained in (("with", inside), ("without", outside)):
            own, label = trained.own[row : row + 1], self.own_labels[row : row + 1]
            found[f"loss_{name}"] = float(_losses(own, label))
            found[f"correct_{name}"] = bool(own.argmax(1) == label)
        return found


def summary(pairs: list[dict[str, Any]]) -> dict[str, float]:
    """Return the pairs' values together.

    ``largest_*`` are the largest of all pairs: lower bounds of a supremum. ``own_loss_change`` is
    the mean, over the examples that went and came, of the loss without minus that with the example
    in training; its expectation is the expected generalization gap in the loss (Bousquet and
    Elisseeff 2002, Lemma 7). ``forgotten`` is the share of these examples that are predicted
    rightly with and wrongly without themselves. The rest are means over the pairs.
    """
    own = [pair[where] for pair in pairs for where in ("at_replaced", "at_fresh")]

    def values(name: str) -> list[float]:
        return [pair[name] for pair in pairs]

    return {
        "largest_loss_change": float(np.max(values("largest_loss_change"))),
        "largest_probability_change": float(np.max(values("largest_probability_change"))),
        "mean_loss_change": float(np.mean(values("mean_loss_change"))),
        "predictions_changed": float(np.mean(values("predictions_changed"))),
        "parameter_distance": float(np.mean(values("parameter_distance"))),
        "own_loss_change": float(np.mean([e["loss_without"] - e["loss_with"] for e in own])),
        "forgotten": float(np.mean([e["correct_with"] and not e["correct_without"] for e in own])),
    }


def _losses(log_probabilities: Tensor, labels: Tensor) -> Tensor:
    """Return the cross-entropy of each row."""
    return -log_probabilities.gather(1, labels[:, None])[:, 0]


def _labels(labels: np.ndarray) -> Tensor:
    return torch.from_numpy(np.asarray(labels, np.int64))
