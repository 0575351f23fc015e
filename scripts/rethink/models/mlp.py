"""Multilayer perceptrons: 1x512 and 3x512 in the paper (Appendix A), ReLU between the layers."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
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
    bias: bool = True,
) -> nn.Module:
    """Return a perceptron for images of `input_shape` (C, H, W) with the given hidden widths.

    Weights start as `initialization` says (see `layers.INITIALIZATIONS`), biases, if there
    are any, at 0. `dropout` acts after every hidden layer.
    On (3, 28, 28) and 10 classes: 1,209,866 parameters for [512], 1,735,178 for [512, 512, 512].
    """
    channels, height, width = input_shape
    widths = [channels * height * width, *hidden, classes]
    return Perceptron(widths, dropout, replicates, INITIALIZATIONS[initialization], bias)


class Kept(NamedTuple):
    """What the way forward leaves for the way back.

    inputs : of each layer (K, N, inputs)
    masks : of dropout after each hidden layer, or None
    """

    inputs: list[Tensor]
    masks: list[Tensor | None]


class Perceptron(nn.Module):
    """Layers fc1, fc2, ..., out; images (K, N, H, W, C) -> logits (K, N, classes).

    `logits` and `add_gradients` do the same as `forward` and autograd in fewer passes over memory:
    a small network's step on a CPU is a tenth to a fifth shorter by them.
    """

    def __init__(self, widths: list[int], dropout: float, replicates: int, fill: Fill, bias: bool):
        super().__init__()
        start = 0.0 if bias else None
        names = [f"fc{i}" for i in range(1, len(widths) - 1)] + ["out"]
        for name, inputs, outputs in zip(names, widths, widths[1:], strict=False):
            self.add_module(name, Dense(inputs, outputs, fill, start, replicates))
        self.hidden = [self.get_submodule(name) for name in names[:-1]]
        self.dropout = Dropout(dropout)

    def forward(self, images: Tensor) -> Tensor:
        values = images.flatten(2)
        for layer in self.hidden:
            values = self.dropout(F.relu_(layer(values)))
        return self.out(values)

    @torch.no_grad()
    def logits(self, images: Tensor) -> tuple[Tensor, Kept]:
        """Return what `forward` does, and what `add_gradients` needs of it."""
        kept = Kept([images.flatten(2)], [])
        for layer in self.hidden:
            values = F.relu_(layer(kept.inputs[-1]))
            mask = self.dropout.mask(values)
            kept.masks.append(mask)
            kept.inputs.append(values if mask is None else values.mul_(mask))
        return self.out(kept.inputs[-1]), kept

    @torch.no_grad()
    def add_gradients(
        self, kept: Kept, slope: Tensor, sums: Sequence[Tensor], factors: Sequence[float]
    ) -> None:
        """Set each of `sums` to factor x sum + gradient, where the sums stand as `parameters()`.

        slope : the gradient by the logits (K, N, classes).
        """
        layers = [*self.hidden, self.out]
        places = iter(zip(sums, factors, strict=True))
        of_layers = [[next(places) for _ in layer.parameters()] for layer in layers]
        for i in reversed(range(len(layers))):
            before = kept.inputs[i]
            (weights, factor), *biases = of_layers[i]
            weights.baddbmm_(before.transpose(1, 2), slope, beta=factor)
            for bias, factor in biases:
                bias.mul_(factor).add_(slope.sum(1))
            if i:
                slope = torch.bmm(slope, layers[i].weight.transpose(1, 2))
                # What dropout has zeroed is 0 in `before`, too.
                slope.mul_(before > 0)
                if kept.masks[i - 1] is not None:
                    slope.mul_(kept.masks[i - 1])
