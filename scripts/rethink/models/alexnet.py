"""The small Alexnet of the paper (Appendix A): TensorFlow's CIFAR-10 tutorial network.

Two blocks of 5x5 convolution, 3x3 max-pooling and local response normalization, then layers of 384
and 192 units. The tutorial normalizes after pooling in the first block and before it in the second;
its constants are used wherever the paper is silent, the initialization among them.
"""

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from rethink.models.layers import (
    INITIALIZATIONS,
    Conv,
    Dense,
    Dropout,
    Fill,
    LocalResponseNorm,
    channels_first,
    halved,
    max_pool,
    truncated_normal,
)

CHANNELS = 64


class Start(NamedTuple):
    """How the parameters start: weights by layer, biases of conv2, fc1 and fc2; others at 0."""

    convolutions: Fill
    hidden: Fill
    out: Fill
    bias: float


# The tutorial's constants, or one scheme for all layers.
STARTS = {
    "tutorial": Start(
        truncated_normal(0.05), truncated_normal(0.04), truncated_normal(1 / 192), 0.1
    ),
    **{name: Start(fill, fill, fill, 0.0) for name, fill in INITIALIZATIONS.items()},
}


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    dropout: float = 0.0,
    replicates: int = 1,
    *,
    initialization: str = "tutorial",
    padding: str = "same",
    lrn: bool = True,
    lrn_size: int = 9,
    lrn_alpha: float = 0.001,
    lrn_beta: float = 0.75,
    lrn_k: float = 1.0,
) -> nn.Module:
    """Return the network for images of `input_shape` (C, H, W); 1,387,786 parameters on 28x28x3.

    Parameters
    ----------
    dropout : acts after fc1 and fc2.
    initialization : ``tutorial`` (truncated normal weights of standard deviation 0.05 in
        convolutions, 0.04 in fc1 and fc2, 1/192 in the last layer; biases 0 in conv1 and out, 0.1
        elsewhere), or one of `layers.INITIALIZATIONS` with biases 0.
    padding : of the pooling, see `layers.Conv`.
    lrn : whether there is local response normalization; lrn_size, lrn_alpha, lrn_beta and lrn_k
        as in `layers.LocalResponseNorm`.
    """
    if replicates != 1:
        raise ValueError("alexnet trains one replicate at a time")
    norm = LocalResponseNorm(CHANNELS, lrn_size, lrn_alpha, lrn_beta, lrn_k) if lrn else None
    return AlexNet(input_shape, classes, dropout, STARTS[initialization], padding, norm)


class AlexNet(nn.Module):
    """Layers conv1, conv2, fc1, fc2, out; images (1, N, H, W, C) -> logits (1, N, classes)."""

    def __init__(
        self,
        input_shape: tuple[int, int, int],
        classes: int,
        dropout: float,
        start: Start,
        padding: str,
        norm: nn.Module | None,
    ):
        super().__init__()
        channels, height, width = input_shape
        inputs = CHANNELS * halved(halved(height)) * halved(halved(width))
        self.conv1 = Conv(channels, CHANNELS, 5, start.convolutions)
        self.conv2 = Conv(CHANNELS, CHANNELS, 5, start.convolutions, bias=start.bias)
        self.norm = norm or nn.Identity()
        self.fc1 = Dense(inputs, 384, start.hidden, bias=start.bias)
        self.fc2 = Dense(384, 192, start.hidden, bias=start.bias)
        self.out = Dense(192, classes, start.out)
        self.dropout = Dropout(dropout)
        self.padding = padding

    def forward(self, images: Tensor) -> Tensor:
        maps = channels_first(images)
        maps = self.norm(max_pool(F.relu_(self.conv1(maps)), self.padding))
        maps = max_pool(self.norm(F.relu_(self.conv2(maps))), self.padding)
        # Height, width, channel is the order of the memory: flattening copies nothing.
        values = maps.permute(0, 2, 3, 1).flatten(1)
        values = self.dropout(F.relu_(self.fc1(values)))
        values = self.dropout(F.relu_(self.fc2(values)))
        return self.out(values).unsqueeze(0)
