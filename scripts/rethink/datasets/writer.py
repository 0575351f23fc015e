"""Writing a dataset or a corruption: arrays first, then the record, the manifest last."""

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.lib.format import dtype_to_descr, write_array_header_1_0

from rethink.datasets.store import SCHEMA, SPLITS
from rethink.errors import RethinkError
from rethink.files import atomic_path, write_json
from rethink.provenance import Record

MANIFEST = "manifest.json"
RUN = "run.json"


class Blocks(Protocol):
    """Images too many to hold at once: iterating gives uint8 blocks along the first axis."""

    shape: tuple[int, ...]

    def __iter__(self) -> Iterator[np.ndarray]: ...


@dataclass(frozen=True)
class Dataset:
    """Clean images (uint8, (N, H, W, C)) and labels, train and test, ready to be written.

    source : returns where they come from, for the manifest; called once the images are written,
        because an image folder knows its own digest only then
    """

    title: str
    class_names: list[str]
    train_images: np.ndarray | Blocks
    train_labels: np.ndarray
    test_images: np.ndarray | Blocks
    test_labels: np.ndarray
    source: Callable[[], dict[str, Any]]


class Writer:
    """Writes the arrays of one folder; they get their names together when all are written."""

    def __init__(self, out: Path, stack: contextlib.ExitStack):
        self.manifest: dict[str, Any] = {}
        self.entries: dict[str, dict[str, Any]] = {}
        self.out, self._stack = out, stack

    def array(self, name: str, array: np.ndarray) -> None:
        """Write `array` as ``<name>.npy``."""
        self.blocks(name, array.shape, array.dtype, [array])

    def blocks(
        self, name: str, shape: Iterable[int], dtype: Any, blocks: Iterable[np.ndarray]
    ) -> None:
        """Write the `blocks`, which follow each other along the first axis, as ``<name>.npy``.

        They are appended rather than mapped: a full disk is then an error and not a signal.
        """
        shape, dtype, rows = tuple(shape), np.dtype(dtype), 0
        path = self._stack.enter_context(atomic_path(self.out / f"{name}.npy"))
        with open(path, "wb") as file:
            stream = _Hashing(file)
            descr = dtype_to_descr(dtype)
            write_array_header_1_0(stream, {"descr": descr, "fortran_order": False, "shape": shape})
            for block in blocks:
                if block.shape[1:] != shape[1:] or block.dtype != dtype:
                    raise ValueError(f"{name}: {block.dtype} {block.shape} in {dtype} {shape}")
                stream.write(memoryview(np.ascontiguousarray(block)).cast("B"))
                rows += len(block)
        if rows != shape[0]:
            raise ValueError(f"{name}: {rows} rows instead of {shape[0]}")
        self.entries[name] = {
            "file": f"{name}.npy",
            "shape": list(shape),
            "dtype": str(dtype),
            "sha256": stream.digest.hexdigest(),
        }


class _Hashing:
    """A file that is hashed as it is written."""

    def __init__(self, file: Any):
        self.digest, self._file = hashlib.sha256(), file

    def write(self, content: Any) -> None:
        self.digest.update(content)
        self._file.write(content)


@contextlib.contextmanager
def writing(out: str | Path, record: Record) -> Iterator[Writer]:
    """Yield a `Writer` for the folder `out`; its arrays, record and manifest appear or none do.

    The manifest is what the block put into ``writer.manifest``, with the arrays added: the same
    content gives the same bytes. Raises RethinkError where the disk does not take the files.
    """
    out = Path(out)
    stack = contextlib.ExitStack()
    writer = Writer(out, stack)
    try:
        with stack:
            yield writer
            # an older result by the same name ends here, before its arrays are replaced
            (out / MANIFEST).unlink(missing_ok=True)
        arrays = [out / entry["file"] for entry in writer.entries.values()]
        record.write(out / RUN, arrays)
        manifest = {"schema": SCHEMA, **writer.manifest, "arrays": writer.entries}
        write_json(out / MANIFEST, manifest)
    except BaseException as error:
        _clear(out, writer)
        if isinstance(error, OSError):
            raise RethinkError(f"cannot make {out}: {error}") from error
        raise


def _clear(out: Path, writer: Writer) -> None:
    """Remove what a failed `writing` left, but not an older result that is still whole."""
    with contextlib.suppress(OSError):
        if not (out / MANIFEST).exists():
            for name in (*(entry["file"] for entry in writer.entries.values()), RUN):
                (out / name).unlink(missing_ok=True)
        out.rmdir()


def label_dtype(classes: int) -> np.dtype:
    """Return the dtype that labels of so many classes are stored in."""
    return np.dtype(np.uint8 if classes <= 256 else np.uint16)


def write_dataset(dataset: Dataset, name: str, out: str | Path, record: Record) -> None:
    """Write `dataset` under the folder `out` as the data called `name`."""
    with writing(out, record) as writer:
        for split in SPLITS:
            images = getattr(dataset, f"{split}_images")
            labels = np.asarray(getattr(dataset, f"{split}_labels"))
            if len(labels) != images.shape[0]:
                raise ValueError(f"{split}: {images.shape[0]} images, {len(labels)} labels")
            blocks = [images] if isinstance(images, np.ndarray) else images
            writer.blocks(f"{split}_images", images.shape, np.uint8, blocks)
            dtype = label_dtype(len(dataset.class_names))
            writer.array(f"{split}_labels", labels.astype(dtype))
        writer.manifest = {
            "kind": "data",
            "dataset": name,
            "title": dataset.title,
            "classes": len(dataset.class_names),
            "class_names": dataset.class_names,
            "image_shape": list(dataset.train_images.shape[1:]),
            "train": len(dataset.train_labels),
            "test": len(dataset.test_labels),
            "source": dataset.source(),
        }
