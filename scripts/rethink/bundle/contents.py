"""Which files belong into a bundle: a run's results, and what of the checkout they rest on."""

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from rethink.config import Preset
from rethink.errors import RethinkError
from rethink.files import sha256_file
from rethink.grid import Grid
from rethink.states import read_quietly

REPORT, PDF = "report.html", "report.pdf"
TABLES = ("curves", "summary", "cells", "runs")
CELL = ("curves.csv", "summary.json", "run.json")
MANIFEST = ("manifest.json", "run.json")
PRESET, SPECIFICATIONS = "config/preset.yaml", "config/specifications.json"
# Where the datasets lie is no part of what they are, and another machine has them elsewhere.
PLACES = ("mirror", "folder")
# What is taken from the checkout as it is.
COPIES = (
    "CITATION.cff",
    "LICENSE",
    "Snakefile",
    "workflow/rules/*.smk",
    "envs/*.in",
    "envs/*.txt",
    "envs/environment.yaml",
    "report/claims.csv",
    "report/deviations.csv",
    "report/paper/*",
)


def results(grid: Grid, folder: Path) -> dict[str, Path]:
    """Return the results of a finished run that belong into its bundle, by their names in it.

    `folder` is the preset's under ``results/``. The arrays of images stay out; their manifests
    tell the sha256 of each. Raises RethinkError for a result that is not there.
    """
    found = {}
    for name in result_names(grid, folder):
        path = folder / name
        if not path.is_file():
            raise RethinkError(
                f"{path} is not there: a bundle is made of a finished run; "
                f"`make report PRESET={grid.preset.preset}` finishes it"
            )
        found[name] = path
    return found


def result_names(grid: Grid, folder: Path) -> Iterator[str]:
    """Yield the names of the results that a bundle has.

    The PDF is among them if `folder` has one that was printed from the report beside it: where
    Pango is missing an older one may lie there.
    """
    yield from (REPORT, f"{REPORT}.run.json")
    if (folder / PDF).is_file() and _printed_from_report(folder):
        yield from (PDF, f"{PDF}.run.json")
    for study in grid.tabulated():
        yield from (f"tables/{study}/{table}.csv" for table in TABLES)
        yield f"tables/{study}/run.json"
    yield from ("tables/claims.csv", "tables/claims.csv.run.json")
    for figure in figures(grid):
        yield from (f"figures/{figure}{end}" for end in (".svg", ".csv", ".svg.run.json"))
    for cell in grid.cells:
        yield from (f"cells/{cell}/{name}" for name in CELL)
    for experiment in grid.experiments:
        record = f"theory/{experiment}/run.json"
        yield record
        made = (read_quietly(folder / record) or {}).get("digests", {}).get("outputs", {})
        yield from (f"theory/{experiment}/{name}" for name in made)
    for dataset in grid.datasets:
        yield from (f"data/{dataset}/{name}" for name in MANIFEST)
    for dataset, corruption in grid.corruptions:
        yield from (f"corrupted/{dataset}/{corruption}/{name}" for name in MANIFEST)


def _printed_from_report(folder: Path) -> bool:
    record = read_quietly(folder / f"{PDF}.run.json") or {}
    inputs = record.get("digests", {}).get("inputs", {})
    digests = [digest for path, digest in inputs.items() if PurePosixPath(path).name == REPORT]
    return (folder / REPORT).is_file() and digests == [sha256_file(folder / REPORT)]


def figures(grid: Grid) -> list[str]:
    """Return every figure of the report as ``study/figure``, the samples last."""
    drawn = [
        f"{study.name}/{figure}" for study in grid.studies.values() for figure in study.figures
    ]
    return [*drawn, *(f"samples/{dataset}" for dataset in grid.sampled)]


def copies(checkout: Path) -> dict[str, Path]:
    """Return the files of the checkout that belong into a bundle, by their names."""
    found = {
        path.relative_to(checkout).as_posix(): path
        for pattern in COPIES
        for path in sorted(checkout.glob(pattern))
    }
    for name in ("LICENSE", "CITATION.cff"):
        if name not in found:
            raise RethinkError(f"{checkout / name} is not there; a bundle carries it")
    return found


def is_copy(name: str) -> bool:
    """Return whether a file of a bundle was copied from the checkout, by its name."""
    return any(PurePosixPath(name).match(pattern) for pattern in COPIES)


def preset_values(preset: Preset) -> dict[str, Any]:
    """Return a preset, with what the command line laid over it, as values to load again.

    Where archives of known datasets lie is left out; of an image folder that is all there is.
    """
    values = preset.model_dump(mode="json", exclude_unset=True)
    for settings in values.get("datasets", {}).values():
        if settings["kind"] != "imagefolder":
            for key in PLACES:
                settings.pop(key, None)
    return values


def preset_yaml(preset: Preset) -> str:
    """Return the same as the text of a preset's file."""
    return yaml.safe_dump(preset_values(preset), sort_keys=False, allow_unicode=True, width=100)


def specifications(grid: Grid) -> dict[str, Any]:
    """Return every specification of a preset, as its jobs were given them, by kind and name."""
    return {
        "cell": {name: json.loads(cell.spec) for name, cell in grid.cells.items()},
        "theory": {name: json.loads(entry.spec) for name, entry in grid.experiments.items()},
        "data": {name: json.loads(spec) for name, spec in grid.datasets.items()},
        "corruption": {"/".join(p): json.loads(spec) for p, spec in grid.corruptions.items()},
    }
