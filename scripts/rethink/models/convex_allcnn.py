"""The input-output convex All-CNN: All-CNN-C with ELU, see `rethink.models.convex`.

Springenberg et al. 2015: 3x3 convolutions of 96, 96, 96 with stride 2, 192, 192, 192 with stride 2
and 192 channels, 1x1 ones of 192 and of the classes, then the mean over the map. No dropout on the
input, and SAME padding throughout.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from rethink.models.convex import STARTS, ConvexBatchNorm, ConvexConv, ConvexNetwork
from rethink.models.layers import Conv, Dropout, Fill, channels_first

# Channels, size and stride of the convolutions but for the last, whose channels are the classes.
LAYERS = (
    (96, 3, 1),
    (96, 3, 1),
    (96, 3, 2),
    (192, 3, 1),
    (192, 3, 1),
    (192, 3, 2),
    (192, 3, 1),
    (192, 1, 1),
)


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    dropout: float = 0.0,
    replicates: int = 1,
    *,
    batch_norm: bool = True,
    initialization: str = "fan_in_uniform",
) -> nn.Module:
    """Return the network for images of `input_shape` (C, H, W).

    Parameters
    ----------
    dropout : acts after the convolutions with stride 2.
    batch_norm : before every activation, with scale and shift; All-CNN-C has none, but convex it then does
        not train: it stays put from the one start and explodes from the other.
    initialization : of the weights, see `convex.STARTS`; biases start at 0.
    """
    if replicates != 1:
        raise ValueError("the convex All-CNN trains one replicate at a time")
    return ConvexAllCNN(input_shape[0], classes, dropout, STARTS[initialization], batch_norm)


class ConvexAllCNN(ConvexNetwork):
    """Layers conv1 to conv9; images (1, N, H, W, C) -> logits (1, N, classes)."""

    def __init__(
        self,
        channels: int,
        classes: int,
        dropout: float,
        start: tuple[Fill, Fill],
        batch_norm: bool,
    ):
        super().__init__()
        self.smallest_batch = 2 if batch_norm else 1
        bias = None if batch_norm else 0.0
        inputs, self.layers = channels, []
        for number, (outputs, size, stride) in enumerate(LAYERS, 1):
            kind, fill = (Conv, start[0]) if number == 1 else (ConvexConv, start[1])
            layer = kind(inputs, outputs, size, fill, stride, bias)
            self.add_module(f"conv{number}", layer)
            self.layers.append(layer)
            inputs = outputs
        self.conv9 = ConvexConv(inputs, classes, 1, start[1])
        self.norms = nn.ModuleList(
            ConvexBatchNorm(outputs) for outputs, _, _ in LAYERS if batch_norm
        )
        self.dropout = Dropout(dropout)

    def forward(self, images: Tensor) -> Tensor:
        maps = channels_first(images)
        for index, layer in enumerate(self.layers):
            maps = layer(maps)
            maps = self.norms[index](maps) if self.norms else F.elu(maps)
            if layer.stride == 2:
                maps = self.dropout(maps)
        return self.conv9(maps).mean((2, 3)).unsqueeze(0)
