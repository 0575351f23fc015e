"""What needs no recomputation: checksums, the crate, the jobs' records, copies of the checkout."""

import json
from pathlib import Path
from typing import Any

from rethink.audit.differences import of_json, of_text
from rethink.audit.findings import Findings
from rethink.bundle import contents
from rethink.bundle.crate import CHECKSUMS
from rethink.bundle.crate_rules import problems
from rethink.bundle.jobs import Job, in_bundle
from rethink.files import sha256_file, sha256_text
from rethink.grid import Grid


def checksums(folder: Path, files: dict[str, Path], findings: Findings) -> None:
    """Compare every file with its checksum, and the list of files with what is there."""
    said = {}
    for line in _text(folder / CHECKSUMS).splitlines():
        digest, _, name = line.partition("  ")
        said[name] = digest
    if not said:
        findings.disagree(CHECKSUMS, ["is not there, or names no file"])
    for name in sorted({*said, *files} - {CHECKSUMS}):
        if name not in files:
            findings.disagree(name, [f"{CHECKSUMS} names it, but it is not there"])
        elif name not in said:
            findings.disagree(name, [f"{CHECKSUMS} does not name it"])
        elif sha256_file(files[name]) != said[name]:
            findings.disagree(name, [f"its sha256 is not the one in {CHECKSUMS}"])
        findings.count("checksums")


def the_crate(folder: Path, findings: Findings) -> None:
    """Hold the crate against the rules of its profiles."""
    for problem in problems(folder):
        name, _, text = problem.partition(": ")
        findings.disagree(name, [text])
    findings.count("RO-Crates against their profiles")


def records(grid: Grid, jobs: list[Job], files: dict[str, Path], findings: Findings) -> None:
    """Compare the jobs' records with the files that they name and with the specifications.

    The folder of images of a dataset of one's own is another on every machine.
    """
    specifications = contents.specifications(grid)
    for job in jobs:
        digests = job.facts["digests"]
        folder = Path(job.record).parent
        outputs = {(folder / name).as_posix(): d for name, d in digests["outputs"].items()}
        inputs = {in_bundle(n, grid.preset.preset): d for n, d in digests["inputs"].items()}
        for name, digest in outputs.items():
            if name in files and sha256_file(files[name]) != digest:
                findings.disagree(name, [f"it is not what {job.record} says was written"])
        for name, digest in inputs.items():
            if name in files and sha256_file(files[name]) != digest:
                findings.disagree(job.record, [f"was made from another {name}"])
        spec = job.facts.get("spec", "")
        if digests.get("spec") != sha256_text(spec):
            findings.disagree(job.record, ["its specification is not the one of its own digest"])
        expected = specifications.get(job.kind, {}).get(job.name)
        if expected is not None:
            found = of_json(_parsed(spec), expected, "spec")
            findings.disagree(job.record, (d for d in found if d.place != "spec.folder"))
        findings.count("records of jobs")


def copies(checkout: Path, files: dict[str, Path], same_commit: bool, findings: Findings) -> None:
    """Compare what was copied from the checkout with this one.

    At another commit a difference may be that of the commits: a remark, no disagreement.
    """
    there = contents.copies(checkout)
    for name in there.keys() & files.keys():
        found = list(of_text(_text(files[name]), _text(there[name])))
        if found and same_commit:
            findings.disagree(name, found)
        elif found:
            findings.remark(f"{name} is another in this checkout ({len(found)} lines)")
        findings.count("copies of the checkout's files")


def _parsed(spec: str) -> Any:
    try:
        return json.loads(spec)
    except ValueError:
        return spec


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
