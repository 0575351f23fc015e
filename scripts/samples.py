"""Draw sample images of a dataset under each of its corruptions."""

import argparse
from pathlib import Path

from rethink.analysis.tables import write_table
from rethink.errors import run_main
from rethink.figures import samples, style
from rethink.provenance import Record


def main() -> None:
    """Read the command line and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifests", nargs="+", type=Path, metavar="MANIFEST")
    parser.add_argument("--code", required=True, metavar="DIGEST", help="digest of this code")
    parser.add_argument("--out", required=True, type=Path, metavar="SVG")
    arguments = parser.parse_args()
    name = f"samples/{arguments.out.stem}"
    record = Record("figure", name, "", arguments.code, arguments.manifests)
    style.use()
    figure, drawn = samples.draw(arguments.manifests)
    write_table(drawn, arguments.out.with_suffix(".csv"))
    style.save(figure, arguments.out)
    record.write_for(arguments.out)


if __name__ == "__main__":
    run_main(main)
