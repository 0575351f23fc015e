"""What a kernel experiment holds at once; without torch, which planning cannot load."""

from typing import NamedTuple

from rethink.theory.blocks import packed_size
from rethink.theory.kernel_spec import Spec

ITEM_BYTES = {"float32": 4, "float64": 8}
FEATURE_BYTES = 512 * 2**20  # of random convolutions, held at once for all images


class KernelBytes(NamedTuple):
    """The bytes of the factor, of what it is made from, and of the arrays on the way."""

    factor: int
    sources: int
    work: int

    @property
    def total(self) -> int:
        return sum(self)


def counted(spec: Spec, train: int, test: int, values: int, precision: str) -> KernelBytes:
    """Return what the work on so many examples of so many values takes in this precision."""
    item = ITEM_BYTES[precision]
    tile = min(spec.tile, train)
    images = 4 * values * (train + test)
    if spec.features == "random_conv":
        sources = images + packed_size(train + test, tile) * item + FEATURE_BYTES
    else:
        sources = images * (2 if precision == "float32" else 4)
    # a block of kernel values and its product, or the test points' share of the solution
    work = 2 * max(train, test) * tile * item
    if spec.extra_norms:
        work = max(work, 2 * train * min(spec.forced_points, test) * item)
    return KernelBytes(packed_size(train, tile) * item, sources, work)
