"""What is measured of a network once it is trained: margins, norms, distance from its start.

The ingredients of complexity measures (Neyshabur et al. 2015, 2018; Bartlett et al. 2017; Jiang et
al. 2020) and two looks at memorization (Arpit et al. 2017), for less than two percent of the
training time: one pass over some training images, one gradient for some test images, and the
weights as matrices. Where the network came to stand before its training follows from the seed.
"""

import math

import torch
from torch import Tensor, nn

from rethink.models.layers import BatchNorm, Conv, Dense, LocalResponseNorm
from rethink.training.data import Examples, generator
from rethink.training.engine import Trainer
from rethink.training.numerics import autocast

MARGIN_EXAMPLES = 10_000  # training images at most whose margins are taken
GRADIENT_EXAMPLES = 100  # test images at most at which a gradient is taken
BATCH = 500


def measure(trainer: Trainer) -> None:
    """Note in each replicate's history what its network is like at the end of its training.

    See `of_outputs` and `of_weights` for the names. A run that diverged is left without, and so is
    one with early stopping, whose network at the end is not the one that counts.
    """
    if trainer.settings["early_stopping"]:
        return
    outputs = of_outputs(trainer)
    shape, network = trainer.data.input_shape, trainer.untrained()
    initial = folded(network, shape)
    network = trainer.untrained()
    network.load_state_dict(trainer.network.state_dict())
    final = folded(network, shape)
    paths = path_norms(network, shape) if final else []
    for k, history in enumerate(trainer.histories):
        if history.ended == "diverged":
            continue
        history.measures = {name: values[k] for name, values in outputs.items()}
        # At its start a network may seem to fold where it does not later.
        matrices = [(a[k], b[k]) for a, b in zip(final, initial, strict=bool(final and initial))]
        if matrices and all(weights.isfinite().all() for weights, _ in matrices):
            history.measures |= of_weights(matrices) | {"log_path_norm": paths[k]}


@torch.no_grad()
def folded(network: nn.Module, input_shape: tuple[int, int, int]) -> list[Tensor]:
    """Fold the normalizations of `network`, on the CPU, into its weights; return these as matrices.

    input_shape : (C, H, W) of the images.

    One (K, outputs, inputs) for each layer in order, in float64; convolutions are matrices of
    outputs x (inputs * size^2). A `BatchNorm` goes into the layers right before it, which may stand
    side by side. None are returned where the network has other layers than these, or where it is
    another function afterwards, as one that normalizes sums or its inputs.
    """
    network.double().eval()
    found = [module for module in network.modules() if isinstance(module, Dense | Conv)]
    norms = [module for module in network.modules() if isinstance(module, BatchNorm)]
    known = sum(p.numel() for module in (*found, *norms) for p in module.parameters())
    if known != sum(p.numel() for p in network.parameters()):
        return []
    channels, height, width = input_shape
    replicates = max(len(m.weight) if isinstance(m, Dense) else 1 for m in found)
    shape = (replicates, 2, height, width, channels)
    images = torch.randn(shape, generator=generator("folded"), dtype=torch.float64)
    before = network(images)
    if not _fold(network) or not torch.allclose(before, network(images), rtol=1e-6, equal_nan=True):
        return []
    return [
        module.weight.transpose(1, 2).clone()
        if isinstance(module, Dense)
        else module.weight.flatten(1)[None].clone()
        for module in found
    ]


def _fold(network: nn.Module) -> bool:
    """Multiply every normalization into what stands before it; return whether channels agree."""
    passed: list[nn.Module] = []
    for module in network.modules():
        if isinstance(module, Dense | Conv):
            passed.append(module)
        elif isinstance(module, BatchNorm):
            factors = module.scale / (module.variance + module.epsilon).sqrt()
            module.mean.mul_(factors)
            module.variance.fill_(1 - module.epsilon)
            module.scale.fill_(1)
            while len(factors):
                if not passed or _outputs(passed[-1]) > len(factors):
                    return False
                last = passed.pop()
                split = len(factors) - _outputs(last)
                _scale(last, factors[split:])
                factors = factors[:split]
    return True


def _outputs(module: nn.Module) -> int:
    return module.weight.shape[-1 if isinstance(module, Dense) else 0]


def _scale(module: nn.Module, factors: Tensor) -> None:
    """Multiply the outputs of a layer."""
    per_output = factors if isinstance(module, Dense) else factors[:, None, None, None]
    module.weight.mul_(per_output)
    if module.bias is not None:
        module.bias.mul_(factors)


@torch.no_grad()
def path_norms(network: nn.Module, input_shape: tuple[int, int, int]) -> list[float]:
    """Return the logarithm of each replicate's path norm; the `folded` network is used up.

    The root of the sum over all paths from an input to an output of the product of squared weights:
    ones are sent through the network with squared weights and no biases. As in the reference code of
    Jiang et al., pooling is left as it is. NaN for networks with local response normalization.
    """
    replicates = 1
    for module in network.modules():
        if isinstance(module, LocalResponseNorm):
            return [math.nan]
        if isinstance(module, Dense | Conv):
            module.weight.square_()
            if module.bias is not None:
                module.bias.zero_()
        if isinstance(module, Dense):
            replicates = len(module.weight)
        if isinstance(module, BatchNorm):
            module.mean.zero_()
            module.shift.zero_()
    channels, height, width = input_shape
    ones = torch.ones((replicates, 1, height, width, channels), dtype=torch.float64)
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
