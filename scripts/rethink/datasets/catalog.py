"""The datasets that have a name of their own, and what a preset may say about one."""

from typing import NamedTuple


class DatasetKind(NamedTuple):
    """A source of images: the module that loads it and what is known before it is loaded.

    `side` is the height and width of the images in pixels, `train` and `test` are how many there
    are; None where the data decide.
    """

    module: str
    title: str
    side: int | None
    downloads: bool
    channels: int
    train: int | None
    test: int | None


KINDS = {
    "digits": DatasetKind("digits", "Digits (8x8, scikit-learn)", 8, False, 1, 1437, 360),
    "mnist": DatasetKind("mnist", "MNIST", 28, True, 1, 60_000, 10_000),
    "cifar10": DatasetKind("cifar", "CIFAR-10", 32, True, 3, 50_000, 10_000),
    "cifar100": DatasetKind("cifar", "CIFAR-100", 32, True, 3, 50_000, 10_000),
    "imagefolder": DatasetKind("imagefolder", "Image folder", None, False, 3, None, None),
}


def default_crop(side: int) -> int:
    """Return the side of the network's input for images of `side`: the paper's 28 of 32.

    Appendix A crops the central 28x28 of CIFAR-10's 32x32; other sizes keep that ratio.
    """
    return max(1, side * 7 // 8)
