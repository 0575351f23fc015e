"""Measure the training engine against the usual loop, against the machine, and replicates together.

Three tables, each of ratios from alternating rounds in one process on one thread (or one GPU):
images per second against a torchvision dataset, a DataLoader and a `loss.item()` per step; the
arithmetic done against the best matrix product and convolution that were measured in between; and
the replicates of a perceptron trained together against one alone.
"""

import argparse
import contextlib
import importlib
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from standard_loop import BATCH, NETWORKS, Pictures, StandardLoop, processor_seconds
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from rethink.config import load as load_preset
from rethink.datasets.store import Arrays
from rethink.grid import expand
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

    def __init__(self, model: str, arrays: Arrays, device: torch.device):
        preset = load_preset({"preset": "paper"}, ROOT / "config")
        cell = expand(preset, "paper").cells[f"cifar10/{model}/none/none"]
        self.spec = json.loads(cell.spec)
        self.spec["train"] |= {
            "train_examples": STEPS[model] * BATCH,
            "epochs": 3,
            "evaluate_every": 3,
        }
        self.build = importlib.import_module("rethink.models." + self.spec["model"]["module"]).build
        self.data, self.device = load(arrays, self.spec, device), device

    def rate(self, replicates: int = 1) -> tuple[float, float]:
        """Return images per processor second and per second of one epoch, after one to warm up."""
        trainer = Trainer(self.build, self.data, self.spec, range(replicates), self.device)
        times = []

        def epoch_ended() -> None:
            times.append((processor_seconds(), time.perf_counter()))
            if len(times) == 2:
                raise Measured

        with contextlib.suppress(Measured):
            trainer.run(lambda: None, epoch_ended)
        count = replicates * len(self.data.train)
        return tuple(count / (after - before) for before, after in zip(*times, strict=True))


def random_arrays() -> Arrays:
    """Return random images and labels, the first of them for the test, too."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (IMAGES, 32, 32, 3), dtype=np.uint8)
    labels = random.integers(0, 10, IMAGES).astype(np.uint8)
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


def flops_per_image(network: torch.nn.Module) -> float:
    """Return the arithmetic of a step per image: forward, backward, no gradient by the input."""
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(2, 3, 28, 28)).sum().backward()
    return counter.get_total_flops() / 2


def peaks(device: torch.device) -> dict[str, float]:
    """Return the best FLOP/s of a square product, and of a convolution forth and back."""
    size, maps = 2048, 32
    a, b, out = (torch.ones((size, size), device=device) for _ in range(3))
    images = torch.ones((maps, 64, 28, 28), device=device, requires_grad=True)
    images = images.to(memory_format=torch.channels_last)
    weight = torch.ones((64, 64, 5, 5), device=device, requires_grad=True)

    def convolve() -> None:
        torch.autograd.grad(F.conv2d(images, weight, padding=2).sum(), (images, weight))

    works = {
        "product": (lambda: torch.mm(a, b, out=out), 2 * size**3),
        "convolution": (convolve, 3 * 2 * maps * 28**2 * 64**2 * 25),
    }
    return {name: flops / least_seconds(work, device) for name, (work, flops) in works.items()}


def least_seconds(work: Callable[[], object], device: torch.device, repeats: int = 4) -> float:
    """Return the least time of a piece of work: of the processor, on a GPU on the clock."""
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    times = []
    for _ in range(repeats):
        start = clock()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(clock() - start)
    return min(times)


def ratio(ours: list[float], theirs: list[float]) -> str:
    """Return the median of the rounds' ratios, and their range."""
    ratios = sorted(a / b for a, b in zip(ours, theirs, strict=True))
    return f"{statistics.median(ratios):.2f} [{ratios[0]:.2f} to {ratios[-1]:.2f}]"


def median(values: list[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def compare(model: str, arrays: Arrays, device: torch.device, rounds: int, which: int) -> None:
    """Print one model's lines: rates, ratios to the usual loop, and the share of the peak."""
    engine = Engine(model, arrays, device)
    pictures = Pictures(arrays.train_images, arrays.train_labels)
    standard = StandardLoop(NETWORKS[model](), pictures, device)
    ours, best = [], {"product": [], "convolution": []}
    theirs: dict[int, list[float]] = {workers: [] for workers in WORKERS}
    standard.rate(2, 0)
    for _ in range(rounds):
        ours.append(engine.rate()[which])
        for workers, rates in theirs.items():
            rates.append(standard.rate(STEPS[model], workers)[which])
        for name, value in peaks(device).items():
            best[name].append(value)
    kind = "product" if model in MLPS else "convolution"
    flops = flops_per_image(NETWORKS[model]())
    share = [rate * flops / peak for rate, peak in zip(ours, best[kind], strict=True)]
    cells = [f"{median(theirs[workers]):,.0f}" for workers in WORKERS]
    cells += [ratio(ours, theirs[workers]) for workers in WORKERS]
    print(
        f"| {model} | {median(ours):,.0f} | {' | '.join(cells)} | {flops / 1e6:,.1f} "
        f"| {median(ours) * flops / 1e9:,.0f} of {median(best[kind]) / 1e9:,.0f} ({kind}) "
        f"| {median(share):.2f} |",
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
    print(f"| model | engine | {loops} | {ratios} | MFLOP/image | GFLOP/s of the peak | share |")
    print("|---|" + "---|" * (4 + 2 * len(WORKERS)))
    for model in arguments.models or NETWORKS:
        compare(model, arrays, device, arguments.rounds, which)
    replicates_together(arrays, device, arguments.rounds, which)


if __name__ == "__main__":
    main()
