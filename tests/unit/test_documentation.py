"""What the documents promise is there: every key, name and command."""

import re
from pathlib import Path

import pytest
import yaml

from rethink import config, corruption_names, experiments, grid, regularizers, studies
from rethink.datasets.catalog import KINDS
from rethink.models import arguments
from rethink.models.catalog import MODELS

ROOT = Path(__file__).resolve().parents[2]
MANUAL = (ROOT / "config" / "README.md").read_text()
README = (ROOT / "README.md").read_text()


def documented(name):
    return re.search(rf"`[^`\n]*(?<![a-z0-9_]){re.escape(name)}(?![a-z0-9_])[^`\n]*`", MANUAL)


@pytest.mark.parametrize(
    "section",
    [
        config.Preset,
        config.StudySettings,
        config.Axes,
        config.CellSettings,
        config.DatasetSettings,
        config.EarlyStopping,
        config.StandsFor,
        *(kind.section for kind in experiments.KINDS.values()),
        *arguments.ARGUMENTS.values(),
    ],
)
def test_every_key_is_documented(section):
    assert [key for key in section.model_fields if not documented(key) and key != "grids"] == []


@pytest.mark.parametrize(
    "names", [MODELS, KINDS, regularizers.BUILT_IN, corruption_names.VARIANTS, studies.KINDS]
)
def test_every_name_is_documented(names):
    assert [name for name in names if not documented(name) and f"`{name}-" not in MANUAL] == []


def test_the_cost_of_imagenet_is_computed_from_its_counts():
    """README and preset state what follows from operations, epochs, cells and assumed rates."""
    path = ROOT / "config" / "imagenet.yaml"
    preset = yaml.safe_load(path.read_text())
    training, (true, random) = preset["training"], preset["studies"]["table2"]["grids"]
    cells = len(true["regularizers"]) + len(random["regularizers"])
    train, test, evaluation = 1_281_167, 50_000, 11_426e6  # images, images, FLOP
    flop = MODELS["inception_v3"].megaflops * 1e6
    evaluations = training["epochs"] / training["evaluate_every"]
    cell = training["epochs"] * train * flop + evaluations * (train + test) * evaluation
    assert f"{training['epochs']} epochs" in README and f"{evaluations:g} evaluations" in README
    side = preset["datasets"]["imagenet"]["image_size"]
    words = [f"{cell:.1e}", f"{cells * cell:.1e}", f"{(train + test) * 3 * side**2 / 1e9:.0f} GB"]
    for text in (README, path.read_text()):
        assert [w.replace("+", "") for w in words if w.replace("+", "") not in text] == []
    for rate in (35, 70):
        hours = cell / rate / 1e12 / 3600
        row = f"| {hours:.0f} GPU-hours | {cells * hours:.0f} GPU-hours; {cells * hours / 8:.0f} hours"
        assert f"| {rate} TFLOP/s, about {round(rate * 1e12 / flop, -3):,.0f} images" in README
        assert row in README


def test_the_size_of_the_papers_preset_is_told():
    papers = grid.expand(config.load({}, ROOT / "config"), "paper")
    told = f"runs it: {len(papers.cells)} cells, {len(papers.experiments)} experiments"
    assert told in README


def test_every_command_of_the_readme_is_in_the_makefile():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z-]+)", README))
    assert {"report", "test"} <= named <= targets


def test_the_catalog_of_workflows_finds_what_it_looks_for():
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert usage["report"] is True
    assert usage["software-stack-deployment"]["conda"] is (ROOT / "envs/environment.yaml").is_file()
    assert 'include: "../Snakefile"\n' in (ROOT / "workflow/Snakefile").read_text()
    headings = [line for line in MANUAL.splitlines() if line.startswith("## ")]
    assert headings[:2] == ["## Workflow overview", "## Running the workflow"]


def test_locks_name_no_address():
    for lock in (ROOT / "envs").glob("*.txt"):
        assert "://" not in lock.read_text()
