"""What the documents promise is there: every key, name and command."""

import re
from pathlib import Path

import pytest

from rethink import config, corruption_names, experiments, regularizers, studies
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


def test_every_command_of_the_readme_is_in_the_makefile():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z-]+)", README))
    assert {"report", "test"} <= named <= targets


def test_locks_name_no_address():
    for lock in (ROOT / "envs").glob("*.txt"):
        assert "://" not in lock.read_text()
