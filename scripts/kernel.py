"""Interpolate one dataset exactly by a kernel: result.json, predictions.npy, run.json."""

import argparse
import json
from pathlib import Path

import torch

from rethink.errors import run_main
from rethink.provenance import Record
from rethink.theory.interpolation import run
from rethink.training.devices import lease


def main() -> None:
    """Read the command line, take a device and interpolate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spec", required=True, help="the experiment's specification, JSON")
    parser.add_argument("--code", required=True, help="digest of the code, kept in run.json")
    parser.add_argument("--data", required=True, type=Path, help="manifest.json of the data")
    parser.add_argument("--out", required=True, type=Path, help="the folder to write")
    parser.add_argument("--work", type=Path, help="a folder to resume the factorization from")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.backends.cudnn.allow_tf32 = False  # what is called float32 is float32
    values = json.loads(arguments.spec)
    name = str(values.get("name"))
    record = Record("theory", name, arguments.spec, arguments.code, [arguments.data])
    with lease(arguments.device, 1, lambda: None) as device:
        run(values, arguments.data, arguments.out, record, device.torch, arguments.work)


if __name__ == "__main__":
    run_main(main)
