"""Compare interpolants of fewer images than pixels by linear models: result.json, run.json."""

import argparse
import json
from pathlib import Path

from rethink.errors import run_main
from rethink.provenance import Record
from rethink.theory.linear import run


def main() -> None:
    """Read the command line and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spec", required=True, help="the experiment's specification, JSON")
    parser.add_argument("--code", required=True, help="digest of the code, kept in run.json")
    parser.add_argument("--data", required=True, type=Path, help="manifest.json of the data")
    parser.add_argument("--out", required=True, type=Path, help="the folder to write")
    arguments = parser.parse_args()
    spec = json.loads(arguments.spec)
    name = str(spec.get("name", "linear"))
    record = Record("theory", name, arguments.spec, arguments.code, [arguments.data])
    run(spec, arguments.data, arguments.out, record)


if __name__ == "__main__":
    run_main(main)
