"""Locks between processes that the kernel frees when their holder ends, however it ends."""

import contextlib
import fcntl
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

POLL_SECONDS = 0.25


def try_lock(path: Path) -> int | None:
    """Lock the file `path`, made where missing; return its descriptor, or None if it is held.

    Closing the descriptor frees the lock. Raises OSError where the file system knows no locks.
    """
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except FileNotFoundError:
            continue  # Its last holder is removing the folder at this moment.
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.stat(path).st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        except FileNotFoundError:
            pass  # The file was removed between opening and locking: lock the new one.
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)


@contextlib.contextmanager
def first_free(
    paths: list[Path], waiting: Callable[[], None], check: Callable[[], None]
) -> Iterator[int]:
    """Hold the first of the locks `paths` that becomes free and yield its index.

    `waiting` is called once if none is free at first, `check` at every look; it may raise.
    """
    with several_free([[path] for path in paths], 1, waiting, check) as (index,):
        yield index


@contextlib.contextmanager
def several_free(
    groups: list[list[Path]], count: int, waiting: Callable[[], None], check: Callable[[], None]
) -> Iterator[list[int]]:
    """Hold one lock in each of `count` groups and yield the groups' indices, in order.

    All or none: a process never waits with some of its locks in hand, so that two that want
    several each cannot block one another. `waiting` and `check` as for `first_free`.
    """
    told = False
    while (held := _take(groups, count)) is None:
        if not told:
            waiting()
            told = True
        check()
        # Not in step with others who look for the same.
        time.sleep(POLL_SECONDS * random.uniform(0.5, 1.5))
    try:
        yield sorted(held)
    finally:
        for descriptor in held.values():
            os.close(descriptor)


def _take(groups: list[list[Path]], count: int) -> dict[int, int] | None:
    """Return the descriptors of `count` locks by the index of their groups, or None."""
    held: dict[int, int] = {}
    places = [(slot, index) for index, group in enumerate(groups) for slot in range(len(group))]
    for slot, index in sorted(places):
        if index not in held and (descriptor := try_lock(groups[index][slot])) is not None:
            held[index] = descriptor
            if len(held) == count:
                return held
    for descriptor in held.values():
        os.close(descriptor)
    return None
