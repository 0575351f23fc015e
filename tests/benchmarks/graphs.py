"""On a GPU: steps replayed as CUDA graphs against ordinary ones, and the modes of numerics.

Images per second of an epoch of CIFAR-10's length, capture included, in alternating rounds of one
process. Without a GPU there is nothing to compare.
"""

import argparse

import torch
from engine import Engine, median, random_arrays, ratio
from standard_loop import NETWORKS

from rethink.training import numerics

STEPS = 390  # of an epoch on 50,000 images


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", metavar="MODEL", help="all unless named")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print("no GPU is visible: nothing to compare")
        return
    device, arrays = torch.device("cuda"), random_arrays(STEPS * 128)
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}\n")
    print("| model | numerics | ordinary steps, images/s | as graphs | ratio |")
    print("|---|---|---|---|---|")
    for model in arguments.models or NETWORKS:
        for mode in numerics.MODES:
            numerics.configure(mode, 1)
            engine = Engine(model, arrays, device, STEPS, mode)
            rates: dict[bool, list[float]] = {False: [], True: []}
            for _ in range(arguments.rounds):
                for graphs, values in rates.items():
                    values.append(engine.rate(graphs=graphs)[1])
            ordinary, replayed = rates.values()
            print(
                f"| {model} | {mode} | {median(ordinary):,.0f} | {median(replayed):,.0f} "
                f"| {ratio(replayed, ordinary)} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
