"""The first author's repository fitting-random-labels: what its log prints, and the same of ours."""

from pathlib import Path
from typing import Any

import pandas as pd

from rethink.analysis.names import corruption_order, model_order
from rethink.analysis.statistics import spread
from rethink.analysis.tables import NUMBER, TEXT, WHOLE, Tables, of_study, read_paper

COLUMNS = {
    "model": TEXT,
    "corruption": TEXT,
    "quantity": TEXT,
    "from_epoch": WHOLE,
    "to_epoch": WHOLE,
    "low": NUMBER,
    "high": NUMBER,
}


def printed(paper: Path) -> pd.DataFrame:
    """Return the printed log: accuracies in percent, between `low` and `high` over some epochs."""
    return read_paper(paper / "demo.csv", COLUMNS)


def beside_the_log(study: dict[str, Any], tables: Tables, paper: Path) -> pd.DataFrame:
    """Return the rows of the printed log with ours over the same epochs, in a reader's order.

    Columns: those of the log; cell (empty where it was not run), n, n_diverged; ours, the mean over
    the evaluated epochs and replicates in percent, with ours_low and ours_high, the least and the
    largest; and epochs, how many were run. NaN where ours has no such epoch.
    """
    cells = of_study(tables.cells, study).set_index("cell")
    curves = of_study(tables.curves, study)
    rows = []
    for theirs in printed(paper).to_dict("records"):
        mine = cells[
            (cells["model"] == theirs["model"]) & (cells["corruption"] == theirs["corruption"])
        ]
        name = mine.index[0] if len(mine) else ""
        there = curves[
            (curves["cell"] == name)
            & curves["epoch"].between(theirs["from_epoch"], theirs["to_epoch"])
        ]
        ours = spread(100 * there[theirs["quantity"]].astype("float64"))
        counted = {key: mine[key].iloc[0] if name else 0 for key in ("n", "n_diverged")}
        epochs = mine["epochs_run"].iloc[0] if name else 0
        values = {"ours": ours.mean, "ours_low": ours.min, "ours_high": ours.max}
        rows.append({**theirs, "cell": name, **counted, "epochs": epochs, **values})
    rows.sort(key=lambda row: (model_order(row["model"]), corruption_order(row["corruption"])))
    return pd.DataFrame(rows)
