"""Presets: every mistake at once, each with its path; values of the command line on top."""

import copy
import typing
from pathlib import Path

import pytest
import yaml

from rethink import config

ROOT = Path(__file__).resolve().parents[2]
MINIMAL = {
    "preset": "tiny",
    "title": "tiny",
    "studies": {
        "one": {
            "kind": "grid",
            "dataset": "digits",
            "models": ["mlp_1x512"],
            "corruptions": ["none"],
        }
    },
}


def minimal(**changes):
    return copy.deepcopy(MINIMAL) | changes


def problems(raw):
    with pytest.raises(config.ConfigError) as caught:
        config.validate(raw, "config/tiny.yaml")
    return caught.value.problems


@pytest.mark.parametrize("path", sorted((ROOT / "config").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_shipped_preset_is_valid(path, tmp_path):
    content = yaml.safe_load(path.read_text())
    preset = config.load(
        {"preset": content["preset"]} | folders(content, tmp_path), ROOT / "config"
    )
    assert preset.studies


def folders(content, tmp_path):
    """Return values of the command line that name a folder for each dataset that wants one."""
    for part in ("train", "val"):
        (tmp_path / part).mkdir()
    datasets = content.get("datasets", {})
    wanting = [name for name, entry in datasets.items() if entry.get("kind") == "imagefolder"]
    return {"datasets": {name: {"folder": str(tmp_path)} for name in wanting}}


def test_imagenet_without_its_folder_is_one_sentence():
    with pytest.raises(config.ConfigError) as caught:
        config.load({"preset": "imagenet"}, ROOT / "config")
    (problem,) = caught.value.problems
    assert problem.startswith("config/imagenet.yaml: datasets.imagenet: an imagefolder needs")
    assert "--config 'datasets={imagenet: {folder: " in problem


def test_no_preset_named_is_the_papers():
    assert config.load({}, ROOT / "config").preset == "paper"


def test_values_of_the_command_line_lie_over_the_file():
    given = {"preset": "digits", "replicates": 7, "models": {"alexnet": {"epochs": 3}}}
    preset = config.load(given, ROOT / "config")
    assert preset.replicates == 7
    assert preset.models["alexnet"].epochs == 3
    assert "inception" in preset.models  # the rest of the section stays


def test_unknown_preset_names_the_nearest():
    with pytest.raises(config.ConfigError, match="did you mean 'digits'"):
        config.load({"preset": "digit"}, ROOT / "config")


def test_all_mistakes_at_once_each_with_its_path():
    raw = minimal(
        replicats=2,
        training={"lr": 0.1, "epochs": 0},
        models={"mlp": {}},
        datasets={"mine": {"kind": "imagefolder", "folder": "/not/there", "image_size": 32}},
    )
    raw["studies"]["one"]["corruptions"] = ["labels-1.5", "shufled_pixels"]
    raw["studies"]["one"]["regularizers"] = ["crop+cropp"]
    lines = problems(raw)
    for path, words in [
        ("replicats", "did you mean 'replicates'"),
        ("training.lr", "unknown key 'lr'"),
        ("training.epochs", "greater than or equal to 1"),
        ("models.mlp", "did you mean 'mlp_"),
        ("datasets.mine.folder", "'/not/there' is not there"),
        ("studies.one.grids[0].corruptions[0]", "between 0 and 1"),
        ("studies.one.grids[0].corruptions[1]", "did you mean 'shuffled_pixels'"),
        ("studies.one.grids[0].regularizers[0]", "did you mean 'crop'"),
    ]:
        matching = [line for line in lines if line.startswith(f"config/tiny.yaml: {path}: ")]
        assert len(matching) == 1, (path, lines)
        assert words in matching[0]
        assert "\n" not in matching[0]
    assert len(lines) == 8


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"replicates": True}, "not true"),
        ({"seed": -1}, "greater than or equal to 0"),
        ({"training": {"learning_rate": "fast"}}, "valid number"),
        ({"training": {"learning_rate": float("nan")}}, "finite number"),
        ({"training": {"dropout": 1.0}}, "less than 1"),
        ({"numerics": "fp16"}, "'fp32', 'tf32' or 'bf16'"),
        ({"studies": {}}, "at least 1"),
        ({"studies": {"samples": MINIMAL["studies"]["one"]}}, "cannot be called 'samples'"),
        ({"studies": {"True": MINIMAL["studies"]["one"]}}, "is no name"),
        ({"datasets": {"cifar10": {"mirror": "ftp://x"}}}, "http://, https:// or file://"),
        ({"datasets": {"cifar10": {"image_size": 32}}}, "for an imagefolder"),
        ({"datasets": {"mine": {}}}, "unknown dataset kind 'mine'"),
        ({"regularizers": {"none": {}}}, "sets nothing"),
    ],
)
def test_impossible_values(changes, words):
    (line,) = problems(minimal(**changes))
    assert words in line


def test_a_number_in_yaml_1_1_that_is_text_counts_as_number():
    raw = minimal(training=yaml.safe_load("learning_rate: 1e-3"))
    assert config.validate(raw, "f").training.learning_rate == 1e-3


def test_text_booleans_mean_what_they_say():
    raw = minimal(training={"random_crop": "False"})
    assert config.validate(raw, "f").training.random_crop is False


def test_an_image_folder_needs_its_two_parts(tmp_path):
    (tmp_path / "train").mkdir()
    raw = minimal(
        datasets={"mine": {"kind": "imagefolder", "folder": str(tmp_path), "image_size": 32}}
    )
    (line,) = problems(raw)
    assert "train/ and test/" in line
    (tmp_path / "val").mkdir()
    config.validate(raw, "f")


def test_not_a_mapping_and_not_yaml(tmp_path):
    for text, words in [("- a\n", "mapping"), ("a: [\n", "not readable as YAML")]:
        (tmp_path / "bad.yaml").write_text(text)
        with pytest.raises(config.ConfigError, match=words):
            config.load({"preset": "bad"}, tmp_path)


@pytest.mark.parametrize(
    ("experiment", "words"),
    [
        ({}, "ask for a measure"),
        ({"easy_hard": {}}, "'easy_hard' needs 'models'"),
        ({"models": ["alexnet"], "capacity": {}}, "needs perceptrons; 'alexnet'"),
        ({"models": ["mlp_1x512"], "easy_hard": {"rnus": 3}}, "unknown key 'rnus'"),
        ({"models": ["mlp_1x512"], "easy_hard": {"corruptions": ["signs"]}}, "not a noise"),
        ({"models": ["mlp_1x512"], "critical_samples": {"radius": 0}}, "greater than 0"),
    ],
)
def test_mistakes_in_an_experiment_on_memorization(experiment, words):
    study = {"kind": "memorization", "experiments": {"m": {"dataset": "digits", **experiment}}}
    (problem,) = problems(minimal(studies={"one": study}))
    assert words in problem and problem.startswith("config/tiny.yaml: studies.one.experiments")


def test_the_measures_have_the_defaults_of_their_modules():
    """Both are documented: the preset's sections, and what the command line fills in."""
    from rethink import experiments
    from rethink.memorization.run import MEASURES

    for name, module in MEASURES.items():
        (section,) = (
            argument
            for argument in typing.get_args(
                experiments.MemorizationExperiment.model_fields[name].annotation
            )
            if argument is not type(None)
        )
        assert section().model_dump(mode="json") == module.DEFAULTS
