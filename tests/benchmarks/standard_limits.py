"""What a machine can do: the rates of its arithmetic and memory, and the floor of a training step.

A step is a list of operations, one after the other. Each product and convolution is done again by
itself, the least of several times; of all other operations only the bytes count that they read and
write, at the rate of the memory. The sum of these is the step's floor: what it would take if nothing
were lost between the operations. Operands that stay in a core's cache make it an estimate.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

# These read the rows that they return, not all of their first operand.
GATHERING = ("index", "index_select", "gather", "take")


class Limits(NamedTuple):
    """The rates of a machine: FLOP/s of products and convolutions, bytes/s of memory."""

    product: float
    convolution: float
    memory: float


class Floor(TorchDispatchMode):
    """While it is on, adds up the least seconds of all operations."""

    def __init__(self, limits: Limits, device: torch.device):
        super().__init__()
        self.limits, self.device, self.seconds = limits, device, 0.0

    def __torch_dispatch__(self, operation, types, arguments=(), keywords=None):
        keywords = keywords or {}
        result = operation(*arguments, **keywords)
        name = operation._overloadpacket.__name__.removesuffix("_")
        if getattr(torch.ops.aten, name, None) in flop_registry:
            times = seconds_of(lambda: operation(*arguments, **keywords), self.device)
            self.seconds += min(times)
        elif not _is_view(operation):
            read = _bytes(result if name in GATHERING else (arguments, keywords))
            self.seconds += (read + _bytes(result)) / self.limits.memory
        return result


def _is_view(operation: Any) -> bool:
    aliases = [value.alias_info for value in operation._schema.returns]
    return any(alias is not None and not alias.is_write for alias in aliases)


def _bytes(values: Any) -> int:
    """Return the size of all tensors in nested values; what is expanded counts once."""
    return sum(
        min(leaf.numel() * leaf.element_size(), leaf.untyped_storage().nbytes())
        for leaf in tree_leaves(values)
        if isinstance(leaf, Tensor)
    )


def limits(device: torch.device) -> Limits:
    """Measure a square product, a convolution forth and back, and a sum of two arrays in place.

    Medians, as of everything that they are compared with: the rates of a shared machine vary.
    """
    size, maps = 2048, 32
    a, b, out = (torch.ones((size, size), device=device) for _ in range(3))
    images = torch.ones((maps, 64, 28, 28), device=device, requires_grad=True)
    images = images.to(memory_format=torch.channels_last)
    weight = torch.ones((64, 64, 5, 5), device=device, requires_grad=True)

    def convolve() -> None:
        torch.autograd.grad(F.conv2d(images, weight, padding=2).sum(), (images, weight))

    def rate(amount: float, work: Callable[[], object]) -> float:
        return amount / statistics.median(seconds_of(work, device))

    return Limits(
        rate(2 * size**3, lambda: torch.mm(a, b, out=out)),
        rate(3 * 2 * maps * 28**2 * 64**2 * 25, convolve),
        max(_bandwidth(2**n, rate, device) for n in (20, 24)),
    )


def _bandwidth(count: int, rate: Callable[..., float], device: torch.device) -> float:
    """Return bytes/s of x <- x + y on arrays of `count` floats."""
    x, y = (torch.zeros(count, device=device) for _ in range(2))
    return rate(3 * 4 * count, lambda: x.add_(y))


def seconds_of(work: Callable[[], object], device: torch.device, repeats: int = 5) -> list[float]:
    """Return the times of a piece of work: of the processor, on a GPU on the clock."""
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    times = []
    for _ in range(repeats):
        start = clock()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(clock() - start)
    return times
