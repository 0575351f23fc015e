"""Numbers and lists as a reader wants to see them."""

import math
from collections.abc import Sequence
from datetime import datetime

MINUS, EN_DASH, NO_BREAK = "\u2212", "\u2013", "\u00a0"


def tidy(text: str) -> str:
    """Return `text` on one line, with no line break between a number and its percent sign."""
    return " ".join(text.split()).replace(" %", f"{NO_BREAK}%")


def fixed(value: float, digits: int) -> str:
    """Return a number with `digits` decimals and a true minus sign."""
    text = f"{value:,.{digits}f}"
    return text.replace("-", MINUS) if float(text.replace(",", "")) else text.lstrip("-")


def scientific(value: float, digits: int = 1) -> str:
    """Return ``1.5e−6`` with `digits` decimals; ``0`` for zero."""
    if value == 0:
        return "0"
    number, _, exponent = f"{value:.{digits}e}".partition("e")
    return f"{number}e{int(exponent)}".replace("-", MINUS)


def magnitude(value: float) -> str:
    """Return a number of any size, e.g. ``3.4e−14``, ``0.13``, ``22.7``, ``8,967``, ``2.0e7``."""
    if not 0.01 <= value < 1e6:
        return scientific(value)
    return fixed(value, 2 if value < 1 else 1 if value < 1000 else 0)


def signed(value: float, digits: int) -> str:
    """Return a difference with its sign."""
    text = fixed(value, digits)
    return f"+{text}" if value > 0 and text.strip("0.,") else text


def mean_sd(mean: float, sd: float, digits: int = 2) -> str:
    """Return ``97.30 ± 0.12``; without deviation where there is none (a single replicate)."""
    if math.isnan(sd):
        return fixed(mean, digits)
    return f"{fixed(mean, digits)} ± {fixed(sd, digits)}"


def span(values: Sequence[float], digits: int = 1) -> str:
    """Return ``9.8–10.4``, or the one number where both ends read the same."""
    low, high = fixed(min(values), digits), fixed(max(values), digits)
    return low if low == high else f"{low}{EN_DASH}{high}"


def duration(seconds: float) -> str:
    """Return a time in the two units that matter, e.g. ``1 h 04 min`` or ``3.2 s``."""
    if math.isnan(seconds):
        return "not recorded"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60:02d} min"


def plural(count: int, noun: str) -> str:
    """Return ``1 cell`` or ``1,234 cells``."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def listing(items: Sequence[str]) -> str:
    """Return ``a, b and c``."""
    items = list(items)
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def replicates(counts: Sequence[int]) -> str:
    """Return ``3 replicates``, or ``1 to 3 replicates`` where cells differ."""
    low, high = min(counts), max(counts)
    return plural(low, "replicate") if low == high else f"{low} to {high} replicates"


def date(timestamp: str) -> str:
    """Return an ISO time as ``20 November 2026``."""
    moment = datetime.fromisoformat(timestamp)
    return f"{moment.day} {moment:%B %Y}"
