"""The memory that a process may still take: what the machine has free, or what a job is allowed."""

import os
from collections.abc import Iterator
from pathlib import Path

import psutil

CGROUPS = Path("/sys/fs/cgroup")


def free_memory() -> int:
    """Return the bytes of memory that this process may still take, on the CPU."""
    own = psutil.Process().memory_info().rss
    return max(0, min([psutil.virtual_memory().available, *(x - own for x in _limits())]))


def _limits() -> Iterator[int]:
    """Yield the bytes that a SLURM job or a container is limited to."""
    asked = os.environ.get("SLURM_MEM_PER_NODE", "")
    if asked.isdigit() and int(asked):  # 0 is all of the node
        yield int(asked) * 2**20
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            limit = (CGROUPS / name).read_text().strip()
        except OSError:
            continue
        if limit.isdigit():  # "max" is none
            yield int(limit)
