"""A claim of the paper: what it says, how it is decided, and whether the paper itself meets it.

Claims are data (``report/claims.csv``, and ``report/claims_*.csv`` for those of others, which have
letters of their own before their numbers); a small function per claim turns the tables of a run into
cases, one for each instance that the claim speaks of, such as a model.
"""

import csv
import os
from collections.abc import Callable
from dataclasses import dataclass, field

from rethink.errors import RethinkError

FIELDS = (
    "id",
    "kind",
    "item",
    "statement",
    "criterion",
    "tolerance",
    "limits",
    "paper_value",
    "paper_satisfies",
    "paper_note",
)
# Below report/: the paper's, and the slides'.
CLAIM_FILES = ("claims.csv", "claims_slides.csv")
PAPER_SATISFIES = ("yes", "no", "partly")


@dataclass(frozen=True)
class Claim:
    """One row of claims.csv.

    id : ``C1`` ...; kind : its subject; item : the paper's table, figure or section.
    statement : what the paper says. criterion, tolerance : what decides it, fixed beforehand;
    both name the numbers in `limits` in braces, so that text and decision cannot differ.
    paper_value : the paper's numbers. paper_satisfies : ``yes``, ``no`` or ``partly``, of these
    numbers against the criterion; paper_note : why, where it is not ``yes``.
    """

    id: str
    kind: str
    item: str
    statement: str
    criterion: str
    tolerance: str
    limits: dict[str, float]
    paper_value: str
    paper_satisfies: str
    paper_note: str


@dataclass(frozen=True)
class Outcome:
    """What one case gave: whether the criterion holds, our numbers in words, and remarks.

    `reduced` says that less was computed than the paper did, whatever the preset.
    """

    holds: bool
    ours: str
    note: str = ""
    reduced: bool = False


@dataclass(frozen=True)
class Case:
    """An instance that a claim speaks of.

    needs : names of cells, or ``theory/NAME``, or in words what is missing.
    """

    name: str
    needs: tuple[str, ...]
    decide: Callable[[], Outcome] = field(compare=False)


class Undecidable(Exception):
    """The cells are there but lack what the claim asks for; the text says what."""


def read_claims(path: str | os.PathLike) -> list[Claim]:
    """Return the claims of a CSV file; raises RethinkError that names what is wrong in it."""
    try:
        with open(path, encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RethinkError(f"{path}: not readable as a table of claims: {error}") from None
    for name in FIELDS:
        if not rows or rows[0].get(name) is None:
            raise RethinkError(f"{path}: column '{name}' is missing")
    claims = [_claim(row, path) for row in rows]
    ids = [claim.id for claim in claims]
    for claim in ids:
        if ids.count(claim) > 1:
            raise RethinkError(f"{path}: claim '{claim}' is there twice")
    return claims


def _claim(row: dict[str, str], path: str | os.PathLike) -> Claim:
    try:
        pairs = [pair.split("=") for pair in row["limits"].split(";") if pair.strip()]
        limits = {key.strip(): float(value) for key, value in pairs}
        shown = {key: f"{value:g}" for key, value in limits.items()}
        texts = {key: row[key].format(**shown) for key in ("criterion", "tolerance")}
    except (ValueError, KeyError, IndexError) as error:
        raise RethinkError(
            f"{path}: claim '{row['id']}': limits should read 'name=number; ...' and name all "
            f"that stands in braces ({error})"
        ) from None
    if row["paper_satisfies"] not in PAPER_SATISFIES:
        raise RethinkError(
            f"{path}: claim '{row['id']}': paper_satisfies should be one of "
            f"{', '.join(PAPER_SATISFIES)}, not '{row['paper_satisfies']}'"
        )
    return Claim(**{**row, **texts, "limits": limits})
