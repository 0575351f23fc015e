"""Training loss against training steps, one line per corruption (the paper's Figure 1a)."""

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from rethink.analysis.names import corruption_order, corruption_title, model_order, model_title
from rethink.analysis.tables import NUMBER, TEXT, Tables, of_study, read_paper
from rethink.figures import style

# The paper draws this model on this dataset; elsewhere its steps mean nothing.
PAPER = ("cifar10", "inception")
FLOOR = 1e-4  # of the logarithmic panel: below, a loss is zero to a reader


def draw(study: dict[str, Any], tables: Tables, paper: Path) -> tuple[Figure, pd.DataFrame]:
    """Return the figure and what it draws: mean and range of the loss over the replicates.

    One row of panels per model (and regularizer, where several): linear and logarithmic loss.
    """
    curves = of_study(tables.curves, study)
    curves = curves[curves["train_loss"].notna()]
    if curves.empty:
        return style.message("No cell of this study has a learning curve."), _drawn([])
    panels = sorted(
        set(zip(curves["model"], curves["regularizer"], strict=True)),
        key=lambda key: (model_order(key[0]), key[1]),
    )
    scale, label = style.step_axis(curves["step"])
    figure, axes = style.figure(0.5 + 2.3 * len(panels), len(panels), 2, sharex="row")
    drawn, with_paper = [], False
    for (model, regularizer), (linear, logarithmic) in zip(panels, axes, strict=True):
        mine = curves[(curves["model"] == model) & (curves["regularizer"] == regularizer)]
        for corruption in sorted(set(mine["corruption"]), key=corruption_order):
            line = _line(mine[mine["corruption"] == corruption])
            drawn.append(line.assign(model=model, corruption=corruption, regularizer=regularizer))
            _draw_line(linear, line, corruption, scale)
            visible = line[["mean", "min", "max"]].clip(lower=FLOOR)
            _draw_line(logarithmic, line.assign(**visible), corruption, scale)
            if (study["dataset"], model) == PAPER and regularizer == "none":
                with_paper |= _draw_paper((linear, logarithmic), paper, corruption, scale)
        title = model_title(model) + ("" if regularizer == "none" else f", {regularizer}")
        linear.set_title(title)
        linear.set_ylabel("training loss")
        linear.set_ylim(bottom=0)
        logarithmic.set_title("the same, logarithmic")
        logarithmic.set_yscale("log")
    for panel in axes[-1]:
        panel.set_xlabel(label)
    names = sorted(set(curves["corruption"]), key=corruption_order)
    handles = [style.handle(style.corruption_look(n), corruption_title(n)) for n in names]
    if with_paper:
        handles.append(style.paper_handle("paper, read off the plot"))
    style.legend(figure, handles, columns=3)
    return figure, _drawn(drawn)


def _line(curves: pd.DataFrame) -> pd.DataFrame:
    """Return mean, least and greatest loss over the replicates at each step."""
    loss = curves.groupby("step")["train_loss"].agg(["mean", "min", "max", "count"])
    return loss.reset_index().astype("float64")


def _draw_line(axes: Any, line: pd.DataFrame, corruption: str, scale: int) -> None:
    look = style.corruption_look(corruption)
    kept = line.iloc[style.thin_out(len(line))]
    steps = kept["step"] / scale
    axes.fill_between(steps, kept["min"], kept["max"], color=look.colour, alpha=0.18, linewidth=0)
    every = max(1, len(kept) // 8)
    axes.plot(
        steps,
        kept["mean"],
        color=look.colour,
        linestyle=look.dash,
        marker=look.marker,
        markevery=every,
        markersize=3.5,
    )


def _draw_paper(panels: tuple, paper: Path, corruption: str, scale: int) -> bool:
    columns = {"corruption": TEXT, "kind": TEXT, "thousand_steps": NUMBER, "loss": NUMBER}
    points = read_paper(paper / "figure1a.csv", columns)
    points = points[points["corruption"] == corruption].sort_values("thousand_steps")
    for axes in panels:
        style.paper_line(
            axes,
            points["thousand_steps"] * 1000 / scale,
            points["loss"],
            style.corruption_look(corruption),
        )
    return not points.empty


def _drawn(parts: list[pd.DataFrame]) -> pd.DataFrame:
    columns = ["model", "corruption", "regularizer", "step", "mean", "min", "max", "count"]
    frame = pd.concat(parts) if parts else pd.DataFrame(columns=columns)
    frame = frame[columns].rename(
        columns={
            "mean": "train_loss_mean",
            "min": "train_loss_min",
            "max": "train_loss_max",
            "count": "replicates",
        }
    )
    return frame.astype({"step": "Int64", "replicates": "Int64"})
