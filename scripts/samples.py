"""Draw sample images of a dataset under each of its corruptions."""

import argparse
from pathlib import Path

from rethink.analysis.tables import write_table
from rethink.errors import run_main
from rethink.figures import samples, style


def main() -> None:
    """Read the command line and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifests", nargs="+", type=Path, metavar="MANIFEST")
    parser.add_argument("--out", required=True, type=Path, metavar="SVG")
    arguments = parser.parse_args()
    style.use()
    figure, drawn = samples.draw(arguments.manifests)
    write_table(drawn, arguments.out.with_suffix(".csv"))
    style.save(figure, arguments.out)


if __name__ == "__main__":
    run_main(main)
