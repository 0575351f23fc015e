"""Networks of an experiment, trained by the cells' own engine with the cells' own settings."""

import importlib
from collections.abc import Iterator
from typing import Any

import torch

from rethink.datasets.store import Arrays
from rethink.training.data import load
from rethink.training.engine import Trainer
from rethink.training.limits import TOGETHER


def cell(spec: dict[str, Any], model: str, **changed: Any) -> dict[str, Any]:
    """Return the specification with which `Trainer` trains a model of the experiment.

    `changed` replaces training settings, and under ``arguments`` those of the model.
    """
    entry = spec["models"][model]
    arguments = entry["arguments"] | changed.pop("arguments", {})
    settings = entry["train"] | {k: v for k, v in changed.items() if v is not None}
    return {
        "name": spec["name"],
        "dataset": spec["dataset"],
        "seed": spec["seed"],
        "numerics": spec["numerics"],
        "input": spec["input"],
        "model": {"module": entry["module"], "arguments": arguments},
        "train": settings,
    }


def trainers(
    arrays: Arrays, cell: dict[str, Any], replicates: int, device: torch.device
) -> Iterator[Trainer]:
    """Yield untrained trainers for all replicates: several at once where the model can."""
    module = importlib.import_module(f"rethink.models.{cell['model']['module']}")
    size = TOGETHER if getattr(module, "JOINT_REPLICATES", False) else 1
    data = load(arrays, cell, device)
    for start in range(0, replicates, size):
        group = range(start, min(start + size, replicates))
        yield Trainer(module.build, data, cell, group, device)


def nothing() -> None:
    """Do nothing: what a trainer that is not watched calls."""
