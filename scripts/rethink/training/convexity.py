"""A numeric test of convexity: no point of a segment lies above the chord of its ends."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rethink import seeds
from rethink.training.data import Images

COUNT = 500  # segments


class Segments(NamedTuple):
    """Segments between inputs of a network: ends (n, H, W, C) twice, and a place (n,) on each."""

    first: Tensor
    last: Tensor
    place: Tensor

    @classmethod
    def draw(cls, images: Images, seed: int) -> "Segments":
        """Return segments between random images, the same for every network and epoch.

        Each is between two different ones, as the networks see them.
        """
        random = seeds.generator(seed, "segments")
        ends = random.integers(0, images.count, (2, COUNT))
        ends[1] = np.where(ends[0] == ends[1], (ends[1] + 1) % images.count, ends[1])
        first, last = images.central(torch.from_numpy(ends).to(images.index_device))
        return cls(first, last, torch.from_numpy(random.random(COUNT)).to(first))

    def excess(self, logits: Callable[[Tensor], Tensor]) -> Tensor:
        """Return by how much a logit exceeds its chord, at most over segments and classes, (K,).

        logits : maps images (n, H, W, C) to (K, n, classes).

        In units of the largest logit at the ends: what is no more than rounding, 1e-6 in float32,
        is convexity as far as it was looked. 0 where no logit exceeds its chord.
        """
        t = self.place[:, None, None, None]
        values = [logits(x) for x in (self.first, self.last, self.first * (1 - t) + self.last * t)]
        first, last, between = (v.double() for v in values)
        t = self.place[:, None].double()
        above = between - (first * (1 - t) + last * t)
        largest = torch.maximum(first.abs(), last.abs()).amax((1, 2))
        return above.amax((1, 2)).clamp_(min=0) / largest
