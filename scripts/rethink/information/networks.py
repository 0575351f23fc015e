"""Many small networks trained together: all replicates of one condition, by hand-written backprop.

A network of five hidden layers has some 270 parameters, so that a step costs its calls, not its
arithmetic. Hence one flat tensor for all parameters, no autograd, and units before examples: the
products are (units, inputs) x (inputs, examples), the sums run over contiguous memory.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

ACTIVATIONS = ("tanh", "relu")


class Layer(NamedTuple):
    """One layer of R networks: weights (R, out, in) and biases (R, out, 1)."""

    weight: Tensor
    bias: Tensor


class Networks:
    """R networks with the same widths: hidden layers of one activation, then a softmax.

    Parameters
    ----------
    widths : of the input, the hidden layers and the softmax.
    activation : ``tanh`` or ``relu``.
    generators : one for each network; weights are drawn from a normal of variance 1 / inputs, cut
        at two standard deviations, biases are 0.
    """

    def __init__(self, widths: Sequence[int], activation: str, generators: Sequence):
        self.widths, self.activation = tuple(widths), activation
        pairs = list(pairwise(widths))
        size = sum((inputs + 1) * outputs for inputs, outputs in pairs)
        self.parameters = torch.zeros(len(generators), size)
        for (weight, _), (inputs, _) in zip(self.layers(self.parameters), pairs, strict=True):
            std = inputs**-0.5
            for own, generator in zip(weight, generators, strict=True):
                torch.nn.init.trunc_normal_(own, 0, std, -2 * std, 2 * std, generator=generator)

    def layers(self, flat: Tensor) -> list[Layer]:
        """Return the layers' views of flat parameters (R, P), or of a gradient like them."""
        views, start = [], 0
        for inputs, outputs in pairwise(self.widths):
            end = start + inputs * outputs
            weight = flat[:, start:end].view(len(flat), outputs, inputs)
            views.append(Layer(weight, flat[:, end : end + outputs].unsqueeze(2)))
            start = end + outputs
        return views

    def activities(self, inputs: Tensor, layers: list[Layer]) -> list[Tensor]:
        """Return what each of the `layers` makes of `inputs` (R, bits, N): a list of (R, units, N).

        The last one holds the probabilities of the softmax.
        """
        values, found = inputs, []
        for layer in layers[:-1]:
            values = torch.baddbmm(layer.bias, layer.weight, values)
            values = values.tanh_() if self.activation == "tanh" else values.relu_()
            found.append(values)
        return [*found, torch.baddbmm(layers[-1].bias, layers[-1].weight, values).softmax(1)]

    def gradient(
        self, inputs: Tensor, targets: Tensor, layers: list[Layer], into: list[Layer]
    ) -> None:
        """Write the gradient of the mean cross-entropy at `layers` into the views `into`.

        inputs (R, bits, N); targets (R, classes, N), one-hot.
        """
        activities = [inputs, *self.activities(inputs, layers)]
        delta = activities.pop().sub_(targets).div_(inputs.shape[2])
        for index in reversed(range(len(layers))):
            below = activities[index]
            torch.bmm(delta, below.transpose(1, 2), out=into[index].weight)
            torch.sum(delta, 2, keepdim=True, out=into[index].bias)
            if index:
                delta = torch.bmm(layers[index].weight.transpose(1, 2), delta)
                delta = self._times_slope(delta, below)

    def _times_slope(self, delta: Tensor, values: Tensor) -> Tensor:
        """Return `delta` times the slope of the activation where it has these values."""
        if self.activation == "relu":
            return torch.ops.aten.threshold_backward(delta, values, 0)
        return torch.ops.aten.tanh_backward(delta, values)


class Adam:
    """Adam as TensorFlow has it (Kingma and Ba 2015, the form before Section 2.1), on one tensor."""

    FIRST, SECOND, EPSILON = 0.9, 0.999, 1e-8

    def __init__(self, parameters: Tensor, learning_rate: float):
        self.parameters, self.learning_rate = parameters, learning_rate
        self.mean, self.square = torch.zeros_like(parameters), torch.zeros_like(parameters)
        self.steps = 0

    def step(self, gradient: Tensor) -> None:
        """Update the parameters in place."""
        self.steps += 1
        self.mean.lerp_(gradient, 1 - self.FIRST)
        self.square.mul_(self.SECOND).addcmul_(gradient, gradient, value=1 - self.SECOND)
        rate = math.sqrt(1 - self.SECOND**self.steps) / (1 - self.FIRST**self.steps)
        self.parameters.addcdiv_(
            self.mean, self.square.sqrt().add_(self.EPSILON), value=-self.learning_rate * rate
        )


def train(
    networks: Networks,
    patterns: Tensor,
    labels: Tensor,
    chosen: Tensor,
    checkpoints: Sequence[int],
    batch_size: int,
    learning_rate: float,
    generators: Sequence,
) -> list[Tensor]:
    """Train each network on its own examples in its own order; return its parameters on the way.

    Parameters
    ----------
    patterns : float32 (N, bits), the same for all.
    labels : 0 and 1, float32 (R, N).
    chosen : the training examples of each, int64 (R, n).
    checkpoints : epochs after which parameters are kept, ascending; 0 is the initialization.
    generators : one for each network, for its order.

    Returns copies of the parameters (R, P), one for each checkpoint.
    """
    optimizer = Adam(networks.parameters, learning_rate)
    gradient = torch.zeros_like(networks.parameters)
    layers, into = networks.layers(networks.parameters), networks.layers(gradient)
    kept = [networks.parameters.clone()] if checkpoints[0] == 0 else []
    count, wanted = chosen.shape[1], set(checkpoints)
    for epoch in range(1, checkpoints[-1] + 1):
        order = torch.stack([torch.randperm(count, generator=own) for own in generators])
        order = chosen.gather(1, order)
        inputs = patterns.index_select(0, order.flatten()).view(*order.shape, -1).transpose(1, 2)
        ones = labels.gather(1, order)
        targets = torch.stack([1 - ones, ones], 1)
        for start in range(0, count, batch_size):
            batch = slice(start, start + batch_size)
            networks.gradient(inputs[:, :, batch], targets[:, :, batch], layers, into)
            optimizer.step(gradient)
        if epoch in wanted:
            kept.append(networks.parameters.clone())
    return kept
