"""Input-output convex perceptrons: ELU between the layers, see `rethink.models.convex`."""

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from rethink.models.convex import STARTS, ConvexBatchNorm, ConvexDense, ConvexNetwork
from rethink.models.layers import Dense, Dropout, Fill

# All parameters carry a leading replicate axis: replicates may be trained together.
JOINT_REPLICATES = True


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    dropout: float = 0.0,
    replicates: int = 1,
    *,
    hidden: list[int],
    batch_norm: bool = False,
    initialization: str = "positive",
) -> nn.Module:
    """Return a convex perceptron for images of `input_shape` (C, H, W) with these hidden widths.

    Parameters
    ----------
    dropout : acts after every hidden layer.
    batch_norm : before every activation, with scale and shift; the layers before it have no bias.
    initialization : of the weights, see `convex.STARTS`; biases start at 0.
    """
    channels, height, width = input_shape
    widths = [channels * height * width, *hidden, classes]
    return ConvexPerceptron(widths, dropout, replicates, STARTS[initialization], batch_norm)


class ConvexPerceptron(ConvexNetwork):
    """Layers fc1, fc2, ..., out; images (K, N, H, W, C) -> logits (K, N, classes)."""

    def __init__(
        self,
        widths: list[int],
        dropout: float,
        replicates: int,
        start: tuple[Fill, Fill],
        batch_norm: bool,
    ):
        super().__init__()
        self.smallest_batch = 2 if batch_norm else 1
        first, later = start
        bias = None if batch_norm else 0.0
        self.hidden: list[Dense] = []
        for number, (inputs, outputs) in enumerate(pairwise(widths[:-1]), 1):
            kind, fill = (Dense, first) if number == 1 else (ConvexDense, later)
            layer = kind(inputs, outputs, fill, bias, replicates)
            self.add_module(f"fc{number}", layer)
            self.hidden.append(layer)
        self.out = ConvexDense(*widths[-2:], later, replicates=replicates)
        self.norms = nn.ModuleList(
            ConvexBatchNorm(replicates * width) for width in widths[1:-1] if batch_norm
        )
        self.dropout = Dropout(dropout)

    def forward(self, images: Tensor) -> Tensor:
        values = images.flatten(2)
        for index, layer in enumerate(self.hidden):
            values = layer(values)
            values = self._normalized(values, index) if self.norms else F.elu(values)
            values = self.dropout(values)
        return self.out(values)

    def _normalized(self, values: Tensor, index: int) -> Tensor:
        """Return (K, N, width) normalized over N: to the layer all replicates' units are channels."""
        replicates, count, width = values.shape
        channels = values.transpose(0, 1).reshape(count, replicates * width)
        return self.norms[index](channels).view(count, replicates, width).transpose(0, 1)
