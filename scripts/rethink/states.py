"""The state of every cell, read from the files of a run that is going on or over."""

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from rethink.files import sha256_text
from rethink.grid import Cell, Experiment
from rethink.models.catalog import MODELS

# A training process writes its progress about every second; one silent for so long is gone.
SILENT_SECONDS = 120.0


@dataclass(frozen=True)
class CellState:
    """Where a cell stands: ``waiting``, ``running``, ``done``, ``stale`` or ``failed``.

    `epoch` and `epochs` count over all replicates; `eta` is in seconds; `detail` is the last line
    of a failed cell's log.
    """

    state: str
    epoch: int = 0
    epochs: int = 0
    eta: float | None = None
    detail: str = ""


def cell_state(cell: Cell, results: Path, code: str | None = None) -> CellState:
    """Return the state of `cell` in the folder `results` of its preset.

    With the digest of its present `code` a result of other code counts as stale.
    """
    record = read_quietly(results / "cells" / cell.name / "run.json")
    if record is not None:
        digests = record.get("digests", {})
        current = digests.get("spec") == sha256_text(cell.spec)
        if current and (code is None or digests.get("code") == code):
            return CellState("done")
    running = running_state(cell, results)
    if running is not None:
        return running
    if record is not None:
        return CellState("stale")
    last = _last_line(results / "logs" / "cells" / f"{cell.name}.log")
    return CellState("failed", detail=last) if last else CellState("waiting")


def experiment_state(experiment: Experiment, results: Path, code: str) -> CellState:
    """Return the state of an experiment: ``done``, ``stale``, ``begun`` or ``waiting``.

    One that has begun goes on or has failed: its log's last line, in `detail`, tells.
    """
    record = read_quietly(results / "theory" / experiment.name / "run.json")
    if record is not None:
        digests = record.get("digests", {})
        good = digests.get("spec") == sha256_text(experiment.spec) and digests.get("code") == code
        return CellState("done" if good else "stale")
    last = _last_line(results / "logs" / "theory" / f"{experiment.name}.log")
    return CellState("begun", detail=last) if last else CellState("waiting")


def running_state(cell: Cell, results: Path) -> CellState | None:
    """Return the state of a cell that a live process reports on, or None."""
    progress = read_quietly(results / "work" / cell.name / "progress.json")
    if progress is None or time.time() - progress.get("updated", 0) > SILENT_SECONDS:
        return None
    return CellState(
        "running", progress.get("epoch", 0), progress.get("epochs", 0), progress.get("eta_seconds")
    )


def read_quietly(path: Path) -> dict | None:
    """Return a JSON mapping, or None where there is none (yet)."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _last_line(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def seconds_per_megaflop(cells: Iterable[Cell], results: Path) -> dict[str, float]:
    """Return for each model what its finished cells cost per counted operation, from their records.

    The unit is seconds per epoch, replicate and megaflop of the catalogue's count; the key ``""``
    holds the median over all models, for those that were never run.
    """
    rates: dict[str, list[float]] = {}
    for cell in cells:
        record = read_quietly(results / "cells" / cell.name / "run.json")
        seconds = record.get("epoch_seconds") if record else None
        if seconds:
            rates.setdefault(cell.model, []).append(seconds / MODELS[cell.model].megaflops)
    medians = {model: _median(values) for model, values in rates.items()}
    if medians:
        medians[""] = _median(medians.values())
    return medians


def _median(values: Iterable[float]) -> float:
    ordered = sorted(values)
    return ordered[len(ordered) // 2]


def estimate_seconds(cell: Cell, rates: dict[str, float]) -> float | None:
    """Return the expected training time of a cell in seconds, or None if nothing was ever run."""
    rate = rates.get(cell.model, rates.get(""))
    if rate is None:
        return None
    return rate * MODELS[cell.model].megaflops * cell.epochs * cell.replicates


def duration(seconds: float) -> str:
    """Return a time span for a reader: ``40 s``, ``5 min``, ``3 h 20 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min"


CodeOf = Callable[[str], str]
