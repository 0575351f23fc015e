"""Draw one figure of a study as SVG, with the values that it draws as CSV beside it."""

import argparse
import importlib
import json
from pathlib import Path

from rethink.analysis.sources import read_sources
from rethink.analysis.tables import write_table
from rethink.errors import run_main
from rethink.figures import style
from rethink.provenance import Record


def main() -> None:
    """Read the command line and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--figure", required=True, help="module in rethink/figures")
    parser.add_argument("--study", required=True, help="the study as JSON")
    parser.add_argument(
        "--sources",
        required=True,
        nargs="+",
        type=Path,
        metavar="FILE",
        help="the study's tables, or the results of its experiments",
    )
    parser.add_argument("--paper", required=True, type=Path, metavar="DIR", help="paper's values")
    parser.add_argument("--code", required=True, metavar="DIGEST", help="digest of this code")
    parser.add_argument("--out", required=True, type=Path, metavar="SVG")
    arguments = parser.parse_args()
    inputs = sorted([*arguments.sources, *arguments.paper.glob("*.csv")])
    name = f"{arguments.out.parent.name}/{arguments.figure}"
    record = Record("figure", name, arguments.study, arguments.code, inputs)
    style.use()
    module = importlib.import_module(f"rethink.figures.{arguments.figure}")
    figure, drawn = module.draw(
        json.loads(arguments.study), read_sources(arguments.sources), arguments.paper
    )
    write_table(drawn, arguments.out.with_suffix(".csv"))
    style.save(figure, arguments.out)
    record.write_for(arguments.out)


if __name__ == "__main__":
    run_main(main)
