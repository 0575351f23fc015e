"""MNIST in its original IDX files."""

import hashlib
import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rethink.datasets import archives
from rethink.datasets.writer import Dataset
from rethink.errors import RethinkError

BASES = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
SIDE = 28
CLASSES = 10
UNPACKED_LIMIT = 2**26


class Pin(NamedTuple):
    """The sha256 of a published gzip file and of the IDX file inside it."""

    packed: str
    unpacked: str


PINS = {
    "train-images-idx3-ubyte.gz": Pin(
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    "train-labels-idx1-ubyte.gz": Pin(
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    "t10k-images-idx3-ubyte.gz": Pin(
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    "t10k-labels-idx1-ubyte.gz": Pin(
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
}


def load(spec: dict[str, Any], download_folder: Path) -> Dataset:
    """Return MNIST, 28x28x1, 60,000 and 10,000 images.

    What counts is the unpacked content: a local file may be packed in another way. ``sha256``
    in the spec, a mapping of file names to the sha256 of their unpacked content, replaces the
    pinned ones for files of the same format (a copy of the layout with other images).
    """
    own = spec.get("sha256") or {}
    if not isinstance(own, dict) or not own.keys() <= PINS.keys():
        raise RethinkError(
            f"dataset '{spec['name']}': MNIST has four files, so 'sha256' maps their names "
            f"({', '.join(PINS)}) to the sha256 of their unpacked content"
        )
    pins = {name: pin.unpacked for name, pin in PINS.items()} | own
    train_images, train_labels = _read_split("train", pins, spec, download_folder)
    test_images, test_labels = _read_split("t10k", pins, spec, download_folder)
    return Dataset(
        title="MNIST",
        class_names=[str(digit) for digit in range(CLASSES)],
        train_images=train_images,
        train_labels=train_labels,
        test_images=test_images,
        test_labels=test_labels,
        source=lambda: {"unpacked_sha256": pins},
    )


def _read_split(
    prefix: str, pins: dict[str, str], spec: dict[str, Any], download_folder: Path
) -> tuple[np.ndarray, np.ndarray]:
    images_path, images = _read(f"{prefix}-images-idx3-ubyte.gz", pins, spec, download_folder)
    labels_path, labels = _read(f"{prefix}-labels-idx1-ubyte.gz", pins, spec, download_folder)
    if images.ndim != 3 or images.shape[1:] != (SIDE, SIDE) or len(images) < 1:
        raise RethinkError(f"{images_path} holds shape {images.shape} instead of (n, 28, 28)")
    if labels.shape != (len(images),):
        raise RethinkError(
            f"{labels_path} holds shape {labels.shape} instead of ({len(images)},), one label "
            "for each image"
        )
    if labels.max() >= CLASSES:
        raise RethinkError(f"{labels_path} holds label {labels.max()}, which is not in 0..9")
    return images[..., np.newaxis], labels


def _read(
    name: str, pins: dict[str, str], spec: dict[str, Any], download_folder: Path
) -> tuple[Path, np.ndarray]:
    path = archives.obtain(name, PINS[name].packed, BASES, spec, download_folder)
    content = archives.read_gzip(path, UNPACKED_LIMIT)
    found = hashlib.sha256(content).hexdigest()
    if found != pins[name]:
        raise RethinkError(
            f"{path} is not the expected file: its unpacked content has sha256 {found} "
            f"instead of {pins[name]}"
        )
    return path, read_idx(content, path)


def read_idx(content: bytes, path: Path) -> np.ndarray:
    """Return an IDX file of unsigned bytes as an array; RethinkError naming `path` if it is none.

    The format: two zero bytes, a type (8 is unsigned byte), the number of axes, their lengths
    as big-endian 32-bit integers, the values in C order.
    """
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        raise RethinkError(f"{path} is not an IDX file of unsigned bytes")
    axes = content[3]
    start = 4 + 4 * axes
    if len(content) < start:
        raise RethinkError(f"{path} ends within its header")
    shape = struct.unpack(f">{axes}I", content[4:start])
    if len(content) - start != np.prod(shape, dtype=object):
        raise RethinkError(
            f"{path} holds {len(content) - start} values, but its header says {shape}"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
