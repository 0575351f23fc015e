"""Any images in class folders: ``train/<class>/*`` and ``test/<class>/*`` (or ``val``)."""

import hashlib
import io
import os
import sys
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rethink.datasets.writer import Dataset
from rethink.errors import RethinkError

BLOCK_BYTES = 2**23
MAX_WORKERS = 8
PROGRESS_SECONDS = 10


class Target(NamedTuple):
    """What an image must become: `height` x `width`, by resizing or because it is so already."""

    height: int
    width: int
    resize: bool


def load(spec: dict[str, Any], download_folder: Path) -> Dataset:
    """Return the images under ``spec["folder"]`` as RGB, in blocks that are read when written.

    With ``image_size`` the shorter side is resized to it (bilinear) and the centre cropped;
    without, all images must have one size. Classes are the folder names in sorted order.
    Raises RethinkError for a missing or empty folder, different classes in train and test, or,
    when the blocks are read, an image that cannot be read or has another size.
    """
    if not spec.get("folder"):
        raise RethinkError(f"dataset '{spec['name']}' needs 'folder', the folder with train/ in it")
    root = Path(spec["folder"]).expanduser()
    train_root, test_root = _split_folder(root, "train"), _split_folder(root, "test", "val")
    class_names = _class_names(train_root)
    _check_same_classes(class_names, train_root, test_root)
    train_names, train_labels = _list_images(train_root, class_names)
    test_names, test_labels = _list_images(test_root, class_names)
    target = _target(train_root / train_names[0], spec.get("image_size"))
    train, test = (
        ImageBlocks(train_root, train_names, target),
        ImageBlocks(test_root, test_names, target),
    )
    return Dataset(
        title=spec["name"],
        class_names=class_names,
        train_images=train,
        train_labels=train_labels,
        test_images=test,
        test_labels=test_labels,
        source=lambda: {
            "files": len(train_names) + len(test_names),
            "sha256": _digest({"train": train, "test": test}),
            "image_size": spec.get("image_size"),
        },
    )


class ImageBlocks:
    """The images of one split, decoded in order by a few processes; see `writer.Blocks`.

    digests : sha256 of the files read so far, in the order of `names`
    """

    def __init__(self, root: Path, names: list[str], target: Target):
        self.root, self.names, self.target = root, names, target
        self.shape = (len(names), target.height, target.width, 3)
        self.digests: list[str] = []

    def __iter__(self) -> Iterator[np.ndarray]:
        self.digests.clear()
        size = max(1, min(256, BLOCK_BYTES // int(np.prod(self.shape[1:]))))
        parts = [self.names[i : i + size] for i in range(0, len(self.names), size)]
        workers = min(MAX_WORKERS, _cores(), len(parts))
        told = time.monotonic()
        with ProcessPoolExecutor(workers) as pool:
            try:
                for images, digests in self._decode(pool, parts, 2 * workers):
                    self.digests.extend(digests)
                    yield images
                    if time.monotonic() - told > PROGRESS_SECONDS:
                        told = time.monotonic()
                        self._tell()
            except BrokenProcessPool as error:
                raise RethinkError(
                    f"a process that reads {self.root} was killed, most likely for lack of memory"
                ) from error
            finally:
                pool.shutdown(cancel_futures=True)

    def _decode(
        self, pool: ProcessPoolExecutor, parts: list[list[str]], ahead: int
    ) -> Iterator[tuple[np.ndarray, list[str]]]:
        """Yield the blocks in order, never more than `ahead` of them waiting in memory."""
        waiting: deque = deque()
        for part in parts:
            waiting.append(pool.submit(_read_block, self.root, part, self.target))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _tell(self) -> None:
        message = f"{self.root}: {len(self.digests):,} of {len(self.names):,} images"
        print(message, file=sys.stderr, flush=True)


def _cores() -> int:
    """Return how many cores this process may use; a cluster may grant fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _split_folder(root: Path, *names: str) -> Path:
    for name in names:
        if (root / name).is_dir():
            return root / name
    raise RethinkError(
        f"{root} has no folder {' or '.join(f'{name}/' for name in names)}; an image folder "
        "holds train/<class>/ and test/<class>/"
    )


def _class_names(root: Path) -> list[str]:
    names = sorted(e.name for e in os.scandir(root) if e.is_dir() and e.name[0] != ".")
    if not names:
        raise RethinkError(f"{root} has no class folders; it should hold one folder per class")
    return names


def _check_same_classes(class_names: list[str], train_root: Path, test_root: Path) -> None:
    different = sorted(set(class_names) ^ set(_class_names(test_root)))
    if different:
        there, missing = train_root, test_root
        if different[0] not in class_names:
            there, missing = missing, there
        raise RethinkError(
            f"class folder '{different[0]}' is in {there} but not in {missing}; both must hold "
            "the same classes"
        )


def _list_images(root: Path, class_names: list[str]) -> tuple[list[str], np.ndarray]:
    """Return the names of all files relative to `root`, class by class, and their labels."""
    names: list[str] = []
    labels: list[int] = []
    for label, class_name in enumerate(class_names):
        found = sorted(_files(root, class_name))
        if not found:
            raise RethinkError(f"class folder {root / class_name} holds no images")
        names += found
        labels += [label] * len(found)
    return names, np.array(labels)


def _files(root: Path, class_name: str) -> Iterator[str]:
    """Yield every file below a class folder; what begins with a dot is no image."""
    for folder, folders, files in os.walk(root / class_name):
        folders[:] = [name for name in folders if name[0] != "."]
        for name in files:
            if name[0] != ".":
                yield Path(folder, name).relative_to(root).as_posix()


def _target(first: Path, image_size: int | None) -> Target:
    if image_size is not None:
        return Target(image_size, image_size, True)
    image = _decode_image(first, first.read_bytes())
    return Target(image.height, image.width, False)


def _read_block(root: Path, names: list[str], target: Target) -> tuple[np.ndarray, list[str]]:
    """Return images (n, H, W, 3) uint8 and the sha256 of their files."""
    images = np.empty((len(names), target.height, target.width, 3), np.uint8)
    digests = []
    for row, name in enumerate(names):
        path = root / name
        try:
            content = path.read_bytes()
        except OSError as error:
            raise RethinkError(f"{path} cannot be read: {error.strerror}") from error
        digests.append(hashlib.sha256(content).hexdigest())
        images[row] = _fit(_decode_image(path, content), target, path)
    return images, digests


def _decode_image(path: Path, content: bytes) -> Any:
    """Return a PIL image in RGB."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content)) as image:
            return image.convert("RGB")
    except Exception as error:  # each format has errors of its own
        reason = "unknown format" if isinstance(error, Image.UnidentifiedImageError) else error
        raise RethinkError(f"{path} cannot be read as an image: {reason}") from error


def _fit(image: Any, target: Target, path: Path) -> Any:
    from PIL import Image

    width, height = target.width, target.height
    if not target.resize:
        if image.size != (width, height):
            raise RethinkError(
                f"{path} is {image.width}x{image.height} while the first training image is "
                f"{width}x{height}; give 'image_size' to resize and crop them all"
            )
        return image
    scale = width / min(image.size)
    size = tuple(max(width, round(side * scale)) for side in image.size)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    resized = image.resize(size, Image.Resampling.BILINEAR)
    return resized.crop((left, top, left + width, top + height))


def _digest(splits: dict[str, ImageBlocks]) -> str:
    """Return one sha256 over the names and contents of all files, whatever their place."""
    lines = sorted(
        f"{split}/{name} {sha256}\n".encode(errors="surrogateescape")
        for split, blocks in splits.items()
        for name, sha256 in zip(blocks.names, blocks.digests, strict=True)
    )
    return hashlib.sha256(b"".join(lines)).hexdigest()
