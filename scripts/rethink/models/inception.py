"""The small Inception of the paper (Figure 3), with or without batch normalization."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rethink.models.layers import (
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    channels_first,
    glorot_uniform,
    max_pool,
)

STEM = 96
# Figure 3 from top to bottom: (channels of the 1x1, of the 3x3 convolution), or a downsampling
# with that many channels in its convolution.
STAGES: tuple[tuple[int, int] | int, ...] = (
    (32, 32),
    (32, 48),
    80,
    (112, 48),
    (96, 64),
    (80, 80),
    (48, 96),
    96,
    (176, 160),
    (176, 160),
)


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    dropout: float = 0.0,
    replicates: int = 1,
    *,
    batch_norm: bool,
) -> nn.Module:
    """Return the network for images of `input_shape` (C, H, W); 1,649,402 parameters on 28x28x3.

    With batch normalization the convolutions have no bias, and the normalization shifts but does
    not scale; without it they have one. Initialization: Glorot uniform weights, biases 0; with He's
    the network without normalization diverges at the paper's learning rate of 0.1 within 8 steps.
    `dropout` acts before the last layer.
    """
    if replicates != 1:
        raise ValueError("inception trains one replicate at a time")
    return Inception(input_shape[0], classes, dropout, batch_norm)


class Rectifier(nn.Module):
    """ReLU in place, where batch normalization is left out."""

    def forward(self, maps: Tensor) -> Tensor:
        return F.relu_(maps)


def _activation(channels: int, batch_norm: bool) -> nn.Module:
    return BatchNorm(channels) if batch_norm else Rectifier()


def _conv(inputs: int, outputs: int, size: int, batch_norm: bool, stride: int = 1) -> Conv:
    return Conv(inputs, outputs, size, glorot_uniform, stride, bias=None if batch_norm else 0.0)


class ConvModule(nn.Module):
    """Convolution, normalization, ReLU."""

    def __init__(self, inputs: int, outputs: int, batch_norm: bool, stride: int = 1):
        super().__init__()
        self.conv = _conv(inputs, outputs, 3, batch_norm, stride)
        self.activation = _activation(outputs, batch_norm)

    def forward(self, maps: Tensor) -> Tensor:
        return self.activation(self.conv(maps))


class InceptionModule(nn.Module):
    """1x1 and 3x3 convolution modules side by side.

    Normalization and ReLU act per channel: once on the joined maps equals twice before joining.
    """

    def __init__(self, inputs: int, channels: tuple[int, int], batch_norm: bool):
        super().__init__()
        self.conv1x1 = _conv(inputs, channels[0], 1, batch_norm)
        self.conv3x3 = _conv(inputs, channels[1], 3, batch_norm)
        self.activation = _activation(sum(channels), batch_norm)

    def forward(self, maps: Tensor) -> Tensor:
        return self.activation(torch.cat([self.conv1x1(maps), self.conv3x3(maps)], dim=1))


class Downsample(nn.Module):
    """A 3x3 convolution module and a 3x3 max-pooling side by side, both at stride 2."""

    def __init__(self, inputs: int, channels: int, batch_norm: bool):
        super().__init__()
        self.conv = ConvModule(inputs, channels, batch_norm, stride=2)

    def forward(self, maps: Tensor) -> Tensor:
        return torch.cat([self.conv(maps), max_pool(maps)], dim=1)


class Inception(nn.Module):
    """stem, stages, mean over the map, out; images (1, N, H, W, C) -> logits (1, N, classes)."""

    def __init__(self, channels: int, classes: int, dropout: float, batch_norm: bool):
        super().__init__()
        self.stem = ConvModule(channels, STEM, batch_norm)
        width, stages = STEM, []
        for stage in STAGES:
            if isinstance(stage, int):
                stages.append(Downsample(width, stage, batch_norm))
                width += stage
            else:
                stages.append(InceptionModule(width, stage, batch_norm))
                width = sum(stage)
        self.stages = nn.Sequential(*stages)
        self.dropout = Dropout(dropout)
        self.out = Dense(width, classes, glorot_uniform)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.stages(self.stem(channels_first(images)))
        return self.out(self.dropout(maps.mean((2, 3)))).unsqueeze(0)
