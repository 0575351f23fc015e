"""The paper's items on the scoreboard, and the claims that a section answers to."""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from rethink import studies as study_catalog
from rethink.publish.content import Verdict
from rethink.publish.verdicts import GRADES, SYMBOLS, Scoreboard, claim_anchor

# What a claim's source is called where it is no item of its own.
PARTS = {"Figure 1": ("Figure 1b", "Figure 1c"), "Lemma 1": ("Theorem 1",)}
PARTLY = "◐"


class Item(NamedTuple):
    """An item of the paper on the scoreboard: its state as a symbol and in words, and its link."""

    name: str
    symbol: str
    state: str
    target: str
    grade: str


def items_of(source: str) -> tuple[str, ...]:
    """Return the items that a claim's source names, e.g. of ``Section 2.2, Figure 1``."""
    named = [PARTS.get(name, (name,)) for name in re.split(r",\s*", source)]
    return tuple(dict.fromkeys(item for names in named for item in names))


def scoreboard_items(board: Scoreboard, sections: dict[str, str]) -> list[Item]:
    """Return the paper's items in its order, and after them any that only a claim names.

    sections : the anchors of the items that have a section; the others link to their first claim.
    """
    grades, sources = board.grades(), board.verdicts["item"].map(items_of)
    named = dict.fromkeys(item for items in sources for item in items)
    result = []
    for name in dict.fromkeys((*study_catalog.PAPER_ITEMS, *named)):
        mine = sources.map(lambda items, name=name: name in items)
        if not mine.any() and name not in sections:
            continue
        first = board.verdicts["id"][mine].tolist()[:1]
        target = sections.get(name) or claim_anchor(*first)
        result.append(Item(name, *_state(grades[mine].tolist(), name in sections, target)))
    return result


def _state(grades: list[str], has_section: bool, target: str) -> tuple[str, str, str, str]:
    """Return symbol, words, link and grade of an item with claims of these grades."""
    if not grades:
        return "–", "shown, no claim" if has_section else "no claim", target, "none"
    reproduced, differs, holds, fails = (grades.count(grade) for grade in GRADES.values())
    of = f"of {len(grades)}"
    if differs:
        grade, words = "differs", f"{differs} {of} differ{'s' if differs == 1 else ''}"
    elif fails:
        grade, words = "fails on a reduced scale", f"{fails} {of} fail, reduced"
    elif reproduced == len(grades):
        grade, words = "reproduced", f"{reproduced} {of} reproduced"
    elif reproduced:
        return PARTLY, f"{reproduced} {of} reproduced", target, "partly"
    elif holds:
        grade, words = "holds on a reduced scale", f"{holds} {of} hold, reduced"
    else:
        grade, words = "not run", "not run"
    return SYMBOLS[grade], words, target, grade.split()[0]


def verdicts_of(board: Scoreboard, kind: str, members: Iterable[str]) -> list[Verdict]:
    """Return the verdicts that a section answers to.

    They are those of the items of its `kind` of study whose evidence is among `members`, its cells
    and experiments, or which have no evidence yet.
    """
    wanted = set(study_catalog.KINDS[kind].paper_items)
    members = set(members)
    result = []
    for claim, grade in zip(board.verdicts.itertuples(), board.grades(), strict=True):
        evidence = {name for name in claim.cells.split(";") if name}
        if wanted.isdisjoint(items_of(claim.item)) or (evidence and evidence.isdisjoint(members)):
            continue
        result.append(_verdict(claim, grade))
    return result


def _verdict(claim: Any, grade: str) -> Verdict:
    return Verdict(
        claim=claim.id,
        target=claim_anchor(claim.id),
        symbol=SYMBOLS[grade],
        grade=grade,
        statement=claim.statement,
        paper=claim.paper_value,
        ours=claim.ours,
    )
