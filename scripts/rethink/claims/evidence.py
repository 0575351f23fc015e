"""What a run has to say on a claim: its cells' numbers and the theory's results."""

import functools
import json
import math
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from rethink.analysis.sources import read_results
from rethink.analysis.statistics import TimeToFit, spread, time_to_fit
from rethink.analysis.tables import NUMBER, Tables, read_table
from rethink.claims.claim import Undecidable
from rethink.errors import RethinkError

LEVELS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)  # of Figures 1b and 1c
MNIST = "mnist"


class Measure(NamedTuple):
    """A number over the replicates of a cell; `missing` of them have none (they diverged)."""

    mean: float
    sd: float
    n: int
    missing: int = 0

    def __str__(self) -> str:
        if not self.n:
            return "diverged" if self.missing else "no value"
        text = f"{self.mean:.2f}" if math.isnan(self.sd) else f"{self.mean:.2f} ± {self.sd:.2f}"
        lost = f", {self.missing} diverged" if self.missing else ""
        return f"{text} (n = {self.n}{lost})"

    def at_least(self, limit: float) -> bool:
        """Whether every replicate has a value and the mean reaches `limit`."""
        return not self.missing and self.mean >= limit

    def minus(self, other: "Measure") -> "Measure":
        """Return the difference of two independent means."""
        return Measure(
            self.mean - other.mean,
            math.hypot(self.sd, other.sd),
            min(self.n, other.n),
            self.missing + other.missing,
        )


class Evidence:
    """The tables of a run, its theory's results, and what its preset is.

    tables : folder of curves.csv, summary.csv, cells.csv and runs.csv of all studies.
    theory : the theory's results, ``NAME/result.json`` each; there may be none.
    preset : ``name``, ``reduced`` (a text, or None for the paper's own scale), ``dataset`` (the
        one that stands for the paper's CIFAR-10) and, if they are called otherwise, ``mnist`` and
        ``imagenet``.
    """

    def __init__(self, tables: Path, theory: Iterable[Path], preset: dict[str, Any]):
        for key in ("name", "dataset"):
            if not isinstance(preset.get(key), str):
                raise RethinkError(f"preset: key '{key}' is missing; it should be a text")
        self.preset, self.dataset = preset["name"], preset["dataset"]
        self.mnist = preset.get("mnist", MNIST)
        self.imagenet = preset.get("imagenet", "imagenet")
        self.reduced: str | None = preset.get("reduced") or None
        self.tables, self.results = Tables(tables), list(theory)

    @functools.cached_property
    def cells(self) -> frozenset[str]:
        """The names of the cells that were run."""
        return frozenset(self.tables.summary["cell"])

    @functools.cached_property
    def theory(self) -> dict[str, dict[str, Any]]:
        """The theory's results by the names of their folders."""
        return read_results(sorted(self.results))

    def has(self, need: str) -> bool:
        """Whether a cell, or ``theory/NAME``, is there."""
        folder, _, name = need.partition("/")
        return need in self.cells or (folder == "theory" and name in self.theory)

    def cell(self, model: str, corruption: str = "none", regularizer: str = "none") -> str:
        """Return the name of a cell on the dataset that stands for CIFAR-10.

        Sums of regularizers are found in whatever order they are written.
        """
        name = f"{self.dataset}/{model}/{corruption}/{regularizer}"
        parts = sorted(regularizer.split("+"))
        if len(parts) > 1 and name not in self.cells:
            for other in self.cells:
                head, _, last = other.rpartition("/")
                if head == name.rpartition("/")[0] and sorted(last.split("+")) == parts:
                    return other
        return name

    def level_cell(self, model: str, level: float) -> str:
        """Return the name of the cell at a level of label corruption; level 0 is clean."""
        return self.cell(model, f"labels-{level:g}" if level else "none")

    def levels(self, model: str) -> list[float]:
        """Return the levels that a claim about all levels needs for a model.

        The paper's; on a reduced preset those that were run for the model, or else for any, if
        they are 0, 1 and at least one between.
        """
        for mine in ([model], None):
            run = self._run_levels(mine)
            if self.reduced is not None and {0.0, 1.0} <= set(run) and len(run) > 2:
                return run
        return list(LEVELS)

    def _run_levels(self, models: list[str] | None) -> list[float]:
        rows = self.tables.summary
        chosen = (
            (rows["dataset"] == self.dataset)
            & (rows["regularizer"] == "none")
            & rows["corruption_kind"].isin(["none", "labels"])
        )
        if models is not None:
            chosen &= rows["model"].isin(models)
        return sorted(set(rows.loc[chosen, "level"].dropna()))

    def rows(self, cell: str) -> pd.DataFrame:
        """Return the replicates of a cell: its rows of summary.csv."""
        return self.tables.summary[self.tables.summary["cell"] == cell]

    def percent(self, cell: str, column: str) -> Measure:
        """Return a fraction of summary.csv in percent, over the replicates of a cell."""
        return measure(100 * self.rows(cell)[column].astype("float64"))

    def extra_percent(self, cell: str, column: str) -> Measure:
        """Return a column of summary.csv that only some runs have, in percent.

        Raises Undecidable where the table has no such column.
        """
        path = self.tables.folder / "summary.csv"
        if column not in pd.read_csv(path, nrows=0).columns:
            raise Undecidable(f"summary.csv has no column '{column}'")
        values = read_table(path, {column: NUMBER})[column]
        return measure(100 * values[(self.tables.summary["cell"] == cell).to_numpy()])

    def error(self, cell: str, column: str = "test_accuracy_given") -> Measure:
        """Return 100 minus an accuracy in percent."""
        accuracy = self.percent(cell, column)
        return accuracy._replace(mean=100 - accuracy.mean)

    def curves(self, cell: str) -> list[pd.DataFrame]:
        """Return the learning curves of a cell, one frame per replicate, by epoch."""
        rows = self.tables.curves[self.tables.curves["cell"] == cell]
        return [mine.sort_values("epoch") for _, mine in rows.groupby("replicate")]

    def time(self, cell: str) -> TimeToFit:
        """Return the time to fit of a cell in epochs."""
        rows = self.rows(cell)
        return time_to_fit(
            rows["time_to_fit_epochs"].astype("float64"), rows["epochs_run"], rows["status"]
        )

    def chance(self) -> float:
        """Return the accuracy of guessing, in percent."""
        return 100 / self.classes()

    def imagenet_chance(self) -> float:
        """Return that on the dataset that stands for ImageNet; of a thousand classes if unknown."""
        return 100 / (self.tables.classes(self.imagenet) or 1000)

    def tolerance(
        self, points: float, deviations: float, probability: float, dataset: str | None = None
    ) -> float:
        """Return `points`, or what few test images make more of it.

        That is `deviations` binomial standard deviations of an accuracy of `probability`, in
        percent, over the test images of a dataset, unless named the one that stands for CIFAR-10
        (10,000 where the tables do not say).
        """
        examples = self.tables.test_examples(dataset or self.dataset) or 10_000
        spread = math.sqrt(probability * (1 - probability) / examples)
        return max(points, 100 * deviations * spread)

    def classes(self) -> int:
        """Return the number of classes of the dataset; ten where the tables do not say."""
        return self.tables.classes(self.dataset) or 10

    def train_examples(self, cell: str) -> int:
        """Return how many examples a cell was trained on."""
        return int(self.rows(cell)["train_examples"].iloc[0])

    def parameters(self, cell: str) -> int:
        """Return the number of parameters of a cell's model."""
        return int(self.rows(cell)["parameters"].iloc[0])

    def spec(self, cell: str) -> dict[str, Any]:
        """Return the specification that a cell was trained with, from its recorded command.

        Raises Undecidable where the command holds none.
        """
        runs = self.tables.runs
        for command in runs.loc[runs["cell"] == cell, "command"]:
            words = shlex.split(command)
            if "--spec" in words[:-1]:
                try:
                    spec = json.loads(words[words.index("--spec") + 1])
                except ValueError:
                    continue
                if isinstance(spec, dict):
                    return spec
        raise Undecidable(f"runs.csv holds no specification of {cell}")


def measure(values: Any) -> Measure:
    """Return mean and spread of some values, counting those that are missing."""
    found = spread(values)
    return Measure(found.mean, found.sd, found.n, len(values) - found.n)
