"""The 8x8 handwritten digits inside scikit-learn: nothing to download."""

from pathlib import Path
from typing import Any

import numpy as np

from rethink import seeds
from rethink.datasets.writer import Dataset

TEST_FRACTION = 0.2


def load(spec: dict[str, Any], download_folder: Path) -> Dataset:
    """Return the digits, 8x8x1: 1,797 images, a fifth of each class held out for testing."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    # 17 shades, 0..16, spread over 0..255
    images = np.rint(bunch.images * (255 / 16)).astype(np.uint8)[..., np.newaxis]
    train, test = split(bunch.target)
    return Dataset(
        title="Digits (8x8, scikit-learn)",
        class_names=[str(name) for name in bunch.target_names],
        train_images=images[train],
        train_labels=bunch.target[train],
        test_images=images[test],
        test_labels=bunch.target[test],
        source=lambda: {"name": "scikit-learn load_digits", "test_fraction": TEST_FRACTION},
    )


def split(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of the training and the test examples, stratified and ascending.

    The split is ours, not scikit-learn's, and takes no seed from a preset: it is the same in
    every version and every run, like the published splits of the other datasets.
    """
    generator = seeds.generator("digits", "split")
    test = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        test[members[: round(TEST_FRACTION * len(members))]] = True
    return np.flatnonzero(~test), np.flatnonzero(test)
