"""The code behind each stage of the workflow, as digests: what a result must be remade for."""

import functools
import json

from rethink.digests import code_digest
from rethink.grid import Grid
from rethink.models.catalog import MODELS


@functools.cache
def script_code(script: str, module: str | None = None) -> str:
    """Return the digest of a command line, with the module that it loads by name if any."""
    return code_digest(f"{script}.py", [module] if module else [])


def fetch_code(grid: Grid, dataset: str) -> str:
    """Return the digest of the code that fetches one dataset."""
    loader = json.loads(grid.datasets[dataset])["module"]
    return script_code("fetch", f"rethink.datasets.{loader}")


def train_code(model: str) -> str:
    """Return the digest of the code that trains one model: the engine and that architecture."""
    return script_code("train", f"rethink.models.{MODELS[model].module}")


def figure_code(figure: str) -> str:
    """Return the digest of the code that draws one figure."""
    return script_code("figure", f"rethink.figures.{figure}")
