"""mixup (Zhang, Cisse, Dauphin and Lopez-Paz, ICLR 2018): training on blends of two examples.

As in the authors' program: one share for a whole batch, drawn from a Beta distribution, and each
example blended with another of the same batch by a random permutation of it. The loss is the same
blend of the losses on both labels.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from rethink import seeds
from rethink.training.data import generator


def blend(first: Tensor, second: Tensor, share: Tensor) -> Tensor:
    """Return share * first + (1 - share) * second; `share` (K, 1), the others (K, B, ...).

    Not by `torch.lerp`: three operations that are rounded by themselves are the same on any device.
    """
    share = share.view(share.shape[0], *[1] * (first.dim() - 1))
    return share * first + (1 - share) * second


class Pairs:
    """Who is blended with whom, and in what proportion, in every batch of an epoch.

    Drawn on the CPU whatever the device, from streams named by seed, replicate and epoch, all
    batches at once: a cell that was interrupted within an epoch draws the same again.

    Parameters
    ----------
    alpha : both parameters of the Beta distribution, > 0.
    seed, replicates, epoch : names of the streams.
    sizes : of the batches, or of this process's parts of them.
    device : where the batches are.
    rank : of the process: parts of a batch are permuted each by itself, with the same share.
    """

    def __init__(
        self,
        alpha: float,
        seed: int,
        replicates: Sequence[int],
        epoch: int,
        sizes: Sequence[int],
        device: torch.device,
        rank: int = 0,
    ):
        shares, partners = [], []
        for replicate in replicates:
            beta = seeds.generator(seed, replicate, "mixup_share", epoch)
            shares.append(torch.from_numpy(beta.beta(alpha, alpha, len(sizes))))
            order = generator(seed, replicate, "mixup_partner", epoch, rank)
            partners.append(torch.cat([torch.randperm(n, generator=order) for n in sizes]))
        self.shares = torch.stack(shares).float().to(device)
        self.partners = torch.stack(partners).to(device).split(list(sizes), dim=1)

    def of(self, step: int) -> tuple[Tensor, Tensor]:
        """Return the partners (K, B) of a batch's examples, and the shares (K, 1) of their own."""
        return self.partners[step], self.shares[:, step, None]


def permuted(values: Tensor, places: Tensor) -> Tensor:
    """Return `values` (K, B, ...) in the order of `places` (K, B), each replicate its own."""
    return values[torch.arange(len(places), device=places.device)[:, None], places]
