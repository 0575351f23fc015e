"""The work of one process on a cell: all of it, or its part in a team."""

import contextlib
import importlib
import logging
import time
from pathlib import Path
from typing import Any, NamedTuple

import torch

from rethink.datasets.store import open_dataset
from rethink.training import numerics
from rethink.training.checkpoint import Stopped, StopSignals, Workplace
from rethink.training.data import Data, load
from rethink.training.devices import Device
from rethink.training.engine import Trainer
from rethink.training.measures import measure
from rethink.training.metrics import History
from rethink.training.team import Alone
from rethink.training.verification import Verification

log = logging.getLogger(__name__)

LOG_SECONDS = 2.0


class Task(NamedTuple):
    """What every process of a cell is told.

    spec : the cell's specification.
    manifest : of the data or corruption that it is trained on.
    placement : where the images are kept (see `rethink.training.data.Images`).
    graphs : whether to replay steps as CUDA graphs (see `rethink.training.replay`).
    """

    spec: dict[str, Any]
    manifest: Path
    placement: str
    graphs: bool


def follow(team: Alone, device: Device, threads: int, task: Task) -> None:
    """Train a cell as one of the processes that the first one has started."""
    numerics.configure(task.spec["numerics"], threads)
    with contextlib.suppress(Stopped):
        Follower(team, device, task).train()


def total_epochs(spec: dict[str, Any]) -> int:
    """Return the epochs of a cell, summed over its replicates."""
    return spec["train"]["epochs"] * spec["replicates"]


class Follower:
    """Trains a cell's replicates, together or in turn, and does what the team's first one says."""

    def __init__(self, team: Alone, device: Device, task: Task):
        self.team, self.device, self.spec, self.graphs = team, device, task.spec, task.graphs
        spec = task.spec
        self.model = importlib.import_module(f"rethink.models.{spec['model']['module']}")
        self.data: Data = load(open_dataset(task.manifest), spec, device.torch, task.placement)
        replicates = list(range(spec["replicates"]))
        joint = getattr(self.model, "JOINT_REPLICATES", False)
        self.groups = [replicates] if joint else [[replicate] for replicate in replicates]
        self.finished: list[History] = []

    def train(self) -> None:
        """Train what is left of the cell."""
        saved = self.team.share(self._saved())
        if saved is not None:
            self.finished = [History(**history) for history in saved["finished"]]
        for group in self.groups[self._groups_done() :]:
            place = (self.device.torch, self.team, self.graphs)
            self.trainer = Trainer(self.model.build, self.data, self.spec, group, *place)
            resumed = saved is not None
            if resumed:
                self.trainer.load(saved["trainer"])
                saved = None
            self._begin(resumed)
            self.trainer.run(self._pulse, self._report)
            measure(self.trainer)
            self.finished += self.trainer.histories

    def _groups_done(self) -> int:
        done = {history.replicate for history in self.finished}
        return sum(done.issuperset(group) for group in self.groups)

    def _saved(self) -> dict[str, Any] | None:
        """Return the checkpoint to go on from."""
        return None

    def _begin(self, resumed: bool) -> None:
        """Note that a trainer is about to start."""

    def _pulse(self) -> None:
        """Stop where that is the order; called after every step."""
        order = self.team.agree(None)
        if order is not None:
            raise Stopped(order, self.trainer.epoch)

    def _report(self) -> None:
        """Note the end of an epoch."""


class Leader(Follower):
    """The first process, or the only one: it decides when to save and to stop, and reports."""

    def __init__(
        self,
        team: Alone,
        device: Device,
        task: Task,
        workplace: Workplace,
        stop: StopSignals,
        verification: Verification,
    ):
        super().__init__(team, device, task)
        self.workplace, self.stop, self.verification = workplace, stop, verification
        self.resumed_from: int | None = None
        self.said_at = -LOG_SECONDS

    def _saved(self) -> dict[str, Any] | None:
        # On the CPU, whence every process takes it to its own device.
        saved = self.workplace.load(torch.device("cpu"))
        self.workplace.start_clock()
        return saved

    def _begin(self, resumed: bool) -> None:
        if resumed:
            self.resumed_from = self.trainer.epoch
        if self.said_at < 0:
            self._say_start()
            self.work_before = self._work()

    def _state(self) -> dict[str, Any]:
        return {
            "finished": [vars(history) for history in self.finished],
            "trainer": self.trainer.state(),
        }

    def _pulse(self) -> None:
        """Stop, save or tell, whichever is due."""
        order = self.team.agree(self.stop.received)
        if order is not None:
            self.workplace.save(self._state())
            self._tell("stopped", now=True)
            raise Stopped(order, self.trainer.epoch)
        self.verification.check()
        self.workplace.save_if_due(self._state)
        self._tell("training")

    def _work(self) -> float:
        """Return the epochs that are behind us, summed over replicates."""
        done = self.spec["train"]["epochs"] * len(self.finished)
        trainer = self.trainer
        return done + (trainer.epoch - 1 + trainer.step / trainer.steps) * len(trainer.replicates)

    def _eta(self) -> float | None:
        """Return the seconds that are left at this process's pace."""
        done = self._work()
        if done <= self.work_before:
            return None
        pace = (time.monotonic() - self.workplace.started) / (done - self.work_before)
        return round(pace * (total_epochs(self.spec) - done), 1)

    def _tell(self, state: str, now: bool = False) -> None:
        self.workplace.tell(
            state,
            now,
            replicates=self.trainer.replicates,
            epoch=int(self._work()),
            epochs=total_epochs(self.spec),
            seconds=round(self.workplace.seconds, 1),
            eta_seconds=self._eta(),
        )

    def _say_start(self) -> None:
        log.info(
            "%s on %s (%s)%s, %s: %d parameters, %d training examples, %d epochs, %d replicates%s",
            self.spec["name"],
            self.device.id,
            self.device.name,
            "" if self.team.size == 1 else f" and {self.team.size - 1} more",
            self.spec["numerics"],
            self.trainer.parameters,
            len(self.data.train),
            self.spec["train"]["epochs"],
            self.spec["replicates"],
            "" if self.resumed_from is None else f", resumed at epoch {self.resumed_from}",
        )

    def _report(self) -> None:
        """Log the last evaluated epoch, at most every two seconds."""
        trainer = self.trainer
        due = trainer.done or time.monotonic() - self.said_at >= LOG_SECONDS
        rows = [history.rows[-1] for history in trainer.histories if history.rows]
        if not due or not rows:
            return
        self.said_at = time.monotonic()
        eta = self._eta()
        log.info(
            "replicate %s: epoch %d/%d, loss %s, train accuracy %s, test accuracy %s, %s left",
            ",".join(str(row["replicate"]) for row in rows),
            rows[-1]["epoch"],
            self.spec["train"]["epochs"],
            _listed(rows, "train_loss"),
            _listed(rows, "train_accuracy"),
            _listed(rows, "test_accuracy"),
            "unknown time" if eta is None else f"{eta:.0f} s",
        )


def _listed(rows: list[dict[str, Any]], column: str) -> str:
    values = (row[column] for row in rows)
    return "/".join("-" if value is None else f"{value:.4f}" for value in values)
