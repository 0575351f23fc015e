"""Write one corruption of a dataset: arrays, run.json, manifest.json."""

import argparse
import json
import signal
import sys
from pathlib import Path

from rethink.corruptions import write_corruption
from rethink.errors import run_main
from rethink.provenance import Record


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spec", required=True, help="dataset, corruption and seed, JSON")
    parser.add_argument("--code", required=True, help="digest of the code, kept in run.json")
    parser.add_argument("--data", required=True, type=Path, help="manifest.json of the clean data")
    parser.add_argument("--out", required=True, type=Path, help="the folder to write")
    arguments = parser.parse_args()
    # a job that is called off cleans up like one that fails
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    spec = json.loads(arguments.spec)
    name = f"{spec['dataset']}/{spec['corruption']}"
    record = Record("corruption", name, arguments.spec, arguments.code, [arguments.data])
    write_corruption(spec, arguments.data, arguments.out, record)


if __name__ == "__main__":
    run_main(main)
