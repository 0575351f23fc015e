"""Wide residual networks as the paper's first author demonstrates random labels on.

Zagoruyko and Komodakis 2016, in the form of the repository fitting-random-labels: normalization
and ReLU before every convolution, three groups of blocks at full, half and quarter size.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rethink.models.layers import (
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    channels_first,
    fan_in_uniform,
)

STEM, GROUPS = 16, (16, 32, 64)


def he_normal_out(weight: Tensor, fan_in: int, fan_out: int, generator: torch.Generator) -> None:
    """Fill with N(0, 2 / fan_out), as Lua Torch's residual networks did."""
    weight.normal_(0, math.sqrt(2 / fan_out), generator=generator)


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    dropout: float = 0.0,
    replicates: int = 1,
    *,
    depth: int = 28,
    width: int = 1,
) -> nn.Module:
    """Return the network for images of `input_shape` (C, H, W); depth 28, width 1: 369,498
    parameters on three channels and 10 classes.

    Parameters
    ----------
    dropout : acts between the two convolutions of a block.
    depth : 4 more than a multiple of 6. width : factor of the channels 16, 32, 64.
    """
    if replicates != 1:
        raise ValueError("wide_resnet trains one replicate at a time")
    if depth % 6 != 4:
        raise ValueError(f"the depth of a wide residual network is 6 n + 4, not {depth}")
    return WideResNet(input_shape[0], classes, dropout, (depth - 4) // 6, width)


def _conv(inputs: int, outputs: int, size: int = 3, stride: int = 1) -> Conv:
    return Conv(inputs, outputs, size, he_normal_out, stride, None, "symmetric")


def _norm(channels: int) -> BatchNorm:
    return BatchNorm(channels, scale=True, epsilon=1e-5)


class Block(nn.Module):
    """Two convolutions beside a shortcut, which is a 1x1 convolution where channels change."""

    def __init__(self, inputs: int, outputs: int, stride: int, dropout: float):
        super().__init__()
        self.norm1, self.conv1 = _norm(inputs), _conv(inputs, outputs, 3, stride)
        self.dropout = Dropout(dropout)
        self.norm2, self.conv2 = _norm(outputs), _conv(outputs, outputs)
        self.shortcut = _conv(inputs, outputs, 1, stride) if inputs != outputs else None

    def forward(self, maps: Tensor) -> Tensor:
        active = self.norm1(maps)
        straight = maps if self.shortcut is None else self.shortcut(active)
        return straight + self.conv2(self.dropout(self.norm2(self.conv1(active))))


class WideResNet(nn.Module):
    """Layers conv1, blocks and out; images (1, N, H, W, C) -> logits (1, N, classes)."""

    smallest_batch = 2

    def __init__(self, channels: int, classes: int, dropout: float, blocks: int, width: int):
        super().__init__()
        self.conv1 = _conv(channels, STEM)
        body, inputs = [], STEM
        for group, narrow in enumerate(GROUPS):
            for block in range(blocks):
                stride = 2 if group and not block else 1
                body.append(Block(inputs, narrow * width, stride, dropout))
                inputs = narrow * width
        self.blocks = nn.Sequential(*body)
        self.norm = _norm(inputs)
        self.out = Dense(inputs, classes, fan_in_uniform)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.norm(self.blocks(self.conv1(channels_first(images))))
        return self.out(F.adaptive_avg_pool2d(maps, 1).flatten(1)).unsqueeze(0)
