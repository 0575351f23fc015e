"""How soon a learning curve falls."""

import pandas as pd

from rethink.analysis.statistics import Spread, spread


def steps_to_loss(curves: pd.DataFrame, threshold: float) -> dict[str, tuple[Spread, int]]:
    """Return, for each cell, the training steps until the loss is first `threshold` or less.

    The loss is that of the training set at the end of an epoch. The statistics are over the
    replicates that reach it; the second number counts those that never do.
    """
    result = {}
    for cell, rows in curves.groupby("cell"):
        reached = rows[rows["train_loss"] <= threshold].groupby("replicate")["step"].min()
        replicates = rows["replicate"].nunique()
        result[cell] = (spread(reached.astype("float64")), replicates - len(reached))
    return result
