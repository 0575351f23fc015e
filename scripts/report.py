"""Write the report as one HTML file."""

import argparse
import json
from pathlib import Path

from rethink.errors import run_main
from rethink.files import write_text
from rethink.provenance import Record
from rethink.publish import context, html


def main() -> None:
    """Read the command line and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", required=True, help="what the report says of it, as JSON")
    parser.add_argument("--code", required=True, metavar="DIGEST", help="digest of this code")
    parser.add_argument("--results", required=True, type=Path, metavar="DIR")
    parser.add_argument("--paper", required=True, type=Path, metavar="DIR", help="paper's values")
    parser.add_argument("--template-dir", required=True, type=Path, metavar="DIR")
    parser.add_argument("--out", required=True, type=Path, metavar="HTML")
    arguments = parser.parse_args()
    inputs = sorted(
        path
        for folder, patterns in (
            (
                arguments.results,
                (
                    *("tables/*.csv", "tables/*.json", "tables/*/*"),
                    "theory/*/*.json",
                    *("figures/*/*.svg", "figures/*/*.json"),
                    "data/*/manifest.json",
                ),
            ),
            (arguments.template_dir, ("*.*", "captions/*", "fonts/*.woff2")),
            (arguments.paper, ("*.csv",)),
        )
        for pattern in patterns
        for path in folder.glob(pattern)
    )
    record = Record("report", arguments.out.name, arguments.preset, arguments.code, inputs)
    templates = html.environment(arguments.template_dir)
    report = context.gather(
        json.loads(arguments.preset),
        arguments.results,
        arguments.paper,
        arguments.template_dir / "deviations.csv",
        templates,
        arguments.code,
    )
    write_text(arguments.out, html.render(report, templates))
    record.write_for(arguments.out)


if __name__ == "__main__":
    run_main(main)
