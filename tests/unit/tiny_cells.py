"""Cells that train in seconds: data of a few images, specifications, and processes to kill."""

import json
import multiprocessing
import os
import sys
from pathlib import Path

import numpy as np
import torch

from rethink import pieces
from rethink.files import canonical_json, sha256_file, write_json
from rethink.provenance import Record
from rethink.theory.place import Place
from rethink.training.devices import Device

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


def write_data(folder, train=96, test=40, side=8, channels=1, classes=4, level=0.0, seed=0):
    """Write a data set of noise with a bright spot per class; return the manifest to train on.

    With a `level` the labels are corrupted, and the manifest is that of the corruption.
    """
    random = np.random.default_rng(seed)
    splits = {}
    for split, count in (("train", train), ("test", test)):
        labels = random.integers(classes, size=count).astype(np.uint8)
        images = random.integers(0, 120, (count, side, side, channels))
        for image, label in zip(images, labels, strict=True):
            image[label % side, 2:6] += 100
        splits[f"{split}_images"] = images.astype(np.uint8)
        splits[f"{split}_labels"] = labels
    header = {
        "schema": 1,
        "dataset": "spots",
        "classes": classes,
        "class_names": [str(i) for i in range(classes)],
        "image_shape": [side, side, channels],
        "train": train,
        "test": test,
    }
    clean = _write(folder / "data", header | {"kind": "data"}, splits)
    if not level:
        return clean
    corrupted = {}
    for split, count in (("train", train), ("test", test)):
        hit = random.random(count) < level
        drawn = random.integers(classes, size=count).astype(np.uint8)
        corrupted[f"{split}_hit"] = hit
        corrupted[f"{split}_labels"] = np.where(hit, drawn, splits[f"{split}_labels"])
    header |= {
        "kind": "corruption",
        "corruption": f"labels-{level:g}",
        "clean": "../data/manifest.json",
        "clean_sha256": sha256_file(clean),
    }
    return _write(folder / "corrupted", header, corrupted)


def _write(folder, header, arrays):
    folder.mkdir(parents=True, exist_ok=True)
    entries = {}
    for name, array in arrays.items():
        path = folder / f"{name}.npy"
        np.save(path, array)
        entries[name] = {
            "file": path.name,
            "shape": list(array.shape),
            "dtype": str(array.dtype),
            "sha256": sha256_file(path),
        }
    write_json(folder / "manifest.json", header | {"arrays": entries})
    return folder / "manifest.json"


MODELS = {
    "mlp": ("mlp", {"hidden": [32]}),
    "alexnet": ("alexnet", {}),
    "inception": ("inception", {"batch_norm": True}),
    "convex_mlp": ("convex_mlp", {"hidden": [32, 16], "batch_norm": True}),
}


def spec(model="mlp", replicates=1, numerics="fp32", crop=7, seed=0, processes=1, **settings):
    """Return a specification; `settings` replace those of its ``train`` part."""
    module, arguments = MODELS[model]
    train = {
        "epochs": 4,
        "batch_size": 32,
        "learning_rate": 0.02,
        "momentum": 0.9,
        "learning_rate_decay": 0.95,
        "learning_rate_drops": [],
        "weight_decay": 0.0,
        "weight_decay_parameters": ["*.weight"],
        "random_crop": False,
        "flip": False,
        "rotation": 0.0,
        "dropout": 0.0,
        "early_stopping": None,
        "evaluate_every": 1,
        "fit_accuracy": 0.99,
        "train_examples": None,
        "optimizer": "momentum",
        "label_smoothing": 0.0,
        "mixup": 0.0,
        "random_resized_crop": 0.0,
        "color_distortion": False,
        "top5": False,
    }
    assert set(settings) <= set(train)
    return {
        "name": f"spots/{model}/none/none",
        "dataset": "spots",
        "corruption": "none",
        "regularizer": "none",
        "replicates": replicates,
        "seed": seed,
        "model": {"name": model, "module": module, "arguments": arguments},
        "input": {"crop": crop},
        "train": train | settings,
        "numerics": numerics,
    } | ({"processes": processes} if processes > 1 else {})


def start(manifest, out, work, cell, log, **options):
    """Start a process that trains `cell`, its standard error in the file `log`.

    Forked from a server that has torch loaded: it trains within a fraction of a second.
    """
    arguments = (str(manifest), str(out), str(work), canonical_json(cell), str(log), options)
    return start_process(_train, *arguments)


def start_process(target, *arguments):
    """Start `target` in a process forked from a server that has the training code loaded."""
    os.environ["PYTHONPATH"] = str(SCRIPTS)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["rethink.training.cell"])
    process = context.Process(target=target, args=arguments)
    process.start()
    return process


def _train(manifest, out, work, cell, log, options):
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 2)
    sys.stderr = os.fdopen(2, "w", buffering=1)
    from rethink.errors import run_main
    from rethink.training.cell import train_cell

    run_main(
        lambda: train_cell(
            cell, "code", Path(manifest), Path(out), Path(work), preference="cpu", **options
        )
    )


def train(manifest, folder, cell, **options):
    """Train a cell to its end in a process; return its summary and the text of its curves."""
    folder.mkdir(exist_ok=True)
    out = folder / "out"
    process = start(manifest, out, folder / "work", cell, folder / "log", **options)
    process.join(180)
    assert process.exitcode == 0, (folder / "log").read_text()
    return json.loads((out / "summary.json").read_text()), (out / "curves.csv").read_text()


def place(manifest, out, spec, work=None):
    """Return where an experiment that trains networks is done: on the CPU."""
    record = Record(
        "theory", "toy", json.dumps(spec, sort_keys=True), "c0de", [manifest] if manifest else []
    )
    device = Device(torch.device("cpu"), "cpu", "Example CPU")
    kept = pieces.Pieces(work, record, device.torch)
    return Place(manifest, out, record, device, 1, kept, lambda text: None)


def cut_after(monkeypatch, count):
    """Interrupt an experiment when it keeps another piece after `count`; return all attempts."""
    saves, real = [], pieces.save

    def save(path, piece):
        saves.append(path)
        if len(saves) == count + 1:
            raise KeyboardInterrupt
        real(path, piece)

    monkeypatch.setattr(pieces, "save", save)
    return saves
