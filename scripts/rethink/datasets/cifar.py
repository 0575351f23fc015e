"""CIFAR-10 and CIFAR-100 from the official python-version archives."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rethink.datasets import archives
from rethink.datasets.writer import Dataset
from rethink.errors import RethinkError

BASES = ("https://www.cs.toronto.edu/~kriz/",)
SIDE = 32
CHANNELS = 3


class Layout(NamedTuple):
    """An archive: its sha256 and members, and the keys that hold labels and their names."""

    title: str
    archive: str
    sha256: str
    folder: str
    train: tuple[str, ...]
    test: str
    meta: str
    labels: str
    label_names: str
    classes: int


LAYOUTS = {
    "cifar10": Layout(
        title="CIFAR-10",
        archive="cifar-10-python.tar.gz",
        sha256="6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
        folder="cifar-10-batches-py",
        train=tuple(f"data_batch_{i}" for i in range(1, 6)),
        test="test_batch",
        meta="batches.meta",
        labels="labels",
        label_names="label_names",
        classes=10,
    ),
    "cifar100": Layout(
        title="CIFAR-100",
        archive="cifar-100-python.tar.gz",
        sha256="85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
        folder="cifar-100-python",
        train=("train",),
        test="test",
        meta="meta",
        labels="fine_labels",
        label_names="fine_label_names",
        classes=100,
    ),
}


def load(spec: dict[str, Any], download_folder: Path) -> Dataset:
    """Return CIFAR-10 or CIFAR-100 (the fine labels), 32x32x3, 50,000 and 10,000 images.

    ``sha256`` in the spec replaces the pinned one, for an archive of the user's own in the
    official layout.
    """
    layout = LAYOUTS[spec["kind"]]
    sha256 = spec.get("sha256") or layout.sha256
    path = archives.obtain(layout.archive, sha256, BASES, spec, download_folder)
    archives.check_sha256(path, sha256)
    names = [f"{layout.folder}/{name}" for name in (*layout.train, layout.test, layout.meta)]
    members = archives.read_members(path, names)
    batches = [
        _read_batch(members[name], f"'{name}' in {path}", layout)
        for name in names[: len(layout.train) + 1]
    ]
    test_images, test_labels = batches.pop()
    return Dataset(
        title=layout.title,
        class_names=_read_names(members[names[-1]], f"'{names[-1]}' in {path}", layout),
        train_images=np.concatenate([images for images, _ in batches]),
        train_labels=np.concatenate([labels for _, labels in batches]),
        test_images=test_images,
        test_labels=test_labels,
        source=lambda: {"archive": layout.archive, "sha256": sha256},
    )


def _read_batch(content: bytes, what: str, layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    """Return images (n, 32, 32, 3) and labels (n,); a row is the red, green and blue plane."""
    batch = archives.read_pickle(content, what)
    for key in ("data", layout.labels):
        if key not in batch:
            raise RethinkError(f"{what} has no '{key}'; it is not a batch of {layout.title}")
    data, labels = batch["data"], batch[layout.labels]
    if not isinstance(data, archives.PickledArray):
        raise RethinkError(f"{what}: 'data' is not an array")
    try:
        rows = data.uint8(CHANNELS * SIDE * SIDE)
    except (ValueError, TypeError, AttributeError) as error:
        raise RethinkError(f"{what}: 'data' {error}") from error
    if not isinstance(labels, list) or len(labels) != len(rows):
        raise RethinkError(f"{what}: '{layout.labels}' is not a list of {len(rows)} labels")
    for label in labels:
        if type(label) is not int or not 0 <= label < layout.classes:
            raise RethinkError(
                f"{what}: '{layout.labels}' holds {label!r}, which is not an integer in "
                f"0..{layout.classes - 1}"
            )
    images = rows.reshape(-1, CHANNELS, SIDE, SIDE).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), np.array(labels)


def _read_names(content: bytes, what: str, layout: Layout) -> list[str]:
    try:
        names = archives.read_texts(archives.read_pickle(content, what).get(layout.label_names))
    except (ValueError, UnicodeDecodeError) as error:
        raise RethinkError(f"{what}: '{layout.label_names}' {error}") from error
    if len(set(names)) != layout.classes or len(names) != layout.classes:
        raise RethinkError(
            f"{what}: '{layout.label_names}' must hold {layout.classes} different names"
        )
    return names
