"""Pack a finished run: report, numbers, records, checklists and provenance, in one zip file."""

import argparse
from pathlib import Path

import yaml

from rethink.bundle.assemble import bundle
from rethink.config import validate
from rethink.errors import run_main
from rethink.grid import expand

CHECKOUT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Read the command line and write the bundle."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", required=True, help="the whole preset as JSON or YAML")
    parser.add_argument("--results", required=True, type=Path, metavar="DIR")
    parser.add_argument("--code", required=True, metavar="DIGEST", help="digest of this code")
    parser.add_argument("--out", required=True, type=Path, metavar="ZIP")
    arguments = parser.parse_args()
    preset = validate(yaml.safe_load(arguments.preset), "--preset")
    count = bundle(expand(preset, "--preset"), arguments.results, CHECKOUT, arguments.out)
    print(f"{arguments.out}: {count} files, {arguments.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    run_main(main)
