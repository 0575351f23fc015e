"""The training loop: one for all models, deterministic, and free to stop after any step."""

import contextlib
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from rethink import seeds
from rethink.errors import RethinkError
from rethink.models.layers import Dropout, initialize
from rethink.training.convexity import Segments
from rethink.training.data import Data, Epoch, Examples, generator
from rethink.training.limits import evaluation_batch
from rethink.training.metrics import CONVEXITY, History
from rethink.training.mixup import Pairs, blend, permuted
from rethink.training.numerics import autocast
from rethink.training.optimizer import OPTIMIZERS
from rethink.training.replay import Replayed
from rethink.training.team import Alone

TOP = 5
DROP = 0.1  # the factor of `learning_rate_drops`


class Trainer:
    """Trains replicates of a cell together, from their first to their last epoch.

    All of its state is in `state()`. Every random number comes from a stream named by seed,
    replicate, purpose, epoch and step, so that a trainer that loads a state goes on to the same
    bits. Losses and hits are summed on the device and read once per epoch.

    Parameters
    ----------
    build : makes the network (``rethink.models.<module>.build``).
    data : what `rethink.training.data.load` returned.
    spec : the cell's specification.
    replicates : their numbers; more than one only for a network with a replicate axis.
    device : where to train.
    team : the processes that train it together, each on a part of every batch.
    graphs : whether to replay steps as CUDA graphs where that is possible.
    """

    def __init__(
        self,
        build: Callable[..., torch.nn.Module],
        data: Data,
        spec: dict[str, Any],
        replicates: Sequence[int],
        device: torch.device,
        team: Alone | None = None,
        graphs: bool = False,
    ):
        settings = spec["train"]
        self.build, self.data, self.spec, self.settings = build, data, spec, settings
        self.device, self.team = device, team or Alone()
        self.replicates = list(replicates)
        self.network = self.untrained().to(device)
        self.forward = self.team.wrap(self.network)
        self.averages = _running_averages(self.network)
        # A network that is held to a set of parameters returns to it after every step.
        self.project: Callable[[], None] | None = getattr(self.network, "project", None)
        self.optimizer = OPTIMIZERS[settings["optimizer"]](
            self.network.named_parameters(),
            settings["momentum"],
            settings["weight_decay"],
            settings["weight_decay_parameters"],
        )
        self.by_hand = (
            hasattr(self.network, "add_gradients")
            and settings["optimizer"] == "momentum"
            and spec["numerics"] != "bf16"
            and self.team.size == 1
        )
        self.dropouts = [
            layer
            for layer in self.network.modules()
            if isinstance(layer, Dropout) and layer.probability
        ]
        for layer in self.dropouts:
            layer.generators = [torch.Generator(device) for _ in self.replicates]
        self.batch_size = settings["batch_size"]
        self.steps = math.ceil(len(data.train) / self.batch_size)
        self._check_last_batch()
        self.epoch, self.step = 1, 0
        # Per replicate: the sum of the batches' losses, and the number of hits.
        self.sums = torch.zeros(2, len(self.replicates), dtype=torch.float64, device=device)
        self.histories = [History(replicate) for replicate in self.replicates]
        self.replayed = self._replayed() if graphs and self._may_replay() else None

    def untrained(self) -> torch.nn.Module:
        """Return the network as it is before its training, on the CPU, whatever has been trained."""
        network = self.build(
            self.data.input_shape,
            self.data.classes,
            self.settings["dropout"],
            replicates=len(self.replicates),
            **self.spec["model"]["arguments"],
        )
        initialize(network, [generator(self.spec["seed"], r, "init") for r in self.replicates])
        return network

    def _check_last_batch(self) -> None:
        """Raise RethinkError where a process would get too little of an epoch's last batch."""
        last = len(self.data.train) - (self.steps - 1) * self.batch_size
        needed = getattr(self.network, "smallest_batch", 1)
        if last // self.team.size < needed:
            raise RethinkError(
                f"{self.spec['name']}: the last batch of an epoch has {last} of "
                f"{len(self.data.train)} examples, too few for {self.team.size} processes with at "
                f"least {needed} each; choose another batch_size or train_examples"
            )

    def _may_replay(self) -> bool:
        """Return whether a step takes nothing from Python that changes from step to step."""
        steady = self.optimizer.steady and not self.settings["mixup"]
        return steady and self.team.size == 1 and self.device.type == "cuda"

    def _replayed(self) -> Replayed:
        return Replayed(
            lambda images, labels, rate: self._update(images, self._targets(labels), rate),
            self._seed_dropout,
            [*self.network.state_dict().values(), *self.optimizer.memory, self.sums],
            [stream for layer in self.dropouts for stream in layer.generators],
        )

    @property
    def parameters(self) -> int:
        """The number of parameters of one replicate."""
        total = sum(parameter.numel() for parameter in self.network.parameters())
        return total // len(self.replicates)

    @property
    def done(self) -> bool:
        """Whether every replicate has run all its epochs, diverged or stopped early."""
        return self.epoch > self.settings["epochs"] or all(h.ended for h in self.histories)

    def learning_rate(self) -> float:
        """Return the learning rate of the present epoch."""
        drops = sum(self.epoch > epoch for epoch in self.settings["learning_rate_drops"])
        decay = self.settings["learning_rate_decay"] ** (self.epoch - 1)
        return self.settings["learning_rate"] * decay * DROP**drops

    def run(self, pulse: Callable[[], None], report: Callable[[], None]) -> None:
        """Train until all is done.

        `pulse` is called whenever `state()` is consistent, and may leave by an exception; `report`
        is called after every epoch.
        """
        while not self.done:
            self._train_epoch(pulse)
            self._finish_epoch(pulse)
            self.epoch, self.step = self.epoch + 1, 0
            self.sums.zero_()
            report()
            pulse()

    def _train_epoch(self, pulse: Callable[[], None]) -> None:
        self.network.train()
        epoch = Epoch(self.data.train, self.spec, self.replicates, self.epoch)
        learning_rate = self.learning_rate()
        parts = [self.team.part(*self._bounds(step)) for step in range(self.steps)]
        pairs = self._pairs(parts) if self.settings["mixup"] else None
        with contextlib.closing(epoch.batches(parts[self.step :])) as batches:
            for images, labels in batches:
                self._train_step(images, labels, learning_rate, pairs)
                self.step += 1
                pulse()

    def _bounds(self, step: int) -> tuple[int, int]:
        """Return the places in the epoch's order where the batch of a step starts and stops."""
        start = step * self.batch_size
        return start, min(start + self.batch_size, len(self.data.train))

    def _pairs(self, parts: list[slice]) -> Pairs:
        """Return the examples that the present epoch blends."""
        sizes = [part.stop - part.start for part in parts]
        names = (self.spec["seed"], self.replicates, self.epoch)
        return Pairs(self.settings["mixup"], *names, sizes, self.device, self.team.rank)

    def _train_step(
        self, images: Tensor, labels: Tensor, learning_rate: float, pairs: Pairs | None
    ) -> None:
        if self.replayed and labels.shape[1] == self.batch_size:
            self.replayed(images, labels, learning_rate)
            return
        self._seed_dropout()
        targets = self._targets(labels)
        if pairs is not None:
            partners, share = pairs.of(self.step)
            images = blend(images, permuted(images, partners), share)
            targets = targets._replace(others=permuted(labels, partners), share=share)
        self._update(images, targets, learning_rate)

    def _targets(self, labels: Tensor) -> "Targets":
        return Targets(labels, self.settings["label_smoothing"])

    def _update(self, images: Tensor, targets: "Targets", learning_rate: float) -> None:
        kept: Any = None
        if self.by_hand:
            logits, kept = self.network.logits(images)
            logits.requires_grad_()
            auxiliary: list[Tensor] = []
        else:
            logits, *auxiliary = self._outputs(self.forward, images)
        losses = targets.losses(logits)
        total = losses.mean(1)
        for others in auxiliary:
            total = total + self.network.auxiliary_weight * targets.losses(others).mean(1)
        # The mean over processes is that over the batch, also where their parts differ by one.
        start, stop = self._bounds(self.step)
        share = self.team.size * targets.labels.shape[1] / (stop - start)
        # Replicates share no parameter: the gradient of the sum is that of each by itself.
        if self.by_hand:
            (slope,) = torch.autograd.grad(total.sum() * share, logits)
            add = functools.partial(self.network.add_gradients, kept, slope)
            self.optimizer.step_with(add, learning_rate)
        else:
            gradients = self.team.gradients(total.sum() * share, self.optimizer.parameters)
            self.optimizer.step(gradients, learning_rate)
        if self.project:
            self.project()
        self.team.average_(self.averages)
        with torch.no_grad():
            hits = targets.hits(logits).sum(1)
            self.sums += self.team.sum_(torch.stack((losses.sum(1), hits)).double())

    def _seed_dropout(self) -> None:
        place = (
            (self.epoch, self.step)
            if self.team.size == 1
            else (self.epoch, self.step, self.team.rank)
        )
        for layer in self.dropouts:
            for replicate, stream in zip(self.replicates, layer.generators, strict=True):
                stream.manual_seed(
                    seeds.stream_seed(self.spec["seed"], replicate, "dropout", *place)
                )

    def _outputs(self, network: torch.nn.Module, images: Tensor) -> list[Tensor]:
        """Return the logits, and in training those of auxiliary classifiers, if any, after them."""
        with autocast(self.spec["numerics"], self.device):
            outputs = network(images)
        return [o.float() for o in (outputs if isinstance(outputs, tuple) else (outputs,))]

    def _finish_epoch(self, pulse: Callable[[], None]) -> None:
        """Evaluate where it is due, and note which replicates have ended."""
        online = dict(
            zip(("online_loss", "online_accuracy"), self.sums / len(self.data.train), strict=True)
        )
        finite = online["online_loss"].isfinite().tolist()
        last = self.epoch == self.settings["epochs"]
        due = last or self.epoch % self.settings["evaluate_every"] == 0
        values = online | self._evaluate(pulse) if due or not all(finite) else online
        measured = {name: value.tolist() for name, value in values.items()}
        for k, history in enumerate(self.histories):
            if history.ended:
                continue
            row = {
                "replicate": history.replicate,
                "epoch": self.epoch,
                "step": self.epoch * self.steps,
                "learning_rate": self.learning_rate(),
                **{name: value[k] for name, value in measured.items()},
            }
            history.epochs_run = self.epoch
            if not (finite[k] and math.isfinite(row.get("train_loss", 0))):
                history.ended = "diverged"
            if due or history.ended:
                stopping = self.settings["early_stopping"]
                history.add(row, stopping["patience"] if stopping else None)

    def _evaluate(self, pulse: Callable[[], None]) -> dict[str, Tensor]:
        """Return the values of an evaluated epoch by column, each (K,), with NaN for no examples."""
        self.network.eval()
        train, test = self.data.train, self.data.test
        measured = self._measure(train, pulse)
        values = {
            "train_loss": measured["loss"],
            "train_accuracy": measured["hits"],
            "train_accuracy_true": measured["hits_true"],
        }
        if train.hit is not None:
            values["train_accuracy_hit"] = measured["hits_hit"]
            values["train_accuracy_untouched"] = measured["hits_untouched"]
        if self.settings["top5"]:
            values["train_top5_accuracy"] = measured["top5"]
        if self.data.validation is not None:
            measured = self._measure(self.data.validation, pulse)
            values |= {
                "validation_loss": measured["loss"],
                "validation_accuracy": measured["hits"],
            }
        measured = self._measure(test, pulse)
        if self.settings["top5"]:
            values["test_top5_accuracy"] = measured["top5_true"]
        if getattr(self.network, "convex", False):
            values[CONVEXITY] = self._convexity()
        return values | {
            "test_loss": measured["loss_true"],
            "test_accuracy": measured["hits_true"],
            "test_loss_given": measured["loss"],
            "test_accuracy_given": measured["hits"],
        }

    @torch.inference_mode()
    def _convexity(self) -> Tensor:
        """Return how far the logits exceed their chords between test images, (K,)."""
        segments = Segments.draw(self.data.test.images, self.spec["seed"])

        def logits(images: Tensor) -> Tensor:
            (found,) = self._outputs(
                self.network, images.expand(len(self.replicates), *images.shape)
            )
            return found

        return segments.excess(logits)

    @torch.inference_mode()
    def _measure(self, examples: Examples, pulse: Callable[[], None]) -> dict[str, Tensor]:
        """Return means over the examples by name, each (K,).

        ``loss``, ``hits`` and ``top5`` are on the given labels, ``*_true`` on the true ones,
        ``hits_hit`` and ``hits_untouched`` over the labels that were drawn anew or not. Images are
        seen in their central crops, the network in evaluation mode. The processes take turns at the
        batches.
        """
        count, team = len(examples), self.team
        size = evaluation_batch(math.prod(self.data.input_shape))
        starts = range(0, count, size)
        parts = [slice(start, start + size) for start in starts[team.rank :: team.size]]
        sums = torch.zeros(
            (len(self._measures), len(self.replicates)), dtype=torch.float64, device=self.device
        )
        with contextlib.closing(examples.images.batches((part, None) for part in parts)) as batches:
            for part, images in zip(parts, batches, strict=True):
                sums += self._judged(images, examples, part)
                pulse()
        for _ in range(len(parts), len(starts[:: team.size])):
            pulse()  # As often as the process that has most batches.
        totals = dict(zip(self._measures, team.sum_(sums), strict=True))
        means = {name: total / count for name, total in totals.items()}
        if examples.hit is not None:
            anew = examples.hit.sum()
            means["hits_hit"] = totals["hits_hit"] / anew
            means["hits_untouched"] = (totals["hits"] - totals["hits_hit"]) / (count - anew)
        return means

    @property
    def _measures(self) -> tuple[str, ...]:
        measures = ("loss", "loss_true", "hits", "hits_true", "hits_hit")
        return (*measures, "top5", "top5_true") if self.settings["top5"] else measures

    def _judged(self, images: Tensor, examples: Examples, part: slice) -> Tensor:
        """Return the sums of the measures over a batch of examples (measures, K)."""
        replicates = len(self.replicates)
        (logits,) = self._outputs(self.network, images.expand(replicates, *images.shape))
        labels = [values[part].expand(logits.shape[:2]) for values in examples.both_labels]
        hits = [logits.argmax(-1) == expected for expected in labels]
        anew = hits[0] & examples.hit[part] if examples.hit is not None else hits[0] & False
        rows = [*(cross_entropy(logits, expected) for expected in labels), *hits, anew]
        if self.settings["top5"]:
            best = logits.topk(min(TOP, logits.shape[-1])).indices
            rows += [(best == expected[..., None]).any(-1) for expected in labels]
        return torch.stack([row.sum(1, dtype=torch.float64) for row in rows])

    def state(self) -> dict[str, Any]:
        """Return everything that is needed to go on from here: tensors and plain values."""
        return {
            "epoch": self.epoch,
            "step": self.step,
            "sums": self.sums,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.memory,
            "histories": [vars(history) for history in self.histories],
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a state of a trainer with the same specification."""
        self.epoch, self.step = state["epoch"], state["step"]
        self.sums.copy_(state["sums"])
        self.network.load_state_dict(state["network"])
        for tensor, saved in zip(self.optimizer.memory, state["optimizer"], strict=True):
            tensor.copy_(saved)
        self.histories = [History(**history) for history in state["histories"]]


class Targets(NamedTuple):
    """What a batch is to be taken for: labels (K, B), and with mixup the `others` beside them.

    `share` (K, 1) is the weight of the labels against that of the others.
    """

    labels: Tensor
    smoothing: float
    others: Tensor | None = None
    share: Tensor | None = None

    def losses(self, logits: Tensor) -> Tensor:
        """Return the loss of each example (K, B), given logits (K, B, classes)."""
        own = cross_entropy(logits, self.labels, self.smoothing)
        if self.others is None:
            return own
        return blend(own, cross_entropy(logits, self.others, self.smoothing), self.share)

    def hits(self, logits: Tensor) -> Tensor:
        """Return whether each example (K, B) is classified as labelled; with mixup how far."""
        predicted = logits.argmax(-1)
        own = predicted == self.labels
        if self.others is None:
            return own
        return blend(own.float(), (predicted == self.others).float(), self.share)


def cross_entropy(logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """Return the loss of each example: (K, N, classes) and (K, N) to (K, N).

    With `smoothing` that much of the label is spread over all classes.
    """
    losses = F.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), reduction="none", label_smoothing=smoothing
    )
    return losses.view(labels.shape)


def _running_averages(network: torch.nn.Module) -> list[Tensor]:
    """Return the averages that batch normalization keeps."""
    kept, learned = network.state_dict(), dict(network.named_parameters())
    return [
        value for name, value in kept.items() if name not in learned and value.is_floating_point()
    ]
