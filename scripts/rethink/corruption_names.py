"""The names of corruptions: what may be asked for, and one spelling for each."""

import re
from typing import NamedTuple

from rethink.errors import suggest

# kind -> its variants, the default one first; a kind that takes a level has no variants
VARIANTS = {
    "none": (),
    "labels": (),
    "wrong_labels": (),
    "signs": (),
    "shuffled_pixels": ("tied", "scalars"),
    "random_pixels": ("scalars", "tied"),
    "gaussian": ("global", "channels"),
    "gaussian_noise": (),
}
LEVELLED = ("labels", "wrong_labels", "gaussian_noise")
REPEATED = ("signs",)  # a number after the name counts the draws, from 1
NOISY_LABELS = ("labels", "wrong_labels")  # they leave the true labels to compare with
LABEL_KINDS = (*NOISY_LABELS, "signs")  # they change labels, the others images


class Corruption(NamedTuple):
    """A corruption: its kind, its level in (0, 1] (or None) and its variant (or None).

    The variant of a kind in `REPEATED` is the number of the draw, None for the first.
    """

    kind: str
    level: float | None = None
    variant: str | None = None

    @property
    def name(self) -> str:
        """The one spelling used in files: no default variant, the level without spare zeros."""
        if self.level is not None:
            return f"{self.kind}-{self.level:g}"
        if self.variant is not None and self.variant not in VARIANTS[self.kind][:1]:
            return f"{self.kind}-{self.variant}"
        return self.kind


def parse(name: str) -> Corruption:
    """Read a name such as ``labels-0.5``, ``random_pixels-tied`` or ``signs-2``.

    ``labels-0`` is ``none``, and ``signs-1`` is ``signs``. Raises ValueError, with what would be
    right, for an unknown kind, level, variant or draw.
    """
    kind, dash, rest = str(name).partition("-")
    if kind not in VARIANTS:
        raise ValueError(f"unknown corruption '{name}'{suggest(kind, VARIANTS)}")
    if kind in LEVELLED:
        level = _level(name, kind, rest)
        return Corruption(kind, level) if level else Corruption("none")
    if kind in REPEATED and dash:
        draw = _draw(name, kind, rest)
        return Corruption(kind, None, str(draw) if draw > 1 else None)
    variants = VARIANTS[kind]
    if not dash:
        return Corruption(kind, None, variants[0] if variants else None)
    if rest not in variants:
        choice = f"one of {', '.join(variants)}" if variants else "nothing"
        raise ValueError(f"corruption '{name}': after '{kind}-' comes {choice}, not '{rest}'")
    return Corruption(kind, None, rest)


def _level(name: str, kind: str, text: str) -> float:
    try:
        level = float(text)
    except ValueError:
        raise ValueError(
            f"corruption '{name}' needs a level between 0 and 1, as in '{kind}-0.5'"
        ) from None
    if not 0 <= level <= 1:
        raise ValueError(f"corruption '{name}': the level must lie between 0 and 1")
    return level


def _draw(name: str, kind: str, text: str) -> int:
    if not re.fullmatch("0*[1-9][0-9]*", text):
        raise ValueError(
            f"corruption '{name}': after '{kind}-' comes the number of the draw, as in '{kind}-2'"
        )
    return int(text)


def canonical(name: str) -> str:
    """Return the one spelling of `name`; raises ValueError like `parse`."""
    return parse(name).name


def title(name: str) -> str:
    """Return the words of a corruption for a reader, e.g. ``50 % random labels``."""
    kind, level, variant = parse(name)
    words = {
        "none": "true labels",
        "shuffled_pixels": "shuffled pixels",
        "random_pixels": "random pixels",
        "gaussian": "gaussian",
        "signs": "random signs",
    }
    if kind == "labels":
        return "random labels" if level == 1 else f"{100 * level:g} % random labels"
    if kind == "wrong_labels":
        return "wrong labels" if level == 1 else f"{100 * level:g} % wrong labels"
    if kind == "gaussian_noise":
        return f"gaussian noise, sd {level:g}"
    if kind in REPEATED:
        return words[kind] if variant is None else f"{words[kind]}, draw {variant}"
    default = not VARIANTS[kind] or variant == VARIANTS[kind][0]
    return words[kind] if default else f"{words[kind]} ({variant})"
