"""What the papers of a bundle say of its run: counts, costs, machines, versions."""

import csv
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rethink.bundle.jobs import Job
from rethink.files import read_json
from rethink.states import duration


@dataclass
class Facts:
    """A run in numbers, read from `files`, those of its bundle by name, when they are asked for."""

    title: str
    preset: str
    reduced: str | None
    jobs: list[Job]
    files: Mapping[str, Path]

    @functools.cached_property
    def cells(self) -> list[dict[str, str]]:
        """The rows of cells.csv."""
        return self._rows("tables/all/cells.csv")

    @functools.cached_property
    def runs(self) -> dict[str, dict[str, str]]:
        """The rows of runs.csv by the names of their cells."""
        return {cell_of(row): row for row in self._rows("tables/all/runs.csv")}

    @functools.cached_property
    def claims(self) -> list[dict[str, str]]:
        """The verdicts on the claims, the paper's and the slides'."""
        return self._rows("tables/claims.csv")

    @functools.cached_property
    def data(self) -> dict[str, dict[str, Any]]:
        """The manifests of the clean datasets by their names."""
        return {
            name.split("/")[1]: read_json(path)
            for name, path in self.files.items()
            if name.startswith("data/") and name.endswith("manifest.json")
        }

    def _rows(self, name: str) -> list[dict[str, str]]:
        with open(self.files[name], encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))

    @property
    def commits(self) -> list[str]:
        """The commits of the checkouts that the jobs ran in, each with its state."""
        return sorted({_commit(job.facts.get("git") or {}) for job in self.jobs})

    @property
    def commit(self) -> str | None:
        """The commit that rendered the report."""
        (report,) = [job for job in self.jobs if job.record == "report.html.run.json"]
        return (report.facts.get("git") or {}).get("commit")

    @property
    def started(self) -> str:
        """When the first job began, ISO 8601 in UTC."""
        return min(job.facts["started"] for job in self.jobs)

    @property
    def finished(self) -> str:
        """When the last job ended, ISO 8601 in UTC."""
        return max(job.facts["finished"] for job in self.jobs)

    @property
    def machines(self) -> list[str]:
        """The machines: processor, cores, memory, and devices that were trained on."""
        return sorted({_machine(job.facts) for job in self.jobs})

    @property
    def software(self) -> dict[str, str]:
        """The versions of Python and packages; several where jobs had several."""
        versions: dict[str, set[str]] = {}
        for job in self.jobs:
            for name, version in job.facts["software"].items():
                versions.setdefault(name, set()).add(version)
        return {name: ", ".join(sorted(found)) for name, found in sorted(versions.items())}

    def seconds(self, *kinds: str) -> float:
        """Return how long the jobs of some stages took, in turn; of all stages if none is named."""
        chosen = [job for job in self.jobs if not kinds or job.kind in kinds]
        return sum(job.facts["seconds"] for job in chosen)

    @property
    def replicates(self) -> int:
        """The number of training runs."""
        return sum(int(row["n"]) for row in self.cells)

    @property
    def verdicts(self) -> dict[str, int]:
        """How many claims have each verdict."""
        found = [row["verdict"] for row in self.claims]
        return {verdict: found.count(verdict) for verdict in sorted(set(found))}

    def cost_of(self, claim: dict[str, str]) -> str:
        """Return how long the cells and experiments behind a claim took, in turn."""
        theory = {f"theory/{job.name}": job.facts["seconds"] for job in self.jobs}
        seconds = 0.0
        for need in filter(None, claim["cells"].split(";")):
            row = self.runs.get(need)
            seconds += float(row["seconds"] or 0) if row else theory.get(need, 0.0)
        return duration(seconds)


def cell_of(row: Mapping[str, str]) -> str:
    """Return the name of the cell that a row of a table is about."""
    return "/".join(row[key] for key in ("dataset", "model", "corruption", "regularizer"))


def _commit(git: Mapping[str, Any]) -> str:
    state = {True: " with uncommitted changes", False: ""}.get(git.get("dirty"), "")
    return (git.get("commit") or "not recorded") + state


def _machine(facts: Mapping[str, Any]) -> str:
    machine, device = facts["machine"], facts.get("device") or {}
    memory = round(machine.get("memory_mb", 0) / 1024)
    text = f"{machine.get('processor')}, {machine.get('cores')} cores, {memory} GB"
    return text if device.get("type", "cpu") == "cpu" else f"{text}; {device.get('name')}"
