"""Errors that are meant for the user: one clear sentence, no traceback."""

import difflib
import sys
from collections.abc import Callable, Iterable


class RethinkError(Exception):
    """Something the user can mend; its text names what was wrong and what would be right."""


def suggest(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the nearest of `known`, or the list of all of them."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if near:
        return f"; did you mean '{near[0]}'?"
    return f"; known are {', '.join(known)}" if known else ""


def run_main(main: Callable[[], None]) -> None:
    """Run a command line: a `RethinkError` becomes one line on standard error and exit code 1."""
    try:
        main()
    except RethinkError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        sys.exit(1)
