"""Input-output convex networks: that they are, stay so in training, and resume to the same bits."""

import importlib
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_cells import spec, write_data

from rethink.datasets.store import open_dataset
from rethink.models import convex, convex_allcnn, convex_densenet, convex_mlp, layers, mlp
from rethink.training import numerics
from rethink.training.convexity import Segments
from rethink.training.data import load
from rethink.training.engine import Trainer

CPU = torch.device("cpu")
NETWORKS = [
    (convex_mlp, {"hidden": [16]}),
    (convex_mlp, {"hidden": [16, 8, 8], "batch_norm": True}),
    (convex_allcnn, {}),
    (convex_densenet, {"growth": 4, "block_layers": 2}),
]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def built(module, arguments, shape=(3, 8, 8), classes=5):
    network = module.build(shape, classes, **arguments)
    layers.initialize(network, [generator()])
    return network


def segments(count=60, shape=(8, 8, 3)):
    ends = torch.randn(2, count, *shape, generator=generator(1))
    return Segments(ends[0], ends[1], torch.rand(count, generator=generator(2)))


def excess(network):
    network.eval()
    with torch.inference_mode():
        return segments().excess(lambda images: network(images[None])).item()


def disturb(network):
    """Take a step of plain descent that is large enough to turn many weights negative."""
    network.train()
    parameters = list(network.parameters())
    loss = network(torch.randn(1, 32, 8, 8, 3, generator=generator(3))).square().sum()
    gradients = torch.autograd.grad(loss, parameters)
    with torch.no_grad():
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter -= 0.1 * gradient / gradient.abs().max().clamp(min=1e-30)


@pytest.mark.parametrize("module, arguments", NETWORKS)
def test_a_network_is_convex_at_its_start_and_after_every_projected_step(module, arguments):
    network = built(module, arguments)
    assert excess(network) < 1e-5
    disturb(network)
    network.project()
    assert excess(network) < 1e-5
    disturb(network)
    later = [
        layer.weight
        for layer in network.modules()
        if isinstance(layer, convex.ConvexDense | convex.ConvexConv)
    ]
    assert any((weight < 0).any() for weight in later), "the step should matter"


def test_the_test_of_convexity_finds_what_is_not_convex():
    assert excess(built(mlp, {"hidden": [16, 16]})) > 1e-2
    network = built(convex_mlp, {"hidden": [16, 16]})
    with torch.no_grad():
        network.out.weight.neg_()
    assert excess(network) > 1e-3


@given(st.floats(-50, 50, width=32))
def test_negative_weights_become_the_published_exponential(value):
    weight = torch.tensor([value])
    convex.overwrite_(weight)
    assert weight.item() >= 0
    expected = value if value >= 0 else math.exp(value - 5)
    assert weight.item() == pytest.approx(expected, rel=1e-5)


def test_the_first_layer_and_all_biases_are_free():
    network = built(convex_mlp, {"hidden": [16, 16], "initialization": "fan_in_uniform"})
    assert (network.fc1.weight < 0).any() and not (network.fc2.weight < 0).any()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(-1)
    network.project()
    overwritten = {n for n, p in network.named_parameters() if (p > 0).all()}
    assert overwritten == {"fc2.weight", "out.weight"}


def test_positive_starts_pass_on_the_mean():
    weight = torch.empty(512, 300)
    convex.positive_uniform(weight, 512, 300, generator())
    assert weight.min() >= 0 and weight.mean().item() == pytest.approx(1 / 512, rel=0.01)


@pytest.mark.parametrize("module, arguments", NETWORKS)
@pytest.mark.parametrize("shape", [(1, 7, 7), (1, 1, 1), (3, 5, 10)])
def test_any_image_size_and_class_count(module, arguments, shape):
    channels, height, width = shape
    network = built(module, arguments, shape, classes=3)
    logits = network(torch.randn(1, 4, height, width, channels, generator=generator()))
    assert logits.shape == (1, 4, 3)
    gradients = torch.autograd.grad(logits.square().sum(), list(network.parameters()))
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_the_deep_ones_have_the_published_shapes():
    """All-CNN-C has 1.4 million parameters, DenseNet-40 with growth 12 has 1.0 million."""
    plain = convex_allcnn.build((3, 32, 32), 10, batch_norm=False)
    assert sum(p.numel() for p in plain.parameters()) == 1_369_738
    dense = convex_densenet.build((3, 32, 32), 10)
    convolutions = [m for m in dense.modules() if isinstance(m, layers.Conv)]
    assert len(convolutions) + 1 == 40
    assert [dense.conv1.weight.shape[0], dense.out.weight.shape[1]] == [24, 24 + 36 * 12]


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("noisy"), train=131, level=0.5)


CELL = {"optimizer": "adam", "learning_rate": 0.003, "dropout": 0.25, "epochs": 4}


def trainer(manifest, cell, replicates=(0,)):
    numerics.configure(cell["numerics"], 1)
    module = importlib.import_module(f"rethink.models.{cell['model']['module']}")
    return Trainer(module.build, load(open_dataset(manifest), cell, CPU), cell, replicates, CPU)


class Stopped(Exception):
    pass


def test_a_run_stopped_after_any_step_continues_to_the_same_bits(noisy):
    cell = spec("convex_mlp", **CELL)
    whole = trainer(noisy, cell)
    whole.run(lambda: None, lambda: None)
    saved, run = None, None
    for stop in (3, 8, 5):
        calls = iter(range(stop))

        def pulse(calls=calls):
            if next(calls, None) is None:
                raise Stopped

        run = trainer(noisy, cell)
        if saved is not None:
            run.load(saved)
        with pytest.raises(Stopped):
            run.run(pulse, lambda: None)
        saved = {k: v for k, v in run.state().items()}
    last = trainer(noisy, cell)
    last.load(saved)
    last.run(lambda: None, lambda: None)
    assert [vars(h) for h in last.histories] == [vars(h) for h in whole.histories]
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, last.network.state_dict()[name]), name


def test_replicates_together_equal_each_alone_and_stay_convex(noisy):
    cell = spec("convex_mlp", **CELL)
    joint = trainer(noisy, cell, (0, 1, 2))
    joint.run(lambda: None, lambda: None)
    for replicate, history in enumerate(joint.histories):
        alone = trainer(noisy, cell, (replicate,))
        alone.run(lambda: None, lambda: None)
        assert vars(alone.histories[0]) == vars(history)
        assert all(0 <= row["convexity_excess"] < 1e-5 for row in history.rows)


def test_a_network_without_the_hook_measures_nothing(noisy):
    run = trainer(noisy, spec(epochs=1))
    run.run(lambda: None, lambda: None)
    assert run.project is None and "convexity_excess" not in run.histories[0].rows[0]
