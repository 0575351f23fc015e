"""An input-output convex DenseNet with ELU, see `rethink.models.convex`.

Huang et al. 2017: three blocks of layers, each a normalization, activation and 3x3 convolution of
`growth` channels that are appended to its input; between the blocks a 1x1 convolution and the means
of 2x2 pixels. Appending and means keep convexity.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rethink.models.convex import (
    STARTS,
    ConvexBatchNorm,
    ConvexConv,
    ConvexDense,
    ConvexNetwork,
)
from rethink.models.layers import Conv, Dropout, Fill, channels_first

BLOCKS = 3


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    dropout: float = 0.0,
    replicates: int = 1,
    *,
    growth: int = 12,
    block_layers: int = 12,
    initialization: str = "fan_in_uniform",
) -> nn.Module:
    """Return the network for images of `input_shape` (C, H, W); DenseNet-40 with growth 12.

    Parameters
    ----------
    dropout : acts after every convolution but the first.
    growth, block_layers : channels that a layer adds, and layers in each of the three blocks.
    initialization : of the weights, see `convex.STARTS`; biases start at 0.
    """
    if replicates != 1:
        raise ValueError("the convex DenseNet trains one replicate at a time")
    start = STARTS[initialization]
    return ConvexDenseNet(input_shape[0], classes, dropout, growth, block_layers, start)


class Layer(nn.Module):
    """Normalization, ELU and a convolution without bias, then dropout."""

    def __init__(self, inputs: int, outputs: int, size: int, fill: Fill, dropout: float):
        super().__init__()
        self.norm = ConvexBatchNorm(inputs)
        self.conv = ConvexConv(inputs, outputs, size, fill, bias=None)
        self.dropout = Dropout(dropout)

    def forward(self, maps: Tensor) -> Tensor:
        return self.dropout(self.conv(self.norm(maps)))


class Growing(Layer):
    """A layer that appends its maps to its input."""

    def forward(self, maps: Tensor) -> Tensor:
        return torch.cat((maps, super().forward(maps)), dim=1)


class Shrinking(Layer):
    """A layer that halves the map, a side of odd length to its larger half."""

    def forward(self, maps: Tensor) -> Tensor:
        return F.avg_pool2d(super().forward(maps), 2, ceil_mode=True)


class ConvexDenseNet(ConvexNetwork):
    """Layers conv1, body and out; images (1, N, H, W, C) -> logits (1, N, classes)."""

    smallest_batch = 2

    def __init__(
        self,
        channels: int,
        classes: int,
        dropout: float,
        growth: int,
        block_layers: int,
        start: tuple[Fill, Fill],
    ):
        super().__init__()
        first, later = start
        width = 2 * growth
        self.conv1 = Conv(channels, width, 3, first, bias=None)
        body: list[nn.Module] = []
        for block in range(BLOCKS):
            if block:
                body.append(Shrinking(width, width, 1, later, dropout))
            for _ in range(block_layers):
                body.append(Growing(width, growth, 3, later, dropout))
                width += growth
        self.body = nn.Sequential(*body, ConvexBatchNorm(width))
        self.out = ConvexDense(width, classes, later)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.body(self.conv1(channels_first(images)))
        return self.out(maps.mean((2, 3))).unsqueeze(0)
