"""Collect finished cells into tidy CSV tables."""

import argparse
import sys
from pathlib import Path

from rethink.analysis.collect import aggregate
from rethink.errors import run_main
from rethink.provenance import Record


def main() -> None:
    """Read the command line and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "summaries",
        nargs="*",
        metavar="SUMMARY",
        help="summary.json of a cell; '-' alone: read their paths from standard input, one a line",
    )
    parser.add_argument("--data", nargs="*", default=[], metavar="MANIFEST", help="clean datasets")
    parser.add_argument("--code", required=True, metavar="DIGEST", help="digest of this code")
    parser.add_argument("--out", required=True, type=Path, help="folder of the tables")
    arguments = parser.parse_args()
    summaries = arguments.summaries
    if summaries == ["-"]:
        summaries = sys.stdin.read().splitlines()
    curves = [Path(summary).with_name("curves.csv") for summary in summaries]
    inputs = [*summaries, *curves, *arguments.data]
    record = Record("table", arguments.out.name, "", arguments.code, inputs)
    aggregate(summaries, arguments.data, arguments.out)
    record.write(arguments.out / "run.json", sorted(arguments.out.glob("*.csv")))


if __name__ == "__main__":
    run_main(main)
