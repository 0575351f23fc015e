"""Reading a dataset or a corruption of one: a small manifest beside memory-mapped arrays."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rethink.errors import RethinkError
from rethink.files import read_json, sha256_file

SCHEMA = 1
SPLITS = ("train", "test")
IMAGES = ("train_images", "test_images")
LABELS = ("train_labels", "test_labels")


@dataclass(frozen=True)
class Arrays:
    """A dataset as training sees it. N counts the examples of a split; images are (N, H, W, C).

    Labels that are a task of their own (random signs) have no true ones to compare with: the true
    labels are then the given ones, and `classes` counts theirs.

    train_images, test_images : uint8, memory-mapped and read-only
    train_labels : labels as given to training, uint8 (uint16 beyond 256 classes)
    test_labels : the true test labels
    test_labels_given : test labels corrupted like the training labels, else the true ones
    train_labels_true : the true training labels
    train_hit : bool, which training labels were drawn anew; None where labels are clean
    corruption : its name, ``none`` for the clean data
    """

    name: str
    corruption: str
    classes: int
    class_names: list[str]
    image_shape: tuple[int, int, int]
    train_images: np.ndarray
    test_images: np.ndarray
    train_labels: np.ndarray
    test_labels: np.ndarray
    test_labels_given: np.ndarray
    train_labels_true: np.ndarray
    train_hit: np.ndarray | None


def open_dataset(manifest: str | Path, verify: bool = False) -> Arrays:
    """Open the dataset or corruption that `manifest` (a ``manifest.json``) describes.

    Nothing is read but headers; `verify` reads every array used and compares its sha256.
    Raises RethinkError, naming the file, where one is missing, damaged or not the one described.
    """
    manifest = Path(manifest)
    header = read_manifest(manifest)
    own = _open(manifest, header["arrays"], verify)
    clean = own
    if header["kind"] == "corruption":
        clean = _open_clean(manifest, header, verify)
    true = own if header.get("own_task") else clean
    missing = [name for name in (*IMAGES, *LABELS) if name not in own and name not in clean]
    if missing:
        raise RethinkError(f"{manifest} lists no array '{missing[0]}'; make it again")
    given = clean | own
    return Arrays(
        name=header["dataset"],
        corruption=header.get("corruption", "none"),
        classes=header["classes"],
        class_names=header["class_names"],
        image_shape=tuple(header["image_shape"]),
        train_images=given["train_images"],
        test_images=given["test_images"],
        train_labels=given["train_labels"],
        test_labels=true["test_labels"],
        test_labels_given=given["test_labels"],
        train_labels_true=true["train_labels"],
        train_hit=own.get("train_hit"),
    )


def read_manifest(path: Path) -> dict[str, Any]:
    """Return the content of a manifest; raises RethinkError if it is not one of ours."""
    try:
        header = read_json(path)
    except FileNotFoundError:
        raise RethinkError(f"{path} does not exist; make it with the workflow first") from None
    except (OSError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RethinkError(f"{path} cannot be read as a manifest: {error}") from error
    kinds = ("data", "corruption")
    if not (
        isinstance(header, dict) and header.get("schema") == SCHEMA and header.get("kind") in kinds
    ):
        raise RethinkError(f"{path} is not a dataset manifest of schema {SCHEMA}; make it again")
    return header


def _open_clean(manifest: Path, header: dict[str, Any], verify: bool) -> dict[str, np.ndarray]:
    """Open what a corruption leaves as it is, and the true labels."""
    path = manifest.parent / header["clean"]
    clean = read_manifest(path)
    if sha256_file(path) != header["clean_sha256"]:
        raise RethinkError(f"{manifest} was made from another version of {path}; make it again")
    used = {
        name: entry
        for name, entry in clean["arrays"].items()
        if name in LABELS or name not in header["arrays"]
    }
    return _open(path, used, verify)


def _open(manifest: Path, entries: dict[str, dict], verify: bool) -> dict[str, np.ndarray]:
    return {name: _open_array(manifest, entry, verify) for name, entry in entries.items()}


def _open_array(manifest: Path, entry: dict[str, Any], verify: bool) -> np.ndarray:
    path = manifest.parent / entry["file"]
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise RethinkError(f"{path} is missing or damaged ({error}); make it again") from error
    if (list(array.shape), str(array.dtype)) != (entry["shape"], entry["dtype"]):
        raise RethinkError(
            f"{path} holds {array.dtype} {_times(array.shape)}, but {manifest.name} says "
            f"{entry['dtype']} {_times(entry['shape'])}; make it again"
        )
    if verify and sha256_file(path) != entry["sha256"]:
        raise RethinkError(
            f"{path} is damaged: its sha256 is not that in {manifest.name}; make it again"
        )
    return array


def _times(shape: Iterable[int]) -> str:
    return "x".join(map(str, shape))
