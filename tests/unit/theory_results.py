"""Results of every kind of theory experiment on the digits, tiny, by the real command lines."""

import json
import runpy
import sys
from pathlib import Path

from tiny_cells import SCRIPTS, start_process
from tiny_cells import spec as cell_spec

from rethink.datasets import digits
from rethink.datasets.writer import write_dataset
from rethink.provenance import Record

SMALL = {"dataset": "digits", "train_examples": 120, "test_examples": 100}
TRAIN = {"epochs": 20, "batch_size": 16, "learning_rate": 0.1}
PLANE = {"epochs": 12, "checkpoints": 4, "learning_rate": 0.01}
PERCEPTRON = {
    "module": "mlp",
    "arguments": {"hidden": [32]},
    "train": cell_spec(**TRAIN, train_examples=120)["train"],
}
# The experiments of each kind of study: their script and what they are asked for.
EXPERIMENTS = {
    "kernels": {
        "pixels": (
            "kernel",
            {
                **SMALL,
                "bandwidth": {"median": 2},
                "regularization": [0, 0.01, 1],
                "forced_points": 40,
            },
        ),
        # 64 pixels, 120 examples: no exact interpolant
        "singular": ("kernel", {**SMALL, "kernel": "linear", "leave_one_out": False}),
        "conv": (
            "kernel",
            {
                **SMALL,
                "features": "random_conv",
                "features_arguments": {"filters": 16, "patch": 3, "pool": 3, "stride": 3},
                "bandwidth": {"median": 1},
                "regularization": [0, 0.1],
                "forced_points": 100,
            },
        ),
    },
    "theorem1": {
        "digits": (
            "expressivity",
            {"dataset": "digits", "sizes": [20, 60, 400], "depths": [2, 3, 5]},
        ),
    },
    "linear_models": {"linear": ("linear", {"dataset": "digits", "train_examples": 20})},
    "memorization": {
        "memorized": (
            "memorization",
            {
                "dataset": "digits",
                "models": {"mlp_1x512": PERCEPTRON},
                "input": {"crop": 7},
                "easy_hard": {"runs": 8, "examples": 50},
                "critical_samples": {"points": 30, "iterations": 3, "radius": 10, "step": 8},
                "capacity": {
                    "corruptions": ["none", "labels-0.5", "labels-1"],
                    "widths": [2, 16],
                    "sizes": [40],
                    "replicates": 2,
                },
            },
        ),
        "sensitive": (
            "memorization",
            {
                "dataset": "digits",
                "loss_sensitivity": {"examples": 60, "epochs": 3, "batch_size": 20, "moments": 3},
            },
        ),
    },
    "stability": {
        "replaced": (
            "stability",
            {
                "dataset": "digits",
                "models": {"mlp_1x512": PERCEPTRON},
                "input": {"crop": 7},
                "train_examples": 60,
                "pairs": 2,
            },
        ),
    },
    "information_plane": {
        "plane": (
            "information_plane",
            {**PLANE, "train_fractions": [0.05, 0.5], "depths": [2, 5], "replicates": 2},
        ),
        "control": (
            "information_plane",
            {**PLANE, "train_fractions": [0.5], "labels": ["random"], "replicates": 1},
        ),
    },
}


def write(folder: Path) -> Path:
    """Write data/digits/ and theory/<experiment>/ below `folder`; return `folder`."""
    data = folder / "data" / "digits"
    write_dataset(digits.load({}, data), "digits", data, Record("data", "digits", "{}", "c0de"))
    for experiments in EXPERIMENTS.values():
        for name, (script, asked) in experiments.items():
            spec = json.dumps({"name": name, **asked})
            options = {
                "spec": spec,
                "code": "c0de",
                "out": folder / "theory" / name,
            }
            if "dataset" in asked:
                options["data"] = data / "manifest.json"
            arguments = [
                str(part) for key, value in options.items() for part in (f"--{key}", value)
            ]
            process = start_process(_main, str(SCRIPTS / f"{script}.py"), arguments)
            process.join()
            assert process.exitcode == 0, f"{script}.py failed on {name}"
    return folder


def _main(script: str, arguments: list[str]) -> None:
    """Run a command line as Python would, in a process that may have torch loaded already."""
    sys.argv = [script, *arguments]
    runpy.run_path(script, run_name="__main__")


def read(folder: Path, kind: str, file: str = "result.json") -> dict[str, dict]:
    """Return the results of a kind of study by the names of its experiments."""
    return {
        name: json.loads((folder / "theory" / name / file).read_text())
        for name in EXPERIMENTS[kind]
    }
