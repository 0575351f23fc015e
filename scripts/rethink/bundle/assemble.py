"""From a finished run to its bundle."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rethink.bundle import contents
from rethink.bundle.archive import write_zip
from rethink.bundle.checklists import acm_artifact, ml_reproducibility
from rethink.bundle.codecheck import codecheck
from rethink.bundle.crate import CHECKSUMS, METADATA, README, crate
from rethink.bundle.facts import Facts
from rethink.bundle.jobs import read_jobs
from rethink.bundle.readme import readme
from rethink.files import sha256_file, sha256_text
from rethink.grid import Grid

PAPERS: dict[str, Callable[[Facts], str]] = {
    README: readme,
    "codecheck.yml": codecheck,
    "checklists/ml_reproducibility.md": ml_reproducibility,
    "checklists/acm_artifact.md": acm_artifact,
}


def bundle(grid: Grid, results: Path, checkout: Path, out: Path) -> int:
    """Write the bundle of a preset's finished run to the zip file `out`; return its files' number.

    `results` is the folder of its results, `checkout` that of the workflow. Raises RethinkError
    for a result that is not there and for a record that is not readable.
    """
    files = contents.results(grid, results) | contents.copies(checkout)
    texts = configuration(grid) | papers(grid, files)
    texts |= closing(grid, files, texts)
    write_zip({**files, **texts}, out)
    return len(files) + len(texts)


def configuration(grid: Grid) -> dict[str, bytes]:
    """Return the preset as it was resolved, and everything that follows from it."""
    return {
        contents.PRESET: contents.preset_yaml(grid.preset).encode(),
        contents.SPECIFICATIONS: _json(contents.specifications(grid)),
    }


def papers(grid: Grid, files: Mapping[str, Path]) -> dict[str, bytes]:
    """Return what is written about the run whose results are among `files`, for people."""
    facts = facts_of(grid, files)
    return {name: write(facts).encode() for name, write in PAPERS.items()}


def closing(grid: Grid, files: Mapping[str, Path], texts: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the crate of all that, and the checksums of everything."""
    metadata = _json(crate(facts_of(grid, files), texts))
    digests = {name: sha256_file(path) for name, path in files.items()}
    for name, text in {**texts, METADATA: metadata}.items():
        digests[name] = sha256_text(text.decode())
    sums = "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
    return {METADATA: metadata, CHECKSUMS: sums.encode()}


def facts_of(grid: Grid, files: Mapping[str, Path]) -> Facts:
    """Return a run's facts from its results among `files`."""
    preset = grid.preset
    jobs = read_jobs(files, preset.preset)
    return Facts(preset.title, preset.preset, preset.reduced, jobs, dict(sorted(files.items())))


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
