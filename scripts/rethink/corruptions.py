"""The randomizations of Zhang et al. 2017, section 2.2: arrays in, corrupted arrays out.

Every draw comes from a stream of its own, named by seed, dataset, kind and split, and is drawn
once: it is the same over epochs, replicates and machines. The test set is treated like the
training set, with draws of its own; one permutation serves both for shuffled pixels.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from rethink import seeds
from rethink.corruption_names import LABEL_KINDS, Corruption, parse
from rethink.datasets.store import SPLITS, Arrays, open_dataset, read_manifest
from rethink.datasets.writer import Writer, writing
from rethink.errors import RethinkError
from rethink.files import sha256_file
from rethink.provenance import Record

Transform = Callable[[np.ndarray, np.random.Generator], np.ndarray]

SIGNS = ("-1", "+1")  # the classes of random signs, in the order of their labels 0 and 1
BLOCK_BYTES = 2**23
MAX_VALUE = 255


def write_corruption(spec: dict[str, Any], data: Path, out: Path, record: Record) -> None:
    """Write the corruption ``spec["corruption"]`` of the dataset with manifest `data` to `out`.

    Labels are stored alone, beside a reference to the clean images; the other kinds store images
    alone. With a ``spec["area"]`` they change the central square of that side and leave the rest.
    Raises RethinkError for a name that is no corruption and for data of another dataset.
    """
    try:
        corruption = parse(spec["corruption"])
    except ValueError as error:
        raise RethinkError(str(error)) from error
    clean, header = open_dataset(data), read_manifest(data)
    if clean.name != spec["dataset"]:
        raise RethinkError(f"{data} is dataset '{clean.name}', not '{spec['dataset']}'")
    if corruption.kind == "none" or clean.corruption != "none":
        raise RethinkError(f"nothing to do: '{corruption.name}' of {data} is no new corruption")
    copied = ("dataset", "classes", "class_names", "image_shape", "train", "test")
    with writing(out, record) as writer:
        writer.manifest = {key: header[key] for key in copied} | {
            "kind": "corruption",
            "corruption": corruption.name,
            "seed": spec["seed"],
            "clean": Path(os.path.relpath(data, out)).as_posix(),
            "clean_sha256": sha256_file(data),
        }
        if corruption.kind == "signs":
            writer.manifest |= {"classes": 2, "class_names": list(SIGNS), "own_task": True}
            facts = _write_signs(writer, clean, corruption, spec["seed"])
        elif corruption.kind in LABEL_KINDS:
            facts = _write_labels(writer, clean, corruption, spec["seed"])
        else:
            facts = _write_images(writer, clean, corruption, spec["seed"], spec.get("area"))
        writer.manifest["facts"] = facts


def _write_labels(
    writer: Writer, clean: Arrays, corruption: Corruption, seed: int
) -> dict[str, Any]:
    facts = {}
    replace = corrupt_labels if corruption.kind == "labels" else replace_by_others
    for split in SPLITS:
        true = np.asarray(getattr(clean, f"{split}_labels"))
        generator = seeds.generator(seed, clean.name, corruption.kind, split)
        given, hit = replace(true, clean.classes, corruption.level, generator)
        writer.array(f"{split}_labels", given)
        writer.array(f"{split}_hit", hit)
        facts[f"{split}_hit"] = int(hit.sum())
        facts[f"{split}_changed"] = int((given != true).sum())
    return facts


def _write_signs(writer: Writer, clean: Arrays, corruption: Corruption, seed: int) -> dict:
    """Write random signs as labels 0 and 1; each draw, counted from 1, has streams of its own."""
    facts = {}
    for split in SPLITS:
        count = len(getattr(clean, f"{split}_labels"))
        generator = seeds.generator(seed, clean.name, "signs", corruption.variant or 1, split)
        signs = draw_signs(count, generator)
        writer.array(f"{split}_labels", signs)
        writer.array(f"{split}_hit", np.ones(count, bool))
        facts[f"{split}_positive"] = int(signs.sum())
    return facts


def _write_images(
    writer: Writer, clean: Arrays, corruption: Corruption, seed: int, area: int | None
) -> dict[str, Any]:
    stream = (seed, clean.name, corruption.kind)
    place = central(clean.image_shape, area)
    transform, facts = image_transform(clean.train_images[place], corruption, stream)

    def corrupt(block: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        if area is None:
            return transform(block, generator)
        changed = block.copy()
        changed[place] = transform(block[place], generator)
        return changed

    for split in SPLITS:
        images = getattr(clean, f"{split}_images")
        generator = seeds.generator(*stream, split)
        blocks = (corrupt(block, generator) for block in image_blocks(images))
        writer.blocks(f"{split}_images", images.shape, np.uint8, blocks)
    return facts | ({} if area is None else {"area": area})


def central(shape: tuple[int, int, int], side: int | None) -> tuple[slice, slice, slice]:
    """Return the index of the central square of images (N, H, W, C), the same that training sees.

    shape : (H, W, C); a `side` of None stands for the whole image.
    """
    if side is None:
        return (slice(None),) * 3
    starts = [(size - side) // 2 for size in shape[:2]]
    return slice(None), *(slice(start, start + side) for start in starts)


def image_transform(
    train_images: np.ndarray, corruption: Corruption, stream: tuple
) -> tuple[Transform, dict[str, Any]]:
    """Return the function over blocks of images, and the facts about it for the manifest.

    train_images : clean, (N, H, W, C) uint8, for the moments that noise is to match
    stream : the parts that name the streams of random numbers: seed, dataset, kind
    """
    if corruption.kind == "shuffled_pixels":
        height, width, channels = train_images.shape[1:]
        size = height * width * (channels if corruption.variant == "scalars" else 1)
        permutation = seeds.generator(*stream).permutation(size)
        return lambda images, _: shuffle_pixels(images, permutation), {}
    if corruption.kind == "random_pixels":
        permute = permute_scalars if corruption.variant == "scalars" else permute_pixels
        return permute, {}
    if corruption.kind == "gaussian_noise":
        std = MAX_VALUE * corruption.level
        return lambda images, generator: add_noise(images, std, generator), {"noise_std": std}
    return _gaussian(train_images, per_channel=corruption.variant == "channels")


def _gaussian(train_images: np.ndarray, per_channel: bool) -> tuple[Transform, dict[str, Any]]:
    counts = value_counts(train_images)
    if not per_channel:
        counts = counts.sum(axis=0, keepdims=True)
    means, variances = moments(counts)
    # rounded, because the last bits of a root differ from machine to machine
    fits = [matching_normal(*pair) for pair in zip(means, variances, strict=True)]
    mean, std = np.round(np.array(fits).T, 6)
    facts = {
        "mean": means.tolist(),
        "std": np.sqrt(variances).tolist(),
        "normal_mean": mean.tolist(),
        "normal_std": std.tolist(),
    }
    return lambda images, generator: draw_gaussian(images.shape, mean, std, generator), facts


def image_blocks(images: np.ndarray) -> Iterator[np.ndarray]:
    """Yield `images` (N, H, W, C) in blocks of a few megabytes, so that memory stays bounded."""
    size = max(1, BLOCK_BYTES // max(1, int(np.prod(images.shape[1:]))))
    for start in range(0, len(images), size):
        yield np.asarray(images[start : start + size])


def corrupt_labels(
    labels: np.ndarray, classes: int, level: float, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Replace each label with probability `level` by a class drawn uniformly from all.

    The class drawn may be the true one (paper, section 2.2, "partially corrupted labels": the
    label is corrupted "as a uniform random class"). All draws are made at every level, so that
    with equal generators the hit examples of a level are among those of a higher one.

    Returns the labels (N,), dtype as given, and which were hit (N,), bool.
    """
    hit = generator.random(len(labels)) < level
    drawn = generator.integers(0, classes, len(labels)).astype(labels.dtype)
    return np.where(hit, drawn, labels), hit


def replace_by_others(
    labels: np.ndarray, classes: int, level: float, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Replace each label with probability `level` by one of the other classes, all equally likely.

    The other reading of "random labels", in which the level is the share of wrong labels. Levels
    are nested and the result is as in `corrupt_labels`.
    """
    hit = generator.random(len(labels)) < level
    steps = generator.integers(1, classes, len(labels))
    others = ((labels + steps) % classes).astype(labels.dtype)
    return np.where(hit, others, labels), hit


def draw_signs(count: int, generator: np.random.Generator) -> np.ndarray:
    """Draw independent labels (count,), uint8: 0 stands for the sign -1, 1 for +1, equally likely.

    They have nothing to do with the images: the sigma of the empirical Rademacher complexity
    (paper, section 2.2).
    """
    return generator.integers(0, 2, count, dtype=np.uint8)


def shuffle_pixels(images: np.ndarray, permutation: np.ndarray) -> np.ndarray:
    """Put the pixels of every image (N, H, W, C) in one order (paper, "shuffled pixels").

    permutation : of the H*W positions, the channels of a pixel staying together, or of all
        H*W*C values
    """
    flat = images.reshape(len(images), len(permutation), -1)
    return flat[:, permutation].reshape(images.shape)


def permute_scalars(images: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Permute all H*W*C values of each image, in an order of its own (paper, "random pixels")."""
    return generator.permuted(images.reshape(len(images), -1), axis=1).reshape(images.shape)


def permute_pixels(images: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Permute the H*W pixels of each image, in an order of its own, with their channels tied.

    The other reading of "random pixels": it keeps each image's colours.
    """
    flat = images.reshape(len(images), -1, images.shape[-1])
    positions = np.broadcast_to(np.arange(flat.shape[1], dtype=np.int32), flat.shape[:2])
    order = generator.permuted(positions, axis=1)
    return np.take_along_axis(flat, order[..., np.newaxis], axis=1).reshape(images.shape)


def add_noise(images: np.ndarray, std: float, generator: np.random.Generator) -> np.ndarray:
    """Add independent normal noise to every value, rounded and clipped to 0..255."""
    noise = generator.standard_normal(images.shape, dtype=np.float32)
    return _to_uint8(images + np.float32(std) * noise)


def draw_gaussian(
    shape: tuple[int, ...], mean: np.ndarray, std: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Draw images from normals, rounded and clipped to 0..255 (paper, "Gaussian").

    mean, std : (1,), or (C,) for one normal per channel
    """
    noise = generator.standard_normal(shape, dtype=np.float32)
    return _to_uint8(mean.astype(np.float32) + std.astype(np.float32) * noise)


def _to_uint8(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, MAX_VALUE).astype(np.uint8)


def value_counts(images: np.ndarray) -> np.ndarray:
    """Return how often each channel of uint8 `images` (N, H, W, C) takes each value: (C, 256)."""
    channels = images.shape[-1]
    counts = np.zeros((channels, MAX_VALUE + 1), np.int64)
    for block in image_blocks(images):
        for channel in range(channels):
            counts[channel] += np.bincount(block[..., channel].ravel(), minlength=256)
    return counts


def moments(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and variance, each (C,), of the values counted in `counts` (C, 256)."""
    values = np.arange(MAX_VALUE + 1)
    total = counts.sum(axis=1)
    means = counts @ values / total
    return means, counts @ values**2 / total - means**2


def matching_normal(mean: float, variance: float) -> tuple[float, float]:
    """Return mean and std of the normal that has these moments once rounded and clipped.

    Clipping to 0..255 pulls the moments of a wide normal inwards, so the paper's "matching mean
    and variance" takes a wider normal: for images that are mostly black and white, a much wider
    one. For a given std the clipped mean grows with the normal's, and along that line of equal
    clipped means the variance grows with the std: two nested searches find the pair. A variance
    out of reach (that of values 0 and 255 alone, or one below what rounding leaves) gets the
    nearest that can be had.
    """
    from scipy.optimize import brentq

    if variance <= 0:
        return mean, 0.0

    def normal_mean(std: float) -> float:
        reach = 40 * std + 1
        return brentq(
            lambda m: _clipped_moments(m, std)[0] - mean, -reach, MAX_VALUE + reach, xtol=1e-9
        )

    def excess(log_std: float) -> float:
        std = np.exp(log_std)
        return _clipped_moments(normal_mean(std), std)[1] - variance

    low, high = np.log(1e-2), np.log(1e6)
    if excess(low) >= 0:
        std = np.exp(low)
    elif excess(high) <= 0:
        std = np.exp(high)
    else:
        std = np.exp(brentq(excess, low, high, xtol=1e-10))
    return normal_mean(std), float(std)


def _clipped_moments(mean: float, std: float) -> tuple[float, float]:
    """Return mean and variance of a normal rounded to integers and clipped to 0..255."""
    from scipy.special import ndtr

    edges = np.arange(MAX_VALUE) + 0.5
    above = ndtr((mean - edges) / std)  # probability of a value above each edge
    first = above.sum()
    second = ((2 * edges) * above).sum()
    return first, second - first**2
