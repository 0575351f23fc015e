"""Files put back with their old time, made visible to Snakemake.

Snakemake asks for the content of an input only once its modification time is newer than the
output. A file restored from a backup (``cp -p``, ``rsync -t``, ``tar -x``) keeps an old one, and
what depends on it would silently stay stale. The change time cannot be set by a program: where it
is later than the modification time, the file was put there later than it claims, and what was made
from it says in its record whether the content is still the same.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from rethink.files import sha256_file
from rethink.states import read_quietly

# Writing, flushing and renaming a large file takes seconds, all of them legitimate.
TOLERANCE_NS = 60 * 10**9
# Arrays are checked against their manifests by whoever reads them.
SUFFIXES = (".json", ".csv", ".svg", ".html", ".j2", ".css", ".js", ".txt")


def reveal_restored(results: Path, *more: Path) -> list[Path]:
    """Give inputs that were replaced by files with an old time the present time.

    `results` is the folder of a preset's results, `more` are further folders with inputs; all are
    relative to the working folder, like the paths in the records.

    Snakemake then sees them as newer and compares their content itself. A tree that was moved as a
    whole is left alone: its files are still what the records name. Returns the files.
    """
    suspects = {path for folder in (results, *more) for path in _claiming_to_be_older(folder)}
    if not suspects:
        return []
    replaced = set()
    for record in _records(results):
        inputs = record.get("digests", {}).get("inputs", {})
        for path in suspects & inputs.keys():
            if sha256_file(path) != inputs[path]:
                replaced.add(path)
    for path in replaced:
        os.utime(path)
    return sorted(map(Path, replaced))


def _claiming_to_be_older(folder: Path) -> Iterator[str]:
    for path in _files(folder):
        if path.endswith(SUFFIXES):
            with contextlib.suppress(OSError):
                status = os.stat(path)
                if status.st_ctime_ns - status.st_mtime_ns > TOLERANCE_NS:
                    yield path


def _files(folder: Path) -> Iterator[str]:
    """Yield the files below a folder, as text: there are tens of thousands of them."""
    top = str(folder)
    for parent, folders, names in os.walk(top):
        if parent == top:
            folders[:] = [name for name in folders if name not in ("work", "logs")]
        yield from (os.path.join(parent, name) for name in names)


def _records(results: Path) -> Iterator[dict]:
    for path in _files(results):
        if path.endswith("run.json"):
            yield read_quietly(Path(path)) or {}
