"""What an experiment has finished, kept piece by piece for a process that goes on with it."""

import contextlib
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from rethink.files import canonical_json, sha256_text
from rethink.provenance import Record
from rethink.saved import load, save

log = logging.getLogger(__name__)


class Pieces:
    """Keeps the finished pieces of one experiment in a folder until all is done.

    Parameters
    ----------
    work : the folder, which is the experiment's own; None keeps nothing.
    record : of the experiment. Pieces of another specification, code or data are removed.
    device : where pieces are computed; those of another device, or of another torch, are removed.
    """

    def __init__(self, work: Path | None, record: Record, device: torch.device):
        self.folder: Path | None = None
        if work is None:
            return
        made_from = [record.spec, record.code, sorted(record.inputs.values())]
        key = canonical_json([*made_from, str(device), torch.__version__])
        self.folder = work / sha256_text(key)[:16]
        for other in work.glob("*"):
            if other != self.folder:
                shutil.rmtree(other, ignore_errors=True)

    def __call__(self, name: str, make: Callable[[], Any]) -> Any:
        """Return what `make` does, not None: tensors on the CPU and plain values, in lists or dicts.

        Where a piece of that name was finished before, it is read instead.
        """
        if self.folder is None:
            return make()
        scratch = self.scratch(name)
        path = scratch.with_suffix(".pt")
        piece = load(path, torch.device("cpu"))
        if piece is not None:
            return piece
        piece = make()
        try:
            save(path, piece)
        except OSError as error:
            log.warning("what is finished of %s could not be kept: %s", name, error)
        shutil.rmtree(scratch, ignore_errors=True)
        return piece

    def scratch(self, name: str) -> Path | None:
        """Return a folder for what a piece keeps until it is finished; it need not be there."""
        return self.folder and self.folder / sha256_text(name)[:16]

    def clear(self) -> None:
        """Remove all pieces, and folders that are empty then: the experiment is done."""
        if self.folder is not None:
            shutil.rmtree(self.folder.parent, ignore_errors=True)
            with contextlib.suppress(OSError):
                os.removedirs(self.folder.parents[1])
