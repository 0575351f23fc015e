"""Networks whose logits are convex functions of their input (Sivaprasad et al. 2021).

A logit is convex where all weights from the second layer on are not negative and the activations
are convex and do not decrease: a sum of convex functions with such weights is convex, and so is
an activation of one. The first layer and all biases are free. After every step of the optimizer a
weight w < 0 is overwritten by exp(w - 5), at most 0.0067; the others stay.

That the logits are convex bounds no classification by them: it goes by differences of convex
functions, which approximate every continuous function.
"""

import torch
from torch import Tensor, nn

from rethink.models.layers import INITIALIZATIONS, BatchNorm, Conv, Dense, Fill, glorot_uniform

SHIFT = 5.0  # of the exponent, by which weights that were negative become small positive ones


def positive_uniform(weight: Tensor, fan_in: int, fan_out: int, generator: torch.Generator) -> None:
    """Fill with U(0, 2 / fan_in): a layer passes on the mean of its inputs."""
    weight.uniform_(0, 2 / fan_in, generator=generator)


# By the names that a preset may give: the fill of the first layer and that of all others, of which
# the negative half is overwritten before training.
STARTS: dict[str, tuple[Fill, Fill]] = {
    "positive": (glorot_uniform, positive_uniform),
    **{name: (fill, fill) for name, fill in INITIALIZATIONS.items()},
}


class ConvexDense(Dense):
    """A layer after the first: its weights are overwritten where they are negative."""

    def initialize(self, generators) -> None:
        super().initialize(generators)
        overwrite_(self.weight)


class ConvexConv(Conv):
    """A convolution after the first: its weights are overwritten where they are negative."""

    def initialize(self, generators) -> None:
        super().initialize(generators)
        overwrite_(self.weight)


class ConvexBatchNorm(BatchNorm):
    """Batch normalization by a scale that is not negative, followed by ELU."""

    def __init__(self, channels: int):
        super().__init__(channels, scale=True, activation=nn.functional.elu)


class ConvexNetwork(nn.Module):
    """A network whose `ConvexDense`, `ConvexConv` and `ConvexBatchNorm` keep it convex."""

    convex = True  # The trainer measures it along segments.

    @torch.no_grad()
    def project(self) -> None:
        """Overwrite what the optimizer made negative; called after each of its steps."""
        for layer in self.modules():
            if isinstance(layer, ConvexDense | ConvexConv):
                overwrite_(layer.weight)
            elif isinstance(layer, ConvexBatchNorm):
                overwrite_(layer.scale)


@torch.no_grad()
def overwrite_(weight: Tensor) -> None:
    """Replace w by exp(w - 5) where w < 0, in place."""
    weight.copy_(torch.where(weight < 0, (weight - SHIFT).exp(), weight))
