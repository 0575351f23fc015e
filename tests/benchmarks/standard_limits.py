"""What a machine could do at best: its arithmetic, its memory, and a training step on both.

A step is a list of operations, and none of them is done before its arithmetic is, at the best rate
of a matrix product or convolution, or before its operands have come from memory and gone back. The
sum of these times is the step's roofline. Operands that stay in a core's cache make it an estimate,
not a bound; the bandwidth is the best of a working set in the last cache and one beyond it.
"""

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
    """The best rates of a machine: FLOP/s of products and convolutions, bytes/s of memory."""

    product: float
    convolution: float
    memory: float


class Roofline(TorchDispatchMode):
    """While it is on, adds up the least times of all operations."""

    def __init__(self, limits: Limits):
        super().__init__()
        self.limits, self.seconds = limits, 0.0

    def __torch_dispatch__(self, operation, types, arguments=(), keywords=None):
        keywords = keywords or {}
        result = operation(*arguments, **keywords)
        if _is_view(operation):
            return result
        name = operation._overloadpacket.__name__.removesuffix("_")
        formula = flop_registry.get(getattr(torch.ops.aten, name, None))
        flops = formula(*arguments, **keywords, out_val=result) if formula else 0
        rate = self.limits.convolution if "convolution" in name else self.limits.product
        moved = _bytes(result)
        moved += _bytes(result) if name in GATHERING else _bytes((arguments, keywords))
        self.seconds += max(flops / rate, moved / self.limits.memory)
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
    """Measure a square product, a convolution forth and back, and a sum of two arrays in place."""
    size, maps = 2048, 32
    a, b, out = (torch.ones((size, size), device=device) for _ in range(3))
    images = torch.ones((maps, 64, 28, 28), device=device, requires_grad=True)
    images = images.to(memory_format=torch.channels_last)
    weight = torch.ones((64, 64, 5, 5), device=device, requires_grad=True)

    def convolve() -> None:
        torch.autograd.grad(F.conv2d(images, weight, padding=2).sum(), (images, weight))

    product = 2 * size**3 / least_seconds(lambda: torch.mm(a, b, out=out), device)
    convolution = 3 * 2 * maps * 28**2 * 64**2 * 25 / least_seconds(convolve, device)
    return Limits(product, convolution, max(_bandwidth(2**n, device) for n in (20, 24)))


def _bandwidth(count: int, device: torch.device) -> float:
    """Return bytes/s of x <- x + y on arrays of `count` floats."""
    x, y = (torch.zeros(count, device=device) for _ in range(2))
    return 3 * 4 * count / least_seconds(lambda: x.add_(y), device, repeats=10)


def least_seconds(work: Callable[[], object], device: torch.device, repeats: int = 4) -> float:
    """Return the least time of a piece of work: of the processor, on a GPU on the clock."""
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    times = []
    for _ in range(repeats):
        start = clock()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(clock() - start)
    return min(times)
