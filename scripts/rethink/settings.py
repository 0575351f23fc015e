"""Training settings that a specification leaves out where they have their usual value.

They came after the first results: written out, they would change the identity of every cell that
does not use them.
"""

from typing import Any

USUAL: dict[str, Any] = {
    "optimizer": "momentum",
    "label_smoothing": 0.0,
    "random_resized_crop": 0.0,
    "color_distortion": False,
    "top5": False,
}


def without_usual(settings: dict[str, Any]) -> dict[str, Any]:
    """Return `settings` without those that have their usual value."""
    return {
        key: value for key, value in settings.items() if key not in USUAL or value != USUAL[key]
    }


def whole(settings: dict[str, Any]) -> dict[str, Any]:
    """Return `settings` with the usual value of those that were left out."""
    return {**USUAL, **settings}
