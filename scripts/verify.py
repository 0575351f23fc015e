"""Compare every result's digests of specification, code and data with the present ones."""

import sys

from rethink.errors import run_main
from rethink.terminal import chosen_grid, columns, preset_parser, results_folder
from rethink.verify import verify


def main() -> None:
    """Print what is not good and a count; exit with 1 if anything is stale or damaged."""
    grid = chosen_grid(preset_parser(__doc__).parse_args())
    findings = verify(grid, results_folder(grid))
    rest = [f for f in findings if f.state != "good"]
    if rest:
        print(columns([(f.state, f.kind, f.name, f.reason) for f in rest]))
    counts = {
        state: sum(f.state == state for f in findings) for f in findings for state in [f.state]
    }
    print(", ".join(f"{count} {state}" for state, count in sorted(counts.items())))
    if any(f.state in ("stale", "damaged") for f in rest):
        sys.exit(1)


if __name__ == "__main__":
    run_main(main)
