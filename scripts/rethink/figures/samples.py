"""The same images under every corruption, with the labels that training is given."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec

from rethink.analysis.names import corruption_order, corruption_title
from rethink.datasets.store import Arrays, open_dataset
from rethink.errors import RethinkError
from rethink.figures import style

COUNT = 8
LEFT = 1.35  # inches for the names of the corruptions
TILE = (style.WIDTH - LEFT) / COUNT
TEXT_ROW = 0.17
GAP = 0.06
PIXELS = 128  # at least, per side of a tile, so that no viewer has to invent any


def draw(manifests: Sequence[Path]) -> tuple[Figure, pd.DataFrame]:
    """Return the figure and the labels that it shows.

    The first training image of each of the first eight classes (of fewer classes, several each)
    stands at the top with its true label; below, the labels given to it by each label corruption
    and its pixels under each of the others. Raises RethinkError if the manifests are of several
    datasets.
    """
    data = sorted(
        (open_dataset(path) for path in manifests), key=lambda d: corruption_order(d.corruption)
    )
    if len({d.name for d in data}) != 1:
        raise RethinkError(f"samples are of one dataset, not {len({d.name for d in data})}")
    if data[0].corruption != "none":
        raise RethinkError(f"samples of '{data[0].name}' need the manifest of its clean data")
    clean = data[0]
    chosen = choose(np.asarray(clean.train_labels_true), COUNT)
    labels = [d for d in data if d.train_hit is not None]
    pixels = [d for d in data if d.train_hit is None and d is not clean]
    heights = [TILE, TEXT_ROW, *[TEXT_ROW] * len(labels), *[TILE] * len(pixels)]
    figure = Figure(figsize=(style.WIDTH, sum(heights) + GAP * len(heights) + 0.05))
    figure.set_layout_engine("none")
    grid = GridSpec(
        len(heights),
        1,
        figure,
        left=0,
        right=1,
        bottom=0,
        top=1,
        height_ratios=heights,
        hspace=GAP * len(heights) / sum(heights),
    )
    rows = [figure.add_subplot(grid[i]) for i in range(len(heights))]
    _images(rows[0], "true images", clean, chosen)
    for axes, d in zip(rows[1:], [clean, *labels], strict=False):
        _texts(axes, d, chosen, _names(clean, chosen))
    for axes, d in zip(rows[2 + len(labels) :], pixels, strict=True):
        _images(axes, corruption_title(d.corruption), d, chosen)
    return figure, _drawn(data, chosen)


def choose(labels: np.ndarray, count: int) -> np.ndarray:
    """Return the indices of `count` examples: the first of each class in turn, then the second."""
    per_class = [np.flatnonzero(labels == k) for k in np.unique(labels)]
    rounds = [
        members[turn]
        for turn in range(max(map(len, per_class)))
        for members in per_class
        if turn < len(members)
    ]
    return np.array(rounds[:count])


def _row(axes: Axes, title: str, height: float) -> None:
    axes.set_xlim(-LEFT, TILE * COUNT)
    axes.set_ylim(height, 0)
    axes.axis("off")
    axes.text(-LEFT + 0.02, height / 2, title, va="center", fontsize=7.5)


def _images(axes: Axes, title: str, data: Arrays, chosen: np.ndarray) -> None:
    _row(axes, title, TILE)
    for place, index in enumerate(chosen):
        image = np.asarray(data.train_images[index])
        factor = -(-PIXELS // max(image.shape[:2]))
        image = image.repeat(factor, 0).repeat(factor, 1)
        if image.shape[2] != 3:
            image = image[..., :1].repeat(3, 2)
        left = place * TILE + 0.03
        axes.imshow(
            image,
            extent=(left, left + TILE - 0.06, TILE - 0.03, 0.03),
            interpolation="none",
            aspect="auto",
        )
    axes.set_xlim(-LEFT, TILE * COUNT)
    axes.set_ylim(TILE, 0)


def _names(data: Arrays, chosen: np.ndarray) -> list[str]:
    """Return the names of the labels given to the `chosen` examples."""
    return [str(data.class_names[int(data.train_labels[index])]) for index in chosen]


def _texts(axes: Axes, data: Arrays, chosen: np.ndarray, true: list[str]) -> None:
    """Write the given labels, those that differ from the `true` ones in bold and colour."""
    _row(axes, corruption_title(data.corruption), TEXT_ROW)
    for place, text in enumerate(_names(data, chosen)):
        axes.text(
            (place + 0.5) * TILE,
            TEXT_ROW / 2,
            text if len(text) <= 13 else text[:12] + "…",
            ha="center",
            va="center",
            fontsize=6.5 if len(text) <= 9 else 5.5,
            color=style.BLACK if text == true[place] else style.VERMILLION,
            fontweight="normal" if text == true[place] else "bold",
        )


def _drawn(data: list[Arrays], chosen: np.ndarray) -> pd.DataFrame:
    true = _names(data[0], chosen)
    return pd.DataFrame(
        [
            {
                "corruption": d.corruption,
                "training_example": int(index),
                "label": label,
                "true_label": true[place],
            }
            for d in data
            for place, (index, label) in enumerate(zip(chosen, _names(d, chosen), strict=True))
        ]
    )
