"""The code behind each stage of the workflow, as digests: what a result must be remade for."""

import functools
import json

from rethink.digests import code_digest
from rethink.grid import Experiment, Grid
from rethink.models.catalog import MODELS


@functools.cache
def script_code(script: str, *modules: str) -> str:
    """Return the digest of a command line, with the modules that it loads by name."""
    return code_digest(f"{script}.py", modules)


def fetch_code(grid: Grid, dataset: str) -> str:
    """Return the digest of the code that fetches one dataset."""
    loader = json.loads(grid.datasets[dataset])["module"]
    return script_code("fetch", f"rethink.datasets.{loader}")


def train_code(model: str) -> str:
    """Return the digest of the code that trains one model: the engine and that architecture."""
    return script_code("train", _architecture(model))


def experiment_code(experiment: Experiment) -> str:
    """Return the digest of the code of one experiment, with the architectures that it trains."""
    return script_code(experiment.script, *map(_architecture, experiment.models))


def _architecture(model: str) -> str:
    return f"rethink.models.{MODELS[model].module}"


def figure_code(figure: str) -> str:
    """Return the digest of the code that draws one figure."""
    return script_code("figure", f"rethink.figures.{figure}")
