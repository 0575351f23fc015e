"""What the figures of a study are drawn from: its tables, or its experiments' results."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rethink.analysis.tables import Tables
from rethink.errors import RethinkError
from rethink.files import read_json


def read_sources(paths: Iterable[Path]) -> Tables | dict[str, dict[str, Any]]:
    """Return the tables in the folder of CSV files, or the content of ``NAME/result.json`` files.

    Raises RethinkError like `read_results`.
    """
    paths = list(paths)
    if paths[0].suffix == ".csv":
        return Tables(paths[0].parent)
    return read_results(paths)


def read_results(paths: Iterable[Path]) -> dict[str, dict[str, Any]]:
    """Return the content of ``NAME/result.json`` files by the names of their folders.

    Raises RethinkError for a file that is missing or no JSON object.
    """
    found = {}
    for path in paths:
        try:
            result = read_json(path)
        except (OSError, ValueError) as error:
            raise RethinkError(f"{path}: not readable: {error}") from None
        if not isinstance(result, dict):
            raise RethinkError(f"{path}: should be a JSON object")
        found[path.parent.name] = result
    return found
