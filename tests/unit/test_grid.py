"""Presets become cells whose specification holds all that their result depends on."""

import json
from pathlib import Path

import pytest

from rethink import config, grid
from rethink.corruption_names import canonical

ROOT = Path(__file__).resolve().parents[2]


def expand(**values):
    return grid.expand(config.load({"preset": "digits", **values}, ROOT / "config"), "f")


def paper():
    return grid.expand(config.load({}, ROOT / "config"), "f")


def test_the_papers_preset_has_the_cells_of_its_table_and_figures():
    studies = paper().studies
    assert len(studies["table1"].cells) == 19
    assert len(studies["figure1bc"].cells) == 33
    assert len(studies["figure1a"].cells) == 5


def test_a_cell_of_several_studies_is_one():
    whole = paper()
    wanted = [name for study in whole.studies.values() for name in study.cells]
    assert len(wanted) > len(set(wanted)) == len(whole.cells)


def test_level_zero_is_the_clean_cell():
    assert canonical("labels-0") == "none"
    assert canonical("labels-0.50") == "labels-0.5"
    assert canonical("labels-1.0") == "labels-1"
    assert canonical("random_pixels-scalars") == "random_pixels"


def train(whole, name):
    return json.loads(whole.cells[name].spec)["train"]


def test_published_schedules_and_regularizers():
    whole = paper()
    inception = train(whole, "cifar10/inception/none/none")
    assert (inception["learning_rate"], inception["learning_rate_decay"]) == (0.1, 0.95)
    assert inception["weight_decay"] == 0.0
    assert train(whole, "cifar10/mlp_1x512/none/none")["learning_rate"] == 0.01
    alexnet = train(whole, "cifar10/alexnet/none/crop+weight_decay")
    assert alexnet["random_crop"] is True
    assert alexnet["weight_decay"] == 0.004
    assert alexnet["weight_decay_parameters"] == ["fc1.weight", "fc2.weight"]


def test_the_demonstration_has_its_own_schedule():
    cell = json.loads(paper().cells["cifar10_demo/wrn_28_1/labels-1/weight_decay"].spec)
    assert cell["input"] == {"crop": 32, "whitening": "dataset"}
    settings = cell["train"]
    assert (settings["learning_rate"], settings["learning_rate_decay"]) == (0.1, 1)
    assert (settings["learning_rate_drops"], settings["epochs"]) == ([150, 225], 300)
    assert (settings["weight_decay"], settings["weight_decay_parameters"]) == (1e-4, ["*"])


def test_layers_of_settings_override_in_order():
    whole = expand(
        training={"epochs": 5},
        models={"alexnet": {"epochs": 6, "weight_decay": 0.5}},
        cells={"*/alexnet/*/weight_decay": {"epochs": 7, "replicates": 9}},
    )
    assert train(whole, "digits/mlp_1x512/none/none")["epochs"] == 5
    assert train(whole, "digits/alexnet/none/none")["epochs"] == 6
    assert train(whole, "digits/alexnet/none/none")["weight_decay"] == 0.0
    decayed = train(whole, "digits/alexnet/none/weight_decay")
    assert (decayed["epochs"], decayed["weight_decay"]) == (7, 0.5)
    assert whole.cells["digits/alexnet/none/weight_decay"].replicates == 9


def test_swapping_two_values_changes_the_specification():
    one = expand(training={"momentum": 0.5, "dropout": 0.25})
    two = expand(training={"momentum": 0.25, "dropout": 0.5})
    name = "digits/mlp_1x512/none/none"
    assert one.cells[name].spec != two.cells[name].spec


def test_own_regularizers_sum_with_the_built_in_ones():
    whole = expand(
        regularizers={"long": {"learning_rate_decay": 0.999}},
        studies={
            "own": {
                "kind": "grid",
                "dataset": "digits",
                "models": ["mlp_1x512"],
                "corruptions": ["none"],
                "regularizers": ["long+crop"],
            }
        },
    )
    settings = train(whole, "digits/mlp_1x512/none/crop+long")
    assert settings["learning_rate_decay"] == 0.999
    assert settings["random_crop"] is True


def test_where_data_come_from_is_not_what_they_are(tmp_path):
    plain = paper().datasets["cifar10"]
    mirrored = grid.expand(
        config.load(
            {"datasets": {"cifar10": {"mirror": "https://x.example", "folder": str(tmp_path)}}},
            ROOT / "config",
        ),
        "f",
    ).datasets["cifar10"]
    assert plain == mirrored


@pytest.mark.parametrize(
    "values, words",
    [
        ({"cells": {"cifar10/*": {"epochs": 3}}}, "fits no cell"),
        ({"datasets": {"digits": {"crop": 8}}}, "needs a crop smaller"),
        ({"datasets": {"digits": {"crop": 9}}}, "larger than the images"),
    ],
)
def test_what_only_shows_once_the_cells_are_known(values, words):
    with pytest.raises(config.ConfigError, match=words):
        expand(**values)
