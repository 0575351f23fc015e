"""Check a bundle: its checksums, and all that can be recomputed from its learning curves."""

import argparse
import sys
from pathlib import Path

from rethink.audit.audit import audit
from rethink.audit.findings import summary
from rethink.errors import run_main

CHECKOUT = Path(__file__).resolve().parents[1]
MOST = 10


def main() -> None:
    """Read the command line and print the findings; exit with 1 if anything disagrees."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path, help="bundle.zip, or the folder it was unpacked into")
    parser.add_argument("--all", action="store_true", help=f"show more than {MOST} places a file")
    parser.add_argument(
        "--pdf", action="store_true", help="print the PDF again, which takes longer"
    )
    arguments = parser.parse_args()
    findings = audit(arguments.bundle, CHECKOUT, arguments.pdf)
    print(summary(findings, 0 if arguments.all else MOST))
    sys.exit(0 if findings.good else 1)


if __name__ == "__main__":
    run_main(main)
