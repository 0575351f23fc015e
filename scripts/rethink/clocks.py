"""Files put back with their old time, made visible to Snakemake.

Snakemake asks for the content of an input only once its modification time is newer than the
output. A file restored from a backup (``cp -p``, ``rsync -t``, ``tar -x``) keeps an old one, and
what depends on it would silently stay stale. The change time cannot be set by a program: where it
is later than the modification time, the file was put there later than it claims.
"""

import os
import time
from collections.abc import Iterable
from pathlib import Path

# Writing, flushing and renaming a large file takes seconds, all of them legitimate.
TOLERANCE_NS = 60 * 10**9


def reveal_restored(folders: Iterable[Path], skip: frozenset[str] = frozenset()) -> list[Path]:
    """Give every file below `folders` that claims to be older than it is the present time.

    All get the same time, so that a tree moved as a whole stays up to date; a lone file becomes
    newer than what was made from its predecessor, and Snakemake then compares its content.
    Subfolders named in `skip` are left alone. Returns the files.
    """
    now = time.time_ns()
    restored = [
        Path(entry.path)
        for folder in folders
        for entry in _files(folder, skip)
        if _claims_to_be_older(entry.stat(follow_symlinks=False), now)
    ]
    for path in restored:
        os.utime(path, ns=(now, now))
    return restored


def _claims_to_be_older(status: os.stat_result, now: int) -> bool:
    return status.st_ctime_ns - status.st_mtime_ns > TOLERANCE_NS and status.st_mtime_ns < now


def _files(folder: Path, skip: frozenset[str]) -> Iterable[os.DirEntry]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if entry.name not in skip:
                yield from _files(Path(entry.path), skip)
        elif entry.is_file(follow_symlinks=False):
            yield entry
