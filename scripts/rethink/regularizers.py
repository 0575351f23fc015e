"""The regularizers: named sets of training settings, and their sums."""

from typing import Any

from rethink.errors import suggest

# Order is the order in a sum's name. `weight_decay: None` stands for the model's own coefficient.
BUILT_IN: dict[str, dict[str, Any]] = {
    "none": {},
    "crop": {"random_crop": True},
    "augment": {"flip": True, "rotation": 25.0},
    "distort": {"random_resized_crop": 0.05, "flip": True, "color_distortion": True},
    "weight_decay": {"weight_decay": None},
    "dropout": {"dropout": 0.5},
    "mixup": {"mixup": 1.0},
    "early_stopping": {"early_stopping": {"validation": 0.1, "patience": 10}},
}
# Where the name says less than a reader needs.
TITLES = {"augment": "flip and rotation", "distort": "distortion"}
# The settings that change the images.
AUGMENTATIONS = ("random_crop", "flip", "rotation", "random_resized_crop", "color_distortion")


def canonical(name: str, known: dict[str, dict[str, Any]]) -> str:
    """Return the one spelling of a regularizer or a sum such as ``crop+weight_decay``.

    `known` maps the names that may be summed to their settings. Raises ValueError for an unknown
    or repeated name, and for two parts of a sum that set the same thing differently.
    """
    parts = [part.strip() for part in str(name).split("+")]
    for part in parts:
        if part not in known:
            raise ValueError(f"unknown regularizer '{part}'{suggest(part, known)}")
    if len(set(parts)) < len(parts):
        raise ValueError(f"regularizer '{name}' names a part twice")
    if "none" in parts and len(parts) > 1:
        raise ValueError(f"regularizer '{name}': 'none' adds nothing; leave it out of the sum")
    merged = settings(name, known)
    for part in parts:
        for key, value in known[part].items():
            if merged[key] != value:
                raise ValueError(f"regularizer '{name}': its parts disagree about {key}")
    order = list(known)
    return "+".join(sorted(parts, key=order.index))


def settings(name: str, known: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the training settings that a regularizer, or a sum of them, changes."""
    merged: dict[str, Any] = {}
    for part in name.split("+"):
        merged.update(known[part.strip()])
    return merged


def augments(name: str) -> bool:
    """Return whether a regularizer, or a part of a sum that is built in, changes the images."""
    given = settings("+".join(p for p in name.split("+") if p in BUILT_IN) or "none", BUILT_IN)
    return any(given.get(key) for key in AUGMENTATIONS)


def title(name: str) -> str:
    """Return the words of a regularizer for a reader, e.g. ``crop + weight decay``."""
    return " + ".join(TITLES.get(part, part.replace("_", " ")) for part in name.split("+"))
