"""Inception v3 (Szegedy et al. 2016) as torchvision has it: the network of the paper's Table 2.

The only model whose training process imports torchvision.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.inception import (
    BasicConv2d,
    Inception3,
    InceptionA,
    InceptionAux,
    InceptionB,
    InceptionC,
    InceptionD,
    InceptionE,
)

from rethink.errors import RethinkError
from rethink.models.layers import Dropout, channels_first, truncated_normal

SMALLEST = 75  # pixels, below which some map vanishes
AUXILIARY_MAP = 5  # side of the map that the auxiliary classifier's second convolution covers


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    dropout: float = 0.0,
    replicates: int = 1,
    *,
    auxiliary_weight: float,
) -> nn.Module:
    """Return the network for images of `input_shape` (C, H, W), 75 pixels or more, in colour.

    With an `auxiliary_weight` it has the auxiliary classifier, whose loss counts that much in
    training (0.4 in the TensorFlow Inception package); without, that part is left out. 27,161,264
    and 23,834,568 parameters for 1,000 classes. Initialization as in that package: truncated normal
    weights, 0.1 (0.01 and 0.001 in two layers of the auxiliary classifier), biases 0. `dropout`
    acts before the last layer. Raises RethinkError for smaller or grey images.
    """
    if replicates != 1:
        raise ValueError("inception_v3 trains one replicate at a time")
    channels, height, width = input_shape
    if channels != 3 or min(height, width) < SMALLEST:
        raise RethinkError(
            f"inception_v3 takes colour images of at least {SMALLEST}x{SMALLEST} pixels, not "
            f"{height}x{width}x{channels}; give the dataset a larger image_size or crop"
        )
    return InceptionV3(classes, dropout, auxiliary_weight)


class Auxiliary(InceptionAux):
    """The auxiliary classifier, made to work on maps smaller than those of 299 pixels."""

    def forward(self, maps: Tensor) -> Tensor:
        if min(maps.shape[2:]) < 3 * AUXILIARY_MAP + 2:
            maps = F.adaptive_avg_pool2d(maps, AUXILIARY_MAP)
        else:
            maps = F.avg_pool2d(maps, kernel_size=5, stride=3)
        maps = F.adaptive_avg_pool2d(self.conv1(self.conv0(maps)), 1)
        return self.fc(maps.flatten(1))


class Body(Inception3):
    """torchvision's network with dropout, and initial parameters, from the trainer's generators."""

    def __init__(self, classes: int, dropout: float, auxiliary: bool):
        blocks = [BasicConv2d, InceptionA, InceptionB, InceptionC, InceptionD, InceptionE]
        super().__init__(
            classes, auxiliary, inception_blocks=[*blocks, Auxiliary], init_weights=False
        )
        self.dropout = Dropout(dropout)

    def initialize(self, generators: Sequence[torch.Generator]) -> None:
        (generator,) = generators
        deviations = {
            layer: block.stddev
            for block in self.modules()
            if hasattr(block, "stddev")
            for layer in block.modules()
        }
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                truncated_normal(deviations.get(layer, 0.1))(layer.weight, 0, 0, generator)
            if isinstance(layer, nn.Linear):
                layer.bias.zero_()
            if isinstance(layer, nn.BatchNorm2d):
                layer.reset_parameters()


class InceptionV3(nn.Module):
    """Images (1, N, H, W, C) -> logits (1, N, classes); in training with auxiliary logits after."""

    # Some maps may be single pixels, which batch normalization cannot do for one example.
    smallest_batch = 2

    def __init__(self, classes: int, dropout: float, auxiliary_weight: float):
        super().__init__()
        self.auxiliary_weight = auxiliary_weight
        # Without memory at first: torchvision's own initial values would be drawn for nothing.
        with torch.device("meta"):
            body = Body(classes, dropout, auxiliary=auxiliary_weight > 0)
        self.body = body.to_empty(device="cpu").to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        outputs = self.body(channels_first(images))
        if isinstance(outputs, Tensor):
            return outputs.unsqueeze(0)
        return outputs.logits.unsqueeze(0), outputs.aux_logits.unsqueeze(0)
