"""A cell from its specification to its results: the work behind ``scripts/train.py``."""

import importlib
import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

import torch

from rethink.datasets.store import open_dataset
from rethink.errors import RethinkError
from rethink.files import sha256_file, sha256_text, write_json, write_text
from rethink.provenance import Record
from rethink.training import numerics
from rethink.training.checkpoint import Stopped, StopSignals, Workplace
from rethink.training.data import Data, load
from rethink.training.devices import Device, lease
from rethink.training.engine import Trainer
from rethink.training.metrics import History, curves_csv, summarize

log = logging.getLogger(__name__)

LOG_SECONDS = 2.0


def train_cell(
    spec: str,
    code: str,
    manifest: Path,
    out: Path,
    work: Path,
    preference: str = "auto",
    threads: int = 1,
    cells_per_gpu: int = 1,
    checkpoint_seconds: float = 8.0,
) -> None:
    """Train all replicates of a cell and write ``curves.csv``, ``summary.json`` and ``run.json``.

    Parameters
    ----------
    spec, code : canonical JSON of the cell's specification, digest of its code.
    manifest : of the data or corruption that it is trained on.
    out, work : folders of the results, and of lock, checkpoint and progress.
    preference, cells_per_gpu : which device, and how many cells may share one (see `lease`).
    threads : of this process on the CPU; another number gives other bits.
    checkpoint_seconds : the time between two checkpoints.

    A process that is stopped by SIGTERM or SIGINT leaves a checkpoint and exits with 128 plus the
    signal's number; the same call goes on from there, to the same results. Raises RethinkError.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    stop = StopSignals()
    cell = json.loads(spec)
    numerics.configure(cell["numerics"], threads)
    record = Record("cell", cell["name"], spec, code, [manifest])
    key = sha256_text("\n".join((spec, code, sha256_file(manifest), torch.__version__)))
    workplace = Workplace(work, cell["name"], key, checkpoint_seconds)
    try:
        with workplace.hold(stop.check):

            def wait() -> None:
                stop.check()
                workplace.tell("waiting", epoch=0, epochs=_total_epochs(cell))

            wait()
            with lease(preference, cells_per_gpu, wait) as device:
                run = Run(cell, manifest, device, workplace, stop)
                run.train()
            _write(out, record, run, threads)
            workplace.clear()
    except Stopped as stopped:
        print(stopped, file=sys.stderr, flush=True)
        sys.exit(128 + stopped.signum)
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _out_of_memory(cell["name"]) from error
    except RuntimeError as error:
        if "can't allocate memory" in str(error):
            raise _out_of_memory(cell["name"]) from error
        raise


def _total_epochs(spec: dict[str, Any]) -> int:
    """Return the epochs of a cell, summed over its replicates."""
    return spec["train"]["epochs"] * spec["replicates"]


def _out_of_memory(name: str) -> RethinkError:
    return RethinkError(
        f"{name} does not fit into the device's memory: give it a smaller batch_size, or let fewer "
        "cells share a device (cells_per_gpu)"
    )


class Run:
    """One process's work on a cell: its replicates together or in turn, resumed where they were."""

    def __init__(
        self,
        spec: dict[str, Any],
        manifest: Path,
        device: Device,
        workplace: Workplace,
        stop: StopSignals,
    ):
        self.spec, self.device, self.workplace, self.stop = spec, device, workplace, stop
        self.model = importlib.import_module(f"rethink.models.{spec['model']['module']}")
        self.data: Data = load(open_dataset(manifest, verify=True), spec, device.torch)
        replicates = list(range(spec["replicates"]))
        joint = getattr(self.model, "JOINT_REPLICATES", False)
        self.groups = [replicates] if joint else [[replicate] for replicate in replicates]
        self.finished: list[History] = []
        self.resumed_from: int | None = None
        self.said_at = -LOG_SECONDS

    def train(self) -> None:
        """Train what is left of the cell."""
        saved = self.workplace.load(self.device.torch)
        self.workplace.start_clock()
        if saved is not None:
            self.finished = [History(**history) for history in saved["finished"]]
        for group in self.groups[self._groups_done() :]:
            self.trainer = Trainer(self.model.build, self.data, self.spec, group, self.device.torch)
            if saved is not None:
                self.trainer.load(saved["trainer"])
                self.resumed_from, saved = self.trainer.epoch, None
            if self.said_at < 0:
                self._say_start()
                self.work_before = self._work()
            self.trainer.run(self._pulse, self._report)
            self.finished += self.trainer.histories

    def _groups_done(self) -> int:
        done = {history.replicate for history in self.finished}
        return sum(done.issuperset(group) for group in self.groups)

    def _state(self) -> dict[str, Any]:
        return {
            "finished": [vars(history) for history in self.finished],
            "trainer": self.trainer.state(),
        }

    def _pulse(self) -> None:
        """Stop, save or tell, whichever is due; called after every step."""
        if self.stop.received is not None:
            self.workplace.save(self._state())
            self._tell("stopped", now=True)
        self.stop.check(self.trainer.epoch)
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
        return round(pace * (_total_epochs(self.spec) - done), 1)

    def _tell(self, state: str, now: bool = False) -> None:
        self.workplace.tell(
            state,
            now,
            replicates=self.trainer.replicates,
            epoch=int(self._work()),
            epochs=_total_epochs(self.spec),
            seconds=round(self.workplace.seconds, 1),
            eta_seconds=self._eta(),
        )

    def _say_start(self) -> None:
        log.info(
            "%s on %s (%s), %s: %d parameters, %d training examples, %d epochs, %d replicates%s",
            self.spec["name"],
            self.device.id,
            self.device.name,
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


def _write(out: Path, record: Record, run: Run, threads: int) -> None:
    """Write the three results, the record of them last."""
    spec, settings, seconds = run.spec, run.spec["train"], run.workplace.seconds
    epochs = sum(history.epochs_run for history in run.finished)
    validation = run.data.validation
    summary = {
        "name": spec["name"],
        "parameters": run.trainer.parameters,
        "train_examples": len(run.data.train),
        "validation_examples": len(validation) if validation else 0,
        "steps_per_epoch": run.trainer.steps,
        "fit_criterion": f"train_accuracy >= {settings['fit_accuracy']}",
        "replicates": [summarize(history, settings) for history in run.finished],
    }
    curves_path, summary_path = out / "curves.csv", out / "summary.json"
    try:
        for litter in out.glob(".tmp-*"):  # Of a process that was killed while it wrote.
            litter.unlink(missing_ok=True)
        write_text(curves_path, curves_csv(run.finished))
        write_json(summary_path, summary)
        record.write(
            out / "run.json",
            [curves_path, summary_path],
            device={"type": run.device.torch.type, "id": run.device.id, "name": run.device.name},
            numerics=spec["numerics"],
            threads=threads,
            attempts=run.workplace.attempts,
            resumed_from=run.resumed_from,
            train_seconds=round(seconds, 3),
            # Per epoch of one replicate, evaluation included.
            epoch_seconds=seconds / epochs,
            images_per_second=round(epochs * len(run.data.train) / seconds, 1),
        )
    except OSError as error:
        raise RethinkError(
            f"the results of {spec['name']} cannot be written to {out}: {error.strerror}; the "
            "checkpoint is kept, run again once that is mended"
        ) from error
    outcomes = ", ".join(entry["status"].replace("_", " ") for entry in summary["replicates"])
    log.info("finished in %.1f s: %s", seconds, outcomes)
