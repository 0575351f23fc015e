"""Train one cell, all replicates of it: see `rethink.training.cell.train_cell`."""

import argparse
import json
import os
import sys
from pathlib import Path

from rethink.errors import run_main
from rethink.warm import hand_over


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spec", required=True, help="the cell's specification as JSON")
    parser.add_argument("--code", required=True, help="digest of the code that computes it")
    parser.add_argument("--data", required=True, type=Path, help="manifest.json of its data")
    parser.add_argument("--out", required=True, type=Path, help="folder of the results")
    parser.add_argument("--work", required=True, type=Path, help="folder of the checkpoint")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cells-per-gpu", type=int, default=1)
    parser.add_argument("--checkpoint-seconds", type=float, default=8.0)
    parser.add_argument("--placement", choices=("auto", "resident", "streamed"), default="auto")
    parser.add_argument("--cuda-graphs", action="store_true", help="replay steps on a GPU")
    parser.add_argument("--warm", action="store_true", help="in a fork of one process for all")
    arguments = parser.parse_args()
    alone = json.loads(arguments.spec).get("processes", 1) == 1 and arguments.threads == 1
    if arguments.warm and alone:
        code = hand_over([argument for argument in sys.argv[1:] if argument != "--warm"])
        if code is not None:
            sys.exit(code)
    # Read when torch is loaded, and when CUDA starts.
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

    from rethink.training.cell import train_cell

    train_cell(
        arguments.spec,
        arguments.code,
        arguments.data,
        arguments.out,
        arguments.work,
        arguments.device,
        arguments.threads,
        arguments.cells_per_gpu,
        arguments.checkpoint_seconds,
        arguments.placement,
        arguments.cuda_graphs,
    )


if __name__ == "__main__":
    run_main(main)
