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

CUT_STD = 0.8796256610342398  # standard deviation of N(0, 1) cut at -2 and 2


def glorot_uniform(weight: Tensor, fan_in: int, fan_out: int, generator: torch.Generator) -> None:
    """Fill with U(-a, a), a = sqrt(6 / (fan_in + fan_out)): TensorFlow's own default."""
    bound = math.sqrt(6 / (fan_in + fan_out))
    weight.uniform_(-bound, bound, generator=generator)


def truncated_normal(std: float) -> Fill:
    """Return a fill with N(0, std^2) cut at two standard deviations, like TensorFlow's."""

    def fill(weight: Tensor, fan_in: int, fan_out: int, generator: torch.Generator) -> None:
        nn.init.trunc_normal_(weight, 0, std, -2 * std, 2 * std, generator=generator)

    return fill


def scaled_normal(scale: float) -> Fill:
    """Return a fill with a normal of variance scale / fan_in, cut at two standard deviations.

    The normal before the cut is wider, so that the variance is that of what is drawn.
    """

    def fill(weight: Tensor, fan_in: int, fan_out: int, generator: torch.Generator) -> None:
        std = math.sqrt(scale / fan_in) / CUT_STD
        nn.init.trunc_normal_(weight, 0, std, -2 * std, 2 * std, generator=generator)

    return fill


def fan_in_uniform(weight: Tensor, fan_in: int, fan_out: int, generator: torch.Generator) -> None:
    """Fill with U(-a, a), a = 1 / sqrt(fan_in): PyTorch's own default."""
    bound = 1 / math.sqrt(fan_in)
    weight.uniform_(-bound, bound, generator=generator)


# By the names that a preset may give; biases start at 0 with each of them.
INITIALIZATIONS: dict[str, Fill] = {
    "fan_in_uniform": fan_in_uniform,
    "glorot_uniform": glorot_uniform,
    "he_normal": scaled_normal(2.0),
    "lecun_normal": scaled_normal(1.0),
}


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
    """K independent affine maps: (K, N, inputs) -> (K, N, outputs), or without K where K = 1.

    With `bias` None they are linear.
    """

    def __init__(
        self, inputs: int, outputs: int, fill: Fill, bias: float | None = 0.0, replicates: int = 1
    ):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(replicates, inputs, outputs))
        self.bias = None if bias is None else nn.Parameter(torch.empty(replicates, outputs))
        self.fill, self.bias_value = fill, bias

    def initialize(self, generators: Sequence[torch.Generator]) -> None:
        inputs, outputs = self.weight.shape[1:]
        for weight, generator in zip(self.weight, generators, strict=True):
            self.fill(weight, inputs, outputs, generator)
        if self.bias is not None:
            self.bias.fill_(self.bias_value)

    def forward(self, values: Tensor) -> Tensor:
        if self.bias is None:
            return values @ (self.weight.squeeze(0) if values.dim() == 2 else self.weight)
        if values.dim() == 2:
            return torch.addmm(self.bias.squeeze(0), values, self.weight.squeeze(0))
        return torch.baddbmm(self.bias.unsqueeze(1), values, self.weight)


class Conv(nn.Module):
    """A convolution whose output has the input's side over the stride; `bias` None: no bias.

    padding : ``same``, TensorFlow's, which stands at the bottom and right only for an even side
        and stride 2, or ``symmetric``.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        size: int,
        fill: Fill,
        stride: int = 1,
        bias: float | None = 0.0,
        padding: str = "same",
    ):
        super().__init__()
        weight = torch.empty(outputs, inputs, size, size)
        self.weight = nn.Parameter(weight.to(memory_format=torch.channels_last))
        self.bias = None if bias is None else nn.Parameter(torch.empty(outputs))
        self.fill, self.stride, self.bias_value, self.padding = fill, stride, bias, padding

    def initialize(self, generators: Sequence[torch.Generator]) -> None:
        outputs, inputs, size, _ = self.weight.shape
        (generator,) = generators
        self.fill(self.weight, inputs * size**2, outputs * size**2, generator)
        if self.bias is not None:
            self.bias.fill_(self.bias_value)

    def forward(self, maps: Tensor) -> Tensor:
        padding: int | tuple[int, int] = self.weight.shape[-1] // 2
        if self.stride == 2 and self.padding == "same":
            height, width = maps.shape[2:]
            maps = F.pad(maps, (0, 1 - width % 2, 0, 1 - height % 2))
            padding = (height % 2, width % 2)
        return F.conv2d(maps, self.weight, self.bias, self.stride, padding)


def max_pool(maps: Tensor, padding: str = "same") -> Tensor:
    """Return the 3x3 maxima at stride 2, padded as in `Conv`, for any side.

    With ``same`` padding an even side is padded at its end, which `ceil_mode` does without a
    copy; an odd one at both.
    """
    if padding == "symmetric":
        return F.max_pool2d(maps, 3, 2, padding=1)
    height, width = maps.shape[2:]
    return F.max_pool2d(maps, 3, 2, padding=(height % 2, width % 2), ceil_mode=True)


class LocalResponseNorm(nn.Module):
    """x / (k + alpha / size * sum of x^2 over `size` neighbouring channels) ^ beta.

    Equal to `torch.nn.LocalResponseNorm(size, alpha, beta, k)` for odd sizes. The sum over the
    neighbours is a 1x1 convolution with a banded matrix: a matrix product instead of a
    three-dimensional pooling, which would take a third of AlexNet's time on a CPU.
    """

    def __init__(self, channels: int, size: int, alpha: float, beta: float, k: float):
        super().__init__()
        self.beta = beta
        index = torch.arange(channels)
        band = ((index[:, None] - index).abs() <= size // 2) * (alpha / size)
        self.register_buffer("band", band[:, :, None, None].float(), persistent=False)
        self.register_buffer("k", torch.full((channels,), float(k)), persistent=False)

    def forward(self, maps: Tensor) -> Tensor:
        total = F.conv2d(maps * maps, self.band, self.k)
        if self.beta != 0.75:
            return maps * total.pow(-self.beta)
        root = total.rsqrt()  # two square roots are faster than a power
        return maps * (root * root.sqrt())


class BatchNorm(nn.Module):
    """Batch normalization followed by ReLU; it shifts but does not scale (TF-slim's default).

    Another `activation` may follow; it may work in place. Maps are (N, channels, H, W) or
    (N, channels).

    One learnable vector per channel, the same as a bias: hence the equal parameter counts of the
    paper's networks with and without it. A learnable `scale` adds a second one. The running
    averages keep `decay` of their value per step.
    """

    def __init__(
        self,
        channels: int,
        scale: bool = False,
        decay: float = 0.9,
        epsilon: float = 1e-3,
        activation: Callable[[Tensor], Tensor] = F.relu_,
    ):
        super().__init__()
        self.activation = activation
        self.shift = nn.Parameter(torch.empty(channels))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))
        if scale:
            self.scale = nn.Parameter(torch.empty(channels))
        else:  # cuDNN's kernels want one beside the shift.
            self.register_buffer("scale", torch.ones(channels), persistent=False)
        self.momentum, self.epsilon = 1 - decay, epsilon

    def initialize(self, generators: Sequence[torch.Generator]) -> None:
        self.shift.zero_()
        self.mean.zero_()
        self.variance.fill_(1)
        self.scale.fill_(1)

    def forward(self, maps: Tensor) -> Tensor:
        normalized = F.batch_norm(
            maps,
            self.mean,
            self.variance,
            self.scale,
            self.shift,
            self.training,
            self.momentum,
            self.epsilon,
        )
        return self.activation(normalized)


class Dropout(nn.Module):
    """Dropout whose masks come from the generators that the trainer hands it, one per replicate."""

    def __init__(self, probability: float):
        super().__init__()
        self.probability = probability
        self.generators: Sequence[torch.Generator] = ()

    def forward(self, values: Tensor) -> Tensor:
        mask = self.mask(values)
        return values if mask is None else values * mask

    def mask(self, values: Tensor) -> Tensor | None:
        """Return what to multiply `values` by, or None where nothing is dropped."""
        if not self.training or self.probability == 0:
            return None
        keep = 1 - self.probability
        mask = torch.empty_like(values)
        parts = mask.unbind() if len(self.generators) > 1 else (mask,)
        for part, generator in zip(parts, self.generators, strict=True):
            part.bernoulli_(keep, generator=generator)
        return mask.div_(keep)
