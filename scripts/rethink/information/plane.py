"""The information plane of Shwartz-Ziv and Tishby (2017), with the critique of Saxe et al. (2018).

Networks of 12-10-7-5-4-3-2 units learn a binary rule of 12 bits. On the way it is estimated, for
each layer T, how many bits it holds of the input, I(X;T), and of the label, I(T;Y).
"""

import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rethink import seeds
from rethink.errors import RethinkError, suggest
from rethink.files import write_json
from rethink.information.estimate import BINNINGS, information, span
from rethink.information.networks import ACTIVATIONS, Networks, train
from rethink.information.rule import Rule, generated, published
from rethink.provenance import Record
from rethink.theory.rounding import rounded

HIDDEN = (10, 7, 5, 4, 3, 2)  # of which a network of depth d has the first d
LABELS = ("rule", "random")
CHOICES: dict[str, tuple] = {
    "activations": ACTIVATIONS,
    "depths": tuple(range(1, len(HIDDEN) + 1)),
    "labels": LABELS,
    "binnings": tuple(BINNINGS),
}
DEFAULTS: dict[str, Any] = {
    "file": None,
    "information": 0.99,
    "activations": list(ACTIVATIONS),
    "train_fractions": [0.05, 0.45, 0.85],
    "depths": [5],
    "labels": ["rule"],
    "binnings": list(BINNINGS),
    "replicates": 10,
    "epochs": 8000,
    "checkpoints": 40,
    "batch_size": 512,
    "learning_rate": 4e-4,
    "seed": 0,
}
TOLERANCE = 1e-9  # bits: the rounding error of an entropy


def run(
    values: dict[str, Any],
    out: Path,
    record: Record,
    threads: int,
    say: Callable[[str], None] = lambda text: None,
) -> None:
    """Train and measure every condition: result.json and, last, run.json.

    Parameters
    ----------
    values : name; file (the published rule, None: generate one with ``information`` bits);
        activations, train_fractions, depths (hidden layers), labels (``rule`` or ``random``: the
        rule's, permuted): all combinations are trained; binnings (see `rethink.information.
        estimate`); replicates; epochs; checkpoints (how many, spaced evenly in the logarithm of the
        epoch, beside the initialization); batch_size; learning_rate (of Adam); seed.

    Raises RethinkError for anything else.
    """
    spec = checked(values)
    seconds: dict[str, float] = {}
    rule = (
        published(Path(spec["file"]))
        if spec["file"]
        else generated(spec["information"], spec["seed"])
    )
    conditions = []
    for condition in product(
        spec["activations"], spec["train_fractions"], spec["depths"], spec["labels"]
    ):
        begun = time.perf_counter()
        conditions.append(Condition(rule, spec, *condition).result())
        name = "/".join(str(part) for part in condition)
        seconds[name] = time.perf_counter() - begun
        say(f"{name}: {seconds[name]:.0f} s")
    result = {
        "schema": 1,
        "kind": "information_plane",
        "name": spec["name"],
        "rule": rule.described(),
        "replicates": spec["replicates"],
        "epochs": epochs_of(spec),
        "conditions": conditions,
    }
    write_json(out / "result.json", rounded(result))
    record.write(
        out / "run.json",
        [out / "result.json"],
        device={"type": "cpu", "id": "cpu", "name": None},
        numerics="fp32",
        threads=threads,
        stage_seconds={stage: round(value, 3) for stage, value in seconds.items()},
    )


def checked(values: dict[str, Any]) -> dict[str, Any]:
    """Return the specification with its defaults; raises RethinkError for one that is none."""
    known = ["name", *DEFAULTS]
    for key in values:
        if key not in known:
            raise RethinkError(f"information_plane: unknown key '{key}'{suggest(key, known)}")
    spec = {"name": "information_plane", **DEFAULTS, **values}
    for key, choices in CHOICES.items():
        for value in spec[key]:
            if value not in choices:
                raise RethinkError(
                    f"information_plane: {key} has {value!r}, but should have some of "
                    f"{', '.join(map(str, choices))}"
                )
    for key in ("replicates", "epochs", "checkpoints", "batch_size"):
        if not isinstance(spec[key], int) or spec[key] < 1:
            raise RethinkError(f"information_plane: {key} should be a whole number of at least 1")
    if not all(0 < fraction < 1 for fraction in spec["train_fractions"]):
        raise RethinkError("information_plane: train_fractions should lie between 0 and 1")
    return spec


def epochs_of(spec: dict[str, Any]) -> list[int]:
    """Return the epochs after which information is measured: 0, then even in the logarithm."""
    spaced = np.geomspace(1, spec["epochs"], spec["checkpoints"]).round().astype(int)
    return [0, *np.unique([*spaced, spec["epochs"]]).tolist()]


class Condition:
    """Networks of one activation and depth that learn from one fraction of one set of labels.

    Each replicate has its own initialization, order, training examples and, where these are
    random, labels. They depend on the seed, the replicate and nothing else: the examples of a
    smaller fraction are among those of a larger one.
    """

    def __init__(
        self,
        rule: Rule,
        spec: dict[str, Any],
        activation: str,
        fraction: float,
        depth: int,
        labels: str,
    ):
        self.spec, self.replicates = spec, range(spec["replicates"])
        self.facts = {
            "activation": activation,
            "train_fraction": fraction,
            "depth": depth,
            "labels": labels,
        }
        self.patterns = torch.from_numpy(rule.patterns.astype(np.float32))
        count = len(rule.patterns)
        own = [
            self._permuted(rule.labels, r) if labels == "random" else rule.labels
            for r in self.replicates
        ]
        self.labels = torch.from_numpy(np.stack(own).astype(np.float32))
        size = min(max(round(fraction * count), 1), count - 1)
        orders = [self._numpy(r, "examples").permutation(count) for r in self.replicates]
        self.chosen = torch.from_numpy(np.stack(orders)[:, :size].copy())
        self.widths = [self.patterns.shape[1], *HIDDEN[:depth], 2]
        self.networks = Networks(self.widths, activation, self._torch("initialization"))

    def _permuted(self, labels: np.ndarray, replicate: int) -> np.ndarray:
        return self._numpy(replicate, "labels").permutation(labels)

    def _numpy(self, replicate: int, stream: str) -> np.random.Generator:
        return seeds.generator(self.spec["seed"], "information", stream, replicate)

    def _torch(self, stream: str) -> list[torch.Generator]:
        key = (self.spec["seed"], "information", stream)
        return [
            torch.Generator().manual_seed(seeds.stream_seed(*key, replicate))
            for replicate in self.replicates
        ]

    def result(self) -> dict[str, Any]:
        """Return the learning curves and, for each rule of bins, the plane of every layer."""
        epochs, spec = epochs_of(self.spec), self.spec
        kept = train(
            self.networks,
            self.patterns,
            self.labels,
            self.chosen,
            epochs,
            spec["batch_size"],
            spec["learning_rate"],
            self._torch("order"),
        )
        curves = [self._curves(flat) for flat in kept]
        planes = self._planes(kept)
        count, size = self.labels.shape[1], self.chosen.shape[1]
        return {
            **self.facts,
            "widths": self.widths,
            "parameters": self.networks.parameters.shape[1],
            "train_examples": size,
            "test_examples": count - size,
            "steps": epochs[-1] * -(-size // spec["batch_size"]),
            "curves": {name: spread(np.stack([row[name] for row in curves])) for name in curves[0]},
            "planes": {
                binning: {
                    "layers": [layer(found[:, index], epochs) for index in range(found.shape[1])],
                    "data_processing": data_processing(found),
                }
                for binning, found in planes.items()
            },
        }

    def _activities(self, flat: Tensor) -> list[Tensor]:
        inputs = self.patterns.T.expand(len(self.replicates), -1, -1)
        return self.networks.activities(inputs, self.networks.layers(flat))

    def _curves(self, flat: Tensor) -> dict[str, np.ndarray]:
        """Return losses (mean cross-entropy, nats) and accuracies on both sets, each (R,)."""
        probabilities = self._activities(flat)[-1].double()
        ones = self.labels.long().unsqueeze(1)
        losses = -probabilities.gather(1, ones)[:, 0].clamp(min=1e-300).log()
        right = (probabilities.argmax(1) == ones[:, 0]).double()
        inside = torch.zeros_like(right).scatter_(1, self.chosen, 1.0)
        found = {}
        for name, weights in (("train", inside), ("test", 1 - inside)):
            found[f"{name}_loss"] = ((losses * weights).sum(1) / weights.sum(1)).numpy()
            found[f"{name}_accuracy"] = ((right * weights).sum(1) / weights.sum(1)).numpy()
        return found

    def _planes(self, kept: list[Tensor]) -> dict[str, np.ndarray]:
        """Return for each rule of bins I(X;T) and I(T;Y), (epochs, layers, 2, R)."""
        layers = zip(*(self._ends(flat) for flat in kept), strict=True)
        spans = [span(ends) for ends in layers]
        found: dict[str, list] = {binning: [] for binning in self.spec["binnings"]}
        for flat in kept:
            activities = self._activities(flat)
            for binning, rows in found.items():
                pairs = [
                    torch.stack(information(values, self.labels, binning, whole))
                    for values, whole in zip(activities, spans, strict=True)
                ]
                rows.append(torch.stack(pairs).numpy())
        return {binning: np.stack(rows) for binning, rows in found.items()}

    def _ends(self, flat: Tensor) -> list[Tensor]:
        """Return the least and the largest activity of each unit, (R, units, 2) for each layer."""
        return [torch.stack(values.aminmax(dim=2), 2) for values in self._activities(flat)]


def spread(values: np.ndarray) -> dict[str, list[float]]:
    """Return the means and, over several replicates, the standard deviations of (..., R)."""
    found = {"mean": values.mean(-1).tolist()}
    if values.shape[-1] > 1:
        found["sd"] = values.std(-1, ddof=1).tolist()
    return found


def layer(found: np.ndarray, epochs: list[int]) -> dict[str, Any]:
    """Return the path of a layer, from I(X;T) and I(T;Y) (epochs, 2, R).

    ``lost`` is what a replicate has less at the end than at its peak, in bits: of the input it is
    the compression, at least 0 by its definition. ``peak_epoch`` is that of the mean.
    """
    result = {}
    for name, values in zip(("input", "label"), found.transpose(1, 0, 2), strict=True):
        mean = values.mean(1)
        peak = epochs[int(mean.argmax())] if np.isfinite(mean).all() else None
        result[name] = {
            **spread(values),
            "lost": spread(values.max(0) - values[-1]),
            "peak_epoch": peak,
        }
    return result


def data_processing(found: np.ndarray) -> dict[str, Any]:
    """Return where the data-processing inequality fails, from (epochs, layers, 2, R).

    A layer is computed from the one before: it cannot hold more of the input or the label. Binned,
    it can. For each: the share of epochs, steps from layer to layer and replicates where it does,
    and the largest excess in bits.
    """
    excess = np.diff(found, axis=1)
    result = {}
    for index, name in enumerate(("input", "label")):
        own = excess[:, :, index]
        largest = float(np.nanmax(own, initial=0.0))
        result[name] = {
            "holds": largest <= TOLERANCE,
            "violated": float((own > TOLERANCE).mean()) if own.size else 0.0,
            "largest": max(largest, 0.0),
        }
    return result
