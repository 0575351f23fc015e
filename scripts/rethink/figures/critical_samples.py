"""Critical samples along training, with the accuracies (Arpit et al., section 4)."""

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from rethink.analysis.memorization import critical_samples
from rethink.figures import noises, style

PANELS = {
    "ratio": "critical samples [%]",
    "train_accuracy": "training accuracy [%]",
    "test_accuracy": "test accuracy, true labels [%]",
}


def draw(
    study: dict[str, Any], results: dict[str, dict[str, Any]], paper: Path
) -> tuple[Figure, pd.DataFrame]:
    """Return the figure and what it draws: a row of panels for each network.

    Points are means over replicates, bars standard deviations.
    """
    drawn = critical_samples(results)
    if drawn.empty:
        return style.message("No experiment of this study looks for critical samples."), drawn
    looks = noises.looks(drawn["corruption"])
    groups = noises.networks(drawn)
    height = 0.7 + 1.9 * len(groups)
    figure, axes = style.figure(height, len(groups), len(PANELS), sharey=True)
    for (title, rows), panels in zip(groups, axes, strict=True):
        for (value, label), panel in zip(PANELS.items(), panels, strict=True):
            for name, look in looks.items():
                mine = rows[(rows["corruption"] == name) & rows[value].notna()]
                noises.line(panel, mine, "epoch", value, look)
            panel.set_title(label)
            panel.set_ylim(-3, 103)
            panel.set_xlim(left=-0.03 * rows["epoch"].max())
        panels[0].set_ylabel(title)
    for panel in axes[-1]:
        panel.set_xlabel("epochs")
    style.legend(figure, noises.handles(looks))
    return figure, drawn
