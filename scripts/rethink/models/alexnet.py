"""The small Alexnet of the paper (Appendix A): TensorFlow's CIFAR-10 tutorial network.

Two blocks of 5x5 convolution, 3x3 max-pooling and local response normalization, then layers of 384
and 192 units. The tutorial normalizes after pooling in the first block and before it in the second;
its constants are used wherever the paper is silent, the initialization among them.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from rethink.models.layers import (
    Conv,
    Dense,
    Dropout,
    LocalResponseNorm,
    channels_first,
    halved,
    max_pool,
    truncated_normal,
)

CHANNELS = 64


def build(
    input_shape: tuple[int, int, int], classes: int, dropout: float = 0.0, replicates: int = 1
) -> nn.Module:
    """Return the network for images of `input_shape` (C, H, W); 1,387,786 parameters on 28x28x3.

    Initialization: truncated normal weights (0.05 in convolutions, 0.04 in fc1 and fc2, 1/192 in
    the last layer), biases 0 in conv1 and out, 0.1 elsewhere. `dropout` acts after fc1 and fc2.
    """
    if replicates != 1:
        raise ValueError("alexnet trains one replicate at a time")
    return AlexNet(input_shape, classes, dropout)


class AlexNet(nn.Module):
    """Layers conv1, conv2, fc1, fc2, out; images (1, N, H, W, C) -> logits (1, N, classes)."""

    def __init__(self, input_shape: tuple[int, int, int], classes: int, dropout: float):
        super().__init__()
        channels, height, width = input_shape
        inputs = CHANNELS * halved(halved(height)) * halved(halved(width))
        self.conv1 = Conv(channels, CHANNELS, 5, truncated_normal(0.05))
        self.conv2 = Conv(CHANNELS, CHANNELS, 5, truncated_normal(0.05), bias=0.1)
        self.norm = LocalResponseNorm(CHANNELS, size=9, alpha=0.001, k=1.0)
        self.fc1 = Dense(inputs, 384, truncated_normal(0.04), bias=0.1)
        self.fc2 = Dense(384, 192, truncated_normal(0.04), bias=0.1)
        self.out = Dense(192, classes, truncated_normal(1 / 192))
        self.dropout = Dropout(dropout)

    def forward(self, images: Tensor) -> Tensor:
        maps = channels_first(images)
        maps = self.norm(max_pool(F.relu_(self.conv1(maps))))
        maps = max_pool(self.norm(F.relu_(self.conv2(maps))))
        # Height, width, channel is the order of the memory: flattening copies nothing.
        values = maps.permute(0, 2, 3, 1).flatten(1)
        values = self.dropout(F.relu_(self.fc1(values)))
        values = self.dropout(F.relu_(self.fc2(values)))
        return self.out(values).unsqueeze(0)
