"""What an audit found: disagreements, remarks, and what was checked."""

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass
class Findings:
    """The outcome of an audit.

    `disagreements` are by file; `remarks` say what could not be compared, and why; `checked` says
    what was, with a count each.
    """

    disagreements: dict[str, list[str]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=dict)

    def disagree(self, file: str, texts: Iterable[object]) -> None:
        """Note that a file is not what it should be; no text, no disagreement."""
        found = [str(text) for text in texts]
        if found:
            self.disagreements.setdefault(file, []).extend(found)

    def remark(self, text: str) -> None:
        """Note, once, what could not be compared."""
        if text not in self.remarks:
            self.remarks.append(text)

    def count(self, what: str, number: int = 1) -> None:
        """Note that something was checked."""
        self.checked[what] = self.checked.get(what, 0) + number

    @property
    def good(self) -> bool:
        """Whether nothing disagrees."""
        return not self.disagreements


def summary(findings: Findings, most: int) -> str:
    """Return the findings for a reader, at most `most` of each file, all of them if it is 0."""
    lines = [f"checked: {number:5,} {what}" for what, number in findings.checked.items()]
    lines += [f"note: {text}" for text in findings.remarks]
    for file, texts in findings.disagreements.items():
        shown = texts[:most] if most else texts
        lines += [f"DISAGREES: {file}: {text}" for text in shown]
        if len(texts) > len(shown):
            lines.append(
                f"           {file}: and {len(texts) - len(shown):,} more (--all shows them)"
            )
    if findings.good:
        lines.append("The bundle is good: everything that can be recomputed agrees.")
    else:
        count = sum(map(len, findings.disagreements.values()))
        files = len(findings.disagreements)
        lines.append(
            f"The bundle is NOT good: {count:,} disagreement{'s' * (count > 1)} in {files:,} "
            f"file{'s' * (files > 1)}."
        )
    return "\n".join(lines)
