"""What a report is made of: numbered sections that hold figures and tables."""

import re
from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass
class Figure:
    """A figure with everything that is said about it; `image` and `csv` are data: addresses."""

    title: str
    caption: str
    alt: str
    source: str
    image: str
    csv: str
    csv_name: str
    name: str
    number: str = ""

    @property
    def id(self) -> str:
        """Its anchor, which does not change with the number."""
        return anchor("figure", self.name)


@dataclass
class Cell:
    """A field of a table: its text, a number to sort it by, and a command that it hides.

    `more` is said below the text in smaller letters; `links` are texts with their anchors;
    `record` is hidden with the command: terms and their values.
    """

    text: str
    sort: float | None = None
    command: str | None = None
    more: str = ""
    links: list[tuple[str, str]] = field(default_factory=list)
    record: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Row:
    """A row of a table; the first cell is its header. `data` are values to filter it by."""

    cells: list[Cell]
    id: str | None = None
    data: dict[str, str] = field(default_factory=dict)


@dataclass
class Column:
    """A column of a table; `kind` is one of

    ``text``, ``name`` (text that stays on one line), ``prose`` (sentences), ``number``, ``path``,
    ``hash``, ``code``, ``command``, ``links``.
    """

    title: str
    kind: str = "number"


@dataclass
class Table:
    """A table with its caption. `interactive` ones sort and filter in a browser.

    `name` is its anchor, which does not change with the number.
    """

    title: str
    caption: str
    columns: list[Column]
    rows: list[Row]
    source: str = ""
    name: str = ""
    interactive: bool = False
    number: str = ""

    @property
    def id(self) -> str:
        """Its anchor."""
        return self.name

    def row_id(self, index: int) -> str:
        """Return the anchor of the row at `index`, counted from 1."""
        return self.rows[index - 1].id or f"{self.id}-{index}"


class Verdict(NamedTuple):
    """A claim's verdict as a section tells it."""

    claim: str
    target: str
    symbol: str
    grade: str
    statement: str
    paper: str
    ours: str


@dataclass
class Section:
    """A section of the report.

    `lead` is its opening paragraph, `verdicts` those of the claims that it answers to, `command` a
    command line shown below them; `parts` come in the order in which they are read.
    """

    id: str
    title: str
    lead: str = ""
    parts: list[Figure | Table] = field(default_factory=list)
    command: str = ""
    verdicts: list[Verdict] = field(default_factory=list)
    number: int = 0


def number(sections: list[Section]) -> list[Section]:
    """Number the sections 1, 2, ... and their figures and tables 1.1, 1.2, ... in place."""
    for i, section in enumerate(sections, 1):
        section.number = i
        for kind in (Figure, Table):
            parts = [part for part in section.parts if isinstance(part, kind)]
            for j, part in enumerate(parts, 1):
                part.number = f"{i}.{j}"
    return sections


def anchor(*parts: str) -> str:
    """Return an anchor made of `parts`, e.g. ``cell-digits-mlp_1x512-labels-0-5-none``."""
    return "-".join(re.sub(r"[^a-z0-9_]+", "-", part.lower()).strip("-") for part in parts)
