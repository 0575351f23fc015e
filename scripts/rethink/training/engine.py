"""The training loop: one for all models, deterministic, and free to stop after any step."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from rethink import seeds
from rethink.models.layers import Dropout, initialize
from rethink.training.data import Data, Epoch, Examples, generator
from rethink.training.metrics import History
from rethink.training.numerics import autocast
from rethink.training.optimizer import Momentum

EVALUATION_BATCH = 1000


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
    """

    def __init__(
        self,
        build: Callable[..., torch.nn.Module],
        data: Data,
        spec: dict[str, Any],
        replicates: Sequence[int],
        device: torch.device,
    ):
        settings = spec["train"]
        self.data, self.spec, self.settings, self.device = data, spec, settings, device
        self.replicates = list(replicates)
        self.network = build(
            data.input_shape,
            data.classes,
            settings["dropout"],
            replicates=len(self.replicates),
            **spec["model"]["arguments"],
        )
        initialize(self.network, [generator(spec["seed"], r, "init") for r in self.replicates])
        self.network.to(device)
        self.optimizer = Momentum(
            self.network.named_parameters(),
            settings["momentum"],
            settings["weight_decay"],
            settings["weight_decay_parameters"],
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
        self.epoch, self.step = 1, 0
        # Per replicate: the sum of the batches' losses, and the number of hits.
        self.sums = torch.zeros(2, len(self.replicates), dtype=torch.float64, device=device)
        self.histories = [History(replicate) for replicate in self.replicates]

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
        return self.settings["learning_rate"] * self.settings["learning_rate_decay"] ** (
            self.epoch - 1
        )

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
        while self.step < self.steps:
            images, labels = epoch.batch(self.step * self.batch_size, self.batch_size)
            self._train_step(images, labels, learning_rate)
            self.step += 1
            pulse()

    def _train_step(self, images: Tensor, labels: Tensor, learning_rate: float) -> None:
        for layer in self.dropouts:
            for replicate, stream in zip(self.replicates, layer.generators, strict=True):
                stream.manual_seed(
                    seeds.stream_seed(
                        self.spec["seed"], replicate, "dropout", self.epoch, self.step
                    )
                )
        logits = self._logits(images)
        losses = cross_entropy(logits, labels)
        # Replicates share no parameter: the gradient of the sum is that of each by itself.
        gradients = torch.autograd.grad(losses.mean(1).sum(), self.optimizer.parameters)
        self.optimizer.step(gradients, learning_rate)
        with torch.no_grad():
            self.sums[0] += losses.sum(1)
            self.sums[1] += (logits.argmax(-1) == labels).sum(1)

    def _logits(self, images: Tensor) -> Tensor:
        with autocast(self.spec["numerics"], self.device):
            logits = self.network(images)
        return logits.float()

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
        loss, hits, hits_true, _ = self._measure(train, pulse)
        values = {
            "train_loss": loss,
            "train_accuracy": _mean(hits),
            "train_accuracy_true": _mean(hits_true),
        }
        if train.hit is not None:
            values["train_accuracy_hit"] = _mean(hits[:, train.hit])
            values["train_accuracy_untouched"] = _mean(hits[:, ~train.hit])
        if self.data.validation is not None:
            loss, hits, _, _ = self._measure(self.data.validation, pulse)
            values |= {"validation_loss": loss, "validation_accuracy": _mean(hits)}
        loss, hits, hits_true, loss_true = self._measure(test, pulse)
        return values | {
            "test_loss": loss_true,
            "test_accuracy": _mean(hits_true),
            "test_loss_given": loss,
            "test_accuracy_given": _mean(hits),
        }

    @torch.inference_mode()
    def _measure(
        self, examples: Examples, pulse: Callable[[], None]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the loss (K,) and hits (K, N) on the given labels, then hits and loss on the true.

        Images are seen in their central crops, the network in evaluation mode.
        """
        replicates, count = len(self.replicates), len(examples)
        predictions = torch.empty((replicates, count), dtype=torch.int64, device=self.device)
        losses = torch.zeros((2, replicates), dtype=torch.float64, device=self.device)
        for start in range(0, count, EVALUATION_BATCH):
            part = slice(start, start + EVALUATION_BATCH)
            batch = examples.images.central(part)
            logits = self._logits(batch.expand(replicates, *batch.shape))
            predictions[:, part] = logits.argmax(-1)
            for i, labels in enumerate((examples.labels, examples.labels_true)):
                expected = labels[part].expand(logits.shape[:2])
                losses[i] += cross_entropy(logits, expected).sum(1, dtype=torch.float64)
            pulse()
        given, true = predictions == examples.labels, predictions == examples.labels_true
        return losses[0] / count, given, true, losses[1] / count

    def state(self) -> dict[str, Any]:
        """Return everything that is needed to go on from here: tensors and plain values."""
        return {
            "epoch": self.epoch,
            "step": self.step,
            "sums": self.sums,
            "network": self.network.state_dict(),
            "velocity": self.optimizer.velocity,
            "histories": [vars(history) for history in self.histories],
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a state of a trainer with the same specification."""
        self.epoch, self.step = state["epoch"], state["step"]
        self.sums.copy_(state["sums"])
        self.network.load_state_dict(state["network"])
        for velocity, saved in zip(self.optimizer.velocity, state["velocity"], strict=True):
            velocity.copy_(saved)
        self.histories = [History(**history) for history in state["histories"]]


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the loss of each example: (K, N, classes) and (K, N) to (K, N)."""
    losses = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
    return losses.view(labels.shape)


def _mean(hits: Tensor) -> Tensor:
    return hits.double().mean(1)
