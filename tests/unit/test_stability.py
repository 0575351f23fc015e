"""Stability: what differs between the two training sets, and that nothing else does."""

import dataclasses
import json
import math
import subprocess
import sys

import numpy as np
import pytest
import tiny_cells

from rethink.corruptions import write_corruption
from rethink.datasets.store import open_dataset
from rethink.errors import RethinkError
from rethink.provenance import Record
from rethink.theory import stability
from rethink.training.numerics import configure

QUIET = tiny_cells.place(None, None, {})
CHANGES = (
    *("largest_loss_change", "mean_loss_change", "largest_probability_change"),
    *("predictions_changed", "parameter_distance"),
)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    configure("fp32", 1)
    return tiny_cells.write_data(tmp_path_factory.mktemp("spots"))


def specification(pairs=2, train_examples=60, corruptions=("none", "labels-1"), **settings):
    cell = tiny_cells.spec(**{"epochs": 30, "batch_size": 16, "learning_rate": 0.1, **settings})
    model = {"module": "mlp", "arguments": {"hidden": [32]}, "train": cell["train"]}
    return {
        "name": "toy",
        "dataset": "spots",
        "models": {"mlp": model},
        "input": {"crop": 7},
        "corruptions": list(corruptions),
        "pairs": pairs,
        "train_examples": train_examples,
    }


def run(manifest, out, work=None, **values):
    spec = specification(**values)
    stability.run(spec, tiny_cells.place(manifest, out, spec, work))
    return json.loads((out / "result.json").read_text())


@pytest.fixture(scope="module")
def result(manifest, tmp_path_factory):
    return run(manifest, tmp_path_factory.mktemp("out"))


def test_an_interrupted_experiment_goes_on_after_its_last_network(
    manifest, result, tmp_path, monkeypatch
):
    saves = tiny_cells.cut_after(monkeypatch, 2)
    with pytest.raises(KeyboardInterrupt):
        run(manifest, tmp_path, work=tmp_path / "work")
    assert run(manifest, tmp_path, work=tmp_path / "work") == result
    networks = len(result["networks"]) * (1 + result["pairs"])
    assert len(saves) == 1 + networks
    assert not (tmp_path / "work").exists()


def study(manifest, **values):
    spec = stability.checked(specification(**values))
    sample = stability.Sample.draw(open_dataset(manifest), spec)
    return stability.Study(sample, spec, "mlp", QUIET)


def test_replacing_an_example_by_itself_changes_nothing(manifest):
    found = study(manifest)
    sample = found.sample
    same = dataclasses.replace(sample, fresh=sample.chosen[sample.replaced])
    found = stability.Study(same, stability.checked(specification()), "mlp", QUIET)
    pair = found.compare(found.train(None), found.train(0), 0)
    assert [pair[name] for name in CHANGES] == [0] * len(CHANGES)
    for own in (pair["at_replaced"], pair["at_fresh"]):
        assert own["loss_with"] == own["loss_without"]


def test_one_example_differs_and_is_new(manifest):
    sample = study(manifest, pairs=5).sample
    assert not set(sample.fresh) & set(sample.chosen)
    assert len(set(sample.replaced)) == len(set(sample.fresh)) == 5
    whole = sample.arrays(None)
    for pair in range(5):
        other = sample.arrays(pair)
        differ = (whole.train_images != other.train_images).any(axis=(1, 2, 3))
        assert np.flatnonzero(differ).tolist() == [sample.replaced[pair]]
        fresh = sample.data.train_images[sample.fresh[pair]]
        assert np.array_equal(other.train_images[sample.replaced[pair]], fresh)
        place = sample.replaced[pair]
        assert other.train_labels[place] == sample.data.train_labels[sample.fresh[pair]]
        assert np.delete(whole.train_labels, place).tolist() == (
            np.delete(other.train_labels, place).tolist()
        )


@pytest.mark.parametrize("level", ["labels-1", "labels-0.5"])
def test_random_labels_are_those_of_the_corruption(manifest, tmp_path, level):
    spec = {"dataset": "spots", "corruption": level, "seed": 7}
    write_corruption(spec, manifest, tmp_path, Record("corruption", level, "{}", "c", [manifest]))
    expected = open_dataset(tmp_path / "manifest.json")
    found = study(manifest).sample.labelled(level, 7).data
    for name in ("train_labels", "train_hit", "test_labels", "test_labels_given"):
        assert np.array_equal(getattr(found, name), getattr(expected, name))
    assert np.array_equal(found.train_labels_true, expected.train_labels_true)


def test_the_changes_are_what_two_trainings_show(manifest, result):
    """Recomputed from the networks' own predictions, for one pair with random labels."""
    found = study(manifest)
    found = stability.Study(
        found.sample.labelled("labels-1", 0), stability.checked(specification()), "mlp", QUIET
    )
    whole, other = found.train(None), found.train(1)
    pair = result["networks"][1]["pairs"][1]
    log, log_other = whole.test.numpy(), other.test.numpy()
    assert np.exp(log).sum(1) == pytest.approx(np.ones(40))
    rows, labels = np.arange(40), found.test_labels.numpy()
    own = np.abs(log[rows, labels] - log_other[rows, labels])
    close = {"rel": 1e-5}
    assert pair["mean_loss_change"] == pytest.approx(own.mean(), **close)
    assert pair["largest_loss_change"] == pytest.approx(np.abs(log - log_other).max(), **close)
    assert pair["largest_loss_change"] >= own.max() - 1e-6
    assert pair["predictions_changed"] == (log.argmax(1) != log_other.argmax(1)).mean()
    label = found.sample.data.train_labels[pair["replaced"]]
    assert pair["at_replaced"]["loss_with"] == pytest.approx(-float(whole.own[1, label]), **close)
    assert pair["at_replaced"]["loss_without"] == pytest.approx(
        -float(other.own[1, label]), **close
    )
    label = found.sample.data.train_labels[pair["by"]]
    assert pair["at_fresh"]["loss_with"] == pytest.approx(-float(other.own[3, label]), **close)


def test_the_summary_is_of_the_pairs(result):
    for network in result["networks"]:
        pairs, summary = network["pairs"], network["summary"]
        assert len(pairs) == result["pairs"] == 2
        for name in CHANGES:
            values = [pair[name] for pair in pairs]
            together = max(values) if name.startswith("largest") else sum(values) / 2
            assert summary[name] == pytest.approx(together, rel=1e-5)
        assert 0 <= summary["largest_probability_change"] <= 1
        assert summary["mean_loss_change"] <= summary["largest_loss_change"]
        own = [pair[where] for pair in pairs for where in ("at_replaced", "at_fresh")]
        change = sum(entry["loss_without"] - entry["loss_with"] for entry in own) / 4
        assert summary["own_loss_change"] == pytest.approx(change, rel=1e-4)


def test_random_labels_are_memorized_example_by_example(result):
    """What the paper's argument rests on: equal fits, unequal gaps."""
    true, random = result["networks"]
    assert (true["corruption"], random["corruption"]) == ("none", "labels-1")
    assert true["status"] == random["status"] == "fitted"
    gaps = [row["train_accuracy"] - row["test_accuracy"] for row in (true, random)]
    assert gaps[0] < 0.2 and gaps[1] > 0.5
    assert random["summary"]["own_loss_change"] > true["summary"]["own_loss_change"] + 1
    assert random["summary"]["forgotten"] >= 0.5
    assert true["parameters"] == 49 * 32 + 32 + 32 * 4 + 4


def test_the_same_result_every_time(manifest, result, tmp_path):
    assert run(manifest, tmp_path) == result
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["device"]["type"] == "cpu" and record["numerics"] == "fp32"
    assert set(record["stage_seconds"]) == {"prepare", "mlp/none", "mlp/labels-1"}


def test_all_examples_but_the_replacements_by_default(manifest):
    sample = study(manifest, pairs=3, train_examples=None).sample
    assert sample.size == 93 and len(sample.fresh) == 3


def test_a_training_that_diverges_is_a_result(manifest, tmp_path):
    found = run(manifest, tmp_path, corruptions=["none"], pairs=1, learning_rate=1e30)
    (network,) = found["networks"]
    assert network["status"] == network["pairs"][0]["status"] == "diverged"
    assert network["summary"]["largest_loss_change"] is None
    assert not math.isnan(network["summary"]["predictions_changed"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pairs": 0}, "pairs should be"),
        ({"pairs": 37}, "train_examples is 60 and pairs is 37, but spots has 96"),
        ({"pairs": 61, "train_examples": 30}, "train_examples is 30 and pairs is 61"),
        ({"corruptions": ["gaussian"]}, "'gaussian' should be 'none' or random labels"),
        ({"corruptions": ["labels-7"]}, "stability: .*labels-7"),
        ({"modles": {}}, "did you mean 'models'"),
        ({"models": {"mlp": {"module": "mlp"}}}, "models.mlp.arguments is missing"),
        ({"models": {"mlp": {"module": "mlp", "arguments": {}}}}, "train.epochs is missing"),
    ],
)
def test_bad_specification(manifest, tmp_path, change, words):
    spec = {**specification(), **change}
    with pytest.raises(RethinkError, match=words):
        stability.run(spec, tiny_cells.place(manifest, tmp_path, spec))


def test_early_stopping_and_corrupted_data_are_refused(manifest, tmp_path):
    stopping = {"validation": 0.1, "patience": 2}
    with pytest.raises(RethinkError, match="early_stopping should be null"):
        run(manifest, tmp_path, early_stopping=stopping)
    with pytest.raises(RethinkError, match="'input' is missing"):
        stability.checked({"name": "toy", "dataset": "spots", "models": {}})
    corrupted = tiny_cells.write_data(tmp_path, level=0.5)
    with pytest.raises(RethinkError, match="give the clean data"):
        run(corrupted, tmp_path)


def test_the_command_line(manifest, result, tmp_path):
    subprocess.run(
        [
            *(sys.executable, tiny_cells.SCRIPTS / "stability.py", "--code", "c0de"),
            *("--spec", json.dumps(specification()), "--data", manifest, "--out", tmp_path),
            *("--device", "cpu"),
        ],
        check=True,
        capture_output=True,
    )
    assert json.loads((tmp_path / "result.json").read_text()) == result
