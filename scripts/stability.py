"""Train again with one example replaced, and compare: result.json, run.json."""

import argparse
import json
import os
import sys
from pathlib import Path

from rethink.errors import run_main
from rethink.provenance import Record


def main() -> None:
    """Read the command line, train and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spec", required=True, help="the experiment's specification, JSON")
    parser.add_argument("--code", required=True, help="digest of the code, kept in run.json")
    parser.add_argument("--data", required=True, type=Path, help="manifest.json of the clean data")
    parser.add_argument("--out", required=True, type=Path, help="the folder to write")
    parser.add_argument("--work", type=Path, help="a folder to keep what is finished until the end")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    arguments = parser.parse_args()
    # Read when torch is loaded, and when CUDA starts.
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

    from rethink.theory.stability import run
    from rethink.training.devices import lease
    from rethink.training.numerics import configure

    spec = json.loads(arguments.spec)
    record = Record(
        "theory", str(spec.get("name")), arguments.spec, arguments.code, [arguments.data]
    )
    configure(spec.get("numerics", "fp32"), arguments.threads)
    with lease(arguments.device, 1, lambda: None) as device:
        run(
            spec,
            arguments.data,
            arguments.out,
            record,
            device,
            arguments.threads,
            lambda text: print(text, file=sys.stderr, flush=True),
            arguments.work,
        )


if __name__ == "__main__":
    run_main(main)
