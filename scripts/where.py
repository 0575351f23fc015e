"""Say where the report of a preset lies."""

import argparse
from pathlib import Path

from rethink.errors import RethinkError, run_main


def main() -> None:
    """Print the paths of the HTML and, where it was made, the PDF report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", required=True, help="name of the preset")
    folder = Path("results") / parser.parse_args().preset
    html, pdf = folder / "report.html", folder / "report.pdf"
    if not html.is_file():
        raise RethinkError(f"{html} is not there; the run above says why")
    print(f"HTML report: {html}")
    print(f"PDF report:  {pdf if pdf.is_file() else 'not made (see the note on Pango above)'}")


if __name__ == "__main__":
    run_main(main)
