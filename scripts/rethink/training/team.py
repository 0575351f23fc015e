"""Several processes that train one cell together, each on a device and a part of every batch.

The first process is the one that was started: it holds the cell's lock and devices, writes its
checkpoint and results, and starts the others. They follow its orders and end with it. Gradients are
averaged by DistributedDataParallel; sums, running statistics and decisions are made equal here, so
that every process has the same state, and the first one's checkpoint is that of all.
"""

import contextlib
import ctypes
import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from multiprocessing.connection import wait
from typing import Any

import torch
from torch import Tensor, nn

from rethink.errors import RethinkError
from rethink.training.checkpoint import Stopped
from rethink.training.devices import Device

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
# A process may wait so long for the others: a checkpoint on a slow disk takes minutes.
TIMEOUT = timedelta(hours=1)
LEAVE_SECONDS = 60.0
BREAK_SECONDS = 5.0
_PR_SET_PDEATHSIG = 1  # of Linux's prctl


class Alone:
    """One process: all is its own, and nothing has to be agreed upon."""

    rank, size = 0, 1

    def part(self, start: int, stop: int) -> slice:
        """Return this process's part of the places from `start` to `stop`."""
        count = stop - start
        ends = (start + count * (self.rank + i) // self.size for i in (0, 1))
        return slice(*ends)

    def wrap(self, network: nn.Module) -> nn.Module:
        """Return the network to call in training."""
        return network

    def gradients(self, loss: Tensor, parameters: Sequence[Tensor]) -> Sequence[Tensor]:
        """Return the gradients of the mean of all processes' losses."""
        return torch.autograd.grad(loss, parameters)

    def sum_(self, values: Tensor) -> Tensor:
        """Sum `values` over the processes, in place."""
        return values

    def average_(self, values: Sequence[Tensor]) -> None:
        """Average tensors of floats over the processes, in place."""

    def agree(self, order: int | None) -> int | None:
        """Return the first process's `order`."""
        return order

    def share(self, value: Any) -> Any:
        """Return the first process's `value`."""
        return value


class Team(Alone):
    """Process number `rank` of `size`, on `device`; `port` is where the first one listens."""

    def __init__(self, rank: int, size: int, device: torch.device, port: int, store: Any = None):
        # Not above: the module takes a while to load, and most cells do without.
        import torch.distributed as dist

        self.rank, self.size, self.device, self.dist = rank, size, device, dist
        if sys.platform == "linux":
            # All are on this machine, whose own name may not lead to it.
            os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        if store is None:
            store = dist.TCPStore(HOST, port, size, is_master=False, timeout=TIMEOUT)
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo",
            store=store,
            rank=rank,
            world_size=size,
            timeout=TIMEOUT,
        )

    def wrap(self, network: nn.Module) -> nn.Module:
        # Looking for unused parameters (it warns once that there are none) keeps it from arranging
        # its buckets of gradients anew after the first step: their order decides on the last bits,
        # and a resumed run starts over.
        return nn.parallel.DistributedDataParallel(network, find_unused_parameters=True)

    def gradients(self, loss: Tensor, parameters: Sequence[Tensor]) -> Sequence[Tensor]:
        for parameter in parameters:
            parameter.grad = None
        loss.backward()
        return [parameter.grad for parameter in parameters]

    def sum_(self, values: Tensor) -> Tensor:
        self.dist.all_reduce(values)
        return values

    def average_(self, values: Sequence[Tensor]) -> None:
        if not values:
            return
        joined = self.sum_(torch.cat([value.flatten() for value in values])).div_(self.size)
        parts = joined.split([value.numel() for value in values])
        pairs = zip(parts, values, strict=True)
        torch._foreach_copy_(list(values), [part.view(value.shape) for part, value in pairs])

    def agree(self, order: int | None) -> int | None:
        message = torch.tensor([order or 0])
        self.dist.broadcast(message, 0)
        return message.item() or None

    def share(self, value: Any) -> Any:
        box = [value]
        self.dist.broadcast_object_list(box, 0, device=torch.device("cpu"))
        return box[0]

    def leave(self) -> None:
        """End the connection."""
        self.dist.destroy_process_group()


@contextlib.contextmanager
def together(
    devices: Sequence[Device], name: str, target: Callable[..., None], *arguments: Any
) -> Iterator[Alone]:
    """Yield the first process's team for the length of the context.

    One process per device: the others call ``target(team, device, *arguments)``. When one of them
    ends before its time, this process says so on standard error and exits with 1.
    """
    if len(devices) == 1:
        yield Alone()
        return
    import torch.distributed as dist

    size = len(devices)
    store = dist.TCPStore(HOST, 0, size, is_master=True, wait_for_workers=False, timeout=TIMEOUT)
    # Not forked: a process that uses CUDA cannot be.
    context = multiprocessing.get_context("spawn")
    others = [
        context.Process(
            target=_follow, args=(rank, size, devices[rank], store.port, target, arguments)
        )
        for rank in range(1, size)
    ]
    for process in others:
        process.start()
    over = threading.Event()
    watch = threading.Thread(target=_watch, args=(others, name, over), daemon=True)
    watch.start()
    try:
        team = Team(0, size, devices[0].torch, store.port, store)
        try:
            yield team
        except Stopped:
            _part(team, others)
            raise
        except RuntimeError:
            # The connection breaks before the watch has seen that the other end is gone: if one
            # is, the watch says so and ends this process.
            if wait([process.sentinel for process in others], BREAK_SECONDS):
                watch.join(BREAK_SECONDS)
            raise
        _part(team, others)
    finally:
        over.set()
        for process in others:
            process.kill()


def _part(team: Team, others: Sequence[Any]) -> None:
    """End the connection of processes that are done, or were all told to stop."""
    team.leave()
    for process in others:
        process.join(LEAVE_SECONDS)


def _follow(
    rank: int,
    size: int,
    device: Device,
    port: int,
    target: Callable[..., None],
    arguments: Sequence[Any],
) -> None:
    """Be one of the other processes."""
    # It is the first process that is told to stop, and that tells the others.
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, signal.SIG_IGN)
    _end_with_parent()
    if device.torch.type == "cuda":
        torch.cuda.set_device(device.torch)
    try:
        team = Team(rank, size, device.torch, port)
        target(team, device, *arguments)
    except RethinkError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        sys.exit(1)
    team.leave()


def _end_with_parent() -> None:
    """Let the kernel kill this process when the one that started it ends, however it ends."""
    parent = multiprocessing.parent_process()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if parent is not None and not parent.is_alive():
        os._exit(1)


def _watch(others: Sequence[Any], name: str, over: threading.Event) -> None:
    """End this process, whatever it is waiting for, when another one fails."""
    running = {process.sentinel: process for process in others}
    while running:
        for sentinel in wait(list(running)):
            process = running.pop(sentinel)
            process.join()
            if process.exitcode and not over.is_set():
                print(
                    f"error: process {others.index(process) + 2} of {len(others) + 1} that train "
                    f"{name} together ended with exit code {process.exitcode}; run again to go on "
                    "from the last checkpoint",
                    file=sys.stderr,
                    flush=True,
                )
                for other in others:
                    other.kill()
                os._exit(1)
