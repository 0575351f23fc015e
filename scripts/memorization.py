"""Measure how networks memorize: result.json, run.json."""

from typing import Any

from rethink.errors import run_main
from rethink.theory.place import Place, command_line


def experiment(spec: dict[str, Any], place: Place) -> None:
    """Do the experiment; its code loads torch, for which the command line has to be read first."""
    from rethink.memorization.run import run

    run(spec, place)


if __name__ == "__main__":
    run_main(lambda: command_line(__doc__, experiment))
