"""Measure a whole grid: the wall time of all its cells against their steps at the machine's peak.

Runs the target `cells` of a preset in a copy of the project, with nothing done before. The peaks
are measured before and after it, on one core (or GPU); what a job does beside its steps, and what
is between the jobs, is told from their records.
"""

import argparse
import importlib
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch
from standard_limits import Limits, limits
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests" / "workflow")]

from project import Project

from rethink.config import load as load_preset
from rethink.datasets.store import open_dataset
from rethink.grid import expand
from rethink.training import numerics

PRODUCTS = ("mlp", "convex_mlp")  # Modules whose arithmetic is matrix products alone.


def main() -> None:
    """Run the grid and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="digits")
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    arguments = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    numerics.configure("fp32", 1)
    before = limits(device)
    with tempfile.TemporaryDirectory() as folder:
        preset = ROOT / "config" / f"{arguments.preset}.yaml"
        project = Project.create(Path(folder) / "project", preset)
        command = [sys.executable, "-m", "snakemake", "--cores", str(arguments.cores)]
        if torch.cuda.device_count():  # Without, a cell for each core.
            command += ["--resources", f"gpu={torch.cuda.device_count()}"]
        command += ["--config", f"preset={arguments.preset}", "--"]
        prepared = project.command([*command, "corruptions"], timeout=3600)
        start = time.perf_counter()
        done = project.command([*command, "cells"], timeout=10**6)
        wall = time.perf_counter() - start
        if prepared.returncode or done.returncode:
            raise SystemExit(prepared.stdout + done.stdout)
        results = project.folder / "results" / arguments.preset
        found = jobs(arguments.preset, results, best(before, limits(device)))
    show(found, wall, arguments.cores)


def best(*found: Limits) -> Limits:
    """Return the best of several measurements of one machine."""
    return Limits(*map(max, zip(*found, strict=True)))


def jobs(preset: str, results: Path, peaks: Limits) -> list[dict[str, float]]:
    """Return for every cell the seconds of its steps at the peak, of its training, of its job."""
    cells = expand(load_preset({"preset": preset}, ROOT / "config"), preset).cells
    found = []
    for name, cell in cells.items():
        record = json.loads((results / "cells" / name / "run.json").read_text())
        summary = json.loads((results / "cells" / name / "summary.json").read_text())
        spec = json.loads(cell.spec)
        epochs = sum(entry["epochs_run"] for entry in summary["replicates"])
        data = open_dataset(results / "data" / spec["dataset"] / "manifest.json")
        flops = (
            flops_per_image(spec, data.image_shape[-1], data.classes)
            * summary["train_examples"]
            * epochs
        )
        peak = peaks.product if spec["model"]["module"] in PRODUCTS else peaks.convolution
        found.append(
            {
                "at the peak": flops / peak,
                "training": record["train_seconds"],
                "jobs": record["seconds"],
            }
        )
    return found


def flops_per_image(spec: dict, channels: int, classes: int) -> float:
    """Return the arithmetic of a step per image: forward, backward, no gradient by the input."""
    crop = spec["input"]["crop"]
    build = importlib.import_module("rethink.models." + spec["model"]["module"]).build
    network = build(
        (channels, crop, crop), classes, 0.0, replicates=1, **spec["model"]["arguments"]
    )
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 2, crop, crop, channels)).sum().backward()
    return counter.get_total_flops() / 2


def show(found: list[dict[str, float]], wall: float, cores: int) -> None:
    """Print what the cores' time went into."""
    total = wall * cores
    print(f"{len(found)} cells in {wall:.0f} s on {cores} cores, {total:.0f} core-seconds:\n")
    print("| | core-seconds | share |")
    print("|---|---|---|")
    for name in found[0]:
        seconds = sum(job[name] for job in found)
        print(f"| {name} | {seconds:.1f} | {seconds / total:.2f} |")
    shares = [job["at the peak"] / job["training"] for job in found]
    print(f"\nA cell's steps at the peak take {statistics.median(shares):.2f} of its training.")


if __name__ == "__main__":
    main()
