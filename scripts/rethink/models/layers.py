"""The building blocks of the models.

A network maps images of shape (K, N, H, W, C), whitened floats, to logits of shape (K, N, classes).
The leading axis counts the replicates that are trained together; a network that has no such axis
in its parameters takes K = 1. Every layer draws its parameters in `initialize(generators)`, one
generator per replicate, and nothing else draws from a global generator: equal seeds, equal bits.
"""

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Fill = Callable[[Tensor, int, int, torch.Generator], object]


def glorot_uniform(weight: Tensor, fan_in: int, fan_out: int, generator: torch.Generator) -> None:
    """Fill with U(-a, a), a = sqrt(6 / (fan_in + fan_out)): TensorFlow's own default."""
    bound = math.sqrt(6 / (fan_in + fan_out))
    weight.uniform_(-bound, bound, generator=generator)


def truncated_normal(std: float) -> Fill:
    """Return a fill with N(0, std^2) cut at two standard deviations, like TensorFlow's."""

    def fill(weight: Tensor, fan_in: int, fan_out: int, generator: torch.Generator) -> None:
        nn.init.trunc_normal_(weight, 0, std, -2 * std, 2 * std, generator=generator)

    return fill


def initialize(network: nn.Module, generators: Sequence[torch.Generator]) -> None:
    """Draw every parameter of `network`, one generator per replicate, in order of the layers."""
    with torch.no_grad():
        for layer in network.modules():
            if layer is not network and hasattr(layer, "initialize"):
                layer.initialize(generators)


def channels_first(images: Tensor) -> Tensor:
    """Return (1, N, H, W, C) as (N, C, H, W) over the same memory, i.e. in channels_last format."""
    if images.shape[0] != 1:
        raise ValueError(f"this network trains one replicate at a time, not {images.shape[0]}")
    return images.squeeze(0).permute(0, 3, 1, 2)


def halved(size: int) -> int:
    """Return the side of a map after a layer with stride 2 and SAME padding."""
    return (size + 1) // 2


class Dense(nn.Module):
    """K independent affine maps: (K, N, inputs) -> (K, N, outputs), or without K where K = 1."""

    def __init__(
        self, inputs: int, outputs: int, fill: Fill, bias: float = 0.0, replicates: int = 1
    ):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(replicates, inputs, outputs))
        self.bias = nn.Parameter(torch.empty(replicates, outputs))
        self.fill, self.bias_value = fill, bias

    def initialize(self, generators: Sequence[torch.Generator]) -> None:
        inputs, outputs = self.weight.shape[1:]
        for weight, generator in zip(self.weight, generators, strict=True):
            self.fill(weight, inputs, outputs, generator)
        self.bias.fill_(self.bias_value)

    def forward(self, values: Tensor) -> Tensor:
        if values.dim() == 2:
            return torch.addmm(self.bias.squeeze(0), values, self.weight.squeeze(0))
        return torch.baddbmm(self.bias.unsqueeze(1), values, self.weight)


class Conv(nn.Module):
    """A convolution with TensorFlow's SAME padding; `bias` None leaves the bias out.

    For an even side and stride 2 that padding stands at the bottom and right only.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        size: int,
        fill: Fill,
        stride: int = 1,
        bias: float | None = 0.0,
    ):
        super().__init__()
        weight = torch.empty(outputs, inputs, size, size)
        self.weight = nn.Parameter(weight.to(memory_format=torch.channels_last))
        self.bias = None if bias is None else nn.Parameter(torch.empty(outputs))
        self.fill, self.stride, self.bias_value = fill, stride, bias

    def initialize(self, generators: Sequence[torch.Generator]) -> None:
        outputs, inputs, size, _ = self.weight.shape
        (generator,) = generators
        self.fill(self.weight, inputs * size**2, outputs * size**2, generator)
        if self.bias is not None:
            self.bias.fill_(self.bias_value)

    def forward(self, maps: Tensor) -> Tensor:
        padding: int | tuple[int, int] = self.weight.shape[-1] // 2
        if self.stride == 2:
            height, width = maps.shape[2:]
            maps = F.pad(maps, (0, 1 - width % 2, 0, 1 - height % 2))
            padding = (height % 2, width % 2)
        return F.conv2d(maps, self.weight, self.bias, self.stride, padding)


def max_pool(maps: Tensor) -> Tensor:
    """Return the 3x3 maxima at stride 2 with TensorFlow's SAME padding, for any side.

    An even side is padded at its end, which `ceil_mode` does without a copy; an odd one at both.
    """
    height, width = maps.shape[2:]
    return F.max_pool2d(maps, 3, 2, padding=(height % 2, width % 2), ceil_mode=True)


class LocalResponseNorm(nn.Module):
    """x / (k + alpha / size * sum of x^2 over `size` neighbouring channels) ^ 0.75.

    Equal to `torch.nn.LocalResponseNorm(size, alpha, 0.75, k)`. The sum over the neighbours is a
    1x1 convolution with a banded matrix: a matrix product instead of a three-dimensional pooling,
    which would take a third of AlexNet's time on a CPU.
    """

    def __init__(self, channels: int, size: int, alpha: float, k: float):
        super().__init__()
        index = torch.arange(channels)
        band = ((index[:, None] - index).abs() <= size // 2) * (alpha / size)
        self.register_buffer("band", band[:, :, None, None].float(), persistent=False)
        self.register_buffer("k", torch.full((channels,), float(k)), persistent=False)

    def forward(self, maps: Tensor) -> Tensor:
        root = F.conv2d(maps * maps, self.band, self.k).rsqrt()
        return maps * (root * root.sqrt())


class BatchNorm(nn.Module):
    """Batch normalization that shifts but does not scale (TF-slim's default), followed by ReLU.

    One learnable vector per channel, the same as a bias: hence the equal parameter counts of the
    paper's networks with and without it. The running averages keep 0.9 of their value per step.
    """

    MOMENTUM, EPSILON = 0.1, 1e-3

    def __init__(self, channels: int):
        super().__init__()
        self.shift = nn.Parameter(torch.empty(channels))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))
        # cuDNN's kernels want a scale beside the shift.
        self.register_buffer("scale", torch.ones(channels), persistent=False)

    def initialize(self, generators: Sequence[torch.Generator]) -> None:
        self.shift.zero_()
        self.mean.zero_()
        self.variance.fill_(1)

    def forward(self, maps: Tensor) -> Tensor:
        normalized = F.batch_norm(
            maps,
            self.mean,
            self.variance,
            self.scale,
            self.shift,
            self.training,
            self.MOMENTUM,
            self.EPSILON,
        )
        return F.relu_(normalized)


class Dropout(nn.Module):
    """Dropout whose masks come from the generators that the trainer hands it, one per replicate."""

    def __init__(self, probability: float):
        super().__init__()
        self.probability = probability
        self.generators: Sequence[torch.Generator] = ()

    def forward(self, values: Tensor) -> Tensor:
        if not self.training or self.probability == 0:
            return values
        keep = 1 - self.probability
        mask = torch.empty_like(values)
        parts = mask.unbind() if len(self.generators) > 1 else (mask,)
        for part, generator in zip(parts, self.generators, strict=True):
            part.bernoulli_(keep, generator=generator)
        return values * mask.div_(keep)
