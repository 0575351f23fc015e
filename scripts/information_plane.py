"""Train small networks on a binary rule and estimate the information in their layers."""

import argparse
import json
import os
import sys
from pathlib import Path

from rethink.errors import run_main
from rethink.provenance import Record


def main() -> None:
    """Read the command line, train, measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spec", required=True, help="the experiment's specification, JSON")
    parser.add_argument("--code", required=True, help="digest of the code, kept in run.json")
    parser.add_argument("--out", required=True, type=Path, help="the folder to write")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)  # read when torch is loaded

    from rethink.information.plane import run
    from rethink.training.numerics import configure

    spec = json.loads(arguments.spec)
    inputs = [spec["file"]] if spec.get("file") else []
    record = Record("theory", str(spec.get("name")), arguments.spec, arguments.code, inputs)
    configure("fp32", arguments.threads)
    run(
        spec,
        arguments.out,
        record,
        arguments.threads,
        lambda text: print(text, file=sys.stderr, flush=True),
    )


if __name__ == "__main__":
    run_main(main)
