"""Compare two runs cell by cell: what differs beyond the replicates' spread, which verdicts."""

import argparse
import math
from collections.abc import Iterator
from pathlib import Path

from rethink.analysis.statistics import Spread
from rethink.analysis.tables import write_table
from rethink.bundle.archive import opened
from rethink.errors import run_main
from rethink.run_comparison import DIFFERS, NO_SPREAD, ONE_SIDE, SAME, Comparison, Quantity, compare
from rethink.terminal import columns


def main() -> None:
    """Read the command line, print what differs, and write it all as CSV if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("a", type=Path, metavar="A", help="a bundle.zip or a folder of results")
    parser.add_argument("b", type=Path, metavar="B", help="another one")
    parser.add_argument("--level", type=float, default=0.95, help="confidence level (0.95)")
    parser.add_argument("--out", type=Path, metavar="CSV", help="write every comparison here")
    arguments = parser.parse_args()
    if not 0 < arguments.level < 1:
        parser.error("--level should lie between 0 and 1")
    with opened(arguments.a) as a, opened(arguments.b) as b:
        found = compare(a, b, arguments.level)
    print("\n".join(lines(found)))
    if arguments.out:
        write_table(found.rows(), arguments.out)
        print(f"\nAll {len(found.rows()):,} rows: {arguments.out}")


def lines(found: Comparison) -> Iterator[str]:
    """Yield what there is to say of a comparison."""
    cells = len({q.cell for q in found.quantities})
    yield f"{cells} cells in both, {len(found.only_a)} only in A, {len(found.only_b)} only in B."
    yield (
        f"A quantity differs where |A - B| exceeds t * sqrt(sdA^2/nA + sdB^2/nB), t the two-sided "
        f"{100 * found.level:g} % quantile with Welch's degrees of freedom; where one side has a "
        "single replicate, the other's sd stands for both."
    )
    judged = [q for q in found.quantities if q.finding in (SAME, DIFFERS)]
    differing = [q for q in judged if q.finding == DIFFERS]
    yield (
        f"{len(differing)} of {len(judged)} quantities differ; of as many without any difference "
        f"some {(1 - found.level) * len(judged):.0f} would pass the limit by chance."
    )
    yield from _table("", differing)
    for finding, title in (
        (NO_SPREAD, "Unequal, with single replicates on both sides, hence without a spread:"),
        (ONE_SIDE, "Without a value on one side (never fitted, or diverged):"),
    ):
        yield from _table(title, [q for q in found.quantities if q.finding == finding])
    for title, names in (
        ("Trained to another specification:", found.respecified),
        ("Only in A:", found.only_a),
        ("Only in B:", found.only_b),
    ):
        if names:
            yield f"\n{title}"
            yield from (f"  {name}" for name in names)
    for name, count, total, most in found.theory:
        if count:
            yield f"\ntheory/{name}: {count} of {total} numbers differ, most of all {most}"
    if not found.verdicts:
        yield "\nNo verdict changed."
        return
    yield f"\n{len(found.verdicts)} verdicts changed:"
    for claim, a, b, ours_a, ours_b in found.verdicts:
        yield f"  {claim}: {a} -> {b}"
        yield f"    A: {ours_a or 'nothing'}"
        yield f"    B: {ours_b or 'nothing'}"


def _table(title: str, quantities: list[Quantity]) -> Iterator[str]:
    if not quantities:
        return
    yield f"\n{title}" if title else ""
    head = ("cell", "quantity", "A", "B", "B - A", "limit")
    rows = [
        (
            *(q.cell, q.quantity, _value(q.a), _value(q.b)),
            _number(q.difference, "+"),
            _number(q.limit) or "unknown",
        )
        for q in quantities
    ]
    yield columns([head, *rows])


def _number(value: float, sign: str = "") -> str:
    return "" if math.isnan(value) else f"{value:{sign}.4g}"


def _value(spread: Spread) -> str:
    if not spread.n:
        return "none"
    deviation = "" if spread.n == 1 else f" ± {spread.sd:.2g}"
    return f"{spread.mean:.5g}{deviation} (n = {spread.n})"


if __name__ == "__main__":
    run_main(main)
