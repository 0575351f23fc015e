"""Which device a cell trains on: a lease, so that two cells never share one by accident.

A lease is a lock on a file per device and slot, below ``$RETHINK_LOCKS`` or the temporary folder of
this host; the kernel frees it when the holder dies. Under SLURM the scheduler has assigned the
devices, and none is taken. ``RETHINK_FAKE_DEVICES="a,b"`` stands for devices of those names that
compute on the CPU, for tests.
"""

import contextlib
import logging
import os
import socket
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch

from rethink.errors import RethinkError
from rethink.training.locks import several_free

log = logging.getLogger(__name__)


class Device(NamedTuple):
    """A device that is ours for now: for torch, the identity it goes by, and its model's name."""

    torch: torch.device
    id: str
    name: str


def visible_devices() -> list[str]:
    """Return the identities of the devices that this process may use, in CUDA's order.

    As CUDA_VISIBLE_DEVICES names them (numbers, UUIDs, MIG instances), else their numbers.
    """
    fake = os.environ.get("RETHINK_FAKE_DEVICES")
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = None if named is None else [name.strip() for name in named.split(",") if name.strip()]
    if fake is not None:
        existing = [name.strip() for name in fake.split(",") if name.strip()]
        return existing if names is None else [name for name in names if name in existing]
    # Asks the driver's management library: no context is made on any device.
    count = torch.cuda.device_count()
    return [str(i) for i in range(count)] if names is None else names[:count]


@contextlib.contextmanager
def lease(preference: str, slots: int, check: Callable[[], None]) -> Iterator[Device]:
    """Yield a device for the length of the context, waiting until one is free; see `leases`."""
    with leases(preference, slots, 1, check) as (device,):
        yield device


@contextlib.contextmanager
def leases(
    preference: str, slots: int, count: int, check: Callable[[], None]
) -> Iterator[list[Device]]:
    """Yield `count` devices for the length of the context, waiting until they are free.

    Parameters
    ----------
    preference : ``cpu``, ``cuda``, or ``auto`` (CUDA where there is a device, else the CPU).
    slots : how many processes may share a device.
    count : how many devices; on the CPU as many processes share it.
    check : called while waiting; may raise.

    Raises RethinkError for ``cuda`` without a device, and for more devices than there are.
    """
    visible = [] if preference == "cpu" else visible_devices()
    if not visible:
        if preference == "cuda":
            raise RethinkError("--device cuda: no CUDA device is visible; use --device auto or cpu")
        if preference == "auto":
            log.info("no GPU is visible: computing on the CPU")
        yield [Device(torch.device("cpu"), "cpu", _processor())] * count
        return
    if count > len(visible):
        raise RethinkError(
            f"{count} GPUs are wanted at once, but {len(visible)} visible: {', '.join(visible)}; "
            "set 'gpus' in the preset to what a machine has"
        )
    if "SLURM_JOB_ID" in os.environ:
        yield _devices(range(count), visible)
        return
    paths = [[_lock_path(name, slot) for slot in range(slots)] for name in visible]
    with several_free(
        paths, count, lambda: log.info("waiting for a device: %s in use", ", ".join(visible)), check
    ) as held:
        yield _devices(held, visible)


def _lock_path(identity: str, slot: int) -> Path:
    default = Path(tempfile.gettempdir()) / f"rethink-locks-{os.getuid()}"
    folder = Path(os.environ.get("RETHINK_LOCKS", default))
    return folder / f"{socket.gethostname()}-{identity.replace('/', '_')}-{slot}"


def _devices(indices: Iterable[int], visible: list[str]) -> list[Device]:
    """Return the devices of these indices; the first becomes this process's present one."""
    if "RETHINK_FAKE_DEVICES" in os.environ:
        cpu = torch.device("cpu")
        return [Device(cpu, visible[i], f"fake device {visible[i]}") for i in indices]
    devices = [torch.device("cuda", index) for index in indices]
    torch.cuda.set_device(devices[0])
    return [Device(d, visible[d.index], torch.cuda.get_device_name(d)) for d in devices]


def _processor() -> str:
    from rethink.provenance import machine

    return machine()["processor"]
