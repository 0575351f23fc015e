"""Examples in batches on the device: cropped, augmented, whitened, in the order of each epoch."""

import math
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rethink import seeds
from rethink.datasets.store import Arrays
from rethink.errors import RethinkError
from rethink.training.augmentation import Draws, augment, draws
from rethink.training.limits import WHITENED_BYTES
from rethink.training.prefetch import prefetched

# Larger sets than this share of the device's free memory are streamed from their files.
FREE_SHARE = 0.5
CHUNK = 1000
AUGMENTATIONS = ("random_crop", "flip", "rotation", "random_resized_crop", "color_distortion")

Request = tuple[Tensor | slice, Draws | None]


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


def scale(pixels: Tensor) -> Tensor:
    """Return images 0..255 as float32 from -1 to 1 (the TensorFlow Inception package)."""
    return pixels.float().div_(127.5).sub_(1)


def channel_statistics(pixels: np.ndarray) -> Tensor:
    """Return mean and standard deviation of every channel of images (N, H, W, C): (2, C), 0..255.

    From exact sums; may be given a memory map. A channel that is the same everywhere is divided
    by 1.
    """
    sums = np.zeros((2, pixels.shape[-1]), dtype=np.int64)
    for start in range(0, len(pixels), CHUNK):
        part = np.asarray(pixels[start : start + CHUNK]).reshape(-1, pixels.shape[-1])
        sums += part.sum(0, dtype=np.int64), np.square(part, dtype=np.int64).sum(0)
    mean, square = sums / (pixels.size // pixels.shape[-1])
    deviation = np.sqrt(np.maximum(square - mean**2, 0))
    return torch.from_numpy(np.stack((mean, np.where(deviation > 0, deviation, 1)))).float()


def whitened(
    crops: Tensor, images: Tensor, whitening: str, channels: Tensor | None = None
) -> Tensor:
    """Return the `crops` (N, h, w, C) of `images` (N, H, W, C), 0..255, as the networks see them.

    ``after_crop`` : each whitened by its own statistics (the order of Appendix A).
    ``before_crop`` : by those of the whole image, before any augmentation.
    ``fixed`` : scaled to -1..1.
    ``dataset`` : by the statistics `channels` of the training set, see `channel_statistics`.
    """
    if channels is not None:
        mean, deviation = channels
        return (crops.float() - mean).div_(deviation)
    if whitening == "fixed":
        return scale(crops)
    return whiten(crops, image_statistics(images) if whitening == "before_crop" else None)


class Images:
    """A set of images that is handed out in cropped and whitened batches.

    Parameters
    ----------
    pixels : (N, H, W, C) uint8, may be memory-mapped.
    crop : side of the square that the networks see.
    device : where batches are needed.
    augmented : whether `window` will be used, which needs the pixels beyond the central crop.
    whitening : see `whitened`.
    placement : ``resident`` on the device, ``streamed`` from the map batch by batch, or ``auto``
        by their size. The batches are the same to the bit.
    rows : the images of the set by their place in `pixels`; None for all.
    channels : statistics for the whitening ``dataset``.
    """

    def __init__(
        self,
        pixels: np.ndarray,
        crop: int,
        device: torch.device,
        augmented: bool,
        whitening: str = "after_crop",
        placement: str = "auto",
        rows: np.ndarray | None = None,
        channels: Tensor | None = None,
    ):
        self.count = len(pixels) if rows is None else len(rows)
        height, width, depth = pixels.shape[1:]
        self.crop, self.device, self.whitening = crop, device, whitening
        self.channels = None if channels is None else channels.to(device)
        self.margins = (height - crop, width - crop)
        self.streamed = placement == "streamed" or (
            placement == "auto"
            and self.count * height * width * depth > FREE_SHARE * _free_bytes(device)
        )
        self._pixels, self._rows, self._whitened = pixels, rows, None
        if self.streamed:
            return
        source = _tensor(pixels if rows is None else pixels[rows])
        if 4 * self.count * crop**2 * depth <= WHITENED_BYTES:
            self._whitened = torch.empty((self.count, crop, crop, depth), device=device)
            for start in range(0, self.count, CHUNK):
                part = slice(start, start + CHUNK)
                self._whitened[part] = self._finish(source[part].to(device), None)
        if augmented or self._whitened is None:
            self._source = source.to(device)

    @property
    def index_device(self) -> torch.device:
        """Where the indices of a batch are needed."""
        return torch.device("cpu") if self.streamed else self.device

    def central(self, index: Tensor | slice) -> Tensor:
        """Return the central crops at `index` as float32 (*index.shape, crop, crop, C)."""
        if self._whitened is None:
            return self._shaped(self._finish(self._gathered(index), None), index)
        if isinstance(index, slice):
            return self._whitened[index]
        return self._shaped(self._whitened.index_select(0, index.flatten()), index)

    def window(self, index: Tensor, drawn: Draws) -> Tensor:
        """Return augmented crops at `index` as float32 (*index.shape, crop, crop, C).

        `drawn` has tensors shaped like `index`, see `rethink.training.augmentation`.
        """
        return self._shaped(self._finish(self._gathered(index), drawn), index)

    def batches(self, requests: Iterable[Request]) -> Iterator[Tensor]:
        """Yield the batch of each request, an index with draws for `window` or None for `central`.

        Where the images are streamed, the files of the next ones are read in the meantime.
        """
        if not self.streamed:
            for index, drawn in requests:
                yield self.central(index) if drawn is None else self.window(index, drawn)
            return

        def fetched(request: Request) -> tuple[Tensor, Request]:
            return self._fetch(request[0]), request

        for pixels, (index, drawn) in prefetched(fetched, requests, self.device):
            arrived = pixels.to(self.device, non_blocking=True)
            yield self._shaped(self._finish(arrived, drawn), index)

    def _fetch(self, index: Tensor | slice) -> Tensor:
        """Return whole images (n, H, W, C) from the map, in memory that a device copies fast."""
        rows = np.arange(self.count)[index] if isinstance(index, slice) else index.flatten().numpy()
        if self._rows is not None:
            rows = self._rows[rows]
        buffer = torch.empty(
            (len(rows), *self._pixels.shape[1:]),
            dtype=torch.uint8,
            pin_memory=self.device.type == "cuda",
        )
        # With a mode other than `raise` NumPy writes to the buffer directly.
        np.take(self._pixels, rows, axis=0, out=buffer.numpy(), mode="clip")
        return buffer

    def _gathered(self, index: Tensor | slice) -> Tensor:
        """Return whole images (n, H, W, C) on the device."""
        if self.streamed:
            return self._fetch(index).to(self.device)
        return self._source[index if isinstance(index, slice) else index.flatten()]

    def _finish(self, pixels: Tensor, drawn: Draws | None) -> Tensor:
        """Return the crops (n, crop, crop, C) of whole images on the device, whitened."""
        if drawn is None:
            top, left = (margin // 2 for margin in self.margins)
            crops = pixels[:, top : top + self.crop, left : left + self.crop]
        else:
            flat = {name: values.flatten() for name, values in drawn.items()}
            crops = augment(pixels, self.crop, flat)
        return whitened(crops, pixels, self.whitening, self.channels)

    @staticmethod
    def _shaped(rows: Tensor, index: Tensor | slice) -> Tensor:
        return rows if isinstance(index, slice) else rows.view(*index.shape, *rows.shape[1:])


def _tensor(pixels: np.ndarray) -> Tensor:
    with warnings.catch_warnings():
        # The file is mapped read-only, and nothing here writes to it.
        warnings.filterwarnings("ignore", message=".*not writable")
        return torch.from_numpy(pixels)


def _free_bytes(device: torch.device) -> int:
    """Return the memory that data may take on a device; on a CPU all that there is."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@dataclass(frozen=True)
class Examples:
    """Images with the labels given to training, the true ones, and which were drawn anew."""

    images: Images
    labels: Tensor
    labels_true: Tensor
    hit: Tensor | None = None

    def __len__(self) -> int:
        return self.images.count

    @property
    def both_labels(self) -> tuple[Tensor, Tensor]:
        """The given and the true labels."""
        return self.labels, self.labels_true


@dataclass(frozen=True)
class Data:
    """What a cell is trained, validated (or None) and tested on."""

    train: Examples
    validation: Examples | None
    test: Examples
    classes: int
    input_shape: tuple[int, int, int]


def load(
    arrays: Arrays, spec: dict[str, Any], device: torch.device, placement: str = "auto"
) -> Data:
    """Return the data of a cell for `device`; raises RethinkError where the two do not fit.

    The training examples may be limited to a subset, and the validation examples are taken out of
    them; both choices depend on the cell's seed only, not on the replicate. `placement` is that of
    `Images`.
    """
    settings, crop = spec["train"], spec["input"]["crop"]
    whitening = spec["input"].get("whitening", "after_crop")
    height, width, channels = arrays.image_shape
    if not 1 <= crop <= min(height, width):
        raise RethinkError(
            f"{spec['name']}: input.crop is {crop}, but the images of {arrays.name} are "
            f"{height}x{width}"
        )
    if settings["color_distortion"] and channels != 3:
        raise RethinkError(
            f"{spec['name']}: color_distortion needs colour images; those of {arrays.name} have "
            f"{channels} channels"
        )
    statistics = channel_statistics(arrays.train_images) if whitening == "dataset" else None
    chosen, held_out = _choose(len(arrays.train_labels), spec)
    augmented = any(settings[key] for key in AUGMENTATIONS)

    def examples(index: np.ndarray, augmented: bool) -> Examples:
        rows = None if len(index) == len(arrays.train_labels) else index
        return Examples(
            Images(
                arrays.train_images, crop, device, augmented, whitening, placement, rows, statistics
            ),
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
            Images(
                arrays.test_images,
                crop,
                device,
                False,
                whitening,
                placement,
                channels=statistics,
            ),
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
    """The order and the augmentation of one epoch for K replicates, each (K, N).

    Drawn on the CPU whatever the device, from streams named by seed, replicate, purpose and epoch:
    a cell that was interrupted draws the same again.
    """

    def __init__(self, examples: Examples, spec: dict[str, Any], replicates: Sequence[int], n: int):
        count, images = len(examples), examples.images
        self.examples = examples

        def draw(purpose: str, make: Callable[[torch.Generator], Tensor]) -> Tensor:
            streams = (generator(spec["seed"], r, purpose, n) for r in replicates)
            return torch.stack([make(g) for g in streams])

        order = draw("order", lambda g: torch.randperm(count, generator=g))
        self.order = order.to(images.index_device)
        drawn = draws(spec["train"], images.margins, count, draw)
        self.draws = {name: values.to(images.device) for name, values in drawn.items()}

    def batches(self, parts: Sequence[slice]) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield images (K, B, crop, crop, C) and labels (K, B) at the places `parts` of the order.

        To be closed when not used to the end.
        """
        labels = self.examples.labels
        images = self.examples.images.batches(self._request(part) for part in parts)
        for part, batch in zip(parts, images, strict=True):
            yield batch, labels[self.order[:, part].to(labels.device)]

    def _request(self, part: slice) -> Request:
        drawn = {name: values[:, part] for name, values in self.draws.items()}
        return self.order[:, part], drawn or None
