"""What is measured of a network once it is trained: margins, norms, distance from its start.

The ingredients of complexity measures (Neyshabur et al. 2015, 2018; Bartlett et al. 2017; Jiang et
al. 2020) and two looks at memorization (Arpit et al. 2017), for less than two percent of the
training time: one pass over some training images, one gradient for some test images, and the
weights as matrices. Where the network came to stand before its training follows from the seed.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from rethink.models.layers import BatchNorm, Conv, Dense, LocalResponseNorm
from rethink.training.data import Examples, generator
from rethink.training.engine import Trainer
from rethink.training.numerics import autocast

MARGIN_EXAMPLES = 10_000  # training images at most whose margins are taken
GRADIENT_EXAMPLES = 100  # test images at most at which a gradient is taken
BATCH = 500


class Layer(NamedTuple):
    """A layer's weights as matrices (K, outputs, inputs), normalization folded in, on the CPU."""

    module: nn.Module
    matrices: Tensor


def measure(trainer: Trainer) -> None:
    """Note in each replicate's history what its network is like at the end of its training.

    See `of_outputs` and `of_weights` for the names. A run that diverged is left without, and so is
    one with early stopping, whose network at the end is not the one that counts.
    """
    if trainer.settings["early_stopping"]:
        return
    outputs = of_outputs(trainer)
    start = trainer.untrained()
    initial = layers(start)
    start.load_state_dict(trainer.network.state_dict())
    final = layers(start)
    paths = path_norms(start, trainer.data.input_shape) if final else []
    for k, history in enumerate(trainer.histories):
        if history.ended == "diverged":
            continue
        history.measures = {name: values[k] for name, values in outputs.items()}
        matrices = [(a.matrices[k], b.matrices[k]) for a, b in zip(final, initial, strict=True)]
        if matrices and all(weights.isfinite().all() for weights, _ in matrices):
            history.measures |= of_weights(matrices) | {"log_path_norm": paths[k]}


@torch.no_grad()
def layers(network: nn.Module) -> list[Layer]:
    """Return the layers of `network` in order, in float64; none where it has others than these.

    Convolutions are matrices of outputs x (inputs * size^2). A `BatchNorm` multiplies the channels
    of the layers right before it, which may stand side by side.
    """
    found: list[Layer] = []
    counted = 0
    for module in network.modules():
        if isinstance(module, Dense):
            weights = module.weight.transpose(1, 2)
        elif isinstance(module, Conv):
            weights = module.weight.flatten(1)[None]
        elif isinstance(module, BatchNorm):
            if not _fold(found, module):
                return []
            counted += _parameters(module)
            continue
        else:
            continue
        counted += _parameters(module)
        found.append(Layer(module, weights.double().cpu()))
    return found if counted == _parameters(network) else []


def _parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _fold(found: list[Layer], norm: BatchNorm) -> bool:
    """Multiply a normalization into the layers before it; return whether its channels are theirs."""
    scale = (norm.scale.double() / (norm.variance.double() + norm.epsilon).sqrt()).cpu()
    place, left = len(found), len(scale)
    while left > 0 and place > 0:
        place -= 1
        left -= found[place].matrices.shape[1]
    if left:
        return False
    sizes = [layer.matrices.shape[1] for layer in found[place:]]
    for i, part in enumerate(scale.split(sizes), place):
        found[i] = found[i]._replace(matrices=found[i].matrices * part[:, None])
    return True


@torch.no_grad()
def path_norms(network: nn.Module, input_shape: tuple[int, int, int]) -> list[float]:
    """Return the logarithm of each replicate's path norm; `network`, on the CPU, is used up.

    input_shape : (C, H, W) of the images.

    The root of the sum over all paths from an input to an output of the product of squared weights:
    ones are sent through the network with squared weights and no biases. As in the reference code of
    Jiang et al., pooling is left as it is. NaN for networks with local response normalization.
    """
    found = layers(network.double().eval())
    count = len(found[0].matrices)
    if any(isinstance(module, LocalResponseNorm) for module in network.modules()):
        return [math.nan] * count
    for module, matrices in found:
        squared = matrices.square()
        module.weight.copy_(
            squared.transpose(1, 2) if isinstance(module, Dense) else squared.view_as(module.weight)
        )
        if module.bias is not None:
            module.bias.zero_()
    for module in network.modules():
        if isinstance(module, BatchNorm):  # It is in the weights.
            for values, number in (
                (module.mean, 0.0),
                (module.variance, 1 - module.epsilon),
                (module.scale, 1.0),
                (module.shift, 0.0),
            ):
                values.fill_(number)
    channels, height, width = input_shape
    ones = torch.ones((count, 1, height, width, channels), dtype=torch.float64)
    return (0.5 * network(ones).sum((1, 2)).log()).tolist()


def of_weights(matrices: list[tuple[Tensor, Tensor]]) -> dict[str, float]:
    """Return norms of one network: its layers' weights W and those at its start W0 (out x in).

    ``parameter_norm`` and ``distance``: root of the sum over layers of |W|_F^2, and of |W - W0|_F^2.
    ``log_spectral_norm``, ``log_frobenius_norm``: logarithm of the product of |W|_2, of |W|_F.
    ``stable_ranks``: sum of |W|_F^2 / |W|_2^2.
    ``log_bartlett``: log of prod |W|_2 (sum (|(W - W0)^T|_{2,1} / |W|_2)^(2/3))^(3/2).
    ``log_neyshabur``: log of prod |W|_2^2 sum |W - W0|_F^2 / |W|_2^2.
    NaN where a logarithm has no value.
    """
    spectral = torch.stack([_spectral_norm(weights) for weights, _ in matrices])
    frobenius = torch.stack([weights.norm() for weights, _ in matrices])
    moved = torch.stack([(weights - start).norm() for weights, start in matrices])
    rows = torch.stack([(weights - start).norm(dim=1).sum() for weights, start in matrices])
    product = spectral.log().sum()
    values = {
        "parameter_norm": frobenius.norm(),
        "distance": moved.norm(),
        "log_spectral_norm": product,
        "log_frobenius_norm": frobenius.log().sum(),
        "stable_ranks": (frobenius / spectral).square().sum(),
        "log_bartlett": product + 1.5 * (rows / spectral).pow(2 / 3).sum().log(),
        "log_neyshabur": 2 * product + (moved / spectral).square().sum().log(),
    }
    return {name: value.item() for name, value in values.items()}


def _spectral_norm(weights: Tensor) -> Tensor:
    """Return the largest singular value, by way of the smaller of the two Gram matrices."""
    tall = weights.shape[0] > weights.shape[1]
    gram = weights.T @ weights if tall else weights @ weights.T
    return torch.linalg.eigvalsh(gram)[-1].clamp(min=0).sqrt()


def of_outputs(trainer: Trainer) -> dict[str, list[float]]:
    """Return what the outputs of each replicate's network say, in evaluation mode.

    ``margin`` and ``margin_median``: the 10th and the 50th percentile over training images of the
    given label's logit less the largest other one.
    ``corrected``: of those images whose label is not the true one, the share that is classified as
    what it truly is; NaN where there are none.
    ``input_gradient``: mean over test images of the 2-norm of the gradient, by the whitened input,
    of the difference of the two largest logits.
    """
    trainer.network.eval()
    margins, corrected = _margins(trainer)
    count = margins.shape[1]
    places = {"margin": max(1, count // 10), "margin_median": max(1, count // 2)}
    values = {name: margins.kthvalue(place, dim=1).values for name, place in places.items()}
    values |= {"corrected": corrected, "input_gradient": _input_gradients(trainer)}
    return {name: value.double().tolist() for name, value in values.items()}


def _chosen(examples: Examples, most: int, seed: int) -> Tensor:
    """Return the places of at most so many examples, drawn by the cell's seed, in order."""
    count = len(examples)
    if count <= most:
        return torch.arange(count)
    order = torch.randperm(count, generator=generator(seed, "measures"))
    return order[:most].sort().values


def _logits(trainer: Trainer, images: Tensor) -> Tensor:
    with autocast(trainer.spec["numerics"], trainer.device):
        outputs = trainer.network(images)
    return outputs.float()


@torch.inference_mode()
def _margins(trainer: Trainer) -> tuple[Tensor, Tensor]:
    """Return the margins (K, n), and the share of wrong labels that were seen through (K,)."""
    train, count = trainer.data.train, len(trainer.replicates)
    labels, truth = (values.cpu() for values in train.both_labels)
    chosen = _chosen(train, MARGIN_EXAMPLES, trainer.spec["seed"])
    margins, through = [], []
    for index in chosen.split(BATCH):
        images = train.images.central(index.to(train.images.index_device))
        # On the CPU: some devices have no deterministic form of what follows.
        logits = _logits(trainer, images.expand(count, *images.shape)).cpu()
        given = labels[index].expand(count, -1)[..., None]
        others = logits.scatter(-1, given, -math.inf).amax(-1)
        margins.append(logits.gather(-1, given).squeeze(-1) - others)
        through.append(logits.argmax(-1) == truth[index])
    wrong = (labels != truth)[chosen]
    return torch.cat(margins, dim=1), torch.cat(through, dim=1)[:, wrong].float().mean(1)


def _input_gradients(trainer: Trainer) -> Tensor:
    """Return the mean norms (K,) of gradients by the input."""
    test, count = trainer.data.test, len(trainer.replicates)
    index = _chosen(test, GRADIENT_EXAMPLES, trainer.spec["seed"]).to(test.images.index_device)
    images = test.images.central(index)
    inputs = images.expand(count, *images.shape).clone().requires_grad_()
    best = _logits(trainer, inputs).topk(2).values
    (gradient,) = torch.autograd.grad((best[..., 0] - best[..., 1]).sum(), inputs)
    return gradient.flatten(2).norm(dim=2).mean(1)
