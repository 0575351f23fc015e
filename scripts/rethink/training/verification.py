"""Whether the arrays that a cell is trained on are those that their manifest names."""

import threading
from pathlib import Path

from rethink.datasets.store import open_dataset
from rethink.errors import RethinkError

# Larger data are compared while training goes on: hashing ImageNet takes minutes.
AT_ONCE_BYTES = 2**33


class Verification:
    """Compares the arrays of `manifest` with their sha256; small ones before it returns.

    Raises RethinkError, then or from `check`, naming the damaged file.
    """

    def __init__(self, manifest: Path):
        arrays = open_dataset(manifest)
        self.manifest, self.error = manifest, None
        # A daemon: a process that is stopped does not wait for it.
        self.thread = threading.Thread(target=self._run, name="verification", daemon=True)
        self.thread.start()
        if arrays.train_images.nbytes + arrays.test_images.nbytes <= AT_ONCE_BYTES:
            self.check(wait=True)

    def _run(self) -> None:
        try:
            open_dataset(self.manifest, verify=True)
        except RethinkError as error:
            self.error = error

    def check(self, wait: bool = False) -> None:
        """Raise what was found so far; `wait` for the end."""
        if wait:
            self.thread.join()
        if self.error is not None:
            raise self.error
