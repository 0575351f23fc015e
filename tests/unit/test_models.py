"""The models: parameter counts of the paper, and layers against reference implementations."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from rethink.models import alexnet, inception, layers, mlp, wide_resnet

PAPER = [
    (mlp, {"hidden": [512]}, 1_209_866),
    (mlp, {"hidden": [512, 512, 512]}, 1_735_178),
    (alexnet, {}, 1_387_786),
    (inception, {"batch_norm": True}, 1_649_402),
    (inception, {"batch_norm": False}, 1_649_402),
]


# Of the first author's repository, on whole images.
DEMO = [
    (wide_resnet, {}, 369_498),
    (mlp, {"hidden": [512], "bias": False, "initialization": "fan_in_uniform"}, 1_577_984),
]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def built(module, arguments, shape=(3, 28, 28), classes=10, **options):
    network = module.build(shape, classes, **options, **arguments)
    layers.initialize(network, [generator(i) for i in range(options.get("replicates", 1))])
    return network


@pytest.mark.parametrize("module, arguments, expected", PAPER)
def test_parameter_counts_are_those_of_the_paper(module, arguments, expected):
    network = module.build((3, 28, 28), 10, **arguments)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected


@pytest.mark.parametrize("module, arguments, expected", DEMO)
def test_parameter_counts_are_those_of_the_demonstration(module, arguments, expected):
    network = module.build((3, 32, 32), 10, **arguments)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected


@pytest.mark.parametrize("module, arguments, expected", PAPER + DEMO)
@pytest.mark.parametrize("shape", [(1, 7, 7), (1, 1, 1), (3, 5, 10)])
def test_any_image_size_and_class_count(module, arguments, expected, shape):
    channels, height, width = shape
    network = built(module, arguments, shape, classes=3)
    logits = network(torch.randn(1, 4, height, width, channels, generator=generator()))
    assert logits.shape == (1, 4, 3)
    gradients = torch.autograd.grad(logits.square().sum(), list(network.parameters()))
    assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("module, arguments, expected", PAPER)
def test_initialization_follows_the_generator_alone(module, arguments, expected):
    torch.manual_seed(1)
    first = built(module, arguments, (1, 7, 7)).state_dict()
    torch.manual_seed(2)
    second = built(module, arguments, (1, 7, 7)).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert any(name.endswith("weight") and value.std() > 0 for name, value in first.items())


@pytest.mark.parametrize("module, arguments, expected", PAPER)
def test_initial_logits_are_of_the_order_of_one(module, arguments, expected):
    network = built(module, arguments)
    images = torch.randn(1, 16, 28, 28, 3, generator=generator(5))
    assert 1e-3 < network(images).std() < 10


def test_a_perceptron_without_biases_scales_with_its_input():
    network = built(mlp, {"hidden": [16, 8], "bias": False}, (1, 5, 5), replicates=2)
    images = torch.randn(2, 8, 5, 5, 1, generator=generator(5))
    torch.testing.assert_close(network(3 * images), 3 * network(images))


def test_a_block_adds_to_its_shortcut():
    """With its second convolution at zero a block is its shortcut, of what the first ReLU leaves."""
    network = built(wide_resnet, {"depth": 10, "width": 2})
    same, changed = (wide_resnet.Block(*sizes, 0.0) for sizes in ((8, 8, 1), (8, 16, 2)))
    maps = torch.randn(4, 8, 5, 5, generator=generator(3))
    for block in (same, changed):
        layers.initialize(nn.Sequential(block), [generator()])
        with torch.no_grad():
            block.conv2.weight.zero_()
    assert torch.equal(same(maps), maps)
    expected = F.conv2d(changed.norm1(maps), changed.shortcut.weight, stride=2)
    torch.testing.assert_close(changed(maps), expected)
    assert [block.conv1.weight.shape[0] for block in network.blocks] == [32, 64, 128]
    with pytest.raises(ValueError, match="6 n"):
        wide_resnet.build((3, 8, 8), 10, depth=27)


def test_the_published_weight_decay_finds_its_layers():
    names = [name for name, _ in alexnet.build((3, 28, 28), 10).named_parameters()]
    assert {"fc1.weight", "fc2.weight", "conv1.weight", "out.weight"} <= set(names)


@pytest.mark.parametrize("module, arguments", [(alexnet, {}), (inception, {"batch_norm": True})])
def test_convolutional_networks_train_one_replicate_at_a_time(module, arguments):
    with pytest.raises(ValueError, match="one replicate"):
        module.build((3, 28, 28), 10, replicates=2, **arguments)
    with pytest.raises(ValueError, match="one replicate"):
        built(module, arguments)(torch.zeros(2, 4, 28, 28, 3))


def test_replicates_of_a_perceptron_are_independent_networks():
    joint = built(mlp, {"hidden": [32, 16]}, (1, 5, 5), replicates=3)
    images = torch.randn(3, 8, 5, 5, 1, generator=generator(9))
    for replicate in range(3):
        alone = mlp.build((1, 5, 5), 10, hidden=[32, 16])
        layers.initialize(alone, [generator(replicate)])
        assert torch.equal(alone(images[replicate : replicate + 1])[0], joint(images)[replicate])


@pytest.mark.parametrize("channels", [3, 64])
@pytest.mark.parametrize("beta", [0.75, 0.5])
def test_local_response_norm_equals_torchs(channels, beta):
    ours = layers.LocalResponseNorm(channels, size=9, alpha=0.5, beta=beta, k=1.0).double()
    maps = torch.randn(2, channels, 3, 4, generator=generator(), dtype=torch.float64)
    maps.requires_grad_()
    theirs = F.local_response_norm(maps, 9, alpha=0.5, beta=beta, k=1.0)
    # The band is kept in float32: 1e-8 is its rounding.
    torch.testing.assert_close(ours(maps), theirs, rtol=1e-7, atol=1e-7)
    weights = torch.randn(theirs.shape, generator=generator(1), dtype=torch.float64)
    (expected,) = torch.autograd.grad((theirs * weights).sum(), maps)
    (gradient,) = torch.autograd.grad((ours(maps) * weights).sum(), maps)
    torch.testing.assert_close(gradient, expected, rtol=1e-7, atol=1e-7)


def same_padding(size, kernel=3, stride=2):
    """TensorFlow's rule: what is needed, the larger half at the end."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


@pytest.mark.parametrize("height, width", [(1, 2), (3, 4), (7, 7), (28, 28), (9, 14)])
def test_stride_two_pads_like_tensorflow(height, width):
    maps = torch.randn(2, 5, height, width, generator=generator())
    padding = (*same_padding(width), *same_padding(height))
    pooled = F.max_pool2d(F.pad(maps, padding, value=-torch.inf), 3, 2)
    assert torch.equal(layers.max_pool(maps), pooled)
    assert pooled.shape[2:] == (layers.halved(height), layers.halved(width))
    convolution = layers.Conv(5, 6, 3, layers.glorot_uniform, stride=2)
    layers.initialize(nn.Sequential(convolution), [generator()])
    expected = F.conv2d(F.pad(maps, padding), convolution.weight, convolution.bias, 2)
    torch.testing.assert_close(convolution(maps), expected)


def test_batch_norm_equals_torchs_with_a_shift():
    ours = layers.BatchNorm(4)
    layers.initialize(nn.Sequential(ours), [generator()])
    theirs = nn.BatchNorm2d(4, eps=1e-3, affine=False)
    with torch.no_grad():
        ours.shift.copy_(torch.tensor([0.5, -0.5, 0.0, 1.0]))
    shift = ours.shift[:, None, None]
    maps = 3 + 2 * torch.randn(6, 4, 5, 5, generator=generator())
    for network in (ours, theirs):
        network.train()
    torch.testing.assert_close(ours(maps), F.relu(theirs(maps) + shift))
    for network in (ours, theirs):
        network.eval()
    torch.testing.assert_close(ours(maps), F.relu(theirs(maps) + shift))


def test_batch_norm_once_equals_batch_norm_twice():
    recipe = inception.Recipe(layers.glorot_uniform, "same", {"decay": 0.9})
    module = inception.InceptionModule(6, (4, 8), recipe)
    layers.initialize(module, [generator()])
    maps = torch.randn(3, 6, 5, 5, generator=generator(1))
    branches = []
    for convolution in (module.conv1x1, module.conv3x3):
        norm = layers.BatchNorm(convolution.weight.shape[0])
        layers.initialize(nn.Sequential(norm), [generator()])
        branches.append(norm(convolution(maps)))
    torch.testing.assert_close(module(maps), torch.cat(branches, dim=1))


def test_dropout_follows_its_generators_and_keeps_the_mean():
    dropout = layers.Dropout(0.5)
    values = torch.ones(2, 100, 50)
    dropout.generators = [generator(3), generator(4)]
    joint = dropout(values)
    dropout.generators = [generator(4)]
    assert torch.equal(dropout(values[1:]), joint[1:])
    assert not torch.equal(joint[0], joint[1])
    assert set(joint.unique().tolist()) == {0.0, 2.0}
    assert abs(joint.mean() - 1) < 0.05
    dropout.eval()
    assert dropout(values) is values


@pytest.mark.parametrize("bias", [True, False])
def test_a_perceptrons_own_gradients_are_those_of_autograd(bias):
    network = mlp.build((1, 3, 4), 5, replicates=2, hidden=[7, 6], bias=bias).double()
    layers.initialize(network, [torch.Generator().manual_seed(seed) for seed in range(2)])
    images = torch.randn(2, 8, 3, 4, 1, dtype=torch.float64)
    logits, kept = network.logits(images)
    torch.testing.assert_close(logits, network(images))
    slope = torch.randn_like(logits)
    parameters = list(network.parameters())
    expected = torch.autograd.grad(network(images), parameters, slope)
    sums = [torch.randn_like(parameter) for parameter in parameters]
    before = [values.clone() for values in sums]
    network.add_gradients(kept, slope, sums, [0.5] * len(sums))
    for values, first, gradient in zip(sums, before, expected, strict=True):
        torch.testing.assert_close(values, 0.5 * first + gradient)
