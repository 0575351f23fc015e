"""Compare what every result says of itself with the present preset, code and files.

Snakemake keeps what it knows in ``.snakemake/``; a result carries the same digests in its own
``run.json``, so that this works on results that were copied, unpacked or touched.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rethink.files import sha256_file, sha256_text
from rethink.grid import Cell, Grid
from rethink.stages import fetch_code, script_code, train_code
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
    """Return a finding for every dataset, corruption and cell in `results`, foreign ones last."""
    findings = [
        *(_dataset(grid, results, name) for name in grid.datasets),
        *(_corruption(grid, results, *pair) for pair in grid.corruptions),
        *(cell_finding(cell, results) for cell in grid.cells.values()),
    ]
    return [*findings, *_foreign(grid, results)]


def _dataset(grid: Grid, results: Path, name: str) -> Finding:
    folder = results / "data" / name
    state, reason = _compare(folder, grid.datasets[name], fetch_code(grid, name))
    return Finding("data", name, *(_arrays(folder) if state == "good" else (state, reason)))


def _corruption(grid: Grid, results: Path, dataset: str, corruption: str) -> Finding:
    folder = results / "corrupted" / dataset / corruption
    spec = grid.corruptions[dataset, corruption]
    state, reason = _compare(folder, spec, script_code("corrupt"))
    if state == "good":
        state, reason = _inputs(
            folder, {"manifest.json": results / "data" / dataset / "manifest.json"}
        )
    if state == "good":
        state, reason = _arrays(folder)
    return Finding("corruption", f"{dataset}/{corruption}", state, reason)


def cell_finding(cell: Cell, results: Path) -> Finding:
    """Return the finding for one cell."""
    folder = results / "cells" / cell.name
    state, reason = _compare(folder, cell.spec, train_code(cell.model))
    if state == "good":
        state, reason = _inputs(folder, {"manifest.json": manifest_path(cell, results)})
    return Finding("cell", cell.name, state, reason)


def manifest_path(cell: Cell, results: Path) -> Path:
    """Return the manifest of the data that a cell is trained on."""
    if cell.corruption == "none":
        return results / "data" / cell.dataset / "manifest.json"
    return results / "corrupted" / cell.dataset / cell.corruption / "manifest.json"


def _compare(folder: Path, spec: str, code: str) -> tuple[str, str]:
    """Compare the record in `folder` with the present specification and code, and its files."""
    path = folder / "run.json"
    if not path.is_file():
        return "missing", "not run"
    record = read_quietly(path)
    if record is None or "digests" not in record:
        return "damaged", "its run.json is not readable"
    digests = record["digests"]
    for name, digest in digests["outputs"].items():
        if not (folder / name).is_file():
            return "damaged", f"{name} is missing"
        if sha256_file(folder / name) != digest:
            return "damaged", f"{name} is not what its record says"
    if digests["spec"] != sha256_text(spec):
        return "stale", f"specification changed: {_difference(record.get('spec', ''), spec)}"
    if digests["code"] != code:
        return "stale", "code changed"
    return "good", ""


def _inputs(folder: Path, present: dict[str, Path]) -> tuple[str, str]:
    """Compare the inputs that a record names with the files that stand in their place now."""
    recorded = read_quietly(folder / "run.json")["digests"]["inputs"]
    for path, digest in recorded.items():
        current = present.get(Path(path).name)
        if current is None:
            continue
        if not current.is_file():
            return "stale", f"its data are not there ({current})"
        if sha256_file(current) != digest:
            return "stale", f"data changed ({current})"
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
    }
    kinds = {"data": "data", "corrupted": "corruption", "cells": "cell"}
    for part, names in known.items():
        for path in sorted((results / part).rglob("run.json")):
            name = path.parent.relative_to(results / part).as_posix()
            if name not in names:
                yield Finding(kinds[part], name, "foreign", "no study of the preset asks for it")
