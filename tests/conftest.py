"""What all tests share: the library on the path, one thread per process, one finished run."""

import os
import sys
from pathlib import Path

import pytest
from filelock import FileLock

TESTS = Path(__file__).resolve().parent
TINY = TESTS / "workflow" / "tiny.yaml"
for folder in (TESTS.parent / "scripts", TESTS / "workflow"):
    sys.path.insert(0, str(folder))
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def smallest_floats():
    """Let a process that has trained, which rounds the smallest floats to 0, know them again."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(False)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """Return a project whose tiny preset has run to its report; not to be changed."""
    from project import Project

    # The workers of pytest-xdist have a folder each below that of their run.
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "rethink-finished"
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
    from project import Project

    return Project.create(tmp_path / "project", TINY)
