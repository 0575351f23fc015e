"""Locks between processes that the kernel frees when their holder ends, however it ends."""

import contextlib
import fcntl
import os
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
    told = False
    while True:
        for index, path in enumerate(paths):
            descriptor = try_lock(path)
            if descriptor is not None:
                try:
                    yield index
                finally:
                    os.close(descriptor)
                return
        if not told:
            waiting()
            told = True
        check()
        time.sleep(POLL_SECONDS)
