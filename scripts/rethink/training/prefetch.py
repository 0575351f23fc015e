"""Reading ahead: batches are gathered by threads while the device computes."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Argument = TypeVar("Argument")
Result = TypeVar("Result")

# Batches that are gathered at once, and wait in memory, at most.
AHEAD = 3


def prefetched(
    function: Callable[[Argument], Result], arguments: Iterable[Argument], device: torch.device
) -> Iterator[Result]:
    """Yield ``function(argument)`` for each of `arguments`, in order, from a few threads.

    An error is raised when its turn comes; closing the generator ends the threads.
    """
    # The present device is a thread's own, and pinned memory belongs to it.
    prepare = (torch.cuda.set_device, (device,)) if device.type == "cuda" else (None, ())
    pool = ThreadPoolExecutor(AHEAD, "prefetch", *prepare)
    waiting: deque = deque()
    try:
        for argument in arguments:
            waiting.append(pool.submit(function, argument))
            if len(waiting) == AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
