"""Corruptions of a dataset in memory: the same draws as the workflow's stored ones."""

import dataclasses
from typing import Any

import numpy as np

from rethink import seeds
from rethink.corruption_names import NOISY_LABELS, Corruption, parse
from rethink.corruptions import corrupt_labels, image_blocks, image_transform, replace_by_others
from rethink.datasets.store import SPLITS, Arrays


def corrupted(clean: Arrays, name: str, seed: int) -> Arrays:
    """Return the dataset under the corruption called `name`; random signs are not among them.

    Equal to what `rethink.corruptions.write_corruption` stores for the same seed, with whole
    images corrupted.
    """
    corruption = parse(name)
    if corruption.kind == "none":
        return clean
    change = _labels if corruption.kind in NOISY_LABELS else _images
    return dataclasses.replace(clean, corruption=corruption.name, **change(clean, corruption, seed))


def _labels(clean: Arrays, corruption: Corruption, seed: int) -> dict[str, Any]:
    replace = corrupt_labels if corruption.kind == "labels" else replace_by_others
    given = {}
    for split in SPLITS:
        true = np.asarray(getattr(clean, f"{split}_labels"))
        generator = seeds.generator(seed, clean.name, corruption.kind, split)
        given[split] = replace(true, clean.classes, corruption.level, generator)
    return {
        "train_labels": given["train"][0],
        "train_hit": given["train"][1],
        "test_labels_given": given["test"][0],
    }


def _images(clean: Arrays, corruption: Corruption, seed: int) -> dict[str, Any]:
    stream = (seed, clean.name, corruption.kind)
    transform, _ = image_transform(clean.train_images, corruption, stream)
    changed = {}
    for split in SPLITS:
        generator = seeds.generator(*stream, split)
        blocks = image_blocks(getattr(clean, f"{split}_images"))
        changed[f"{split}_images"] = np.concatenate(
            [transform(block, generator) for block in blocks]
        )
    return changed
