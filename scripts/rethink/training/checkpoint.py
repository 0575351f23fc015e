"""The work folder of a cell: its lock, its checkpoint, and the file that tells its progress.

It lies outside the declared outputs, which Snakemake deletes before a retry. A checkpoint is keyed
by all that its content depends on; one with another key belongs to an older specification, code or
data and is removed.
"""

import contextlib
import json
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from rethink.saved import load, save
from rethink.training.locks import first_free

log = logging.getLogger(__name__)

PROGRESS_SECONDS = 1.0
ECHO_SECONDS = 1.0
# However slow the disk, saving takes at most this part of the time.
SAVING_SHARE = 0.02


class Stopped(Exception):
    """The process was asked to end; what was reached is in the checkpoint."""

    def __init__(self, signum: int, epoch: int | None = None):
        where = "" if epoch is None else f" at epoch {epoch}"
        super().__init__(f"stopped by {signal.Signals(signum).name}{where}; run again to continue")
        self.signum = signum


class StopSignals:
    """Turns SIGTERM and SIGINT into a wish that `check` answers; a later one ends at once.

    One that comes right after the first is the same wish: a scheduler tells every process of a job,
    and those that started this one pass it on.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.time = 0.0
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, self._receive)

    def _receive(self, signum: int, frame: FrameType | None) -> None:
        if self.received is None:
            self.received, self.time = signum, time.monotonic()
        elif time.monotonic() - self.time > ECHO_SECONDS:
            signal.signal(signum, signal.SIG_DFL)
            os.kill(os.getpid(), signum)

    def check(self, epoch: int | None = None) -> None:
        """Raise Stopped, with the epoch that was reached, if a signal has come."""
        if self.received is not None:
            raise Stopped(self.received, epoch)


class Workplace:
    """The work folder `folder` of the cell `name`, held by this process alone.

    Parameters
    ----------
    folder, name : as above.
    key : digest of all that a checkpoint depends on.
    interval : seconds of training between two checkpoints, at least.

    Attributes
    ----------
    attempts : the number of processes that have worked on the cell, this one included.
    seconds_before : training time behind the checkpoint that was loaded.
    """

    def __init__(self, folder: Path, name: str, key: str, interval: float):
        self.folder, self.name, self.key = folder, name, key
        self.path = folder / f"checkpoint-{key[:16]}.pt"
        self.progress_path = folder / "progress.json"
        self.interval = interval
        self.attempts = 1
        self.seconds_before = 0.0
        self.started = self.saved_at = time.monotonic()
        self.told_at = -PROGRESS_SECONDS

    @contextlib.contextmanager
    def hold(self, check: Callable[[], None]) -> Iterator[None]:
        """Keep other processes out for the length of the context; wait for one that is in.

        Raises Stopped by `check` while waiting. Litter of earlier processes is removed.
        """
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(
                    first_free(
                        [self.folder / "lock"],
                        lambda: log.info("waiting: another process trains %s", self.name),
                        check,
                    )
                )
            except OSError as error:
                # Some cluster file systems have no locks; Snakemake runs a cell once anyhow.
                log.warning("%s cannot be locked (%s): going on without", self.folder, error)
            self._tidy()
            yield

    def _tidy(self) -> None:
        """Remove what interrupted writers and foreign specifications have left; count attempts."""
        for path in (*self.folder.glob("checkpoint-*.pt"), *self.folder.glob(".tmp-*")):
            if path != self.path:
                path.unlink(missing_ok=True)
        with contextlib.suppress(OSError, ValueError):
            before = json.loads(self.progress_path.read_text(encoding="utf-8"))
            if before.get("key") == self.key:
                self.attempts = before["attempts"] + 1

    def load(self, device: torch.device) -> dict[str, Any] | None:
        """Return the checkpoint, or None where there is none that can be read."""
        saved = load(self.path, device)
        if saved is None:
            return None
        self.seconds_before = saved["seconds"]
        return saved["state"]

    def start_clock(self) -> None:
        """Begin to count training time."""
        self.started = self.saved_at = time.monotonic()

    @property
    def seconds(self) -> float:
        """Training time so far, that of earlier processes included."""
        return self.seconds_before + time.monotonic() - self.started

    def save_if_due(self, state: Callable[[], dict[str, Any]]) -> None:
        """Write a checkpoint if the last one is old enough."""
        if time.monotonic() - self.saved_at >= self.interval:
            self.save(state())

    def save(self, state: dict[str, Any]) -> None:
        """Write a checkpoint; a full disk is a warning, for the training itself can go on."""
        before = time.monotonic()
        try:
            save(self.path, {"seconds": self.seconds, "state": state})
        except OSError as error:
            log.warning("no checkpoint could be written: %s", error)
        self.saved_at = time.monotonic()
        self.interval = max(self.interval, (self.saved_at - before) / SAVING_SHARE)

    def tell(self, state: str, now: bool = False, **facts: Any) -> None:
        """Rewrite ``progress.json``, at most once a second unless `now`."""
        if not now and time.monotonic() - self.told_at < PROGRESS_SECONDS:
            return
        self.told_at = time.monotonic()
        content = {
            "cell": self.name,
            "state": state,
            **facts,
            "key": self.key,
            "attempts": self.attempts,
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "updated": time.time(),
        }
        # Not worth waiting for the disk: a reader needs a whole file, not a lasting one.
        temporary = self.folder / f".tmp-progress-{os.getpid()}"
        try:
            temporary.write_text(json.dumps(content) + "\n", encoding="utf-8")
            temporary.replace(self.progress_path)
        except OSError as error:
            log.debug("no progress could be written: %s", error)

    def clear(self) -> None:
        """Remove the folder: the results stand."""
        with contextlib.suppress(OSError):
            for path in (self.path, self.progress_path, self.folder / "lock"):
                path.unlink(missing_ok=True)
            os.removedirs(self.folder)
