"""Multilayer perceptrons: 1x512 and 3x512 in the paper (Appendix A), ReLU between the layers."""

import torch.nn.functional as F
from torch import Tensor, nn

from rethink.models.layers import INITIALIZATIONS, Dense, Dropout, Fill

# All parameters carry a leading replicate axis: replicates may be trained together.
JOINT_REPLICATES = True


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    dropout: float = 0.0,
    replicates: int = 1,
    *,
    hidden: list[int],
    initialization: str = "glorot_uniform",
) -> nn.Module:
    """Return a perceptron for images of `input_shape` (C, H, W) with the given hidden widths.

    Weights start as `initialization` says (see `layers.INITIALIZATIONS`), biases at 0. `dropout`
    acts after every hidden layer.
    On (3, 28, 28) and 10 classes: 1,209,866 parameters for [512], 1,735,178 for [512, 512, 512].
    """
    channels, height, width = input_shape
    widths = [channels * height * width, *hidden, classes]
    return Perceptron(widths, dropout, replicates, INITIALIZATIONS[initialization])


class Perceptron(nn.Module):
    """Layers fc1, fc2, ..., out; images (K, N, H, W, C) -> logits (K, N, classes)."""

    def __init__(self, widths: list[int], dropout: float, replicates: int, fill: Fill):
        super().__init__()
        names = [f"fc{i}" for i in range(1, len(widths) - 1)] + ["out"]
        for name, inputs, outputs in zip(names, widths, widths[1:], strict=False):
            self.add_module(name, Dense(inputs, outputs, fill, replicates=replicates))
        self.hidden = [self.get_submodule(name) for name in names[:-1]]
        self.dropout = Dropout(dropout)

    def forward(self, images: Tensor) -> Tensor:
        values = images.flatten(2)
        for layer in self.hidden:
            values = self.dropout(F.relu_(layer(values)))
        return self.out(values)
