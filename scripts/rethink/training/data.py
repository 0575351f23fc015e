"""Examples on the device: cropping, whitening, augmentation, and the order of each epoch."""

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from rethink import seeds
from rethink.datasets.store import Arrays
from rethink.errors import RethinkError

# Whitened images are kept on the device up to this size; larger sets are whitened batch by batch.
RESIDENT_BYTES = 4 * 2**30
CHUNK = 1000


def whiten(pixels: Tensor, statistics: Tensor | None = None) -> Tensor:
    """Return images (N, H, W, C), 0..255, with mean 0 and standard deviation 1 each, as float32.

    Over all pixels and channels of an image after division by 255; the deviation is floored at
    1 / sqrt(H W C) (paper, Appendix A: TensorFlow's per-image whitening). Other `statistics` than
    the images' own are means and deviations (2, N), as `image_statistics` returns them.
    """
    values = pixels.flatten(1).float().div_(255)
    if statistics is not None:
        mean, deviation = statistics[..., None]
        return values.sub_(mean).div_(deviation).view(pixels.shape)
    values.sub_(values.mean(1, keepdim=True))
    return values.div_(_deviation(values)).view(pixels.shape)


def image_statistics(pixels: Tensor) -> Tensor:
    """Return what `whiten` subtracts from each image and divides by: (2, N)."""
    values = pixels.flatten(1).float().div_(255)
    mean = values.mean(1, keepdim=True)
    return torch.cat([mean, _deviation(values.sub_(mean))], dim=1).T.contiguous()


def _deviation(centred: Tensor) -> Tensor:
    """Return the floored standard deviation (N, 1) of values (N, M) of mean 0."""
    deviation = centred.square().mean(1, keepdim=True).sqrt_()
    return deviation.clamp_(min=1 / math.sqrt(centred.shape[1]))


class Images:
    """A set of images that is handed out in cropped and whitened batches.

    Parameters
    ----------
    pixels : (N, H, W, C) uint8, may be memory-mapped.
    crop : side of the square that the networks see.
    device : where batches are needed.
    augmented : whether `window` will be used, which needs the pixels beyond the central crop.
    whole : whether images are whitened before they are cropped, by the statistics of all pixels.
    """

    def __init__(
        self,
        pixels: np.ndarray,
        crop: int,
        device: torch.device,
        augmented: bool,
        whole: bool = False,
    ):
        with warnings.catch_warnings():
            # The file is mapped read-only, and nothing here writes to it.
            warnings.filterwarnings("ignore", message=".*not writable")
            source = torch.from_numpy(pixels)
        self.count, height, width, channels = source.shape
        self.crop, self.device = crop, device
        self.margins = (height - crop, width - crop)
        top, left = (margin // 2 for margin in self.margins)
        self._center = source[:, top : top + crop, left : left + crop]
        self._source = source
        if augmented and source.numel() <= RESIDENT_BYTES:
            self._source = source.to(device)
        self._statistics = None
        if whole:
            parts = (image_statistics(chunk.to(device)) for chunk in source.split(CHUNK))
            self._statistics = torch.cat(list(parts), dim=1)
        self._whitened = None
        if 4 * self.count * crop**2 * channels <= RESIDENT_BYTES:
            self._whitened = torch.empty((self.count, crop, crop, channels), device=device)
            for start in range(0, self.count, CHUNK):
                part = slice(start, start + CHUNK)
                self._whitened[part] = self._whiten(self._center[part], part)

    def _whiten(self, pixels: Tensor, index: Tensor | slice) -> Tensor:
        """Return pixels of the images at `index`, whitened, on the device."""
        known = None if self._statistics is None else self._statistics[:, index]
        return whiten(pixels.to(self.device), known)

    def central(self, index: Tensor | slice) -> Tensor:
        """Return the central crops at `index` as float32 (*index.shape, crop, crop, C)."""
        if self._whitened is not None:
            if isinstance(index, slice):
                return self._whitened[index]
            rows = self._whitened.index_select(0, index.flatten())
        elif isinstance(index, slice):
            return self._whiten(self._center[index], index)
        else:
            rows = self._whiten(self._center[index.flatten().cpu()], index.flatten())
        return rows.view(*index.shape, *rows.shape[1:])

    def window(self, index: Tensor, draws: dict[str, Tensor]) -> Tensor:
        """Return augmented crops at `index` as float32 (*index.shape, crop, crop, C).

        `draws` has tensors shaped like `index`: ``top`` and ``left`` of the window, and, where
        wanted, ``flip`` (bool) and ``angle`` (radians), which act about the centre of the image.
        """
        where = self._source.device
        rows = index.flatten().to(where)
        draw = {name: values.flatten().to(where) for name, values in draws.items()}
        if "angle" in draw:
            pixels = self._rotated(rows, **draw)
        else:
            # A view of all windows: the gather reads each pixel of the batch once.
            windows = self._source.unfold(1, self.crop, 1).unfold(2, self.crop, 1)
            pixels = windows.permute(0, 1, 2, 4, 5, 3)[rows, draw["top"], draw["left"]]
            if "flip" in draw:
                pixels = torch.where(draw["flip"][:, None, None, None], pixels.flip(2), pixels)
        return self._whiten(pixels, index.flatten()).view(*index.shape, *pixels.shape[1:])

    def _rotated(
        self, rows: Tensor, top: Tensor, left: Tensor, angle: Tensor, flip: Tensor | None = None
    ) -> Tensor:
        """Sample rotated windows bilinearly; what lies outside of the image is black."""
        height, width = self._source.shape[1:3]
        steps = torch.arange(self.crop, device=rows.device)
        y = (top[:, None] + steps - (height - 1) / 2)[:, :, None]
        x = (left[:, None] + steps - (width - 1) / 2)[:, None, :]
        if flip is not None:
            x = torch.where(flip[:, None, None], -x, x)
        cosine, sine = angle.cos()[:, None, None], angle.sin()[:, None, None]
        grid = torch.stack(
            ((cosine * x - sine * y) * (2 / width), (sine * x + cosine * y) * (2 / height)), dim=-1
        )
        images = self._source[rows].permute(0, 3, 1, 2).float()
        return F.grid_sample(images, grid, align_corners=False).permute(0, 2, 3, 1)


@dataclass(frozen=True)
class Examples:
    """Images with the labels given to training, the true ones, and which were drawn anew."""

    images: Images
    labels: Tensor
    labels_true: Tensor
    hit: Tensor | None = None

    def __len__(self) -> int:
        return self.images.count


@dataclass(frozen=True)
class Data:
    """What a cell is trained, validated (or None) and tested on."""

    train: Examples
    validation: Examples | None
    test: Examples
    classes: int
    input_shape: tuple[int, int, int]


def load(arrays: Arrays, spec: dict[str, Any], device: torch.device) -> Data:
    """Return the data of a cell on `device`; raises RethinkError where the two do not fit.

    The training examples may be limited to a subset, and the validation examples are taken out of
    them; both choices depend on the cell's seed only, not on the replicate.
    """
    settings, crop = spec["train"], spec["input"]["crop"]
    whole = spec["input"].get("whitening") == "before_crop"
    height, width, channels = arrays.image_shape
    if not 1 <= crop <= min(height, width):
        raise RethinkError(
            f"{spec['name']}: input.crop is {crop}, but the images of {arrays.name} are "
            f"{height}x{width}"
        )
    chosen, held_out = _choose(len(arrays.train_labels), spec)
    augmented = bool(settings["random_crop"] or settings["flip"] or settings["rotation"])

    def examples(index: np.ndarray, augmented: bool) -> Examples:
        everything = len(index) == len(arrays.train_labels)
        pixels = arrays.train_images if everything else arrays.train_images[index]
        return Examples(
            Images(pixels, crop, device, augmented, whole),
            _labels(arrays.train_labels[index], device),
            _labels(arrays.train_labels_true[index], device),
            None
            if arrays.train_hit is None
            else torch.from_numpy(np.asarray(arrays.train_hit[index], dtype=bool)).to(device),
        )

    return Data(
        train=examples(chosen, augmented),
        validation=examples(held_out, False) if len(held_out) else None,
        test=Examples(
            Images(arrays.test_images, crop, device, False, whole),
            _labels(arrays.test_labels_given, device),
            _labels(arrays.test_labels, device),
        ),
        classes=arrays.classes,
        input_shape=(channels, crop, crop),
    )


def _labels(labels: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(labels.astype(np.int64)).to(device)


def _choose(count: int, spec: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return the sorted indices of the training and of the validation examples."""
    settings, seed = spec["train"], spec["seed"]
    chosen = np.arange(count)
    wanted = settings["train_examples"]
    if wanted is not None and wanted > count:
        raise RethinkError(
            f"{spec['name']}: train_examples is {wanted}, but {spec['dataset']} has {count}"
        )
    if wanted is not None:
        chosen = np.sort(seeds.generator(seed, "train_examples").permutation(count)[:wanted])
    if not settings["early_stopping"]:
        return chosen, chosen[:0]
    size = max(1, round(settings["early_stopping"]["validation"] * len(chosen)))
    if size >= len(chosen):
        raise RethinkError(f"{spec['name']}: no training examples are left beside validation")
    shuffled = seeds.generator(seed, "validation").permutation(chosen)
    return np.sort(shuffled[size:]), np.sort(shuffled[:size])


def generator(*stream: object) -> torch.Generator:
    """Return a CPU generator for the stream of that name."""
    return torch.Generator().manual_seed(seeds.stream_seed(*stream))


class Epoch:
    """The order and the augmentation of one epoch for K replicates, each (K, N) on the device.

    Drawn on the CPU whatever the device, from streams named by seed, replicate, purpose and epoch:
    a cell that was interrupted draws the same again.
    """

    def __init__(self, examples: Examples, spec: dict[str, Any], replicates: Sequence[int], n: int):
        settings, count = spec["train"], len(examples)
        margins = examples.images.margins
        self.examples = examples

        def draw(purpose: str, make: Callable[[torch.Generator], Tensor]) -> Tensor:
            streams = (generator(spec["seed"], r, purpose, n) for r in replicates)
            return torch.stack([make(g) for g in streams]).to(examples.images.device)

        self.order = draw("order", lambda g: torch.randperm(count, generator=g))
        self.draws: dict[str, Tensor] = {}
        if not (settings["random_crop"] or settings["flip"] or settings["rotation"]):
            return
        for name, margin in zip(("top", "left"), margins, strict=True):
            if settings["random_crop"]:
                self.draws[name] = draw(
                    name, lambda g, m=margin: torch.randint(m + 1, (count,), generator=g)
                )
            else:
                self.draws[name] = torch.full_like(self.order, margin // 2)
        if settings["flip"]:
            self.draws["flip"] = draw(
                "flip", lambda g: torch.randint(2, (count,), generator=g).bool()
            )
        if settings["rotation"]:
            limit = math.radians(settings["rotation"])
            self.draws["angle"] = draw(
                "rotation", lambda g: torch.empty(count).uniform_(-limit, limit, generator=g)
            )

    def batch(self, start: int, size: int) -> tuple[Tensor, Tensor]:
        """Return images (K, B, crop, crop, C) and labels (K, B) from position `start` on."""
        index = self.order[:, start : start + size]
        labels = self.examples.labels[index]
        if not self.draws:
            return self.examples.images.central(index), labels
        draws = {name: values[:, start : start + size] for name, values in self.draws.items()}
        return self.examples.images.window(index, draws), labels
