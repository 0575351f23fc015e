"""Write the report as PDF, with the tables attached."""

import argparse
from pathlib import Path

from rethink.errors import run_main
from rethink.provenance import Record
from rethink.publish.pdf import write_pdf


def main() -> None:
    """Read the command line and write the PDF."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--html", required=True, type=Path, metavar="HTML", help="the report")
    parser.add_argument("--attach", nargs="*", default=[], type=Path, metavar="CSV")
    parser.add_argument("--code", required=True, metavar="DIGEST", help="digest of this code")
    parser.add_argument("--out", required=True, type=Path, metavar="PDF")
    arguments = parser.parse_args()
    inputs = [arguments.html, *arguments.attach]
    record = Record("report", arguments.out.name, "", arguments.code, inputs)
    write_pdf(arguments.html, arguments.attach, arguments.out)
    record.write_for(arguments.out)


if __name__ == "__main__":
    run_main(main)
