"""Interpolate one dataset exactly by a kernel: result.json, predictions.npy, run.json."""

import json

import torch

from rethink.errors import run_main
from rethink.provenance import Record
from rethink.theory.interpolation import run
from rethink.theory.place import parsed
from rethink.training.devices import lease


def main() -> None:
    """Read the command line, take a device and interpolate."""
    arguments = parsed(__doc__)
    torch.set_num_threads(arguments.threads)
    torch.backends.cudnn.allow_tf32 = False  # what is called float32 is float32
    values = json.loads(arguments.spec)
    name = str(values.get("name"))
    record = Record("theory", name, arguments.spec, arguments.code, [arguments.data])
    with lease(arguments.device, 1, lambda: None) as device:
        run(values, arguments.data, arguments.out, record, device.torch, arguments.work)


if __name__ == "__main__":
    run_main(main)
