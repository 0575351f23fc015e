"""Stochastic gradient descent with momentum (paper, Appendix A).

Not `torch.optim`: constructing one of its optimizers imports 900 modules, which takes longer than
training a small cell.
"""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

import torch
from torch import Tensor

from rethink.errors import RethinkError


class Momentum:
    """v <- momentum v + (g + weight_decay w); w <- w - learning_rate v, as in `torch.optim.SGD`.

    Parameters
    ----------
    named_parameters : the names and parameters of a network.
    momentum : the factor above.
    weight_decay : the factor above, which acts on the parameters in `patterns` only.
    patterns : shell patterns of parameter names, e.g. ``*.weight``.
    """

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
        torch._foreach_mul_(self.velocity, self.momentum)
        torch._foreach_add_(self.velocity, gradients)
        torch._foreach_add_(self.parameters, self.velocity, alpha=-learning_rate)
