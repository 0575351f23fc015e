"""The jobs of a run, from the records that they left."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from rethink.errors import RethinkError
from rethink.provenance import read_record

STAGES = ("data", "corruption", "cell", "theory", "table", "figure", "report")


@dataclass(frozen=True)
class Job:
    """One job: what it made of what.

    `record` is the name of its run.json, `facts` are its content; `inputs` and `outputs` are
    names of files of the bundle, the record among the outputs.
    """

    record: str
    facts: dict[str, Any]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def kind(self) -> str:
        """The stage: ``data``, ``corruption``, ``cell``, ``theory``, ``table``, ..."""
        return self.facts["kind"]

    @property
    def name(self) -> str:
        """What was made, e.g. ``cifar10/inception/none/none``."""
        return self.facts["name"]

    @property
    def tool(self) -> str:
        """The command line that did it, e.g. ``train``."""
        return PurePosixPath(shlex.split(self.facts["command"])[0]).stem


def read_jobs(files: Mapping[str, Path], preset: str) -> list[Job]:
    """Return the jobs whose records are among `files`, stage by stage.

    `files` are those of a bundle by their names. Raises RethinkError for a record that is not
    readable or says too little.
    """
    jobs = [
        _job(name, path, files, preset)
        for name, path in files.items()
        if PurePosixPath(name).name == "run.json" or name.endswith(".run.json")
    ]
    return sorted(jobs, key=lambda job: (STAGES.index(job.kind), job.record))


def _job(name: str, path: Path, files: Mapping[str, Path], preset: str) -> Job:
    try:
        facts = read_record(path)
        known = facts["kind"] in STAGES
        inputs = [in_bundle(source, preset) for source in facts["digests"]["inputs"]]
        folder = PurePosixPath(name).parent
        outputs = [(folder / made).as_posix() for made in facts["digests"]["outputs"]]
        lacking = {"name", "command", "started", "finished", "software", "machine"} - facts.keys()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RethinkError(f"{name}: not readable as the record of a job: {error}") from None
    if lacking or not known:
        raise RethinkError(f"{name}: not the record of a job: {sorted(lacking) or facts['kind']}")
    beside = (folder / "manifest.json").as_posix()
    if facts["kind"] in ("data", "corruption"):
        outputs.append(beside)
    made = [*(output for output in dict.fromkeys(outputs) if output in files), name]
    return Job(name, facts, tuple(i for i in sorted(inputs) if i in files), tuple(made))


def in_bundle(path: str, preset: str) -> str:
    """Return the name in a bundle of a file that a record names by its path in the checkout."""
    return path.removeprefix(f"results/{preset}/")
