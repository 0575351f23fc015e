"""One finished run of the tiny preset, made once and copied by the tests that need it."""

from pathlib import Path

import pytest
from filelock import FileLock
from project import Project

TINY = Path(__file__).parent / "tiny.yaml"


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """Return a project whose tiny preset has run to its report; not to be changed."""
    shared = tmp_path_factory.getbasetemp().parent / "rethink-finished"
    with FileLock(f"{shared}.lock"):
        if not shared.exists():
            project = Project.create(shared.with_suffix(".new"), TINY)
            project.run()
            project.folder.rename(shared)
    return Project(shared)


@pytest.fixture
def project(finished, tmp_path):
    """Return a copy of the finished run that the test may change."""
    return finished.clone(tmp_path / "project")


@pytest.fixture
def fresh(tmp_path):
    """Return a project in which nothing has run."""
    return Project.create(tmp_path / "project", TINY)
