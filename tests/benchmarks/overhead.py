"""Measure what a cell costs beside its training, in processor seconds of its whole process.

Alternating rounds: Python, with torch, with the training code, a cell, a cell in a warm process.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from standard_loop import processor_seconds

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests" / "unit")]

from tiny_cells import spec, write_data

from rethink.files import canonical_json

FORK = "a further cell of one step, in a fork"
IMPORT = "import sys; sys.path.insert(0, 'scripts'); import {}"


def cost(command: list[str]) -> float:
    """Return the processor seconds of a command."""
    before = processor_seconds()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command}: {done.stderr}")
    return processor_seconds() - before


def cell(folder: Path, epochs: int) -> list[str]:
    """Return the command that trains a cell of one step an epoch."""
    manifest = next(folder.glob("**/manifest.json"))
    specification = canonical_json(spec(epochs=epochs, batch_size=96))
    out = Path(tempfile.mkdtemp(dir=folder))
    places = ["--data", str(manifest), "--out", str(out), "--work", str(out / "work")]
    return ["scripts/train.py", "--spec", specification, "--code", "0", *places]


def cost_of_fork(command: list[str]) -> float:
    """Return the processor seconds of a cell trained in a fork, with those of its command line."""
    client = cost([sys.executable, *command, "--warm"])
    record = Path(command[command.index("--out") + 1], "run.json")
    return client + json.loads(record.read_text())["cpu_seconds"]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_data(folder)
        works = {
            "Python": lambda: ["-c", "pass"],
            "torch": lambda: ["-c", IMPORT.format("torch")],
            "the training code": lambda: ["-c", IMPORT.format("rethink.training.cell")],
            "a cell of one step": lambda: cell(folder, 1),
            "a cell of 21 steps": lambda: cell(folder, 21),
        }
        found: dict[str, list[float]] = {work: [] for work in (*works, FORK)}
        cost_of_fork(cell(folder, 1))  # Starts the process that the others are forks of.
        for _ in range(rounds):
            for work, command in works.items():
                found[work].append(cost([sys.executable, *command()]))
            found[FORK].append(cost_of_fork(cell(folder, 1)))
    print("| process | processor seconds | over torch alone |")
    print("|---|---|---|")
    for work, values in found.items():
        ratios = sorted(a / b for a, b in zip(values, found["torch"], strict=True))
        print(
            f"| {work} | {statistics.median(values):.2f} "
            f"| {statistics.median(ratios):.2f} [{ratios[0]:.2f} to {ratios[-1]:.2f}] |"
        )


if __name__ == "__main__":
    main()
