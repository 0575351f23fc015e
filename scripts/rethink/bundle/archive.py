"""Archives that are the same bytes for the same files, and folders that open like them."""

import contextlib
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from rethink.errors import RethinkError
from rethink.files import atomic_path

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip file can name
PLAIN_FILE = 0o100644 << 16
UNIX = 3


def write_zip(files: Mapping[str, bytes | Path], path: Path) -> None:
    """Write `files`, contents or where they lie by their names, to a zip file at `path`.

    The names are sorted and times and permissions fixed, so that equal contents give equal bytes
    (with the same zlib).
    """
    with (
        atomic_path(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system, entry.external_attr = UNIX, PLAIN_FILE
            content = files[name]
            archive.writestr(entry, content if isinstance(content, bytes) else content.read_bytes())


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Path]:
    """Yield the folder with the files of a bundle or results folder; a zip file is unpacked first.

    Raises RethinkError for a path that is neither, and for an archive with a damaged entry, two
    entries of one name, or a name that would lead out of the folder.
    """
    if path.is_dir():
        yield path
        return
    if not path.is_file():
        raise RethinkError(f"{path} is not there; it should be a bundle.zip or a folder of results")
    with tempfile.TemporaryDirectory(prefix="rethink-") as folder:
        _unpack(path, Path(folder))
        yield Path(folder)


def _unpack(path: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            for name in names:
                parts = PurePosixPath(name).parts
                if name.startswith("/") or "\\" in name or ".." in parts:
                    raise RethinkError(f"{path}: the entry '{name}' leads out of the archive")
                if names.count(name) > 1:
                    raise RethinkError(f"{path}: the entry '{name}' is there twice")
            archive.extractall(folder)
    except (zipfile.BadZipFile, zipfile.zlib.error, EOFError) as error:
        raise RethinkError(f"{path}: not readable as a zip file: {error}") from None


def files_below(folder: Path) -> dict[str, Path]:
    """Return all files below `folder` by their names relative to it, sorted."""
    found = {
        path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()
    }
    return dict(sorted(found.items()))
