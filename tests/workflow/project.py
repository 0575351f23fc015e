"""A copy of the project in which a test runs the real Snakemake."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PARTS = (
    *("Snakefile", "workflow", "config", "profiles", "envs", "scripts", "report"),
    *("LICENSE", "CITATION.cff"),
)
JOB = re.compile(r"^Job \d+: (.*)$", re.MULTILINE)
PRESET = "tiny.yaml"


class Project:
    """The project's files in a folder of their own, with a preset to edit."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.results = folder / "results" / "tiny"

    @classmethod
    def create(cls, folder: Path, preset: Path) -> "Project":
        """Copy what a run needs into `folder`."""
        folder.mkdir(parents=True)
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
                shutil.copytree(source, folder / part, ignore=ignored)
            else:
                shutil.copy2(source, folder / part)
        shutil.copy2(preset, folder / PRESET)
        return cls(folder)

    def clone(self, folder: Path) -> "Project":
        """Copy the project with its results and Snakemake's memory of them."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Project(folder)

    def snakemake(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
        """Run Snakemake and return what it printed; the exit code is the caller's to judge."""
        command = [sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", PRESET]
        return self.command([*command, *arguments], **environment)

    def script(self, name: str, *arguments: str) -> subprocess.CompletedProcess:
        """Run a command line for people on this project's preset."""
        command = [sys.executable, f"scripts/{name}.py", "--configfile", PRESET]
        return self.command([*command, *arguments])

    def command(
        self, command: list[str], timeout: float = 600, **environment: str
    ) -> subprocess.CompletedProcess:
        """Run a command in the project's folder, for at most `timeout` seconds."""
        return subprocess.run(
            command,
            cwd=self.folder,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=timeout,
        )

    def run(self, *arguments: str, **environment: str) -> set[str]:
        """Run the workflow, insist that it succeeds, and return its jobs by their messages."""
        done = self.snakemake(*arguments, **environment)
        assert done.returncode == 0, done.stdout
        return set(JOB.findall(done.stdout))

    def plan(self) -> set[str]:
        """Return the jobs that a run would do."""
        return self.run("--dry-run")

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace `old`, which must be there, by `new` in a file."""
        path = self.folder / file
        text = path.read_text()
        assert old in text, f"{file} does not contain {old!r}"
        path.write_text(text.replace(old, new, 1))
