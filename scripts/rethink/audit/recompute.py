"""Everything that follows from the learning curves, computed again beside the bundle's."""

import importlib
import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rethink.analysis.collect import aggregate
from rethink.analysis.sources import read_sources
from rethink.analysis.tables import write_table
from rethink.bundle.contents import TABLES
from rethink.claims.verdicts import write_verdicts
from rethink.errors import RethinkError
from rethink.figures import style
from rethink.files import read_json
from rethink.grid import Cell, Grid, Study
from rethink.training.metrics import CONVEXITY, MEASURES, POSITION, TOP5, History, summarize

SCRIPTS = Path(__file__).resolve().parents[2]
RAW = ("cells/", "theory/", "data/", "corrupted/", "figures/samples/")
DERIVED = ("tables/", "figures/")


def stage(grid: Grid, files: Mapping[str, Path], checkout: Path, work: Path) -> Path:
    """Lay out in `work` what is to be computed from; return the folder of results in it.

    It looks like a checkout in which nothing but cells, experiments and samples was made, since
    the report names its files as they are called there. The records of tables and figures are
    there too: the report tells from them what was made when and by what.
    """
    results = work / "results" / grid.preset.preset
    for name, path in files.items():
        if name.startswith(RAW) or name.startswith(DERIVED) and name.endswith("run.json"):
            (results / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, results / name)
    (work / "report").symlink_to(checkout / "report")
    return results


def cell_summary(cell: Cell, folder: Path) -> dict[str, Any]:
    """Return the summary of a cell as it follows from its ``curves.csv``.

    What the curves do not tell (sizes, norms, and why a replicate ended) is taken from the summary that
    is there. Raises RethinkError for files that are not readable as such.
    """
    said = _read(folder / "summary.json", read_json)
    settings = json.loads(cell.spec)["train"]
    rows = _read(folder / "curves.csv", _curves)
    try:
        replicates = [_replicate(entry, rows, settings) for entry in said["replicates"]]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise RethinkError(f"does not fit its curves.csv: {error!r}") from None
    criterion = f"train_accuracy >= {settings['fit_accuracy']}"
    return {**said, "name": cell.name, "fit_criterion": criterion, "replicates": replicates}


def _replicate(
    said: dict[str, Any], rows: list[dict[str, Any]], settings: dict[str, Any]
) -> dict[str, Any]:
    """Return one replicate's summary, from its rows of the curves."""
    ended = "diverged" if said["status"] == "diverged" else "early" * said["stopped_early"]
    measures = {name: said[name] for name in MEASURES if said[name] is not None}
    history = History(
        said["replicate"], epochs_run=said["epochs_run"], ended=ended, measures=measures
    )
    history.rows = [row for row in rows if row["replicate"] == said["replicate"]]
    if not ended:
        history.epochs_run = history.rows[-1]["epoch"]
    return summarize(history, settings)


def _curves(path: Path) -> list[dict[str, Any]]:
    """Return the rows of ``curves.csv`` as the engine had them: an empty field is None."""
    lines = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()]
    header = lines[0]
    rows = [dict(zip(header, map(_number, line), strict=True)) for line in lines[1:]]
    for row in rows:
        # A run that was not asked for them has no such columns.
        for name in (*TOP5, CONVEXITY):
            if row.get(name, 0) is None:
                del row[name]
    if not set(POSITION) <= set(header) or not rows:
        raise ValueError(f"it should have rows with the columns {', '.join(POSITION)}")
    return rows


def _number(text: str) -> float | int | None:
    if not text:
        return None
    number = float(text)
    if not math.isfinite(number):
        return None
    return int(text) if text.lstrip("-").isdecimal() else number


def _read(path: Path, reader: Any) -> Any:
    try:
        return reader(path)
    except (OSError, ValueError, IndexError) as error:
        raise RethinkError(f"{path.name} is not readable: {error}") from None


def tables(grid: Grid, results: Path) -> Iterator[str]:
    """Write the tables of every study; yield their names as they are made."""
    for study in grid.tabulated():
        cells = grid.studies[study].cells if study in grid.studies else tuple(grid.cells)
        datasets = [grid.studies[study].dataset] if study in grid.studies else grid.sampled
        summaries = [results / "cells" / cell / "summary.json" for cell in cells]
        manifests = [results / "data" / dataset / "manifest.json" for dataset in datasets]
        aggregate(summaries, manifests, results / "tables" / study)
        yield from (f"tables/{study}/{table}.csv" for table in TABLES)


def verdicts(grid: Grid, results: Path, claims: list[Path]) -> str:
    """Write the verdicts on the claims of these files; return their own file's name."""
    theory = [results / "theory" / name / "result.json" for name in grid.experiments]
    name = "tables/claims.csv"
    preset = json.loads(grid.claims_spec())
    write_verdicts(results / "tables" / "all", theory, claims, preset, results / name)
    return name


def drawings(grid: Grid, results: Path, paper: Path) -> Iterator[str]:
    """Draw every figure but the samples; yield ``figures/STUDY/FIGURE`` as they are made."""
    style.use()
    for study in grid.studies.values():
        for figure in study.figures:
            module = importlib.import_module(f"rethink.figures.{figure}")
            drawn, values = module.draw(study.summary(), _sources(study, results), paper)
            name = f"figures/{study.name}/{figure}"
            write_table(values, results / f"{name}.csv")
            style.save(drawn, results / f"{name}.svg")
            yield name


def _sources(study: Study, results: Path) -> Any:
    if study.cells:
        folder = results / "tables" / study.name
        return read_sources([folder / f"{table}.csv" for table in TABLES])
    return read_sources([results / "theory" / n / "result.json" for n in study.experiments])


def report(grid: Grid, work: Path, code: str) -> None:
    """Render the report in the folder that `stage` laid out; `code` is the digest that it names."""
    results = f"results/{grid.preset.preset}"
    arguments = ["--preset", grid.report_spec(), "--code", code, "--results", results]
    arguments += ["--template-dir", "report", "--paper", "report/paper"]
    _script(work, "report", *arguments, "--out", f"{results}/report.html")


def printed(grid: Grid, work: Path) -> None:
    """Print the report there, with the tables attached."""
    results = f"results/{grid.preset.preset}"
    attached = [f"{results}/tables/all/{table}.csv" for table in TABLES]
    arguments = ["--html", f"{results}/report.html", "--code", "audit"]
    attached.append(f"{results}/tables/claims.csv")
    _script(work, "pdf", *arguments, "--out", f"{results}/report.pdf", "--attach", *attached)


def _script(work: Path, name: str, *arguments: str) -> None:
    """Run one of the workflow's command lines in the folder `work`."""
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / f"{name}.py"), *arguments],
        cwd=work,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RethinkError(done.stderr.strip().splitlines()[-1] if done.stderr else name)
