"""The manifest that a CODECHECK begins from: which files a codechecker should see come out."""

from collections.abc import Iterator

import yaml

from rethink.bundle.contents import PDF, REPORT
from rethink.bundle.crate import PAPER
from rethink.bundle.facts import Facts

VERSION = "https://codecheck.org.uk/spec/config/2.0/"
AUTHORS = ("Chiyuan Zhang", "Samy Bengio", "Moritz Hardt", "Benjamin Recht", "Oriol Vinyals")
HEAD = """\
---
# What a codechecker should see come out of this run. The keys codechecker, summary, certificate,
# check_time and report are the codechecker's to add.
"""


def codecheck(facts: Facts) -> str:
    """Return the text of ``codecheck.yml``; it lists figures, tables and the report."""
    content = {
        "version": VERSION,
        "paper": {
            "title": "Understanding deep learning requires rethinking generalization",
            "authors": [{"name": name} for name in AUTHORS],
            "reference": PAPER,
        },
        "manifest": [{"file": name, "comment": text} for name, text in _manifest(facts)],
    }
    return HEAD + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)


def _manifest(facts: Facts) -> Iterator[tuple[str, str]]:
    yield REPORT, "The report: every item below, beside the paper's values"
    if PDF in facts.files:
        yield PDF, "The same report, printed, with the tables attached"
    yield "tables/claims.csv", "A verdict on each of the paper's claims, with its criterion"
    for name in facts.files:
        folder, _, rest = name.partition("/")
        if folder == "figures" and name.endswith(".svg"):
            study, _, figure = rest.removesuffix(".svg").partition("/")
            yield name, f"Figure '{figure}' of study '{study}'"
            yield name.removesuffix(".svg") + ".csv", f"The values drawn in figure '{figure}'"
        elif folder == "tables" and rest.endswith("cells.csv"):
            yield name, f"Study '{rest.split('/')[0]}': its cells, mean and spread over replicates"
        elif folder == "theory" and rest.endswith("result.json"):
            yield name, f"Result of the experiment '{rest.split('/')[0]}'"
