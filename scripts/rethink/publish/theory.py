"""What the report says of each kind of theory study."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

KINDS: dict[str, Any] = {}


@dataclass(frozen=True)
class TheoryView:
    """A study of theory as the report sees it."""

    study: dict[str, Any]
    results: dict[str, dict[str, Any]]
    runs: dict[str, dict[str, Any]]
    titles: dict[str, str]
    paper: Path
