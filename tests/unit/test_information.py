"""The information plane: the estimator against closed forms, the networks, the rule, the result."""

import json
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tiny_cells import SCRIPTS

from rethink import config, grid
from rethink.analysis.information import layers, networks, paths
from rethink.errors import RethinkError
from rethink.information import plane
from rethink.information.estimate import codes, discrete_information, information, span
from rethink.information.networks import Adam, Networks
from rethink.information.rule import generated, published
from rethink.provenance import Record
from rethink.training.numerics import configure

ROOT = Path(__file__).resolve().parents[2]
SHORT = {
    "name": "short",
    "epochs": 60,
    "checkpoints": 6,
    "learning_rate": 0.01,
    "train_fractions": [0.5],
    "replicates": 2,
}


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    configure("fp32", 1)


def run(out, **values):
    spec = {**SHORT, **values}
    plane.run(spec, out, Record("theory", "short", json.dumps(spec), "c0de"), 1)
    return json.loads((out / "result.json").read_text())


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return run(tmp_path_factory.mktemp("out"))


def of(joint, labels):
    both = discrete_information(torch.tensor([joint]), torch.tensor([labels]))
    return [float(value) for value in both]


def by_counting(joint, labels):
    """Return I(X;T) and I(T;Y) from the table of T and Y, by their definitions."""
    table = np.zeros((max(joint) + 1, 2))
    np.add.at(table, (joint, labels), 1 / len(joint))
    layer, label = table.sum(1), table.sum(0)
    independent = np.outer(layer, label)
    seen = table > 0
    of_label = (table[seen] * np.log2(table[seen] / independent[seen])).sum()
    layer = layer[layer > 0]
    return [-(layer * np.log2(layer)).sum(), of_label]


@pytest.mark.parametrize(
    ("joint", "labels", "expected"),
    [
        (range(16), [0, 1] * 8, [4, 1]),  # the identity
        ([7] * 16, [0, 1] * 8, [0, 0]),  # a constant
        ([0, 1] * 8, [0, 1] * 8, [1, 1]),  # the label itself
        ([0, 0, 1, 1] * 4, [0, 1] * 8, [1, 0]),  # independent of it
        ([0] * 4 + [1] * 4, [0, 0, 0, 1, 0, 1, 1, 1], [1, 0.18872187554086717]),  # 1 - h(1/4)
        ([0] * 3 + [5], [0, 0, 1, 1], [0.8112781244591328, 0.31127812445913283]),
    ],
)
def test_closed_forms(joint, labels, expected):
    assert of(list(joint), labels) == pytest.approx(expected, abs=1e-12)


@given(st.data(), st.integers(1, 40))
def test_information_is_that_of_the_joint_distribution(data, count):
    joint = data.draw(arrays(np.int64, count, elements=st.integers(0, 6)))
    labels = data.draw(arrays(np.int64, count, elements=st.integers(0, 1)))
    found = of(joint.tolist(), labels.tolist())
    assert found == pytest.approx(by_counting(joint, labels), abs=1e-9)
    assert -1e-9 <= found[1] <= min(found[0], 1) + 1e-9


@given(st.data(), st.integers(1, 40))
def test_data_processing_loses_information(data, count):
    joint = data.draw(arrays(np.int64, count, elements=st.integers(0, 9)))
    labels = data.draw(arrays(np.int64, count, elements=st.integers(0, 1)))
    merged = data.draw(arrays(np.int64, 10, elements=st.integers(0, 9)))
    before, after = of(joint.tolist(), labels.tolist()), of(merged[joint].tolist(), labels.tolist())
    assert after[0] <= before[0] + 1e-9 and after[1] <= before[1] + 1e-9


@given(st.integers(1, 12), st.integers(0, 10**6))
def test_codes_are_equal_where_all_bins_are(units, seed):
    """Also of so many units that the codes do not fit into 64 bits."""
    bins = 100
    numbers = np.random.default_rng(seed).integers(bins - 2, bins, (2, units, 50))
    found = codes(torch.from_numpy(numbers), bins).numpy()
    for own, code in zip(numbers, found, strict=True):
        _, expected = np.unique(own.T, axis=0, return_inverse=True)
        _, ours = np.unique(code, return_inverse=True)
        pairs = set(zip(expected.ravel().tolist(), ours.ravel().tolist(), strict=True))
        assert len(pairs) == len(set(expected.ravel())) == len(set(ours.ravel()))


def measured(values, binning, labels=None, whole=None):
    values = torch.as_tensor(values, dtype=torch.float32)
    labels = torch.zeros(len(values), values.shape[2]) if labels is None else labels
    both = information(values, labels, binning, whole or span([values]))
    return [part.tolist() for part in both]


def noise(units=2, count=512, seed=0):
    return torch.randn(1, units, count, generator=torch.Generator().manual_seed(seed))


def test_fixed_bins_are_those_of_the_published_code():
    values = noise().tanh()
    numbers = np.digitize(values[0].numpy(), np.linspace(-1, 1, 30))
    joint = (numbers[0] * 100 + numbers[1]).tolist()
    assert measured(values, "fixed")[0] == pytest.approx([of(joint, [0] * 512)[0]], abs=0.02)


def test_beyond_the_fixed_bins_nothing_is_told_apart():
    values = 1 + noise().abs()
    assert measured(values, "fixed")[0] == [0]
    assert measured(values, "range")[0][0] > 8


def test_bins_over_the_range_move_and_stretch_with_the_units():
    values = noise()
    assert measured(8 * values + 4, "range") == measured(values, "range")
    early = torch.cat([values, 0 * values], 2)[:, :, ::2]  # half of them at 0
    whole = span([early, 1000 * early])
    assert measured(early, "range", whole=whole)[0][0] < measured(early, "range")[0][0]


def test_equally_filled_bins_do_not_see_saturation():
    values = noise(count=600)
    assert measured(torch.exp(3 * values), "occupancy") == measured(values, "occupancy")
    assert measured((values).tanh(), "fixed")[0][0] > measured((9 * values).tanh(), "fixed")[0][0]
    one = values[:, :1]
    assert measured(one, "occupancy")[0] == pytest.approx([np.log2(30)], abs=1e-9)
    assert measured(one.relu(), "occupancy")[0][0] < np.log2(30) / 2 + 1.01, "zeros share a bin"


def test_a_network_that_diverged_has_no_information():
    values = torch.cat([noise(), noise(seed=1)])
    values[1, 0, 3] = torch.inf
    for binning in ("fixed", "range", "occupancy"):
        of_input, of_label = measured(values, binning)
        assert of_input[0] > 0 and np.isnan(of_input[1]) and np.isnan(of_label[1])
    early = torch.cat([values[:1], values[:1]])
    late = early * torch.tensor([1, torch.nan])[:, None, None]
    whole = span([early, late])
    assert measured(early, "range", whole=whole) == measured(early, "range")


def test_the_inequality_is_checked_from_layer_to_layer():
    falling = np.array([3.0, 2.0, 1.0])[None, :, None, None].repeat(2, 2)
    good = plane.data_processing(falling)
    assert good["input"] == {"holds": True, "violated": 0.0, "largest": 0.0}
    rising = falling.copy()
    rising[0, 2, 1, 0] = 2.25
    found = plane.data_processing(rising)
    assert found["input"]["holds"]
    assert found["label"] == {"holds": False, "violated": 0.5, "largest": 0.25}


def generators(count):
    return [torch.Generator().manual_seed(seed) for seed in range(count)]


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_gradients_are_those_of_autograd(activation):
    networks = Networks([12, 6, 3, 2], activation, generators(2))
    inputs = torch.rand(2, 12, 20, generator=torch.Generator().manual_seed(5))
    targets = torch.eye(2)[torch.arange(20) % 2].T.expand(2, 2, 20)
    gradient = torch.zeros_like(networks.parameters)
    layers = networks.layers(networks.parameters)
    networks.gradient(inputs, targets, layers, networks.layers(gradient))
    leaf = networks.parameters.clone().requires_grad_()
    values = inputs
    *hidden, last = networks.layers(leaf)
    for weight, bias in hidden:
        values = getattr(torch, activation)(weight @ values + bias)
    loss = -((last.weight @ values + last.bias).log_softmax(1) * targets).sum((1, 2)) / 20
    loss.sum().backward()
    assert torch.allclose(gradient, leaf.grad, atol=1e-6)


def test_initial_weights_are_cut_normals():
    networks = Networks([12, 500, 2], "tanh", generators(1))
    (weight, bias), _ = networks.layers(networks.parameters)
    assert weight.abs().max() <= 2 / 12**0.5 and not bias.any()
    assert weight.std() == pytest.approx(0.8796 / 12**0.5, rel=0.03)  # of a normal cut at 2 sd


def test_adam_steps_by_the_learning_rate_along_a_constant_gradient():
    parameters = torch.zeros(1, 3)
    adam = Adam(parameters, 0.01)
    for _ in range(5):
        adam.step(torch.tensor([[1.0, -30.0, 0.0]]))
    assert parameters[0].tolist() == pytest.approx([-0.05, 0.05, 0], abs=1e-6)


def test_networks_trained_together_are_those_trained_alone():
    rule = generated(0.99, 0)
    ends = []
    for count in (1, 3):
        spec = plane.checked({**SHORT, "epochs": 20, "replicates": count})
        condition = plane.Condition(rule, spec, "tanh", 0.5, 5, "random")
        curves = condition.result()["curves"]
        ends.append((condition.networks.parameters[0], condition.chosen[0], condition.labels[0]))
    assert "sd" in curves["train_loss"]
    assert torch.equal(ends[0][1], ends[1][1]) and torch.equal(ends[0][2], ends[1][2])
    assert torch.allclose(ends[0][0], ends[1][0], atol=1e-4)


def test_replicates_differ_and_fractions_are_nested():
    rule, spec = generated(0.99, 0), plane.checked(SHORT)
    small, large = (plane.Condition(rule, spec, "relu", f, 1, "random") for f in (0.05, 0.45))
    assert torch.equal(small.chosen, large.chosen[:, :205]) and large.chosen.shape == (2, 1843)
    assert not torch.equal(small.chosen[0], small.chosen[1])
    assert not torch.equal(small.labels[0], small.labels[1])
    assert small.labels.sum(1).tolist() == [rule.labels.sum()] * 2
    assert not torch.equal(small.networks.parameters[0], small.networks.parameters[1])
    assert torch.equal(small.networks.parameters, large.networks.parameters)


def test_the_rule_has_the_information_that_was_asked_for():
    draws = np.stack([generated(0.7, seed).labels for seed in range(40)])
    likely = np.clip(draws.mean(0), 1e-12, 1 - 1e-12)
    noise = -(likely * np.log2(likely) + (1 - likely) * np.log2(1 - likely)).mean()
    share = draws.mean()
    whole = -(share * np.log2(share) + (1 - share) * np.log2(1 - share))
    assert whole - noise == pytest.approx(0.7, abs=0.02)
    assert generated(0.99, 0).described()["label_entropy"] > 0.999
    with pytest.raises(RethinkError, match=r"information is 1, but .* below 1\.000 bit"):
        generated(1, 0)


def test_the_rule_does_not_change_when_a_pattern_is_turned():
    rule = generated(0.999, 0)
    turned = np.roll(rule.patterns.reshape(-1, 3, 4), 1, axis=1).reshape(-1, 12)
    places = turned.astype(int) @ 2 ** np.arange(11, -1, -1)
    assert (rule.labels[places] != rule.labels).mean() < 0.002
    assert sorted(places) == list(range(4096))


def test_a_published_rule_is_read(tmp_path):
    patterns = np.array(list(product((0, 1), repeat=4)), np.uint8)
    labels = (patterns.sum(1) > 1).astype(float)
    scipy.io.savemat(tmp_path / "rule.mat", {"F": patterns, "y": labels})
    rule = published(tmp_path / "rule.mat")
    assert np.array_equal(rule.patterns, patterns) and np.array_equal(rule.labels, labels)
    found = run(tmp_path, file=str(tmp_path / "rule.mat"), epochs=2, activations=["tanh"])
    assert found["rule"]["source"] == "rule.mat" and found["rule"]["patterns"] == 16
    assert found["conditions"][0]["widths"] == [4, 10, 7, 5, 4, 3, 2]
    assert found["conditions"][0]["planes"]["fixed"]["layers"][0]["input"]["mean"][-1] <= 4


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"F": np.eye(3)}, "should be a MATLAB file with F .patterns. and y"),
        ({"F": np.eye(3), "y": [0, 1]}, "one row for each label"),
        ({"F": 2 * np.eye(3), "y": [0, 1, 0]}, "should hold 0 and 1"),
        ({"F": np.eye(3), "y": [0, 0, 0]}, "should hold 0 and 1, and y both"),
        ({"F": np.ones((3, 2)), "y": [0, 1, 0]}, "should differ from each other"),
    ],
)
def test_a_file_that_is_no_rule(tmp_path, content, words):
    scipy.io.savemat(tmp_path / "rule.mat", content)
    with pytest.raises(RethinkError, match=words):
        published(tmp_path / "rule.mat")


def test_a_file_that_is_not_there(tmp_path):
    (tmp_path / "text.mat").write_text("no such thing")
    for name in ("nothing.mat", "text.mat"):
        with pytest.raises(RethinkError, match=f"{name}: should be a MATLAB file"):
            published(tmp_path / name)


def hidden(result, activation, binning, name="input"):
    (condition,) = [c for c in result["conditions"] if c["activation"] == activation]
    return [layer[name] for layer in condition["planes"][binning]["layers"][:-1]]


def test_what_the_critique_says(result):
    """tanh networks compress; ReLU networks do under clipping bins, hardly under the others."""
    lost = {
        key: max(layer["lost"]["mean"] for layer in hidden(result, *key))
        for key in product(("tanh", "relu"), ("fixed", "range"))
    }
    assert lost["tanh", "fixed"] > 2
    assert lost["relu", "fixed"] > 2 * lost["relu", "range"]
    assert lost["tanh", "range"] > 2 * lost["relu", "range"]


def test_the_result_is_whole_and_within_bounds(result):
    epochs = result["epochs"]
    assert epochs[0] == 0 and epochs[-1] == 60 and len(epochs) == 7
    entropy = result["rule"]["label_entropy"]
    for condition in result["conditions"]:
        # Some ReLU networks are dead from the start; which, differs between versions of torch.
        assert condition["curves"]["train_accuracy"]["mean"][-1] > 0.65
        assert condition["train_examples"] + condition["test_examples"] == 4096
        assert condition["parameters"] == 130 + 77 + 40 + 24 + 15 + 8
        assert condition["steps"] == 60 * 4
        for found in condition["planes"].values():
            assert len(found["layers"]) == 6
            for layer in found["layers"]:
                for name, most in (("input", 12), ("label", entropy)):
                    mean = layer[name]["mean"]
                    assert len(mean) == len(layer[name]["sd"]) == len(epochs)
                    assert all(-1e-6 <= value <= most + 1e-5 for value in mean)
                    assert layer[name]["lost"]["mean"] >= max(mean) - mean[-1] - 1e-4
                    assert mean[epochs.index(layer[name]["peak_epoch"])] == max(mean)
                pairs = zip(layer["label"]["mean"], layer["input"]["mean"], strict=True)
                assert all(label <= own + 1e-5 for label, own in pairs)


def test_the_same_result_by_the_command_line(result, tmp_path):
    command = [sys.executable, SCRIPTS / "information_plane.py", "--code", "c0de"]
    subprocess.run(
        [*command, "--spec", json.dumps(SHORT), "--out", tmp_path], check=True, capture_output=True
    )
    assert json.loads((tmp_path / "result.json").read_text()) == result
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["digests"]["inputs"] == {} and record["device"]["type"] == "cpu"
    assert set(record["stage_seconds"]) == {"tanh/0.5/5/rule", "relu/0.5/5/rule"}


def test_random_labels_are_not_generalized(tmp_path):
    found = run(tmp_path, labels=["random"], activations=["tanh"], train_fractions=[0.05])
    (condition,) = found["conditions"]
    ends = {name: curve["mean"][-1] for name, curve in condition["curves"].items()}
    assert ends["train_accuracy"] > 0.6 and abs(ends["test_accuracy"] - 0.5) < 0.04
    assert ends["train_loss"] < np.log(2) < ends["test_loss"]


def test_training_that_diverges_is_a_result(tmp_path):
    values = {"learning_rate": 1e38, "epochs": 4, "activations": ["relu"], "replicates": 1}
    found = run(tmp_path, **values)
    (condition,) = found["conditions"]
    for binning in ("fixed", "occupancy"):
        last = condition["planes"][binning]["layers"][-1]["input"]
        assert last["mean"][0] >= 0 and last["mean"][-1] is None and last["peak_epoch"] is None
    frame = layers({"short": found})
    assert frame["input"].isna().any() and not frame["saturated"][frame["layer"] == 6].any()
    assert paths({"short": found})["input"].isna().any()
    assert networks({"short": found})["train_loss"].isna().all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epoch": 3}, "unknown key 'epoch'; did you mean 'epochs'"),
        ({"activations": ["elu"]}, "activations has 'elu', but should have some of tanh, relu"),
        ({"depths": [7]}, "depths has 7"),
        ({"binnings": ["fine"]}, "should have some of fixed, range, occupancy"),
        ({"replicates": 0}, "replicates should be a whole number"),
        ({"train_fractions": [1]}, "train_fractions should lie between 0 and 1"),
    ],
)
def test_bad_specification(change, words):
    with pytest.raises(RethinkError, match=words):
        plane.checked({**SHORT, **change})


def preset(**experiment):
    raw = {
        "preset": "alone",
        "title": "Alone",
        "studies": {"it": {"kind": "information_plane", "experiments": {"plane": experiment}}},
    }
    return config.validate(raw, "alone.yaml")


def test_an_experiment_without_a_dataset():
    whole = grid.expand(preset(epochs=7), "alone.yaml")
    experiment = whole.experiments["plane"]
    assert experiment.dataset == "" and not whole.datasets and not whole.cells
    assert json.loads(experiment.spec) == {"name": "plane", "seed": 0, "epochs": 7}
    assert plane.checked(json.loads(experiment.spec))["epochs"] == 7


def test_the_defaults_of_the_preset_are_those_of_the_command_line():
    section = preset().studies["it"].experiments["plane"].model_dump(mode="json")
    assert {**section, "seed": 0} == plane.DEFAULTS


def test_mistakes_in_the_preset():
    with pytest.raises(config.ConfigError, match="unknown key 'dataset'"):
        preset(dataset="digits")
    with pytest.raises(config.ConfigError, match="the file 'nothing.mat' is not there"):
        preset(file="nothing.mat")
