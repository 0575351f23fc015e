"""A made-up results folder in the format of the real one, for the tests of tables and report.

The numbers are keyed, so that the same folder comes out every time; they look like a run and
mean nothing.
"""

import math
from pathlib import Path

import numpy as np

from rethink import corruption_names
from rethink.files import canonical_json, sha256_file, sha256_text, write_json, write_text
from rethink.models.catalog import MODELS
from rethink.provenance import SCHEMA
from rethink.seeds import generator

VALUES = [
    *("online_loss", "online_accuracy", "train_loss", "train_accuracy"),
    *("train_accuracy_hit", "train_accuracy_untouched", "train_accuracy_true"),
    *("validation_loss", "validation_accuracy", "test_loss", "test_accuracy"),
    *("test_loss_given", "test_accuracy_given"),
]
HEADER = ["replicate", "epoch", "step", "learning_rate", *VALUES]
LEVELS = ["none", "labels-0.25", "labels-0.5", "labels-0.75", "labels-1"]
OTHERS = ["shuffled_pixels", "random_pixels", "gaussian"]
SIGNS = ["signs", "signs-2"]
CLASSES = 10
TWO_CLASSES = {"classes": 2, "class_names": ["-1", "+1"], "own_task": True}
STEPS = 12
SPEED = {"inception": 2.0, "inception_no_bn": 2.4, "alexnet": 5, "mlp_3x512": 4, "mlp_1x512": 6}
IMAGENET = "inception_v3"  # its cells have top-5 accuracies, and a test accuracy that falls again
CONVEX = "convex_mlp_1x512"  # its cells have the excess over chords
DEMO = "wrn_28_1"
# The cells that end badly, as some of the paper's own do.
NEVER_FITS = "mlp_1x512/labels-0.75/none"
SOMETIMES_FITS = "mlp_1x512/labels-0.5/none"
DIVERGES = "alexnet/labels-1/weight_decay"

STUDIES = {
    "figure1a": ("learning_curves", [("inception", c, "none") for c in [*LEVELS[::4], *OTHERS]]),
    "figure1bc": (
        "corruption_levels",
        [(m, c, "none") for m in ("inception", "alexnet", "mlp_1x512") for c in LEVELS],
    ),
    "table1": (
        "table1",
        [(m, "none", r) for m in ("inception", "alexnet") for r in ("none", "crop+weight_decay")]
        + [(m, "none", "weight_decay") for m in ("mlp_3x512", "mlp_1x512")]
        + [(m, c, "none") for m in SPEED if m != "inception_no_bn" for c in ("none", "labels-1")],
    ),
    "table4": (
        "table4",
        [("inception", "labels-1", r) for r in ("weight_decay", "crop")]
        + [(m, "labels-1", "weight_decay") for m in ("alexnet", "mlp_3x512", "mlp_1x512")]
        + [("alexnet", "labels-1", "crop+weight_decay")],
    ),
    "table2": (
        "table2",
        [(IMAGENET, "none", r) for r in ("distort+weight_decay+dropout", "weight_decay", "none")]
        + [(IMAGENET, "none", "dropout"), (IMAGENET, "labels-1", "none")],
    ),
    "figure2a": (
        "figure2a",
        [(IMAGENET, "none", r) for r in ("distort+weight_decay+dropout", "weight_decay", "none")],
    ),
    "batch_norm": ("batch_norm", [(m, "none", "none") for m in ("inception", "inception_no_bn")]),
    "rademacher": (
        "rademacher",
        [
            (m, c, r)
            for m in ("alexnet", "mlp_1x512")
            for c in SIGNS
            for r in ("none", "weight_decay")
        ],
    ),
    "noise": (
        "noise_regularizers",
        [
            (m, c, r)
            for m in ("alexnet", "mlp_1x512")
            for c in ("none", "labels-1", "gaussian")
            for r in ("none", "weight_decay", "dropout-25", "dropout-75")
            if (m, c, r) != ("alexnet", "none", "dropout-75")
        ],
    ),
    "slides": (
        "noise_grid",
        [
            (m, c, r)
            for m in ("alexnet", "mlp_1x512")
            for c in ("none", "labels-1", "gaussian")
            for r in ("none", "weight_decay")
        ]
        + [("mlp_1x512", "labels-0.75", "none")],
    ),
    "convex": (
        "convex_networks",
        [(m, c, "none") for m in ("mlp_1x512", CONVEX) for c in ("none", "labels-1")],
    ),
    "demo": ("demo", [(DEMO, c, "weight_decay") for c in ("none", "labels-1")]),
    "mixup": (
        "mixup",
        [("mlp_1x512", "none", r) for r in ("none", "mixup")]
        + [("mlp_1x512", c, r) for c in ("labels-0.5", "labels-0.75") for r in ("none", "mixup-8")]
        + [("alexnet", "labels-0.5", r) for r in ("none", "mixup-32", "crop+dropout-80")],
    ),
    "complexity": (
        "complexity_measures",
        [(m, c, "none") for m in ("alexnet", "mlp_1x512", "mlp_3x512") for c in LEVELS]
        + [("mlp_1x512", c, "dropout") for c in LEVELS]
        + [("inception", c, "none") for c in ("none", "gaussian")]
        + [("alexnet", "labels-1", r) for r in ("weight_decay", "crop+weight_decay")],
    ),
    "more": (
        "grid",
        [(m, "labels-1", r) for m in ("alexnet", "mlp_1x512") for r in ("none", "weight_decay")]
        + [("alexnet", c, "none") for c in ("none", "labels-0.5", "gaussian_noise-0.2")],
    ),
}


def cells_of(study: str, dataset: str = "digits") -> list[str]:
    """Return the names of a study's cells."""
    return list(dict.fromkeys("/".join((dataset, *parts)) for parts in STUDIES[study][1]))


def write_results(root: Path, dataset: str = "digits", replicates: int = 3) -> Path:
    """Write data, corruptions and cells below `root`; return `root`."""
    write_data(root, dataset)
    names = dict.fromkeys(name for study in STUDIES for name in cells_of(study, dataset))
    for name in names:
        write_cell(root, name, replicates)
    return root


def preset(dataset: str = "digits", reduced: str | None = "made-up numbers.") -> dict:
    """Return the report's view of the preset."""
    return {
        "name": "fake",
        "title": "A made-up run",
        "reduced": reduced,
        "seed": 0,
        "numerics": "fp32",
        "datasets": [dataset],
        "studies": [
            {"name": name, "kind": kind, "title": f"Study {name}", "dataset": dataset}
            for name, (kind, _) in STUDIES.items()
        ],
    }


def write_data(root: Path, dataset: str) -> None:
    """Write a small dataset of random images and its corruptions."""
    random = generator("fake", dataset)
    images = random.integers(0, 256, (40, 8, 8, 1), dtype=np.uint8)
    labels = (np.arange(40) % CLASSES).astype(np.uint8)
    clean = root / "data" / dataset / "manifest.json"
    common = {
        "schema": 1,
        "dataset": dataset,
        "classes": CLASSES,
        "class_names": [str(k) for k in range(CLASSES)],
        "image_shape": [8, 8, 1],
        "train": 40,
        "test": 40,
    }
    arrays = {f"{s}_images": images for s in ("train", "test")}
    arrays |= {f"{s}_labels": labels for s in ("train", "test")}
    _write_manifest(clean, arrays, {**common, "kind": "data", "title": "Made-up digits"})
    for name in (*LEVELS[1:], *SIGNS, *OTHERS, "gaussian_noise-0.2"):
        kind, level, _ = corruption_names.parse(name)
        if kind == "labels":
            hit = generator("fake", "hit").random(40) < level
            drawn = generator("fake", "labels").integers(0, CLASSES, 40)
            given = np.where(hit, drawn, labels).astype(np.uint8)
            arrays = {f"{s}_labels": given for s in ("train", "test")}
            arrays |= {f"{s}_hit": hit for s in ("train", "test")}
        elif kind == "signs":
            signs = generator("fake", name).integers(0, 2, 40, dtype=np.uint8)
            arrays = {f"{s}_labels": signs for s in ("train", "test")}
            arrays |= {f"{s}_hit": np.ones(40, bool) for s in ("train", "test")}
        else:
            noise = generator("fake", name).integers(0, 256, images.shape, dtype=np.uint8)
            arrays = {f"{s}_images": noise for s in ("train", "test")}
        _write_manifest(
            root / "corrupted" / dataset / name / "manifest.json",
            arrays,
            {
                **common,
                **(TWO_CLASSES if kind == "signs" else {}),
                "kind": "corruption",
                "corruption": name,
                "seed": 0,
                "clean": f"../../../data/{dataset}/manifest.json",
                "clean_sha256": sha256_file(clean),
                "facts": {},
            },
        )


def _write_manifest(path: Path, arrays: dict[str, np.ndarray], header: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    entries = {}
    for name, array in arrays.items():
        file = path.with_name(f"{name}.npy")
        np.save(file, array)
        entries[name] = {
            "file": file.name,
            "shape": list(array.shape),
            "dtype": str(array.dtype),
            "sha256": sha256_file(file),
        }
    write_json(path, {**header, "arrays": entries})


def write_cell(root: Path, name: str, replicates: int) -> None:
    """Write one cell's curves.csv, summary.json and run.json."""
    _, model, corruption, _ = name.split("/")
    kind, level, _ = corruption_names.parse(corruption)
    level = level or 0.0
    top5 = ["train_top5_accuracy", "test_top5_accuracy"] if model == IMAGENET else []
    convex = {"convexity_excess": 2e-7} if model == CONVEX else {}
    rows, entries = [[*HEADER, *top5, *convex]], []
    for replicate in range(replicates):
        curve = _curve(name, model, kind, level, replicate)
        entry = _entry(curve, replicate, name.endswith(DIVERGES), model == IMAGENET)
        entries.append(entry | convex)
        better = [3 + VALUES.index(name.replace("_top5", "")) for name in top5]
        for epoch in curve:
            rows.append([replicate, *epoch, *(epoch[i] ** 0.5 for i in better), *convex.values()])
    folder = root / "cells" / name
    write_text(folder / "curves.csv", "".join(",".join(map(_field, row)) + "\n" for row in rows))
    write_json(
        folder / "summary.json",
        {
            "name": name,
            "parameters": (MODELS[model].paper_parameters or 27_161_264) // 2,
            "train_examples": 1437,
            "validation_examples": 0,
            "steps_per_epoch": STEPS,
            "fit_criterion": "train_accuracy >= 0.99",
            "replicates": entries,
        },
    )
    spec = canonical_json({"name": name, "seed": 0, "replicates": replicates})
    second = int(generator("fake", name).integers(0, 50))
    write_json(
        folder / "run.json",
        {
            "schema": SCHEMA,
            "kind": "cell",
            "name": name,
            "digests": {
                "spec": sha256_text(spec),
                "code": "c0de" * 4,
                "inputs": {"manifest.json": "da7a" * 16},
                "outputs": {},
            },
            "spec": spec,
            "command": f"scripts/train.py --spec '{name}'",
            "started": f"2026-11-20T10:00:{second:02d}+00:00",
            "finished": f"2026-11-20T10:01:{second:02d}+00:00",
            "seconds": 60.0,
            "cpu_seconds": 59.0,
            "peak_memory_mb": 300,
            "machine": {
                "host": "node1",
                "processor": "Example CPU",
                "cores": 8,
                "memory_mb": 16000,
                "system": "Linux",
            },
            "software": {"python": "3.11.7", "torch": "2.15.0", "numpy": "2.4.6"},
            "git": {"commit": "0123456789abcdef0123456789abcdef01234567", "dirty": False},
            "device": {"type": "cpu", "name": "Example CPU"},
            "numerics": "fp32",
            "threads": 1,
            "attempts": 1,
            "train_seconds": 50.0 + second,
            "epoch_seconds": 0.5,
            "images_per_second": 3000.0,
            "resumed_from": None,
        },
    )


def _curve(name: str, model: str, kind: str, level: float, replicate: int) -> list[list]:
    """Return rows (epoch, step, learning rate, values) of a run that slowly fits its labels."""
    random = generator("fake", name, replicate)
    slow = 1 + 2 * level + {"none": 0, "labels": 0, "shuffled_pixels": 0.7}.get(kind, 1.4)
    pace = SPEED.get(model, 3) * slow * (0.9 + 0.2 * random.random())
    if name.endswith(NEVER_FITS) or (name.endswith(SOMETIMES_FITS) and replicate == 2):
        pace *= 6
    clean = 0.97 if kind in ("none", "labels") else 0.5
    clean = 0.1 + (clean - 0.1) * (1 - level) - 0.03 * random.random()
    rows = []
    for epoch in range(1, 41):
        loss = 2.3 * math.exp(-epoch / pace) + 0.0005
        train = 1 - 0.9 * min(1.0, loss / 2.3) ** 1.2
        test = 0.1 + (clean - 0.1) * (1 - math.exp(-epoch / pace * 1.5))
        if model == IMAGENET and kind == "none" and "distort" not in name:
            test -= 0.002 * epoch
        given = (1 - level) * test + level / CLASSES
        hit = train if kind == "labels" else None
        loss = loss if not name.endswith(DIVERGES) else math.nan
        accuracies = [hit, hit, train * (1 - 0.9 * level), None, None]
        values = [loss * 1.05, train, loss, train, *accuracies, 2.0, test, 2.0 + level, given]
        rows.append([epoch, epoch * STEPS, 0.1 * 0.95 ** (epoch - 1), *values])
    return rows[:3] if name.endswith(DIVERGES) else rows


def _entry(curve: list[list], replicate: int, diverged: bool, top5: bool) -> dict:
    """Return the summary of one replicate."""
    column = {name: 3 + i for i, name in enumerate(VALUES)}
    fit = next((row for row in curve if row[column["train_accuracy"]] >= 0.99), None)
    best = max(curve, key=lambda row: row[column["test_accuracy"]])
    last = curve[-1]
    values = {name: None if diverged else last[i] for name, i in column.items()}
    if top5:
        for split in ("train", "test"):
            values[f"{split}_top5_accuracy"] = values[f"{split}_accuracy"] ** 0.5
        values["best_test_top5_accuracy"] = best[column["test_accuracy"]] ** 0.5
    return {
        "replicate": replicate,
        "status": "diverged" if diverged else "fitted" if fit else "not_fitted",
        "stopped_early": False,
        "epochs_run": last[0],
        "kept_epoch": last[0],
        "time_to_fit_epochs": fit[0] if fit else None,
        "time_to_fit_steps": fit[1] if fit else None,
        **values,
        **({} if diverged or top5 else _measures(curve, replicate)),
        "best_test_accuracy": None if diverged else best[column["test_accuracy"]],
        "best_test_epoch": None if diverged else best[0],
    }


def _measures(curve: list[list], replicate: int) -> dict:
    """Return norms that grow with the length of training, and a margin that not all have."""
    size = 2 + 0.1 * replicate - math.log(curve[9][3 + VALUES.index("train_accuracy")])
    names = ("parameter_norm", "distance", "log_spectral_norm", "log_frobenius_norm")
    more = ("stable_ranks", "log_bartlett", "log_neyshabur", "input_gradient", "margin_median")
    values = {name: size * (1 + i) for i, name in enumerate((*names, *more))}
    return {**values, "margin": 3 - size, "corrected": None, "log_path_norm": None}


def _field(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.8g}" if isinstance(value, float) else str(value)
