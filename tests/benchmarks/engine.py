"""Measure the training engine against the usual loop, against the machine, and replicates together.

Three tables, each of ratios from alternating rounds in one process on one thread (or one GPU):
images per second against a torchvision dataset, a DataLoader and a `loss.item()` per step; the
arithmetic done against a square matrix product and a convolution that were measured in between, and
the floor of a step's operations (see `standard_limits`) against its time; and the replicates of a
perceptron trained together against one alone.
"""

import argparse
import contextlib
import importlib
import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch
from standard_limits import Floor, Limits, limits
from standard_loop import BATCH, NETWORKS, Pictures, StandardLoop, processor_seconds

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from rethink.config import load as load_preset
from rethink.datasets.store import Arrays
from rethink.grid import expand
from rethink.models.catalog import MODELS
from rethink.training import numerics
from rethink.training.data import load
from rethink.training.engine import Trainer

IMAGES = 10_000
# Steps in a round: about a second or two of the usual loop on a CPU's core.
STEPS = {"mlp_1x512": 60, "mlp_3x512": 50, "alexnet": 5, "inception": 3, "inception_no_bn": 3}
WORKERS = (0, 1, 2)
MLPS = ("mlp_1x512", "mlp_3x512")
TOGETHER = (2, 4)


class Measured(Exception):
    """An epoch has been timed, and no more is needed of the run."""


class Engine:
    """Trains a model as a cell of the paper's preset does, on random images in CIFAR-10's shape."""

    def __init__(
        self,
        model: str,
        arrays: Arrays,
        device: torch.device,
        steps: int | None = None,
        mode: str = "fp32",
    ):
        preset = load_preset({"preset": "paper"}, ROOT / "config")
        cell = expand(preset, "paper").cells[f"cifar10/{model}/none/none"]
        self.spec = json.loads(cell.spec)
        self.spec["train"] |= {
            "train_examples": (steps or STEPS[model]) * BATCH,
            "epochs": 3,
            "evaluate_every": 3,
        }
        self.spec["numerics"] = mode
        self.build = importlib.import_module("rethink.models." + self.spec["model"]["module"]).build
        self.data, self.device = load(arrays, self.spec, device), device

    def rate(self, replicates: int = 1, graphs: bool = False) -> tuple[float, float]:
        """Return images per processor second and per second of one epoch, after one to warm up."""
        trainer = Trainer(
            self.build, self.data, self.spec, range(replicates), self.device, graphs=graphs
        )
        times = []

        def epoch_ended() -> None:
            times.append((processor_seconds(), time.perf_counter()))
            if len(times) == 2:
                raise Measured

        with contextlib.suppress(Measured):
            trainer.run(lambda: None, epoch_ended)
        count = replicates * len(self.data.train)
        return tuple(count / (after - before) for before, after in zip(*times, strict=True))

    def floor(self, found: Limits) -> float:
        """Return the least seconds of an image, from the steps of an epoch."""
        trainer = Trainer(self.build, self.data, self.spec, [0], self.device)
        with Floor(found, self.device) as count:
            trainer._train_epoch(lambda: None)
        return count.seconds / len(self.data.train)


def random_arrays(count: int = IMAGES) -> Arrays:
    """Return random images and labels, the first of them for the test, too."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    labels = random.integers(0, 10, count).astype(np.uint8)
    few = slice(BATCH)
    return Arrays(
        name="random",
        corruption="none",
        classes=10,
        class_names=[str(i) for i in range(10)],
        image_shape=(32, 32, 3),
        train_images=images,
        test_images=images[few],
        train_labels=labels,
        test_labels=labels[few],
        test_labels_given=labels[few],
        train_labels_true=labels,
        train_hit=None,
    )


def ratio(ours: list[float], theirs: list[float]) -> str:
    """Return the median of the rounds' ratios, and their range."""
    ratios = sorted(a / b for a, b in zip(ours, theirs, strict=True))
    return f"{statistics.median(ratios):.2f} [{ratios[0]:.2f} to {ratios[-1]:.2f}]"


def median(values: list[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def compare(model: str, arrays: Arrays, device: torch.device, rounds: int, which: int) -> None:
    """Print one model's lines: rates, ratios to the usual loop, the shares of what is possible."""
    engine = Engine(model, arrays, device)
    pictures = Pictures(arrays.train_images, arrays.train_labels)
    standard = StandardLoop(NETWORKS[model](), pictures, device)
    ours, possible = [], []
    theirs: dict[int, list[float]] = {workers: [] for workers in WORKERS}
    standard.rate(2, 0)
    for _ in range(rounds):
        ours.append(engine.rate()[which])
        for workers, rates in theirs.items():
            rates.append(standard.rate(STEPS[model], workers)[which])
        possible.append(limits(device))
    kind = "product" if model in MLPS else "convolution"
    peaks = [getattr(found, kind) for found in possible]
    floors = [engine.floor(found) for found in possible]
    flops = MODELS[model].megaflops * 1e6
    share = [rate * flops / peak for rate, peak in zip(ours, peaks, strict=True)]
    of_floor = [rate * seconds for rate, seconds in zip(ours, floors, strict=True)]
    cells = [f"{median(theirs[workers]):,.0f}" for workers in WORKERS]
    cells += [ratio(ours, theirs[workers]) for workers in WORKERS]
    print(
        f"| {model} | {median(ours):,.0f} | {' | '.join(cells)} | {flops / 1e6:,.1f} "
        f"| {median(ours) * flops / 1e9:,.0f} of {median(peaks) / 1e9:,.0f} ({kind}) "
        f"| {median(share):.2f} | {median([found.memory for found in possible]) / 1e9:,.0f} GB/s "
        f"| {median(of_floor):.2f} |",
        flush=True,
    )


def replicates_together(arrays: Arrays, device: torch.device, rounds: int, which: int) -> None:
    """Print how many images a second perceptrons take together, against one at a time."""
    print(
        "\n| model | one alone, images/s | " + " | ".join(f"{k} together" for k in TOGETHER) + " |"
    )
    print("|---|---|" + "---|" * len(TOGETHER))
    for model in MLPS:
        engine = Engine(model, arrays, device)
        rates: dict[int, list[float]] = {k: [] for k in (1, *TOGETHER)}
        for _ in range(rounds):
            for k, values in rates.items():
                values.append(engine.rate(k)[which])
        cells = [f"x {ratio(rates[k], rates[1])}" for k in TOGETHER]
        print(f"| {model} | {median(rates[1]):,.0f} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", metavar="MODEL", help="all unless named")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    which = 1 if device.type == "cuda" else 0
    numerics.configure("fp32", 1)
    arrays = random_arrays()
    unit = "second" if which else "processor second, workers included"
    print(
        f"Images per {unit}; one thread; medians of {arguments.rounds} rounds [and their range].\n"
    )
    loops = " | ".join(f"usual loop, {w} workers" for w in WORKERS)
    ratios = " | ".join(f"ratio to {w} workers" for w in WORKERS)
    print(
        f"| model | engine | {loops} | {ratios} | MFLOP/image | GFLOP/s of the peak "
        "| share | memory | floor of the step's own operations |"
    )
    print("|---|" + "---|" * (6 + 2 * len(WORKERS)))
    for model in arguments.models or NETWORKS:
        compare(model, arrays, device, arguments.rounds, which)
    replicates_together(arrays, device, arguments.rounds, which)


if __name__ == "__main__":
    main()
