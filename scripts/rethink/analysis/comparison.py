"""The paper's tables of accuracies beside our own cells."""

import math
from pathlib import Path
from typing import Any

import pandas as pd

from rethink.analysis.names import corruption_order, model_order, regularizer_order
from rethink.analysis.tables import NUMBER, TEXT, WHOLE, Tables, of_study, read_paper
from rethink.models.catalog import MODELS
from rethink.regularizers import augments

TABLE1 = {
    "model": TEXT,
    "parameters": WHOLE,
    "corruption": TEXT,
    "regularizer": TEXT,
    "train_accuracy": NUMBER,
    "test_accuracy": NUMBER,
}
TABLE4 = {
    "model": TEXT,
    "corruption": TEXT,
    "regularizer": TEXT,
    "train_accuracy": NUMBER,
    "outcome": TEXT,
}
TABLE2 = {
    "model": TEXT,
    "labels": TEXT,
    "data_augmentation": TEXT,
    "dropout": TEXT,
    "weight_decay": TEXT,
    "top1_train": NUMBER,
    "top5_train": NUMBER,
    "top1_test": NUMBER,
    "top5_test": NUMBER,
    "best_top1_test": NUMBER,
    "best_top5_test": NUMBER,
}
OURS = ("train_accuracy", "test_accuracy")
# Of Table 2: what cells.csv calls the accuracies -> what table2.csv does.
IMAGENET = {
    "train_accuracy": "top1_train",
    "test_accuracy": "top1_test",
    "best_test_accuracy": "best_top1_test",
    "train_top5_accuracy": "top5_train",
    "test_top5_accuracy": "top5_test",
    "best_test_top5_accuracy": "best_top5_test",
}


def table1(study: dict[str, Any], tables: Tables, paper: Path) -> pd.DataFrame:
    """Return the paper's 19 rows in its order, then our cells that it lacks, model by model.

    Columns: cell (empty where not run), model, corruption, regularizer, n, n_fitted, n_diverged,
    paper_parameters, parameters, and for train and test accuracy in percent ``paper_*``, ``*``
    (mean), ``*_sd`` and ``*_difference``; NaN where there is no value.
    """
    rows = []
    for published, cell in _pairs(study, tables, read_paper(paper / "table1.csv", TABLE1)):
        row = _row(published, cell)
        row["paper_parameters"] = pd.NA if published is None else published.parameters
        row["parameters"] = pd.NA if cell is None else cell.parameters
        for value in OURS:
            theirs = math.nan if published is None else getattr(published, value)
            row |= _compared(value, theirs, cell, value)
        rows.append(row)
    return pd.DataFrame(rows)


def table4(study: dict[str, Any], tables: Tables, paper: Path) -> pd.DataFrame:
    """Return the paper's Table 4, random labels under regularizers, as `table1` does.

    The `accuracy` compared is the one on the training set, with augmentation that of the last
    epoch's mini-batches, as augmented (`augmented` tells which). In percent: ``paper_accuracy``
    (NaN where training failed; `paper_outcome` says so), ``accuracy``, ``accuracy_sd``,
    ``accuracy_difference``; ``train_accuracy`` and ``train_accuracy_sd`` are on the images
    themselves in either case. `epochs` is the longest run of a cell.
    """
    rows = []
    for published, cell in _pairs(study, tables, read_paper(paper / "table4.csv", TABLE4)):
        row = _row(published, cell)
        row["paper_outcome"] = "" if published is None else published.outcome
        row["epochs"] = pd.NA if cell is None else cell.epochs_run
        row["augmented"] = augments(row["regularizer"])
        theirs = math.nan if published is None else published.train_accuracy
        source = "online_accuracy" if row["augmented"] else "train_accuracy"
        row |= _compared("accuracy", theirs, cell, source)
        row["train_accuracy"], row["train_accuracy_sd"] = _percent(cell, "train_accuracy")
        rows.append(row)
    return pd.DataFrame(rows)


def table2(study: dict[str, Any], tables: Tables, paper: Path) -> pd.DataFrame:
    """Return the paper's Table 2, ImageNet, as `table1` does: true labels, then random ones.

    In percent ``paper_*``, ``*``, ``*_sd`` and ``*_difference`` for train_accuracy, test_accuracy,
    best_test_accuracy (along training) and their top-5 counterparts, e.g. test_top5_accuracy. The
    paper's augmentation is the regularizer ``distort``. Its row of another model, the winner of
    2012, is quoted from elsewhere: `trained` is false there.
    """
    rows = []
    for published, cell in _pairs(study, tables, published_table2(paper)):
        row = _row(published, cell)
        row["trained"] = row["model"] in MODELS
        for value in IMAGENET:
            theirs = math.nan if published is None else getattr(published, value)
            row |= _compared(value, theirs, cell, value)
        rows.append(row)
    rows.sort(key=lambda row: (model_order(row["model"]), corruption_order(row["corruption"])))
    return pd.DataFrame(rows)


def published_table2(paper: Path) -> pd.DataFrame:
    """Return the paper's Table 2 with the names of models, corruptions and regularizers here.

    Accuracies in percent are called as in cells.csv; NaN where the paper gives none.
    """
    rows = read_paper(paper / "table2.csv", TABLE2)
    switches = {"data_augmentation": "distort", "weight_decay": "weight_decay"}
    switches |= {"dropout": "dropout"}
    regularizers = [
        "+".join(name for column, name in switches.items() if getattr(row, column) == "yes")
        for row in rows.itertuples()
    ]
    named = {
        "model": rows["model"],
        "corruption": rows["labels"].map({"true": "none", "random": "labels-1"}),
        "regularizer": [regularizer or "none" for regularizer in regularizers],
    }
    return pd.DataFrame(named | {ours: rows[theirs] for ours, theirs in IMAGENET.items()})


def _pairs(study: dict[str, Any], tables: Tables, published: pd.DataFrame) -> list[tuple[Any, Any]]:
    """Return rows of the paper, or None, with our cells, or None, model by model."""
    cells = {
        (row.model, row.corruption, frozenset(row.regularizer.split("+"))): row
        for row in of_study(tables.cells, study).itertuples()
    }
    pairs = []
    for row in published.itertuples():
        key = (row.model, row.corruption, frozenset(row.regularizer.split("+")))
        pairs.append((row, cells.pop(key, None)))
    pairs += [(None, cell) for cell in sorted(cells.values(), key=_order)]
    return sorted(pairs, key=lambda pair: model_order(_either(*pair).model))


def _order(cell: Any) -> tuple:
    return corruption_order(cell.corruption), regularizer_order(cell.regularizer)


def _either(published: Any, cell: Any) -> Any:
    return cell if published is None else published


def _row(published: Any, cell: Any) -> dict[str, Any]:
    which = _either(published, cell)
    return {
        "cell": "" if cell is None else cell.cell,
        "model": which.model,
        "corruption": which.corruption,
        "regularizer": which.regularizer,
        "n": 0 if cell is None else cell.n,
        "n_fitted": 0 if cell is None else cell.n_fitted,
        "n_diverged": 0 if cell is None else cell.n_diverged,
    }


def _compared(name: str, published: float, cell: Any, source: str) -> dict[str, float]:
    """Return the paper's value and the statistics `source` of a cell, in percent."""
    mean, sd = _percent(cell, source)
    return {
        f"paper_{name}": published,
        name: mean,
        f"{name}_sd": sd,
        f"{name}_difference": mean - published,
    }


def _percent(cell: Any, value: str) -> tuple[float, float]:
    """Return mean and deviation of a fraction over the replicates of a cell, in percent."""
    if cell is None:
        return math.nan, math.nan
    return 100 * getattr(cell, f"{value}_mean"), 100 * getattr(cell, f"{value}_sd")
