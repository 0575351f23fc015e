"""What is measured of a trained network: norms in closed form, margins, gradients, invariances."""

import importlib
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_cells import spec, write_data

from rethink.analysis import tables
from rethink.datasets.store import open_dataset
from rethink.models import alexnet, convex_densenet, convex_mlp, inception, mlp, wide_resnet
from rethink.models.layers import BatchNorm, Conv, Dense, initialize
from rethink.training import metrics, numerics
from rethink.training.data import generator, load
from rethink.training.engine import Trainer
from rethink.training.measures import folded, measure, of_outputs, of_weights, path_norms

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("noisy"), train=90, level=0.6)


def trained(manifest, cell, replicates=(0,)):
    numerics.configure(cell["numerics"], 1)
    module = importlib.import_module(f"rethink.models.{cell['model']['module']}")
    run = Trainer(module.build, load(open_dataset(manifest), cell, CPU), cell, replicates, CPU)
    run.run(lambda: None, lambda: None)
    return run


def built(module, seed=0, replicates=1, shape=(1, 7, 7), **arguments):
    network = module.build(shape, 4, replicates=replicates, **arguments)
    initialize(network, [generator(seed, r, "init") for r in range(replicates)])
    return network


def measured(network, start, shape=(1, 7, 7)):
    """Return the measures of the weights of the first replicate."""
    pairs = zip(folded(network, shape), folded(start, shape), strict=True)
    matrices = [(after[0], before[0]) for after, before in pairs]
    return of_weights(matrices) | {"log_path_norm": path_norms(network, shape)[0]}


# Weights


def test_norms_of_diagonal_layers():
    """W = diag(3, 4) from 0 and diag(2, 1) from diag(2, 0)."""
    first = (torch.diag(torch.tensor([3.0, 4.0])).double(), torch.zeros(2, 2).double())
    second = tuple(torch.diag(torch.tensor(v)).double() for v in ([2.0, 1.0], [2.0, 0.0]))
    found = of_weights([first, second])
    expected = {
        "parameter_norm": math.sqrt(25 + 5),
        "distance": math.sqrt(25 + 1),
        "log_spectral_norm": math.log(4 * 2),
        "log_frobenius_norm": math.log(5 * math.sqrt(5)),
        "stable_ranks": 25 / 16 + 5 / 4,
        "log_bartlett": math.log(8 * ((7 / 4) ** (2 / 3) + (1 / 2) ** (2 / 3)) ** 1.5),
        "log_neyshabur": math.log(64 * (25 / 16 + 1 / 4)),
    }
    assert found == pytest.approx(expected)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_the_spectral_norm_is_the_largest_singular_value(rows, columns, seed):
    weights = torch.from_numpy(np.random.default_rng(seed).normal(size=(rows, columns)))
    found = of_weights([(weights, torch.zeros_like(weights))])
    assert found["log_spectral_norm"] == pytest.approx(
        torch.linalg.matrix_norm(weights, 2).log().item(), abs=1e-9
    )
    assert found["stable_ranks"] >= 1 - 1e-9


def test_a_network_that_never_moved_has_no_logarithm_of_its_distance():
    weights = torch.eye(3).double()
    found = of_weights([(weights, weights)])
    assert found["distance"] == 0 and found["log_neyshabur"] == -math.inf


def test_the_path_norm_of_a_perceptron_is_a_product_of_squared_matrices():
    network = built(mlp, replicates=2, hidden=[6, 5])
    found = folded(network, (1, 7, 7))
    expected = []
    for k in range(2):
        product = torch.ones(49, dtype=torch.float64)
        for matrices in found:
            product = matrices[k].square() @ product
        expected.append(0.5 * product.sum().log().item())
    assert path_norms(network, (1, 7, 7)) == pytest.approx(expected)


def test_biases_are_no_paths():
    network, other = built(mlp, hidden=[6]), built(mlp, hidden=[6])
    other.fc1.bias.data.fill_(3.0)
    assert measured(network, network) == measured(other, other)


def test_scaling_a_layer_up_and_the_next_one_down_changes_no_product():
    plain, start = built(mlp, hidden=[6]), built(mlp, seed=1, hidden=[6])
    scaled = built(mlp, hidden=[6])
    scaled.fc1.weight.data.mul_(8)
    scaled.out.weight.data.div_(8)
    one, two = measured(plain, start), measured(scaled, start)
    for name in ("log_path_norm", "log_spectral_norm", "log_frobenius_norm", "stable_ranks"):
        assert one[name] == pytest.approx(two[name]), name
    assert one["parameter_norm"] != pytest.approx(two["parameter_norm"])


def test_batch_normalization_is_folded_into_the_layers_before_it():
    """Twice the weights and four times the variance are the same function, and measure the same."""
    options = {"batch_norm": True, "batch_norm_epsilon": 1e-12, "shape": (1, 8, 8)}
    plain, scaled, start = (built(inception, **options) for _ in range(3))
    initialize(start, [generator(1, 0, "init")])
    for module in scaled.modules():
        if isinstance(module, Conv):
            module.weight.data.mul_(2)
        if isinstance(module, BatchNorm):
            module.variance.mul_(4)
    one, two = (measured(network, start, (1, 8, 8)) for network in (plain, scaled))
    assert one == pytest.approx(two)
    assert math.isfinite(one["log_path_norm"])


def test_what_is_folded_is_the_same_function():
    options = {"batch_norm": True, "batch_norm_scale": True, "shape": (1, 8, 8)}
    network, images = built(inception, **options), torch.randn(1, 5, 8, 8, 1)
    for module in network.modules():
        if isinstance(module, BatchNorm):
            for values in (module.mean, module.variance, module.scale, module.shift):
                values.data.uniform_(0.5, 2)
    with torch.no_grad():
        before = network.eval()(images)
        assert folded(network, (1, 8, 8))
        torch.testing.assert_close(network(images.double()).float(), before)
    scales = [m.scale for m in network.modules() if isinstance(m, BatchNorm)]
    assert all((scale == 1).all() for scale in scales)


def test_every_layer_is_a_matrix_of_outputs_and_inputs():
    network = built(alexnet, shape=(3, 8, 8))
    shapes = [tuple(matrices.shape) for matrices in folded(network, (3, 8, 8))]
    assert shapes == [(1, 64, 75), (1, 64, 1600), (1, 384, 256), (1, 192, 384), (1, 4, 192)]
    assert math.isnan(path_norms(network, (3, 8, 8))[0])


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        (wide_resnet, {"depth": 10}),
        (convex_mlp, {"hidden": [6, 5], "batch_norm": True, "replicates": 2}),
        (convex_densenet, {"growth": 4, "block_layers": 1}),
    ],
)
def test_networks_that_normalize_sums_or_inputs_have_no_matrices(module, arguments):
    """Each is measured as little trained: what cannot be folded must not pass for it."""
    network = built(module, shape=(1, 8, 8), **arguments)
    for norm in network.modules():
        if isinstance(norm, BatchNorm):
            norm.variance.uniform_(0.5, 2)
    assert folded(network, (1, 8, 8)) == []


def test_a_network_of_other_layers_has_no_measures():
    network = torch.nn.Sequential(Dense(3, 4, lambda *_: None), torch.nn.Linear(4, 2))
    assert folded(network, (1, 1, 3)) == []


# Outputs


def test_margins_are_those_of_the_given_labels(noisy):
    run = trained(noisy, spec(replicates=2, epochs=3), [0, 1])
    found = of_outputs(run)
    train = run.data.train
    with torch.no_grad():
        logits = run.network(train.images.central(slice(None)).expand(2, -1, -1, -1, -1))
    for k in range(2):
        margins = []
        for scores, label in zip(logits[k], train.labels, strict=True):
            others = torch.cat([scores[:label], scores[label + 1 :]])
            margins.append((scores[label] - others.max()).item())
        assert found["margin"][k] == pytest.approx(sorted(margins)[8], abs=1e-5)
        assert found["margin_median"][k] == pytest.approx(sorted(margins)[44], abs=1e-5)
        wrong = train.labels != train.labels_true
        seen = (logits[k].argmax(-1) == train.labels_true)[wrong]
        assert found["corrected"][k] == pytest.approx(seen.float().mean().item())


def test_the_input_gradient_of_a_linear_network_is_a_difference_of_its_weights(noisy):
    cell = spec(epochs=1)
    cell["model"]["arguments"] = {"hidden": []}
    run = trained(noisy, cell)
    images = run.data.test.images.central(slice(None))
    weights = run.network.out.weight[0].detach()
    with torch.no_grad():
        first, second = run.network(images[None])[0].topk(2).indices.T
    expected = (weights[:, first] - weights[:, second]).norm(dim=0).mean().item()
    assert of_outputs(run)["input_gradient"] == pytest.approx([expected], rel=1e-5)


def test_clean_labels_have_nothing_to_correct(tmp_path):
    run = trained(write_data(tmp_path), spec(epochs=1))
    assert math.isnan(of_outputs(run)["corrected"][0])


# In a cell


def test_the_start_is_where_training_began(noisy):
    run = trained(noisy, spec(epochs=0))
    measure(run)
    assert run.histories[0].measures["distance"] == 0
    run = trained(noisy, spec(epochs=4))
    measure(run)
    assert run.histories[0].measures["distance"] > 0.1


def test_replicates_together_measure_the_same_as_alone(noisy):
    cell = spec(replicates=2, epochs=2)
    together = trained(noisy, cell, [0, 1])
    measure(together)
    for k in range(2):
        alone = trained(noisy, cell, [k])
        measure(alone)
        assert alone.histories[0].measures == pytest.approx(together.histories[k].measures)


def test_measures_are_part_of_the_summary(noisy):
    cell = spec("alexnet", epochs=1)
    run = trained(noisy, cell)
    measure(run)
    entry = metrics.summarize(run.histories[0], cell["train"])
    known = {name for name in metrics.MEASURES if entry[name] is not None}
    assert known == set(metrics.MEASURES) - {"log_path_norm"}
    assert metrics.MEASURES == tables.MEASURES


def test_a_run_that_diverged_or_was_stopped_early_is_not_measured(noisy):
    stopping = {"validation": 0.2, "patience": 2}
    for change in ({"learning_rate": 1e30}, {"early_stopping": stopping}):
        run = trained(noisy, spec(epochs=3, **change))
        measure(run)
        assert run.histories[0].measures == {}
