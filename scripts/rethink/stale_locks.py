"""Snakemake's locks, where the workflow that took them was killed.

Snakemake marks a folder as in use by files in ``.snakemake/locks`` and asks for ``--unlock`` where a
killed run left them behind. A lock of the kernel's tells which case it is: it ends with its holder.
"""

import os
from pathlib import Path

from rethink.training.locks import try_lock

_held: list[int] = []


def remove_stale_locks(folder: Path = Path(".snakemake")) -> bool:
    """Hold this folder until the process ends; if nobody did before, remove locks left in it.

    Returns whether the folder is ours. On a compute node nothing is done: the workflow that
    submitted the job holds the folder, perhaps on a file system that does not tell.
    """
    if "SLURM_JOB_ID" in os.environ:
        return False
    try:
        descriptor = try_lock(folder / "rethink.lock")
    except OSError:
        return False  # No locks on this file system: `snakemake --unlock` remains.
    if descriptor is None:
        return False
    _held.append(descriptor)
    for path in (folder / "locks").glob("*.lock"):
        path.unlink(missing_ok=True)
    return True
