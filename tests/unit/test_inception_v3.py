"""Inception v3: torchvision's network, with this project's initialization and dropout."""

import copy

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import inception_v3 as torchvisions

from rethink.errors import RethinkError
from rethink.models import inception_v3, layers
from rethink.models.catalog import MODELS
from rethink.training.optimizer import RMSProp

ENTRY = MODELS["inception_v3"]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def built():
    network = inception_v3.build((3, 75, 75), 5, auxiliary_weight=0.4)
    layers.initialize(network, [generator()])
    return network


def reference(network):
    """torchvision's own network with the parameters of ours."""
    theirs = torchvisions(weights=None, num_classes=5, init_weights=False, dropout=0.0)
    theirs.load_state_dict(network.body.state_dict())
    return theirs


@pytest.fixture(scope="module")
def network():
    return built()


@pytest.mark.parametrize(("weight", "expected"), [(0.4, 27_161_264), (0.0, 23_834_568)])
def test_parameter_counts_are_torchvisions(weight, expected):
    ours = inception_v3.build((3, 299, 299), 1000, auxiliary_weight=weight)
    with torch.device("meta"):
        theirs = torchvisions(weights=None, aux_logits=weight > 0, init_weights=False)
    counts = [sum(p.numel() for p in network.parameters()) for network in (ours, theirs)]
    assert counts == [expected, expected]


def test_outputs_are_torchvisions(network):
    """In float64: unnormalized activations cancel, and convolutions sum in either order."""
    images = torch.randn(2, 75, 75, 3, generator=generator(), dtype=torch.float64)
    ours = copy.deepcopy(network).double().eval()
    theirs = reference(network).double().eval()
    with torch.no_grad():
        logits = ours(images[None])
        expected = theirs(images.permute(0, 3, 1, 2))
    assert logits.shape == (1, 2, 5)
    torch.testing.assert_close(logits[0], expected, rtol=1e-9, atol=1e-9)


def test_outputs_in_training_are_torchvisions_at_the_full_size(network):
    images = torch.randn(2, 299, 299, 3, generator=generator())
    theirs = reference(network).train()
    with torch.no_grad():
        logits, auxiliary = network.train()(images[None])
        expected = theirs(images.permute(0, 3, 1, 2))
    torch.testing.assert_close(logits[0], expected.logits, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(auxiliary[0], expected.aux_logits, rtol=1e-3, atol=1e-3)


def test_small_images_train_with_the_auxiliary_classifier(network):
    images = torch.randn(1, 2, 75, 75, 3, generator=generator())
    logits, auxiliary = network.train()(images)
    assert logits.shape == auxiliary.shape == (1, 2, 5)
    loss = logits.square().sum() + auxiliary.square().sum()
    gradients = torch.autograd.grad(loss, list(network.parameters()))
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_without_weight_there_is_no_auxiliary_classifier(network):
    plain = inception_v3.build((3, 75, 75), 5, auxiliary_weight=0.0)
    names = {name for name, _ in plain.named_parameters()}
    whole = {name for name, _ in network.named_parameters()}
    assert names < whole and all("AuxLogits" in name for name in whole - names)
    plain.load_state_dict(network.state_dict(), strict=False)
    images = torch.randn(1, 2, 75, 75, 3, generator=generator())
    with torch.no_grad():
        torch.testing.assert_close(plain.eval()(images), network.eval()(images))
        assert isinstance(plain.train()(images), torch.Tensor)


def test_initialization_follows_the_generator_and_the_package(network):
    torch.manual_seed(1)
    again, fresh = built().state_dict(), dict(network.named_parameters())
    assert all(torch.equal(again[name], value) for name, value in fresh.items())
    truncation = 0.8796  # the deviation of a unit normal cut at two
    for name, deviation in [
        ("body.Mixed_6b.branch7x7_2.conv.weight", 0.1),
        ("body.AuxLogits.conv1.conv.weight", 0.01),
        ("body.AuxLogits.fc.weight", 0.001),
    ]:
        assert fresh[name].std().item() == pytest.approx(truncation * deviation, rel=0.05), name
        assert fresh[name].abs().max() <= 2 * deviation
    assert fresh["body.fc.bias"].abs().max() == 0


def test_dropout_acts_before_the_last_layer(network, monkeypatch):
    (layer,) = [module for module in network.modules() if isinstance(module, layers.Dropout)]
    monkeypatch.setattr(layer, "probability", 0.5)
    layer.generators = [generator()]
    seen = []
    hook = layer.register_forward_hook(lambda module, inputs, output: seen.append(output))
    with torch.no_grad():
        logits, _ = network.train()(torch.randn(1, 2, 75, 75, 3, generator=generator()))
    hook.remove()
    (dropped,) = seen
    assert dropped.flatten(1).shape == (2, 2048)
    assert (dropped == 0).float().mean() > 0.4
    last = network.body.fc
    torch.testing.assert_close(logits[0], last(dropped.flatten(1)), rtol=1e-4, atol=1e-4)


def test_weight_decay_acts_on_the_weights_of_convolutions_and_of_dense_layers(network):
    patterns = ENTRY.weight_decay_parameters
    optimizer = RMSProp(network.named_parameters(), 0.9, ENTRY.weight_decay, patterns)
    names = [name for name, _ in network.named_parameters()]
    decayed = {names[i] for i in optimizer.decayed}
    expected = {name for name, p in network.named_parameters() if p.dim() > 1}
    assert decayed == expected


@pytest.mark.parametrize("shape", [(1, 299, 299), (3, 74, 299)])
def test_grey_and_small_images_are_refused(shape):
    with pytest.raises(RethinkError, match="takes colour images of at least 75x75 pixels"):
        inception_v3.build(shape, 10, auxiliary_weight=0.4)


def test_the_catalog_counts_the_operations_of_a_training_step():
    """Per image, forward and backward; a multiplication and an addition are two operations."""
    with torch.device("meta"):
        network = inception_v3.Body(1000, 0.0, auxiliary=True).train()
        images = torch.empty(2, 3, 299, 299)
    counter = FlopCounterMode(display=False)
    with counter:
        outputs = network(images)
        (outputs.logits.sum() + outputs.aux_logits.sum()).backward()
    assert counter.get_total_flops() / 2 / 1e6 == pytest.approx(ENTRY.megaflops, rel=1e-4)
    with counter, torch.no_grad():
        network.eval()(images)
    # What the README's estimate takes for an evaluation.
    assert counter.get_total_flops() / 2 / 1e6 == pytest.approx(11_426, rel=1e-4)
