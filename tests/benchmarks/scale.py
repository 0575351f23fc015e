"""How planning grows with the number of cells: a dry run, and a run with nothing to do.

Prints a table; asserts nothing. For the second call every output is made up as an empty file, in
the order of the rules; Snakemake then compares times but has no memory of parameters to compare.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]


def preset(cells: int) -> dict:
    """Return a preset with `cells` cells: label levels x two regularizers x five models."""
    levels = [round((i + 1) / (cells // 10), 6) for i in range(cells // 10)]
    return {
        "preset": "scale",
        "title": f"{cells} cells",
        "studies": {
            "levels": {
                "kind": "corruption_levels",
                "dataset": "digits",
                "models": ["inception", "inception_no_bn", "alexnet", "mlp_3x512", "mlp_1x512"],
                "corruptions": [{"labels": levels}],
                "regularizers": ["none", "weight_decay"],
            }
        },
    }


def measure(folder: Path, *arguments: str) -> tuple[float, float, float, str]:
    """Return wall seconds, CPU seconds and peak memory (MB) of a Snakemake call, and its output."""
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--configfile", "scale.yaml"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    timed = ["/usr/bin/env", "python3", "-c", PEAK, *command, *arguments]
    done = subprocess.run(timed, cwd=folder, capture_output=True, text=True, check=False)
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    peak = float(done.stderr.rsplit("PEAK ", 1)[1])
    return wall, cpu, peak, done.stdout + done.stderr


PEAK = (
    "import resource,subprocess,sys;"
    "code=subprocess.call(sys.argv[1:]);"
    "print('PEAK',resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss/1024,file=sys.stderr);"
    "sys.exit(code)"
)


RULES = ["fetch", "corrupt_labels", "train", "tabulate", "figure", "samples", "html", "pdf"]


def make_up_results(folder: Path) -> None:
    """Write every output of the preset as an empty file, older rules first."""
    _, _, _, summary = measure(folder, "--summary")
    now = time.time()
    for line in summary.splitlines():
        parts = line.split("\t")
        if len(parts) > 2 and parts[2] in RULES:
            path = folder / parts[0]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            os.utime(path, (now + RULES.index(parts[2]),) * 2)


def main() -> None:
    """Measure each size and print one line for it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=[100, 1000, 10000])
    print("| cells | call | wall s | CPU s | peak MB |\n|---|---|---|---|---|")
    for cells in parser.parse_args().sizes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for part in (
                "Snakefile",
                "workflow",
                "config",
                "profiles",
                "scripts",
                "report",
                "envs",
            ):
                os.symlink(ROOT / part, folder / part)
            (folder / "scale.yaml").write_text(yaml.safe_dump(preset(cells)))
            for call, arguments in (("plan (-n)", ["-n"]), ("nothing to do", [])):
                if not arguments:
                    make_up_results(folder)
                wall, cpu, peak, output = measure(folder, *arguments, "--quiet", "rules", "host")
                jobs = output.count("Nothing to be done") or output.count("train ")
                if not jobs:
                    raise SystemExit(output[-2000:])
                print(f"| {cells} | {call} | {wall:.1f} | {cpu:.1f} | {peak:.0f} |", flush=True)


if __name__ == "__main__":
    main()
