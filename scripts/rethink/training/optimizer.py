"""Stochastic gradient descent with momentum (paper, Appendix A), RMSProp for ImageNet, and Adam.

Not `torch.optim`: constructing one of its optimizers imports 900 modules, which takes longer than
training a small cell.
"""

from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase

import torch
from torch import Tensor

from rethink.errors import RethinkError

# Sets each tensor of the first list to factor x tensor + gradient.
AddGradients = Callable[[Sequence[Tensor], Sequence[float]], None]


class Momentum:
    """v <- momentum v + (g + weight_decay w); w <- w - learning_rate v, as in `torch.optim.SGD`.

    Parameters
    ----------
    named_parameters : the names and parameters of a network.
    momentum : the factor above.
    weight_decay : the factor above, which acts on the parameters in `patterns` only.
    patterns : shell patterns of parameter names, e.g. ``*.weight``.

    Attributes
    ----------
    memory : the tensors that a checkpoint has to keep.
    steady : whether all steps with one learning rate are the same operations.
    """

    steady = True

    def __init__(
        self,
        named_parameters: Iterable[tuple[str, Tensor]],
        momentum: float,
        weight_decay: float = 0.0,
        patterns: Sequence[str] = (),
    ):
        named = dict(named_parameters)
        self.parameters = list(named.values())
        self.velocity = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.memory = list(self.velocity)
        self.momentum, self.weight_decay = momentum, weight_decay
        self.decayed = [
            i
            for i, name in enumerate(named)
            if weight_decay and any(fnmatchcase(name, pattern) for pattern in patterns)
        ]
        if weight_decay and not self.decayed:
            raise RethinkError(
                f"weight_decay_parameters {list(patterns)} fit no parameter; the network has "
                f"{', '.join(named)}"
            )

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor], learning_rate: float) -> None:
        """Update the parameters; `gradients`, in their order, are overwritten."""
        if self.decayed:
            torch._foreach_add_(
                [gradients[i] for i in self.decayed],
                [self.parameters[i] for i in self.decayed],
                alpha=self.weight_decay,
            )
        self._update(gradients, learning_rate)

    @torch.no_grad()
    def step_with(self, add: AddGradients, learning_rate: float) -> None:
        """Update the parameters, their gradients added to the velocities where they are computed."""
        factors = [self.momentum] * len(self.velocity)
        for i in self.decayed:
            self.velocity[i].mul_(self.momentum)
            self.velocity[i].add_(self.parameters[i], alpha=self.weight_decay)
            factors[i] = 1.0
        add(self.velocity, factors)
        torch._foreach_add_(self.parameters, self.velocity, alpha=-learning_rate)

    def _update(self, gradients: Sequence[Tensor], learning_rate: float) -> None:
        torch._foreach_mul_(self.velocity, self.momentum)
        torch._foreach_add_(self.velocity, gradients)
        torch._foreach_add_(self.parameters, self.velocity, alpha=-learning_rate)


class RMSProp(Momentum):
    """The optimizer of the TensorFlow Inception package, which the paper used for ImageNet.

    s <- 0.9 s + 0.1 g^2, from s = 1; v <- momentum v + learning_rate g / sqrt(s + 1); w <- w - v.
    Like TensorFlow's, and unlike `torch.optim.RMSprop`: epsilon stands under the root and is 1.
    """

    DECAY, EPSILON = 0.9, 1.0

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.squares = [torch.ones_like(parameter) for parameter in self.parameters]
        self.memory += self.squares

    def _update(self, gradients: Sequence[Tensor], learning_rate: float) -> None:
        torch._foreach_mul_(self.squares, self.DECAY)
        torch._foreach_addcmul_(self.squares, gradients, gradients, 1 - self.DECAY)
        roots = torch._foreach_add(self.squares, self.EPSILON)
        torch._foreach_sqrt_(roots)
        torch._foreach_div_(gradients, roots)
        torch._foreach_mul_(self.velocity, self.momentum)
        torch._foreach_add_(self.velocity, gradients, alpha=learning_rate)
        torch._foreach_sub_(self.parameters, self.velocity)


class Adam(Momentum):
    """Adam (Kingma and Ba 2015, Algorithm 1), as in `torch.optim.Adam`; `momentum` is its beta1.

    m <- momentum m + (1 - momentum) g; s <- 0.999 s + 0.001 g^2;
    w <- w - learning_rate m' / (sqrt(s') + 1e-8), with m' and s' rid of their start at 0.
    """

    DECAY, EPSILON = 0.999, 1e-8
    steady = False  # The corrections for the start are numbers.

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.squares = [torch.zeros_like(parameter) for parameter in self.parameters]
        # What is left of the start in m and in s; on the CPU, for they are numbers to all.
        self.starts = torch.ones(2, dtype=torch.float64)
        self.memory += [*self.squares, self.starts]

    def _update(self, gradients: Sequence[Tensor], learning_rate: float) -> None:
        self.starts *= torch.tensor([self.momentum, self.DECAY], dtype=torch.float64)
        first, second = (1 - self.starts).tolist()
        torch._foreach_lerp_(self.velocity, gradients, 1 - self.momentum)
        torch._foreach_mul_(self.squares, self.DECAY)
        torch._foreach_addcmul_(self.squares, gradients, gradients, 1 - self.DECAY)
        roots = torch._foreach_sqrt(self.squares)
        torch._foreach_div_(roots, second**0.5)
        torch._foreach_add_(roots, self.EPSILON)
        torch._foreach_addcdiv_(self.parameters, self.velocity, roots, -learning_rate / first)


OPTIMIZERS = {"momentum": Momentum, "rmsprop": RMSProp, "adam": Adam}
