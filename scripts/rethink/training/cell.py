"""A cell from its specification to its results: the work behind ``scripts/train.py``."""

import json
import logging
import sys
from pathlib import Path
from typing import Any

import torch

from rethink.errors import RethinkError
from rethink.files import sha256_file, sha256_text, write_json, write_text
from rethink.provenance import Record
from rethink.training import numerics
from rethink.training.checkpoint import Stopped, StopSignals, Workplace
from rethink.training.devices import Device, leases
from rethink.training.metrics import curves_csv, summarize
from rethink.training.run import Leader, Task, follow, total_epochs
from rethink.training.team import together
from rethink.training.verification import Verification

log = logging.getLogger(__name__)


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
    placement: str = "auto",
    graphs: bool = False,
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
    placement : where the images are kept (see `rethink.training.data.Images`).
    graphs : whether to replay steps as CUDA graphs (see `rethink.training.replay`).

    A cell of several ``processes`` gets as many devices, and this process starts the others. A
    process that is stopped by SIGTERM or SIGINT leaves a checkpoint and exits with 128 plus the
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
                workplace.tell("waiting", epoch=0, epochs=total_epochs(cell))

            wait()
            count = cell.get("processes", 1)
            with leases(preference, cells_per_gpu, count, wait) as devices:
                verification = Verification(manifest)
                task = Task(cell, manifest, placement, graphs)
                with together(devices, cell["name"], follow, threads, task) as team:
                    run = Leader(team, devices[0], task, workplace, stop, verification)
                    run.train()
            verification.check(wait=True)
            _write(out, record, run, devices, threads)
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


def _out_of_memory(name: str) -> RethinkError:
    return RethinkError(
        f"{name} does not fit into the device's memory: give it a smaller batch_size, or let fewer "
        "cells share a device (cells_per_gpu)"
    )


def _write(out: Path, record: Record, run: Leader, devices: list[Device], threads: int) -> None:
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
            device=_described(devices),
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


def _described(devices: list[Device]) -> dict[str, Any]:
    """Return what the record says of the devices, one for each process."""
    first, count = devices[0], len(devices)
    return {
        "type": first.torch.type,
        "id": ",".join(dict.fromkeys(device.id for device in devices)),
        "name": first.name if count == 1 else f"{count} x {first.name}",
        "processes": count,
    }
