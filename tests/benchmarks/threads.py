"""Measure how a machine's cores are best used: cells side by side, or threads within a cell.

Every way trains at the same time, on the clock: one cell on one core, one on all cores, as many
cells as cores. On a machine that is busy with other work the threads of one cell wait for each
other.
"""

import argparse
import multiprocessing
import os
import statistics

import torch
from engine import Engine, random_arrays
from standard_loop import NETWORKS

from rethink.training import numerics

MODELS = ("mlp_1x512", "mlp_3x512", "alexnet")


def train(model: str, threads: int, start, rates) -> None:
    """Train in a process of its own, and put images per second on the queue `rates`."""
    numerics.configure("fp32", threads)
    engine = Engine(model, random_arrays(), torch.device("cpu"))
    start.wait()
    rates.put(engine.rate()[1])


def total_rate(model: str, processes: int, threads: int) -> float:
    """Return the images per second of so many processes together."""
    context = multiprocessing.get_context("spawn")
    start, rates = context.Barrier(processes), context.SimpleQueue()
    workers = [
        context.Process(target=train, args=(model, threads, start, rates)) for _ in range(processes)
    ]
    for worker in workers:
        worker.start()
    found = [rates.get() for _ in workers]
    for worker in workers:
        worker.join()
    return sum(found)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=MODELS, choices=[*NETWORKS, MODELS])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    ways = {(1, 1): "", (1, cores): f"one cell, {cores} threads", (cores, 1): f"{cores} cells"}
    print(f"| model | one cell, one thread, images/s | {' | '.join(filter(None, ways.values()))} |")
    print("|---|---|---|---|")
    for model in arguments.models:
        found: dict[tuple[int, int], list[float]] = {way: [] for way in ways}
        for _ in range(arguments.rounds):
            for way, rates in found.items():
                rates.append(total_rate(model, *way))
        alone = found.pop((1, 1))
        ratios = [
            statistics.median(a / b for a, b in zip(rates, alone, strict=True))
            for rates in found.values()
        ]
        cells = " | ".join(f"x {ratio:.2f}" for ratio in ratios)
        print(f"| {model} | {statistics.median(alone):,.0f} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
