"""Collect finished cells into tidy CSV tables."""

import argparse

from rethink.analysis.collect import aggregate
from rethink.errors import run_main


def main() -> None:
    """Read the command line and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("summaries", nargs="+", metavar="SUMMARY", help="summary.json of a cell")
    parser.add_argument("--data", nargs="*", default=[], metavar="MANIFEST", help="clean datasets")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the tables")
    arguments = parser.parse_args()
    aggregate(arguments.summaries, arguments.data, arguments.out)


if __name__ == "__main__":
    run_main(main)
