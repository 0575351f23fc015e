"""How planning grows with the number of cells: time and memory of a plan and of a run that has
nothing to do, beside the plan of a bare Snakefile of the same shape: what Snakemake itself takes.

Each figure is the least of several calls, for other work on the machine only adds. Results are
made up as empty files, with Snakemake's memory of the parameters that they were made from.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "workflow"))

from project import PRESET, Project

MODELS = ["inception", "inception_no_bn", "alexnet", "mlp_3x512", "mlp_1x512"]
REGULARIZERS = ["none", "crop", "weight_decay", "dropout", "early_stopping"]
REGULARIZERS += ["augment", "crop+weight_decay", "crop+dropout", "weight_decay+dropout", "distort"]

# A run whose jobs write empty files. (`snakemake --touch` makes no files, and takes an hour.)
MAKE_UP = """
from pathlib import Path
from snakemake.cli import main
from snakemake.scheduling.job_scheduler import JobScheduler

def make_up(scheduler):
    workflow = scheduler.workflow
    for level in workflow.dag.toposorted():
        for job in level:
            for file in map(Path, job.output):
                file.parent.mkdir(parents=True, exist_ok=True)
                file.touch()
            workflow.async_run(workflow.persistence.finished(job))
    return True

JobScheduler.schedule = make_up
main()
"""

# A cell's job: one input, three outputs, a log, one parameter. A table reads two files of each.
BARE = """
import json
FILES = ("summary.json", "curves.csv", "run.json")
CELLS = {f"digits/model/labels-{i}/none": json.dumps(list(range(200))) for i in range(%d)}

rule all:
    input: "study.csv"

rule train:
    input: "manifest.json"
    output: [f"cells/{{dataset}}/{{model}}/{{corruption}}/{{regularizer}}/{file}" for file in FILES]
    log: "logs/{dataset}/{model}/{corruption}/{regularizer}.log"
    params: spec=lambda wildcards: CELLS["/".join(wildcards)]
    shell: "train {params.spec:q} {input:q} {output:q} > {log:q}"

rule study:
    input: [f"cells/{cell}/{file}" for cell in CELLS for file in FILES[:2]]
    output: "study.csv"
    shell: "cat {input:q} > {output:q}"
"""


@dataclass(frozen=True)
class Cost:
    """Wall time and processor time in seconds, and peak memory in MB, of one call."""

    wall: float
    cpu: float
    memory: float


def preset(cells: int) -> dict:
    """Return a preset with `cells` cells: levels of random labels x ten regularizers x five models."""
    levels = cells // (len(MODELS) * len(REGULARIZERS))
    study = {
        "kind": "corruption_levels",
        "dataset": "digits",
        "models": MODELS,
        "corruptions": [{"labels": [round((i + 1) / levels, 6) for i in range(levels)]}],
        "regularizers": REGULARIZERS,
    }
    return {"preset": "scale", "title": f"{cells} cells", "studies": {"levels": study}}


def measure(folder: Path, *arguments: str, expect: str) -> Cost:
    """Return what a Snakemake call costs; its output must contain `expect`."""
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *arguments]
    with tempfile.TemporaryFile("w+") as output:
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if process.returncode or expect not in text:
        raise SystemExit(f"snakemake {' '.join(arguments)}:\n{text[-3000:]}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def least(repeats: int, folder: Path, *arguments: str, expect: str) -> Cost:
    """Return the least cost of several calls, each figure for itself."""
    costs = [measure(folder, *arguments, expect=expect) for _ in range(repeats)]
    return Cost(*(min(getattr(cost, key) for cost in costs) for key in ("wall", "cpu", "memory")))


def make_up_results(project: Project) -> None:
    """Write every output of the preset as an empty file, and the metadata of a finished run."""
    arguments = ["--cores", "1", "--configfile", PRESET, "--quiet", "all"]
    done = project.command([sys.executable, "-c", MAKE_UP, *arguments], timeout=7200)
    if done.returncode:
        raise SystemExit(done.stdout[-3000:])


def costs_of(cells: int, repeats: int, folder: Path) -> tuple[Cost, Cost, Cost]:
    """Return what a plan, a run with nothing to do and the plan of a bare Snakefile cost."""
    (folder / PRESET).write_text(yaml.safe_dump(preset(cells)))
    project = Project.create(folder / "project", folder / PRESET)
    (folder / "bare").mkdir()
    (folder / "bare" / "Snakefile").write_text(BARE % cells)
    (folder / "bare" / "manifest.json").touch()
    ours = (project.folder, "--configfile", PRESET, "--quiet", "rules", "host")
    plan = least(repeats, *ours, "--dry-run", expect="train")
    bare = least(repeats, folder / "bare", "--dry-run", "--quiet", "rules", expect="train")
    make_up_results(project)
    return plan, least(repeats, *ours, expect="Nothing to be done"), bare


def main() -> None:
    """Measure each size and print one line for it, then the growth per cell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=[100, 1000, 10000], metavar="CELLS")
    parser.add_argument("--repeats", type=int, default=3, help="calls of which the least counts")
    arguments = parser.parse_args()
    print("Seconds are wall (processor) time.\n")
    print("| cells | plan s | peak MB | nothing to do s | peak MB | bare Snakefile, plan s |")
    print("|---|---|---|---|---|---|")
    found = {}
    for cells in arguments.sizes:
        with tempfile.TemporaryDirectory() as name:
            plan, nothing, bare = found[cells] = costs_of(cells, arguments.repeats, Path(name))
        print(
            f"| {cells:,} | {plan.wall:.1f} ({plan.cpu:.1f}) | {plan.memory:.0f} "
            f"| {nothing.wall:.1f} ({nothing.cpu:.1f}) | {nothing.memory:.0f} "
            f"| {bare.wall:.1f} ({bare.cpu:.1f}) |",
            flush=True,
        )
    first, last = min(found), max(found)
    if first < last:
        growth = [
            (getattr(b, key) - getattr(a, key)) * 1000 / (last - first)
            for a, b in zip(found[first], found[last], strict=True)
            for key in ("cpu", "memory")
        ]
        print(
            f"\nPer cell: a plan {growth[0]:.1f} ms and {growth[1]:.0f} kB, nothing to do "
            f"{growth[2]:.1f} ms and {growth[3]:.0f} kB, a bare Snakefile {growth[4]:.1f} ms "
            f"and {growth[5]:.0f} kB."
        )


if __name__ == "__main__":
    main()
