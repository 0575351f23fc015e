"""Archives of published datasets: getting them whole, and reading them without trusting them."""

import contextlib
import gzip
import io
import logging
import os
import pickle
import tarfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np

from rethink.errors import RethinkError
from rethink.files import sha256_file

RETRIES = 3
TIMEOUT_SECONDS = 60
# the largest member of a supported archive, CIFAR-100's train, unpacks to 155 MB
MEMBER_LIMIT = 2**28


def cache_folder() -> Path:
    """Return where downloads are kept: ``$RETHINK_CACHE``, else ``~/.cache/rethink``."""
    return Path(os.environ.get("RETHINK_CACHE") or Path.home() / ".cache" / "rethink")


def obtain(
    name: str, sha256: str, bases: Sequence[str], spec: dict[str, Any], download_folder: Path
) -> Path:
    """Return the path of the archive called `name`, downloading it where needed.

    spec : its ``folder`` (a local folder) or else its ``mirror`` (a base URL; ``file://`` is a
        local folder too) says where to look; without both, the `bases` are tried in turn
    sha256 : what a download must have. A local file is returned as it is: its content is for
        the caller to check.

    Raises RethinkError where the archive is not there or not the one expected.
    """
    folder = _local_folder(spec)
    if folder is None:
        if spec.get("mirror"):
            bases = [spec["mirror"]]
        # by digest, so that two archives of one name do not replace each other
        return _download(name, sha256, bases, download_folder / sha256[:16])
    path = folder / name
    if not path.is_file():
        raise RethinkError(
            f"{path} does not exist; put the published {name} there, or name another "
            "'folder' or 'mirror' for the dataset"
        )
    return path


def _local_folder(spec: dict[str, Any]) -> Path | None:
    if spec.get("folder"):
        return Path(spec["folder"]).expanduser()
    if not spec.get("mirror"):
        return None
    url = urlsplit(spec["mirror"])
    if url.scheme in ("http", "https"):
        return None
    if url.scheme == "file" and url.netloc in ("", "localhost"):
        return Path(url2pathname(url.path))
    raise RethinkError(
        f"mirror '{spec['mirror']}' must be a base URL that begins with https://, http:// or file:///"
    )


def _download(name: str, sha256: str, bases: Sequence[str], folder: Path) -> Path:
    import pooch

    pooch.get_logger().setLevel(logging.WARNING)
    downloader = pooch.HTTPDownloader(timeout=TIMEOUT_SECONDS, chunk_size=2**20)
    failures = []
    for base in bases:
        base = base.rstrip("/") + "/"
        store = pooch.create(
            folder, base, registry={name: f"sha256:{sha256}"}, retry_if_failed=RETRIES
        )
        try:
            return Path(store.fetch(name, downloader=downloader))
        except (OSError, ValueError) as error:
            failures.append(f"{base}{name}: {_reason(error, folder)}")
    with contextlib.suppress(OSError):
        folder.rmdir()
    raise RethinkError(
        f"cannot download {name} ({'; '.join(failures)}); name a 'mirror' that has it or a "
        "'folder' that holds it"
    )


def _reason(error: Exception, folder: Path) -> str:
    """Say in a few words why a download failed."""
    from requests import exceptions

    if isinstance(error, exceptions.HTTPError):
        return f"HTTP {error.response.status_code} {error.response.reason}"
    if isinstance(error, exceptions.Timeout):
        return f"no answer within {TIMEOUT_SECONDS} s"
    if isinstance(error, exceptions.ChunkedEncodingError):
        return "the connection broke off"
    if isinstance(error, exceptions.ConnectionError):
        return "no connection"
    if isinstance(error, exceptions.RequestException):
        return str(error)
    if isinstance(error, OSError):
        return f"cannot write to {folder}: {error}"
    return "its sha256 is not that of the published file"


def check_sha256(path: Path, sha256: str) -> None:
    """Raise RethinkError unless the file has this sha256."""
    found = sha256_file(path)
    if found != sha256:
        raise RethinkError(
            f"{path} is truncated or not the expected archive: its sha256 is {found} "
            f"instead of {sha256}"
        )


def read_gzip(path: Path, limit: int) -> bytes:
    """Return the unpacked content of a gzip file, at most `limit` bytes of it.

    Raises RethinkError if the file is damaged, truncated or unpacks to more.
    """
    try:
        with gzip.open(path) as stream:
            content = stream.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise RethinkError(f"{path} is truncated or damaged: {error}") from error
    if len(content) > limit:
        raise RethinkError(f"{path} unpacks to more than the {limit} bytes it should have")
    return content


def read_members(path: Path, names: Sequence[str]) -> dict[str, bytes]:
    """Return the content of the members `names` of a tar.gz, each a plain file, held in memory.

    Nothing is unpacked to disk. Raises RethinkError if the archive is damaged, lacks one of
    them, or has any member that a data archive has no use for: a link, a device, a name that
    leads outside, one of `names` twice or far too large.
    """
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                _check_member(path, member, found)
                if member.name in names:
                    found[member.name] = archive.extractfile(member).read()
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError) as error:
        raise RethinkError(f"{path} is truncated or damaged: {error}") from error
    for name in names:
        if name not in found:
            raise RethinkError(f"{path} lacks '{name}'; it is not the archive in its official form")
    return found


def _check_member(path: Path, member: tarfile.TarInfo, found: dict[str, bytes]) -> None:
    name = PurePosixPath(member.name)
    reason = None
    if name.is_absolute() or ".." in name.parts:
        reason = "leads outside the archive"
    elif not (member.isdir() or member.isreg()):
        reason = "is a link or a device"
    elif member.name in found:
        reason = "occurs twice"
    elif member.size > MEMBER_LIMIT:
        reason = f"has {member.size} bytes"
    elif member.isdir():
        return
    if reason:
        raise RethinkError(f"{path} is refused: its member '{member.name}' {reason}")


class PickledArray:
    """What a pickle says of a NumPy array; `uint8` turns it into one after checking it."""

    def __setstate__(self, state: tuple) -> None:
        _, self.shape, self.dtype, self.fortran, self.content = state

    def uint8(self, columns: int) -> np.ndarray:
        """Return a (rows, columns) uint8 array; raises ValueError if it is anything else."""
        code = getattr(self.dtype, "code", None)
        if code not in ("u1", b"u1"):
            raise ValueError("is not an array of unsigned bytes")
        if len(self.shape) != 2 or self.shape[0] < 1 or self.shape[1] != columns:
            raise ValueError(f"has shape {self.shape} instead of (rows, {columns})")
        if not isinstance(self.content, bytes) or len(self.content) != self.shape[0] * columns:
            raise ValueError("does not hold as many bytes as its shape says")
        order = "F" if self.fortran else "C"
        return np.frombuffer(self.content, np.uint8).reshape(self.shape, order=order)


class _PickledDtype:
    def __init__(self, code: str | bytes, *_: Any):
        self.code = code

    def __setstate__(self, state: tuple) -> None:
        """Byte order and alignment say nothing about unsigned bytes."""


def _reconstruct(*_: Any) -> PickledArray:
    return PickledArray()


def _encode(text: str, _: Any = None) -> bytes:
    """Python 3 writes bytes in the old protocols as text in latin-1."""
    return text.encode("latin-1")


# What a pickled array names, and the stand-ins that take its place: no code of NumPy, or of
# anything else that a pickle may ask for, runs on content that has not been checked.
STAND_INS = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): PickledArray,
    ("numpy", "dtype"): _PickledDtype,
    ("_codecs", "encode"): _encode,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return STAND_INS[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"asks for {module}.{name}") from None


def read_pickle(content: bytes, what: str) -> dict[str, Any]:
    """Return the dictionary in a pickle of plain values and arrays (as `PickledArray`).

    what : names the pickle in errors. Keys that are bytes become text.

    Raises RethinkError if it is no such dictionary or asks for anything else.
    """
    try:
        value = _Unpickler(io.BytesIO(content), encoding="bytes").load()
        return {_text(key): value for key, value in value.items()}
    except Exception as error:  # a damaged pickle raises whatever its bytes happen to say
        raise RethinkError(f"{what} is refused as a pickle of plain data: {error}") from error


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def read_texts(values: Any) -> list[str]:
    """Return a list of texts or bytes as texts; raises ValueError if it is anything else."""
    if not isinstance(values, list) or not all(isinstance(v, str | bytes) for v in values):
        raise ValueError("is not a list of names")
    return [_text(value) for value in values]
