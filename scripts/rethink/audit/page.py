"""What a reader of the report sees, piece by piece, so that two renderings can be compared."""

import base64
import binascii
import difflib
import hashlib
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import NamedTuple

from rethink.audit.differences import Difference

BLOCKS = {
    *("p", "h1", "h2", "h3", "h4", "h5", "h6", "li", "dt", "dd", "caption", "figcaption"),
    *("td", "th", "pre", "summary", "title", "text"),
}
SILENT = {"style", "script"}
CARRIERS = {"src": "image", "href": "attached file"}
DATA = "data:"


class Piece(NamedTuple):
    """A text, or what is embedded, with the place where it stands."""

    place: str
    text: str


def pieces(page: str) -> list[Piece]:
    """Return the texts, table fields, alternative texts and embedded files of an HTML page."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return reader.pieces


def of_pages(said: str, computed: str) -> Iterator[Difference]:
    """Yield where two renderings of the report differ for their reader: table, row and column."""
    mine, theirs = pieces(said), pieces(computed)
    matcher = difflib.SequenceMatcher(None, mine, theirs, autojunk=False)
    if len(mine) == len(theirs):
        pairs = list(zip(mine, theirs, strict=True))
    else:
        pairs = list(_aligned(matcher, mine, theirs))
    for ours, right in pairs:
        if ours != right:
            yield Difference((right or ours).place, ours.text, right.text)


def _aligned(
    matcher: difflib.SequenceMatcher, mine: list[Piece], theirs: list[Piece]
) -> Iterator[tuple[Piece, Piece]]:
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            continue
        ours, right = mine[a:b], theirs[c:d]
        for i in range(max(len(ours), len(right))):
            one = ours[i] if i < len(ours) else None
            other = right[i] if i < len(right) else None
            place = (other or one).place
            yield one or Piece(place, ""), other or Piece(place, "")


class _Reader(HTMLParser):
    """Collects pieces; knows the table, row and column that it is in."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[Piece] = []
        self.anchor, self.table, self.headers, self.row = "", "", [], []
        self.text: list[str] = []
        self.silent = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note where the tag leads, and what it carries."""
        attributes = {key: value or "" for key, value in attrs}
        if tag in BLOCKS:
            self._flush()
        if tag in SILENT:
            self._flush()
            self.silent = True
        if "id" in attributes and tag != "tr":
            self.anchor = attributes["id"]
        if tag == "table":
            self.table, self.headers = attributes.get("aria-labelledby") or self.anchor, []
        if tag == "tr":
            self.row = []
        for key, what in CARRIERS.items():
            if attributes.get(key, "").startswith(DATA):
                self._embedded(what, attributes[key])
        for key in ("alt", "content"):
            if attributes.get(key) and "Security" not in attributes.get("http-equiv", ""):
                self._add(f"{key} of {tag}", attributes[key])

    def handle_endtag(self, tag: str) -> None:
        """Close a text or a table."""
        if tag in SILENT:
            self.silent = False
        elif tag in ("td", "th"):
            self._field()
        elif tag in BLOCKS:
            self._flush()
        elif tag == "thead":
            self.headers = self.row
        elif tag == "table":
            self.table, self.headers = "", []

    def handle_data(self, data: str) -> None:
        """Collect text."""
        if not self.silent:
            self.text.append(data)

    def close(self) -> None:
        """End the page."""
        super().close()
        self._flush()

    def _field(self) -> None:
        text = _tidy(self.text)
        self.text = []
        column = len(self.row)
        self.row.append(text)
        title = self.headers[column] if column < len(self.headers) else ""
        named = f"column '{title}'" if title else f"column {column + 1}"
        self.pieces.append(
            Piece(f"table '{self.table}', row '{self.row[0] or 'without a name'}', {named}", text)
        )

    def _flush(self) -> None:
        text = _tidy(self.text)
        self.text = []
        if text:
            self._add("text", text)

    def _add(self, what: str, text: str) -> None:
        self.pieces.append(Piece(f"{what} at #{self.anchor}" if self.anchor else what, text))

    def _embedded(self, what: str, address: str) -> None:
        head, _, content = address.partition(",")
        try:
            carried = base64.b64decode(content)
        except (ValueError, binascii.Error):
            carried = content.encode()
        kind = head.removeprefix(DATA).partition(";")[0]
        if kind == "text/csv":
            lines = carried.decode("utf-8", "replace").splitlines()
        else:
            lines = [f"content of sha256 {hashlib.sha256(carried).hexdigest()}"]
        for number, line in enumerate(lines, 1):
            where = f"{what} ({kind})" + (f", line {number}" if len(lines) > 1 else "")
            self._add(where, line)


def _tidy(parts: list[str]) -> str:
    return " ".join("".join(parts).split())
