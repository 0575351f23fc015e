"""From the folders of finished cells to tidy tables."""

import json
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from rethink import corruption_names
from rethink.analysis.statistics import spread
from rethink.analysis.tables import (
    BEST_TOP5,
    CELL,
    COLUMNS,
    CONVEXITY,
    EPOCH,
    MEASURES,
    NUMBER,
    OPTIONAL,
    STATUSES,
    SUMMARIZED,
    TEXT,
    TOP5,
    VALUES,
    WHOLE,
    read_table,
    typed,
    write_table,
)
from rethink.errors import RethinkError
from rethink.files import read_json
from rethink.provenance import read_record


def aggregate(
    summaries: Iterable[str | os.PathLike],
    manifests: Iterable[str | os.PathLike],
    out: str | os.PathLike,
) -> None:
    """Write curves.csv, summary.csv, cells.csv and runs.csv into the folder `out`.

    Parameters
    ----------
    summaries : the ``summary.json`` of every cell; curves.csv and run.json lie beside each.
    manifests : the ``manifest.json`` of clean datasets; they tell the numbers of classes and test images.

    Raises RethinkError that names the file and the key of anything malformed, and for two
    folders that hold the same cell.
    """
    parts: dict[str, list[Any]] = {"curves": [], "summary": [], "cells": [], "runs": []}
    datasets = dict(_dataset(Path(path)) for path in manifests)
    seen: dict[str, Path] = {}
    for path in map(Path, summaries):
        cell = read_cell(path)
        if cell["name"] in seen:
            raise RethinkError(f"{path}: cell '{cell['name']}' is also in {seen[cell['name']]}")
        seen[cell["name"]] = path
        parts["curves"].append(cell["curves"])
        parts["summary"].extend(cell["summary"])
        parts["cells"].append(_over_replicates(cell, datasets))
        parts["runs"].append(cell["run"])
    curves = [frame for frame in parts["curves"] if len(frame)]
    frames = {
        "curves": pd.concat(curves) if curves else pd.DataFrame(columns=list(COLUMNS["curves"])),
        **{name: pd.DataFrame(parts[name]) for name in ("summary", "cells", "runs")},
    }
    for name, frame in frames.items():
        columns = COLUMNS[name] | _present(frame, OPTIONAL[name])
        frame = frame.reindex(columns=list(columns))
        for column, kind in columns.items():
            if kind == WHOLE:
                frame[column] = frame[column].astype("Int64")
        write_table(_sorted(frame), Path(out) / f"{name}.csv")


def _present(frame: pd.DataFrame, optional: dict[str, str]) -> dict[str, str]:
    """Return the `optional` columns that belong together if some cell has a value in one of them.

    A count alone is none.
    """
    kept: dict[str, str] = {}
    for convexity in (False, True):
        group = {c: kind for c, kind in optional.items() if c.startswith(CONVEXITY) == convexity}
        there = [c for c in group if c in frame.columns and not c.endswith("_n")]
        if there and frame[there].notna().to_numpy().any():
            kept |= group
    return kept


def _dataset(path: Path) -> tuple[str, dict[str, int]]:
    """Return a dataset's name, and its facts that belong beside a cell's numbers."""
    manifest = _read(path, read_json)
    facts = {"classes": "classes", "test_examples": "test"}
    name = _get(manifest, path, "dataset", str)
    return name, {column: _get(manifest, path, key, int) for column, key in facts.items()}


def _sorted(frame: pd.DataFrame) -> pd.DataFrame:
    keys = [key for key in (*CELL, "replicate", "epoch") if key in frame.columns]
    return frame.sort_values(keys, kind="stable", na_position="first", ignore_index=True)


def read_cell(path: Path) -> dict[str, Any]:
    """Return the content of a cell's folder, given its summary.json, as rows of the tables."""
    summary = _read(path, read_json)
    record = _read(path.with_name("run.json"), read_record)
    name = _get(summary, path, "name", str)
    spec = _specification(record, path.with_name("run.json"))
    key = _identity(name, path)
    if spec.get("name") != name:
        raise RethinkError(
            f"{path.with_name('run.json')}: key 'spec' belongs to cell '{spec.get('name')}', "
            f"but summary.json beside it to '{name}'"
        )
    facts = {
        **key,
        "parameters": _get(summary, path, "parameters", int),
        "train_examples": _get(summary, path, "train_examples", int),
        "validation_examples": _get(summary, path, "validation_examples", int),
        "steps_per_epoch": _get(summary, path, "steps_per_epoch", int),
        "fit_criterion": _get(summary, path, "fit_criterion", str),
    }
    replicates = _get(summary, path, "replicates", list)
    if not replicates:
        raise RethinkError(f"{path}: key 'replicates' is empty; a cell has at least one")
    curves = read_table(
        path.with_name("curves.csv"), {**EPOCH, **dict.fromkeys(VALUES, NUMBER)}, OPTIONAL["curves"]
    ).assign(**key)
    return {
        "name": name,
        "curves": curves,
        "summary": [{**facts, **_replicate(entry, path)} for entry in replicates],
        "run": {**key, **_run(record, spec, path.with_name("run.json"))},
    }


def _read(path: Path, reader: Any) -> dict[str, Any]:
    try:
        content = reader(path)
    except FileNotFoundError:
        raise RethinkError(f"{path}: the file is not there; the cell is not complete") from None
    except ValueError as error:
        raise RethinkError(f"{path}: not readable: {error}") from None
    if not isinstance(content, dict):
        raise RethinkError(f"{path}: should be a JSON object")
    return content


def _get(content: dict[str, Any], path: Path, key: str, kind: type) -> Any:
    if key not in content:
        raise RethinkError(f"{path}: key '{key}' is missing")
    value = content[key]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise RethinkError(f"{path}: key '{key}' should be of type {kind.__name__}, not {value!r}")
    return value


def _identity(name: str, path: Path) -> dict[str, Any]:
    parts = name.split("/")
    if len(parts) != 4:
        raise RethinkError(
            f"{path}: key 'name' should be dataset/model/corruption/regularizer, not '{name}'"
        )
    dataset, model, corruption, regularizer = parts
    try:
        kind, level, _ = corruption_names.parse(corruption)
    except ValueError as error:
        raise RethinkError(f"{path}: key 'name': {error}") from None
    # Clean data are level 0 of every corruption that has levels.
    level = 0.0 if kind == "none" else math.nan if level is None else level
    return {
        "dataset": dataset,
        "model": model,
        "corruption": corruption,
        "corruption_kind": kind,
        "level": level,
        "regularizer": regularizer,
    }


def _replicate(entry: Any, path: Path) -> dict[str, Any]:
    """Return one replicate's row; a value that is no finite number becomes an empty field."""
    if not isinstance(entry, dict):
        raise RethinkError(f"{path}: key 'replicates' should hold objects, not {entry!r}")
    status = _get(entry, path, "status", str)
    if status not in STATUSES:
        raise RethinkError(
            f"{path}: key 'status' should be one of {', '.join(STATUSES)}, not '{status}'"
        )
    row: dict[str, Any] = {
        "replicate": _get(entry, path, "replicate", int),
        "status": status,
        "stopped_early": "yes" if _get(entry, path, "stopped_early", bool) else "no",
        "epochs_run": _get(entry, path, "epochs_run", int),
    }
    optional = ("kept_epoch", "time_to_fit_epochs", "time_to_fit_steps", *VALUES)
    for key in (*optional, "best_test_accuracy", "best_test_epoch"):
        if key not in entry:
            raise RethinkError(f"{path}: key '{key}' is missing in a replicate")
        row[key] = _finite(entry[key], path, key)
    for key in (*TOP5, BEST_TOP5, CONVEXITY, *MEASURES):
        row[key] = _finite(entry.get(key), path, key)
    if status == "fitted" and row["time_to_fit_epochs"] is None:
        raise RethinkError(
            f"{path}: key 'time_to_fit_epochs' should be a number where status is fitted"
        )
    return row


def _finite(value: Any, path: Path, key: str) -> Any:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RethinkError(f"{path}: key '{key}' should be a number or null, not {value!r}")
    return value if math.isfinite(value) else None


def _specification(record: dict[str, Any], path: Path) -> dict[str, Any]:
    try:
        spec = json.loads(_get(record, path, "spec", str))
    except ValueError:
        raise RethinkError(f"{path}: key 'spec' is not JSON") from None
    if not isinstance(spec, dict):
        raise RethinkError(f"{path}: key 'spec' should be a JSON object")
    return spec


def _run(record: dict[str, Any], spec: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return one row of runs.csv from a cell's record."""
    device = _get(record, path, "device", dict)
    machine = _get(record, path, "machine", dict)
    git = _get(record, path, "git", dict)
    digests = _get(record, path, "digests", dict)
    software = _get(record, path, "software", dict)
    dirty = git.get("dirty")
    return {
        "seed": spec.get("seed"),
        **{key: _get(record, path, key, str) for key in ("started", "finished", "command")},
        **{
            key: record.get(key)
            for key in (
                "seconds",
                "train_seconds",
                "epoch_seconds",
                "images_per_second",
                "cpu_seconds",
                "peak_memory_mb",
                "attempts",
                "numerics",
                "threads",
            )
        },
        "device_type": _get(device, path, "type", str),
        "device_name": device.get("name") or machine.get("processor"),
        **{key: machine.get(key) for key in ("host", "processor", "cores", "memory_mb", "system")},
        "commit": git.get("commit"),
        "dirty": "" if dirty is None else "yes" if dirty else "no",
        "software": "; ".join(f"{name} {version}" for name, version in sorted(software.items())),
        "spec_sha256": digests.get("spec"),
        "code_sha256": digests.get("code"),
        "data_sha256": " ".join(sorted((digests.get("inputs") or {}).values())),
    }


def theory_runs(paths: Iterable[Path]) -> pd.DataFrame:
    """Return rows as of runs.csv for the results of theory, given their ``run.json`` files.

    The column `cell` holds ``theory/NAME``; all their time counts as the time of the work itself.
    Raises RethinkError that names the file and the key of anything malformed.
    """
    rows = []
    for path in paths:
        record = _read(path, read_record)
        record = {"device": {"type": "cpu"}, **record, "train_seconds": record.get("seconds")}
        row = _run(record, _specification(record, path), path)
        rows.append({"cell": f"theory/{path.parent.name}", **row})
    frame = pd.DataFrame(rows).reindex(columns=["cell", *COLUMNS["runs"]])
    return typed(frame.astype("string").fillna(""), {"cell": TEXT, **COLUMNS["runs"]}, "run.json")


def _over_replicates(cell: dict[str, Any], datasets: dict[str, dict[str, int]]) -> dict[str, Any]:
    """Return one row of cells.csv: statistics over the replicates that have a value."""
    rows, run = cell["summary"], cell["run"]
    status = [row["status"] for row in rows]
    result = {key: rows[0][key] for key in (*CELL, "parameters", "fit_criterion")}
    result |= {
        **datasets.get(rows[0]["dataset"], {}),
        "n": len(rows),
        "n_fitted": status.count("fitted"),
        "n_diverged": status.count("diverged"),
        "epochs_run": max(row["epochs_run"] for row in rows),
        "train_seconds": run["train_seconds"],
        "device": run["device_name"] if run["device_type"] != "cpu" else "CPU",
    }
    for value in (*SUMMARIZED, *TOP5, BEST_TOP5, CONVEXITY):
        numbers = [math.nan if row[value] is None else row[value] for row in rows]
        result |= {f"{value}_{k}": v for k, v in spread(numbers)._asdict().items()}
    return result
