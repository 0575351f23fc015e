"""The small Inception of the paper (Figure 3), with or without batch normalization."""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rethink.models.layers import (
    INITIALIZATIONS,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Fill,
    channels_first,
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
    initialization: str = "glorot_uniform",
    padding: str = "same",
    batch_norm_scale: bool = False,
    batch_norm_decay: float = 0.9,
    batch_norm_epsilon: float = 0.001,
) -> nn.Module:
    """Return the network for images of `input_shape` (C, H, W); 1,649,402 parameters on 28x28x3.

    With batch normalization the convolutions have no bias, and the normalization shifts but does
    not scale unless told so; without it they have one.

    Parameters
    ----------
    dropout : acts before the last layer.
    initialization : of the weights, see `layers.INITIALIZATIONS`; biases start at 0. With He's the
        network without normalization diverges at the paper's learning rate of 0.1 within 8 steps.
    padding : of strided convolutions and pooling, see `layers.Conv`.
    batch_norm_scale, batch_norm_decay, batch_norm_epsilon : see `layers.BatchNorm`.
    """
    if replicates != 1:
        raise ValueError("inception trains one replicate at a time")
    norm = None
    if batch_norm:
        norm = {
            "scale": batch_norm_scale,
            "decay": batch_norm_decay,
            "epsilon": batch_norm_epsilon,
        }
    recipe = Recipe(INITIALIZATIONS[initialization], padding, norm)
    return Inception(input_shape[0], classes, dropout, recipe)


class Rectifier(nn.Module):
    """ReLU in place, where batch normalization is left out."""

    def forward(self, maps: Tensor) -> Tensor:
        return F.relu_(maps)


class Recipe(NamedTuple):
    """How layers are made, the same throughout a network; `norm` None: no normalization."""

    fill: Fill
    padding: str
    norm: dict[str, Any] | None

    def activation(self, channels: int) -> nn.Module:
        """Return normalization and ReLU, or ReLU alone."""
        return Rectifier() if self.norm is None else BatchNorm(channels, **self.norm)

    def conv(self, inputs: int, outputs: int, size: int, stride: int = 1) -> Conv:
        """Return a convolution, with a bias where no normalization follows."""
        bias = 0.0 if self.norm is None else None
        return Conv(inputs, outputs, size, self.fill, stride, bias, self.padding)


class ConvModule(nn.Module):
    """Convolution, normalization, ReLU."""

    def __init__(self, inputs: int, outputs: int, recipe: Recipe, stride: int = 1):
        super().__init__()
        self.conv = recipe.conv(inputs, outputs, 3, stride)
        self.activation = recipe.activation(outputs)

    def forward(self, maps: Tensor) -> Tensor:
        return self.activation(self.conv(maps))


class InceptionModule(nn.Module):
    """1x1 and 3x3 convolution modules side by side.

    Normalization and ReLU act per channel: once on the joined maps equals twice before joining.
    """

    def __init__(self, inputs: int, channels: tuple[int, int], recipe: Recipe):
        super().__init__()
        self.conv1x1 = recipe.conv(inputs, channels[0], 1)
        self.conv3x3 = recipe.conv(inputs, channels[1], 3)
        self.activation = recipe.activation(sum(channels))

    def forward(self, maps: Tensor) -> Tensor:
        return self.activation(torch.cat([self.conv1x1(maps), self.conv3x3(maps)], dim=1))


class Downsample(nn.Module):
    """A 3x3 convolution module and a 3x3 max-pooling side by side, both at stride 2."""

    def __init__(self, inputs: int, channels: int, recipe: Recipe):
        super().__init__()
        self.conv = ConvModule(inputs, channels, recipe, stride=2)
        self.padding = recipe.padding

    def forward(self, maps: Tensor) -> Tensor:
        return torch.cat([self.conv(maps), max_pool(maps, self.padding)], dim=1)


class Inception(nn.Module):
    """stem, stages, mean over the map, out; images (1, N, H, W, C) -> logits (1, N, classes)."""

    def __init__(self, channels: int, classes: int, dropout: float, recipe: Recipe):
        super().__init__()
        self.stem = ConvModule(channels, STEM, recipe)
        width, stages = STEM, []
        for stage in STAGES:
            if isinstance(stage, int):
                stages.append(Downsample(width, stage, recipe))
                width += stage
            else:
                stages.append(InceptionModule(width, stage, recipe))
                width = sum(stage)
        self.stages = nn.Sequential(*stages)
        self.dropout = Dropout(dropout)
        self.out = Dense(width, classes, recipe.fill)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.stages(self.stem(channels_first(images)))
        return self.out(self.dropout(maps.mean((2, 3)))).unsqueeze(0)
