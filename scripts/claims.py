"""Decide every claim, of the paper and of others, on the tables of a run: a row of claims.csv each."""

import argparse
import json
from pathlib import Path

from rethink.claims.verdicts import write_verdicts
from rethink.errors import run_main
from rethink.provenance import Record


def main() -> None:
    """Read the command line and write the verdicts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", required=True, type=Path, metavar="DIR")
    parser.add_argument("--theory", nargs="*", default=[], type=Path, metavar="RESULT")
    parser.add_argument("--claims", required=True, nargs="+", type=Path, metavar="CSV")
    parser.add_argument("--preset", required=True, help="name, reduced, dataset; JSON")
    parser.add_argument("--code", required=True, metavar="DIGEST", help="digest of this code")
    parser.add_argument("--out", required=True, type=Path, metavar="CSV")
    arguments = parser.parse_args()
    preset = json.loads(arguments.preset)
    inputs = [*sorted(arguments.tables.glob("*.csv")), *arguments.theory, *arguments.claims]
    record = Record("table", arguments.out.name, arguments.preset, arguments.code, inputs)
    write_verdicts(arguments.tables, arguments.theory, arguments.claims, preset, arguments.out)
    record.write_for(arguments.out)


if __name__ == "__main__":
    run_main(main)
