"""Compare what every result says of itself with the present preset, code and files.

Snakemake keeps what it knows in ``.snakemake/``; a result carries the same digests in its own
``run.json``, so that this works on results that were copied, unpacked or touched.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rethink.files import canonical_json, sha256_file, sha256_text
from rethink.grid import Cell, Experiment, Grid
from rethink.stages import experiment_code, fetch_code, figure_code, script_code, train_code
from rethink.states import read_quietly


@dataclass(frozen=True)
class Finding:
    """What was found about one result.

    `state` is ``good``, ``missing``, ``stale`` (made from another specification, code or data),
    ``damaged`` (not the bytes that its record names) or ``foreign`` (not of this preset).
    """

    kind: str
    name: str
    state: str
    reason: str = ""


def verify(grid: Grid, results: Path) -> list[Finding]:
    """Return a finding for everything that the preset makes in `results`, foreign results last."""
    findings = [
        *(_dataset(grid, results, name) for name in grid.datasets),
        *(_corruption(grid, results, *pair) for pair in grid.corruptions),
        *(cell_finding(cell, results) for cell in grid.cells.values()),
        *(_experiment(entry, results) for entry in grid.experiments.values()),
        *_derived(grid, results),
    ]
    return [*findings, *_foreign(grid, results)]


def _dataset(grid: Grid, results: Path, name: str) -> Finding:
    folder = results / "data" / name
    state, reason = _compare(folder / "run.json", grid.datasets[name], fetch_code(grid, name))
    return Finding("data", name, *(_arrays(folder) if state == "good" else (state, reason)))


def _corruption(grid: Grid, results: Path, dataset: str, corruption: str) -> Finding:
    folder = results / "corrupted" / dataset / corruption
    spec = grid.corruptions[dataset, corruption]
    state, reason = _compare(folder / "run.json", spec, script_code("corrupt"))
    if state == "good":
        state, reason = _arrays(folder)
    return Finding("corruption", f"{dataset}/{corruption}", state, reason)


def cell_finding(cell: Cell, results: Path) -> Finding:
    """Return the finding for one cell."""
    record = results / "cells" / cell.name / "run.json"
    return Finding("cell", cell.name, *_compare(record, cell.spec, train_code(cell.model)))


def _experiment(experiment: Experiment, results: Path) -> Finding:
    record = results / "theory" / experiment.name / "run.json"
    found = _compare(record, experiment.spec, experiment_code(experiment))
    return Finding("theory", experiment.name, *found)


def _derived(grid: Grid, results: Path) -> Iterator[Finding]:
    """Yield the findings for tables, figures and reports."""
    for study in grid.tabulated():
        record = results / "tables" / study / "run.json"
        yield Finding("table", study, *_compare(record, "", script_code("aggregate")))
    record = results / "tables" / "claims.csv.run.json"
    yield Finding("table", "claims", *_compare(record, grid.claims_spec(), script_code("claims")))
    for study in grid.studies.values():
        for figure in study.figures:
            record = results / "figures" / study.name / f"{figure}.svg.run.json"
            spec = canonical_json(study.summary())
            found = _compare(record, spec, figure_code(figure))
            yield Finding("figure", f"{study.name}/{figure}", *found)
    for dataset in grid.sampled:
        record = results / "figures" / "samples" / f"{dataset}.svg.run.json"
        yield Finding("figure", f"samples/{dataset}", *_compare(record, "", script_code("samples")))
    for name, spec, script in (
        ("report.html", grid.report_spec(), "report"),
        ("report.pdf", "", "pdf"),
    ):
        record = results / f"{name}.run.json"
        if name == "report.html" or record.is_file():
            yield Finding("report", name, *_compare(record, spec, script_code(script)))


def _compare(path: Path, spec: str, code: str) -> tuple[str, str]:
    """Compare a record with the present specification and code, its files and its inputs."""
    if not path.is_file():
        return "missing", "not run"
    record = read_quietly(path)
    if record is None or "digests" not in record:
        return "damaged", f"its {path.name} is not readable"
    digests = record["digests"]
    for name, digest in digests["outputs"].items():
        if not (path.parent / name).is_file():
            return "damaged", f"{name} is missing"
        if sha256_file(path.parent / name) != digest:
            return "damaged", f"{name} is not what its record says"
    if digests["spec"] != sha256_text(spec):
        return "stale", f"specification changed: {_difference(record.get('spec', ''), spec)}"
    if digests["code"] != code:
        return "stale", "code changed"
    for name, digest in digests["inputs"].items():
        if not Path(name).is_file():
            return "stale", f"its input {name} is not there"
        if sha256_file(name) != digest:
            return "stale", f"its input {name} changed"
    return "good", ""


def _arrays(folder: Path) -> tuple[str, str]:
    """Compare the arrays of a manifest with their sha256."""
    for entry in read_quietly(folder / "manifest.json")["arrays"].values():
        path = folder / entry["file"]
        if not path.is_file():
            return "damaged", f"{entry['file']} is missing"
        if sha256_file(path) != entry["sha256"]:
            return "damaged", f"{entry['file']} is not what manifest.json says"
    return "good", ""


def _difference(before: str, now: str) -> str:
    """Return which values of a specification changed, e.g. ``train.epochs 40 -> 60``."""
    try:
        old, new = _flat(json.loads(before)), _flat(json.loads(now))
    except ValueError:
        return "its record does not say from what"
    changed = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
    return ", ".join(f"{key} {old.get(key)} -> {new.get(key)}" for key in changed)


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {prefix: value}
    flat: dict[str, Any] = {}
    for key, entry in value.items():
        flat.update(_flat(entry, f"{prefix}.{key}" if prefix else key))
    return flat


def _foreign(grid: Grid, results: Path) -> Iterator[Finding]:
    """Yield the results that no study of the preset asks for."""
    known = {
        "data": set(grid.datasets),
        "corrupted": {"/".join(pair) for pair in grid.corruptions},
        "cells": set(grid.cells),
        "theory": set(grid.experiments),
    }
    kinds = {"data": "data", "corrupted": "corruption", "cells": "cell", "theory": "theory"}
    for part, names in known.items():
        for path in sorted((results / part).rglob("run.json")):
            name = path.parent.relative_to(results / part).as_posix()
            if name not in names:
                yield Finding(kinds[part], name, "foreign", "no study of the preset asks for it")
