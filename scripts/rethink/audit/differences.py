"""Where two versions of a file differ, in the words of its reader: row and column, key, table."""

import csv
import io
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

KEYS = ("id", "dataset", "model", "corruption", "regularizer", "replicate", "epoch")


class Difference(NamedTuple):
    """One place in a file, what the file says there, and what it should say."""

    place: str
    said: str
    computed: str

    def __str__(self) -> str:
        return f"{self.place}: says {_quoted(self.said)}, computed {_quoted(self.computed)}"


def _quoted(text: str) -> str:
    if not text:
        return "nothing"
    text = " ".join(text.split())
    return f"'{text}'" if len(text) <= 120 else f"'{text[:117]}...'"


def of_csv(said: str, computed: str) -> Iterator[Difference]:
    """Yield the fields in which two CSV files differ, by row and column.

    Rows are counted as in a text editor, from 1, which is the header; columns that name a row
    (cell, replicate, epoch, id) are told with it.
    """
    mine, theirs = (list(csv.reader(io.StringIO(text))) for text in (said, computed))
    header, expected = (mine or [[]])[0], (theirs or [[]])[0]
    if header != expected:
        yield Difference("row 1, the header", ",".join(header), ",".join(expected))
        return
    for number, (row, other) in enumerate(zip(mine[1:], theirs[1:], strict=False), 2):
        if row == other:
            continue
        where = f"row {number}{_named(header, other)}"
        if len(row) != len(header):
            yield Difference(f"{where}, number of fields", str(len(row)), str(len(header)))
            continue
        for column, ours, right in zip(header, row, other, strict=True):
            if ours != right:
                yield Difference(f"{where}, column {column}", ours, right)
    if len(mine) != len(theirs):
        yield Difference("number of rows", str(len(mine)), str(len(theirs)))


def _named(header: list[str], row: list[str]) -> str:
    """Return what names a row, e.g. `` (digits/mlp_1x512/none/none, replicate 0, epoch 3)``."""
    fields = dict(zip(header, row, strict=False))
    parts = [fields[key] for key in KEYS[1:5] if fields.get(key)]
    names = ["/".join(parts)] if parts else []
    names += [f"{key} {fields[key]}" for key in ("id", "replicate", "epoch") if fields.get(key)]
    return f" ({', '.join(names)})" if names else ""


def of_json(said: Any, computed: Any, place: str = "") -> Iterator[Difference]:
    """Yield the values in which two JSON documents differ, by their path, e.g. ``a.b[0]``."""
    if isinstance(said, dict) and isinstance(computed, dict):
        for key in sorted({*said, *computed}):
            inner = f"{place}.{key}" if place else key
            if key not in said or key not in computed:
                yield Difference(inner, _json(said, key), _json(computed, key))
            else:
                yield from of_json(said[key], computed[key], inner)
    elif isinstance(said, list) and isinstance(computed, list):
        if len(said) != len(computed):
            yield Difference(f"{place}, number of entries", str(len(said)), str(len(computed)))
        for i, (ours, right) in enumerate(zip(said, computed, strict=False)):
            name = right.get("@id", i) if isinstance(right, dict) else i
            yield from of_json(ours, right, f"{place}[{name}]")
    elif not _equal(said, computed):
        yield Difference(place, str(said), str(computed))


def _json(document: dict[str, Any], key: str) -> str:
    return str(document[key]) if key in document else ""


def _equal(one: Any, other: Any) -> bool:
    numbers = isinstance(one, float) and isinstance(other, float)
    return one == other or (numbers and math.isnan(one) and math.isnan(other))


def of_text(said: str, computed: str) -> Iterator[Difference]:
    """Yield the lines in which two texts differ."""
    mine, theirs = said.splitlines(), computed.splitlines()
    for number, (line, other) in enumerate(zip(mine, theirs, strict=False), 1):
        if line != other:
            yield Difference(f"line {number}", line, other)
    if len(mine) != len(theirs):
        yield Difference("number of lines", str(len(mine)), str(len(theirs)))
