"""The paper's claims in the report: a scoreboard by item, and every claim with its verdict."""

from dataclasses import dataclass

import pandas as pd

from rethink.claims.verdicts import DIFFERS, NOT_RUN, REPRODUCED
from rethink.publish.content import Cell, Column, Row, Table, anchor
from rethink.publish.wording import plural

# (verdict, scale) -> how the report calls it, best first.
GRADES = {
    (REPRODUCED, "full"): "reproduced",
    (DIFFERS, "full"): "differs",
    (REPRODUCED, "reduced"): "holds on a reduced scale",
    (DIFFERS, "reduced"): "fails on a reduced scale",
}
# A symbol beside every grade, so that no verdict is told by colour alone; in brackets what was
# decided on a reduced scale.
SYMBOLS = {
    "reproduced": "✓",
    "differs": "✗",
    "holds on a reduced scale": "(✓)",
    "fails on a reduced scale": "(✗)",
    NOT_RUN: "○",
}


@dataclass(frozen=True)
class Scoreboard:
    """The verdicts of a run, `verdicts` as `rethink.claims.verdicts.read_verdicts` returns them."""

    verdicts: pd.DataFrame

    def of(self, letter: str) -> "Scoreboard":
        """Return the claims whose names begin with a letter: C of the paper, S of the slides."""
        mine = self.verdicts["id"].str.fullmatch(f"{letter}[0-9]+")
        return Scoreboard(self.verdicts[mine].reset_index(drop=True))

    def grades(self) -> pd.Series:
        """Return the grade of every claim."""
        pairs = zip(self.verdicts["verdict"], self.verdicts["scale"], strict=True)
        return pd.Series([GRADES.get(pair, NOT_RUN) for pair in pairs], dtype=str)

    def count(self, grade: str) -> int:
        """Return the number of claims of a grade."""
        return int((self.grades() == grade).sum())

    def sentence(self, whose: str = "") -> str:
        """Return how many claims have which grade; `whose` they are, in words, with a space."""
        reproduced, differ, hold, fail = map(self.count, GRADES.values())
        text = (
            f"{reproduced} of {whose}{plural(len(self.verdicts), 'claim')} reproduced, {differ} "
            f"{'differs' if differ == 1 else 'differ'}, {self.count(NOT_RUN)} not run."
        )
        if hold + fail:
            text = text.removesuffix(".")
            text += (
                f"; {hold + fail} decided on a reduced scale only, where {hold} hold and {fail} "
                "fail: that counts as no reproduction."
            )
        return text

    def by_item(self) -> Table:
        """Return a table with a row per item of the paper and a column per grade that occurs."""
        grades = self.grades()
        present = [grade for grade in [*GRADES.values(), NOT_RUN] if (grades == grade).any()]
        rows = []
        for item, claims in self.verdicts.groupby("item", sort=False):
            mine = grades[claims.index]
            links = [
                [(name, claim_anchor(name)) for name in claims["id"][mine == grade]]
                for grade in present
            ]
            rows.append(Row([Cell(str(item)), *(Cell("", links=found) for found in links)]))
        columns = [Column("Item", "text"), *(Column(g.capitalize(), "links") for g in present)]
        return Table("", "", columns, rows, name="verdicts-by-item")

    def claims(
        self, name: str = "all-claims", said: str = "What the paper says", theirs: str = "Paper"
    ) -> Table:
        """Return a table, called `name`, with everything that is known of each claim.

        said, theirs : titles of the columns of statements and of the values given for them.
        """
        rows = [
            self._row(claim, grade)
            for claim, grade in zip(self.verdicts.itertuples(), self.grades(), strict=True)
        ]
        columns = [
            Column("Claim", "name"),
            Column(said, "prose"),
            Column(theirs, "prose"),
            Column("This run", "prose"),
            Column("Verdict", "text"),
            Column("Evidence", "command"),
        ]
        return Table("", "", columns, rows, name=name)

    def _row(self, claim: tuple, grade: str) -> Row:
        criterion = f"Criterion: {claim.criterion}"
        if claim.tolerance not in ("", "none"):
            criterion += f" Tolerance: {claim.tolerance}."
        cells = [name for name in claim.cells.split(";") if name]
        links = [(n, anchor("cell", *n.split("/"))) for n in cells if n.count("/") == 3]
        links += [(n, anchor(*n.split("/"))) for n in cells if n.count("/") != 3]
        return Row(
            [
                Cell(claim.id),
                Cell(claim.statement, more=f"{claim.item}. {criterion}"),
                Cell(claim.paper_value),
                Cell(claim.ours or "–", more=claim.note),
                Cell(f"{SYMBOLS[grade]} {grade}"),
                Cell("", command=claim.command or None, links=links),
            ],
            id=claim_anchor(claim.id),
            data={"verdict": grade.split()[0]},
        )


def claim_anchor(claim: str) -> str:
    """Return the anchor of a claim."""
    return anchor("claim", claim)


def undecided(frame: pd.DataFrame) -> Table:
    """Return the table of statements that no experiment of this pipeline decides, and why not."""
    rows = [Row([Cell(row.statement), Cell(row.why)]) for row in frame.itertuples()]
    columns = [Column("Statement", "prose"), Column("Why no cell decides it", "prose")]
    return Table("", "", columns, rows, name="undecided")


def deviations(frame: pd.DataFrame) -> Table:
    """Return the table of what the paper leaves open and what was chosen."""
    rows = [
        Row(
            [
                Cell(row.item),
                Cell(row.paper_says),
                Cell(row.we_chose, more=f"Because {row.why}."),
                Cell(row.switch),
                Cell(row.expected_effect),
            ]
        )
        for row in frame.itertuples()
    ]
    columns = [
        Column("Left open", "text"),
        Column("The paper says", "prose"),
        Column("We chose", "prose"),
        Column("To choose otherwise, in the preset", "code"),
        Column("Expected effect", "prose"),
    ]
    return Table("", "", columns, rows, name="left-open")
