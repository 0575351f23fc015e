"""Write the clean images and labels of one dataset: arrays, run.json, manifest.json."""

import argparse
import importlib
import json
import signal
import sys
from pathlib import Path

from rethink.datasets.archives import cache_folder
from rethink.datasets.writer import write_dataset
from rethink.errors import run_main
from rethink.provenance import Record


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spec", required=True, help="the dataset's specification, JSON")
    parser.add_argument("--code", required=True, help="digest of the code, kept in run.json")
    parser.add_argument("--places", default="{}", help="mirror or folder of archives, JSON")
    parser.add_argument("--out", required=True, type=Path, help="the folder to write")
    arguments = parser.parse_args()
    # a job that is called off cleans up like one that fails
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    spec = json.loads(arguments.spec)
    record = Record("data", spec["name"], arguments.spec, arguments.code)
    # imported by name, so that the digest of one dataset's code does not hold the others
    module = importlib.import_module(f"rethink.datasets.{spec['module']}")
    # where the archives come from is no part of what the dataset is
    places = json.loads(arguments.places)
    dataset = module.load({**spec, **places}, cache_folder())
    write_dataset(dataset, spec["name"], arguments.out, record)


if __name__ == "__main__":
    run_main(main)
