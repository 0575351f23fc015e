"""Memorization: each measure against closed forms, networks with known answers, and itself."""

import json
import subprocess
import sys

import numpy as np
import pytest
import tiny_cells
import torch
from hypothesis import given
from hypothesis import strategies as st

from rethink.corruptions import write_corruption
from rethink.datasets.store import open_dataset
from rethink.errors import RethinkError
from rethink.memorization import capacity, critical_samples, easy_hard, loss_sensitivity, networks
from rethink.memorization.binomial import quantiles, spread
from rethink.memorization.loss_sensitivity import gini
from rethink.memorization.noise import corrupted
from rethink.memorization.run import checked, run
from rethink.provenance import Record
from rethink.training.data import generator
from rethink.training.numerics import configure

CPU = torch.device("cpu")
QUIET = tiny_cells.place(None, None, {})
TOY = {"hidden": [8], "examples": 40, "pool": 2, "epochs": 3, "batch_size": 10, "replicates": 2}
ASKED = {
    "easy_hard": {"runs": 6, "examples": 30},
    "loss_sensitivity": {**TOY, "moments": 2},
    "critical_samples": {"points": 20, "iterations": 3, "evaluations": 2, "radius": 30, "step": 25},
    "capacity": {"corruptions": ["none", "labels-1"], "widths": [2, 8], "sizes": [30]},
}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    configure("fp32", 1)
    return tiny_cells.write_data(tmp_path_factory.mktemp("spots"))


def specification(asked=ASKED, **settings):
    cell = tiny_cells.spec(**{"epochs": 4, "batch_size": 16, "learning_rate": 0.1, **settings})
    model = {"module": "mlp", "arguments": {"hidden": [16]}, "train": cell["train"]}
    start = {"name": "toy", "dataset": "spots", "models": {"mlp": model}, "input": {"crop": 7}}
    return {**start, **asked}


def write(manifest, out, spec, work=None):
    run(spec, tiny_cells.place(manifest, out, spec, work))
    return json.loads((out / "result.json").read_text())


@pytest.fixture(scope="module")
def result(manifest, tmp_path_factory):
    return write(manifest, tmp_path_factory.mktemp("out"), specification())


# Binomial counts


def test_equally_hard_examples_have_dispersion_one():
    inside = 0
    for seed in range(200):
        counts = np.random.default_rng(seed).binomial(100, 0.3, 500)
        found = spread(counts, 100)
        low, high = found["dispersion_expected"]
        inside += low <= found["dispersion"] <= high
    assert 180 <= inside <= 199, "19 times out of 20"


def test_dispersion_of_examples_that_are_always_right_or_always_wrong():
    found = spread([0] * 50 + [20] * 50, 20)
    assert found["dispersion"] == pytest.approx(20 * 100 / 99)
    assert (found["always_right"], found["always_wrong"]) == (0.5, 0.5)
    assert found["always_right_expected"] == found["always_wrong_expected"] == 0.5**20


@pytest.mark.parametrize("count", [0, 10])
def test_without_any_difference_there_is_no_dispersion(count):
    found = spread([count] * 7, 10)
    assert found["dispersion"] is None and found["probability"] == count / 10
    assert quantiles(10, count / 10, np.array([0.1, 0.9])).tolist() == [count] * 2


def test_quantiles_are_those_of_the_binomial():
    from scipy.stats import binom

    places = np.linspace(0.001, 0.999, 500)
    for runs, p in ((1, 0.5), (40, 0.02), (100, 0.37), (100, 0.999)):
        assert np.array_equal(quantiles(runs, p, places), binom.ppf(places, runs, p))


# The Gini coefficient


def test_gini_closed_forms():
    assert gini([3, 3, 3]) == pytest.approx(0)
    assert gini([0, 0, 0, 5]) == pytest.approx(3 / 4)
    assert gini(np.arange(1, 101)) == pytest.approx(33 / 100)  # (n - 1) / (3 n)
    assert gini(np.zeros(4)) == 0
    draws = np.random.default_rng(0).exponential(size=200_000)
    assert gini(draws) == pytest.approx(0.5, abs=0.005)


@given(st.lists(st.floats(0, 1e3), min_size=1, max_size=30), st.floats(0.1, 100))
def test_gini_is_half_the_relative_mean_difference(values, scale):
    values = np.array(values)
    most = (len(values) - 1) / len(values)
    assert -1e-12 <= gini(values) <= most + 1e-12
    if values.mean() > 1e-6:
        differences = np.abs(values[:, None] - values).mean()
        assert gini(values) == pytest.approx(differences / (2 * values.mean()), abs=1e-9)
        assert gini(scale * values) == pytest.approx(gini(values), abs=1e-9)


def test_sensitivity_is_the_derivative_of_training(manifest):
    """Against differences: train again with one pixel changed, everything else the same."""
    asked = {**loss_sensitivity.DEFAULTS, **TOY, "replicates": 1, "epochs": 2, "moments": 1}
    random = np.random.default_rng(3)
    images = torch.from_numpy(random.random((20, 3, 3, 1)))
    labels = torch.from_numpy(random.integers(0, 4, 20))

    def toy(changed):
        made = loss_sensitivity.Toy(changed, labels, 4, 0, asked)
        made.network.double()
        return made

    def loss(changed):
        made = toy(changed)
        parameters = dict(made.network.named_parameters())
        for rows in made._batches():
            parameters = made._step(parameters, rows)
        return made._losses(parameters, images[None], made.labels).item()

    found = np.array(toy(images).result()["sensitivity"])[0]
    for example in (0, 7):
        total = 0.0
        for pixel in range(9):
            ends = []
            for sign in (1, -1):
                changed = images.clone()
                changed[example].view(-1)[pixel] += sign * 1e-5
                ends.append(loss(changed))
            total += abs(ends[0] - ends[1]) / 2e-5
        assert found[example] == pytest.approx(total, rel=1e-4)


def test_pooling_averages_squares_of_pixels(manifest):
    clean = open_dataset(manifest)
    small = loss_sensitivity.pooled(clean, 2)
    assert small.image_shape == (4, 4, 1) and small.train_images.dtype == np.uint8
    expected = np.rint(clean.train_images[5, 2:4, 4:6].astype(float).mean())
    assert small.train_images[5, 1, 2, 0] == expected
    with pytest.raises(RethinkError, match="does not divide"):
        loss_sensitivity.pooled(clean, 3)


# Critical samples


def half_planes(images):
    """Class 1 where the mean of the pixels is positive, for two replicates of opposite sign."""
    means = images.flatten(2).mean(2)
    signs = torch.tensor([1.0, -1.0])[: len(images), None]
    return torch.stack([torch.zeros_like(means), signs * means], dim=-1)


def search(values, radius, iterations=60, unit=None):
    images = torch.tensor(values)[None, :, None, None, None].expand(2, -1, 3, 3, 1)
    asked = {"radius": radius, "step": 0.1 * radius, "noise": 0.05 * radius}
    return critical_samples.search(
        half_planes,
        images,
        torch.ones(len(values)) if unit is None else unit,
        {**asked, "iterations": iterations},
        generator("test"),
    )


def test_critical_samples_are_those_within_the_radius_of_the_boundary():
    values = [-2.0, -1.1, -0.9, -0.1, 0.1, 0.9, 1.1, 2.0]
    expected = [abs(value) < 1 for value in values]
    assert search(values, 1.0).tolist() == [expected, expected]
    assert search(values, 2.5).all() and not search(values, 0.05).any()


def test_the_radius_is_in_gray_levels_of_each_image():
    unit = torch.tensor([0.1, 1.0, 10.0])
    assert search([0.5, 0.5, 5.0], 1.0, unit=unit)[0].tolist() == [False, True, True]


def test_a_search_of_no_steps_finds_nothing():
    assert not search([0.01], 1.0, iterations=0).any()


@pytest.mark.parametrize("whitening", ["after_crop", "before_crop", "fixed"])
def test_a_gray_level_is_what_it_is_after_whitening(manifest, whitening):
    clean = open_dataset(manifest)
    cell = {"seed": 0, "input": {"crop": 7, "whitening": whitening}}
    points = critical_samples.Points.draw(clean, cell, 10, CPU)
    values = points.images.flatten(1) / points.unit[:, None]
    steps = values - values[:, :1]
    assert torch.allclose(steps, steps.round(), atol=2e-3), "whole gray levels apart"
    assert points.count == 10 and points.images.shape == (10, 7, 7, 1)


def test_the_ratio_is_followed_from_the_untrained_network(result):
    found = {entry["corruption"]: entry for entry in result["critical_samples"]["found"]}
    assert list(found) == ["none", "labels-0.5", "labels-1", "gaussian"]
    for entry in found.values():
        assert [row["epoch"] for row in entry["rows"]] == [0, 1, 4]
        assert all(0 <= row["ratio"] <= 1 for row in entry["rows"])
        assert entry["rows"][0]["train_accuracy"] is None
    starts = {found[name]["rows"][0]["ratio"] for name in ("none", "labels-0.5", "labels-1")}
    assert len(starts) == 1, "the same network, the same images"


def test_looking_changes_nothing_of_training(manifest, result):
    spec = specification()
    cell = networks.cell(checked(spec), "mlp")
    (trainer,) = networks.trainers(open_dataset(manifest), cell, 1, CPU)
    trainer.run(networks.nothing, networks.nothing)
    row = result["critical_samples"]["found"][0]["rows"][-1]
    last = trainer.histories[0].rows[-1]
    assert row["train_accuracy"] == pytest.approx(last["train_accuracy"], rel=1e-5)
    assert row["test_accuracy"] == pytest.approx(last["test_accuracy"], rel=1e-5)


@given(st.integers(1, 200), st.integers(1, 20))
def test_epochs_that_are_evaluated(epochs, count):
    chosen = critical_samples.evaluated(epochs, count)
    assert chosen[-1] == epochs and chosen[0] >= 1 and len(chosen) <= count
    assert chosen == sorted(set(chosen))


# Easy and hard examples


def test_runs_are_counted_one_by_one(manifest, result):
    """The counts of the joint runs are those of the same runs alone."""
    clean = open_dataset(manifest)
    entry = next(e for e in result["easy_hard"]["found"] if e["corruption"] == "labels-1")
    arrays = corrupted(clean, "labels-1", 0)
    cell = networks.cell(checked(specification()), "mlp", epochs=1)
    counts = np.zeros(30, int)
    rows = np.array(entry["examples"])
    from rethink.models import mlp
    from rethink.training.data import load
    from rethink.training.engine import Trainer

    for replicate in range(6):
        trainer = Trainer(mlp.build, load(arrays, cell, CPU), cell, [replicate], CPU)
        trainer.run(networks.nothing, networks.nothing)
        trainer.network.eval()
        train = trainer.data.train
        with torch.no_grad():
            predicted = trainer.network(train.images.central(slice(0, 96))[None])[0].argmax(-1)
        counts += (predicted != train.labels)[rows].numpy()
    assert entry["wrong"] == counts.tolist()
    assert len(set(entry["examples"])) == 30 and entry["runs"] == 6


def test_more_runs_than_are_trained_together(manifest, monkeypatch):
    spec = checked(specification({"easy_hard": {"runs": 5, "corruptions": ["none"]}}))
    clean = open_dataset(manifest)
    together = easy_hard.measure(clean, spec, spec["easy_hard"], QUIET)
    monkeypatch.setattr(networks, "TOGETHER", 2)
    assert (
        easy_hard.measure(clean, spec, spec["easy_hard"], QUIET)[0]["wrong"]
        == (together[0]["wrong"])
    )


# Capacity


def test_capacity_varies_width_and_size(result):
    rows = result["capacity"]["found"]
    seen = [(r["corruption"], r["width"], r["train_examples"]) for r in rows]
    sizes = [(2, 96), (8, 96), (8, 30)]
    assert seen == [(c, *pair) for c in ("none", "labels-1") for pair in sizes]
    assert rows[0]["parameters"] == 49 * 2 + 2 + 2 * 4 + 4
    assert all(row["epochs"] == 4 for row in rows)


def test_capacity_needs_hidden_widths(manifest):
    spec = checked(specification({"capacity": {"corruptions": ["none"]}}))
    spec["models"]["mlp"]["arguments"] = {}
    with pytest.raises(RethinkError, match="needs models with hidden widths"):
        capacity.measure(open_dataset(manifest), spec, spec["capacity"], QUIET)


# Data, specification, command line


@pytest.mark.parametrize(
    "name", ["labels-0.5", "wrong_labels-1", "gaussian", "random_pixels", "shuffled_pixels"]
)
def test_noise_is_that_of_the_corruption(manifest, tmp_path, name):
    spec = {"dataset": "spots", "corruption": name, "seed": 7}
    write_corruption(spec, manifest, tmp_path, Record("corruption", name, "{}", "c", [manifest]))
    expected = open_dataset(tmp_path / "manifest.json")
    found = corrupted(open_dataset(manifest), name, 7)
    for part in ("train_images", "test_images", "train_labels", "test_labels"):
        assert np.array_equal(getattr(found, part), getattr(expected, part))
    assert np.array_equal(found.test_labels_given, expected.test_labels_given)
    assert np.array_equal(found.train_labels_true, expected.train_labels_true)
    assert (found.train_hit is None) == (expected.train_hit is None)
    assert found.corruption == name


def test_the_same_result_every_time(manifest, result, tmp_path):
    assert write(manifest, tmp_path, specification()) == result
    record = json.loads((tmp_path / "run.json").read_text())
    assert set(record["stage_seconds"]) == {"prepare", *ASKED}


def test_an_interrupted_experiment_goes_on_after_its_last_piece(
    manifest, result, tmp_path, monkeypatch
):
    saves = tiny_cells.cut_after(monkeypatch, 5)
    with pytest.raises(KeyboardInterrupt):
        write(manifest, tmp_path, specification(), tmp_path / "work")
    assert not (tmp_path / "result.json").exists()
    assert write(manifest, tmp_path, specification(), tmp_path / "work") == result
    # Three corruptions, three, four, and two of three perceptrons each.
    assert len(saves) == 1 + 3 + 3 + 4 + 2 * 3
    assert not (tmp_path / "work").exists()


def test_only_what_is_asked_for(manifest, tmp_path):
    spec = {"name": "toy", "dataset": "spots", "loss_sensitivity": {**TOY, "moments": 1}}
    found = write(manifest, tmp_path, spec)
    assert "loss_sensitivity" in found and not {"easy_hard", "capacity"} & set(found)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"easy_hard": {"rnus": 3}}, "'easy_hard.rnus'.*did you mean 'runs'"),
        ({"easy_hrad": {}}, "did you mean 'easy_hard'"),
        ({"easy_hard": {"corruptions": ["labels-7"]}}, "easy_hard.corruptions: .*labels-7"),
        ({"capacity": {"corruptions": ["signs"]}}, "'signs' is a task of its own"),
        ({name: None for name in ASKED}, "ask for at least one of easy_hard"),
        ({"models": {}}, "'models' is missing"),
        ({"models": {"mlp": {"module": "mlp"}}}, "models.mlp.arguments is missing"),
    ],
)
def test_bad_specification(change, words):
    with pytest.raises(RethinkError, match=words):
        checked({**specification(), **change})


def test_early_stopping_and_corrupted_data_are_refused(manifest, tmp_path):
    stopping = {"validation": 0.1, "patience": 2}
    with pytest.raises(RethinkError, match="early_stopping should be null"):
        checked(specification(early_stopping=stopping))
    noisy = tiny_cells.write_data(tmp_path, level=0.5)
    with pytest.raises(RethinkError, match="give the clean data"):
        write(noisy, tmp_path, specification())


def test_the_command_line(manifest, result, tmp_path):
    subprocess.run(
        [
            *(sys.executable, tiny_cells.SCRIPTS / "memorization.py", "--code", "c0de"),
            *("--spec", json.dumps(specification()), "--data", manifest, "--out", tmp_path),
            *("--device", "cpu"),
        ],
        check=True,
        capture_output=True,
    )
    assert json.loads((tmp_path / "result.json").read_text()) == result
