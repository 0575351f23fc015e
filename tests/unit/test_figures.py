"""Figures: what they draw, that they are the same bytes, and that conditions can be told apart."""

from pathlib import Path

import fake_results
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rethink.analysis.collect import aggregate
from rethink.analysis.tables import Tables, write_table
from rethink.errors import RethinkError
from rethink.figures import (
    complexity_levels,
    complexity_rankings,
    convex_networks,
    demo,
    figure2a,
    final_accuracy,
    learning_curves,
    mixup,
    noise_grid,
    samples,
    style,
    table1,
    table2,
    test_error,
    time_to_fit,
)

PAPER = Path(__file__).resolve().parents[2] / "report" / "paper"
DRAWN_BY = {
    "figure1a": [learning_curves],
    "figure1bc": [time_to_fit, test_error],
    "table1": [table1],
    "table2": [table2],
    "figure2a": [figure2a],
    "mixup": [mixup],
    "complexity": [complexity_rankings, complexity_levels],
    "more": [final_accuracy],
    "slides": [noise_grid],
    "convex": [convex_networks],
    "demo": [demo],
}
CASES = [(study, module) for study, modules in DRAWN_BY.items() for module in modules]
test_error.__test__ = False  # a figure, not a test


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    style.use()
    root = fake_results.write_results(tmp_path_factory.mktemp("run"))
    paths = sorted(root.glob("cells/*/*/*/*/summary.json"))
    aggregate(paths, root.glob("data/*/manifest.json"), root / "tables")
    return root


def study(name, dataset="digits"):
    kind, _ = fake_results.STUDIES[name]
    cells = fake_results.cells_of(name, dataset)
    return {"name": name, "kind": kind, "dataset": dataset, "cells": cells}


@pytest.mark.parametrize(("name", "module"), CASES)
def test_a_figure_is_the_same_bytes_every_time(run, tmp_path, name, module):
    for copy in ("a", "b"):
        figure, drawn = module.draw(study(name), Tables(run / "tables"), PAPER)
        style.save(figure, tmp_path / f"{copy}.svg")
        write_table(drawn, tmp_path / f"{copy}.csv")
    svg = (tmp_path / "a.svg").read_bytes()
    assert svg == (tmp_path / "b.svg").read_bytes()
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    assert b"<text" not in svg, "text should be drawn as paths"
    assert b"<dc:date>" not in svg
    assert len(drawn) > 0


@pytest.mark.parametrize(("name", "module"), CASES)
def test_a_figure_without_cells_says_so(run, name, module):
    nothing = {**study(name), "cells": []}
    figure, _ = module.draw(nothing, Tables(run / "tables"), PAPER)
    assert figure.axes


def test_learning_curves_draw_mean_and_range(run):
    tables = Tables(run / "tables")
    _, drawn = learning_curves.draw(study("figure1a"), tables, PAPER)
    mine = drawn[drawn["corruption"] == "gaussian"].set_index("step")
    curves = tables.curves[tables.curves["cell"] == "digits/inception/gaussian/none"]
    assert len(mine) == 40
    first = curves[curves["step"] == 12]["train_loss"]
    assert mine.loc[12, "train_loss_mean"] == pytest.approx(first.mean())
    assert mine.loc[12, "train_loss_max"] == pytest.approx(first.max())
    assert mine.loc[12, "replicates"] == 3


def test_paper_curves_are_drawn_on_their_own_dataset_only(run, tmp_path):
    figure, _ = learning_curves.draw(study("figure1a"), Tables(run / "tables"), PAPER)
    root = fake_results.write_results(tmp_path, "cifar10", replicates=1)
    paths = sorted(root.glob("cells/*/*/*/*/summary.json"))
    aggregate(paths, [], root / "tables")
    other, _ = learning_curves.draw(study("figure1a", "cifar10"), Tables(root / "tables"), PAPER)
    lines = [len(f.axes[0].lines) for f in (figure, other)]
    assert lines == [5, 10]


def test_figure_two_a_marks_the_best_and_draws_the_paper_on_imagenet_only(run, tmp_path):
    tables = Tables(run / "tables")
    figure, drawn = figure2a.draw(study("figure2a"), tables, PAPER)
    plain = drawn[drawn["regularizer"] == "none"].sort_values("step")
    assert plain["best_test_accuracy"].is_monotonic_increasing
    assert plain["test_accuracy"].iloc[-1] < plain["best_test_accuracy"].iloc[-1]
    best = plain.loc[plain["test_accuracy"].idxmax()]
    stars = [line for line in figure.axes[1].lines if line.get_marker() == "*"]
    assert len(stars) == 3
    places = [tuple(line.get_xydata()[0]) for line in stars]
    assert (best["step"], pytest.approx(best["test_accuracy"])) in places
    root = fake_results.write_results(tmp_path, "imagenet", replicates=1)
    paths = sorted(root.glob("cells/*/inception_v3/*/*/summary.json"))
    aggregate(paths, [], root / "tables")
    other, _ = figure2a.draw(study("figure2a", "imagenet"), Tables(root / "tables"), PAPER)
    assert [len(f.axes[1].containers) for f in (figure, other)] == [0, 5]


def test_table_two_shows_the_best_along_training_where_it_differs(run):
    figure, drawn = table2.draw(study("table2"), Tables(run / "tables"), PAPER)
    assert len(figure.axes) == 4
    marks = [line for line in figure.axes[1].lines if line.get_marker() == "$)$"]
    gains = drawn["best_test_accuracy"] - drawn["test_accuracy"]
    assert [len(line.get_xdata()) for line in marks] == [2, (gains > table2.LEAST_GAIN).sum()]


def test_test_error_is_one_minus_accuracy(run):
    tables = Tables(run / "tables")
    _, drawn = test_error.draw(study("figure1bc"), tables, PAPER)
    row = drawn[(drawn["model"] == "alexnet") & (drawn["level"] == 0.5)].iloc[0]
    cell = tables.cells.set_index("cell").loc["digits/alexnet/labels-0.5/none"]
    assert row["test_error_given"] == pytest.approx(1 - cell["test_accuracy_given_mean"])
    assert row["test_error"] == pytest.approx(1 - cell["test_accuracy_mean"])


def test_conditions_differ_in_colour_dash_and_marker():
    for looks in (style.CORRUPTIONS, style.MODELS):
        for part in ("colour", "dash", "marker"):
            values = [getattr(look, part) for look in looks.values()]
            assert len(set(values)) == len(values)
    assert style.corruption_look("labels-0.5") == style.corruption_look("labels-1")


def test_new_models_get_looks_of_their_own():
    models = ["inception", "new_a", "new_b"]
    looks = [style.model_look(name, models) for name in models]
    assert len(set(looks)) == 3
    assert looks[0] == style.model_look("inception", ["inception"])


@given(st.integers(1, 5000))
def test_thinning_keeps_the_ends_and_the_order(count):
    kept = style.thin_out(count)
    assert kept[0] == 0
    assert kept[-1] == count - 1
    assert len(kept) <= style.MAX_POINTS
    assert (np.diff(kept) > 0).all()


@given(st.lists(st.integers(0, 5), min_size=1, max_size=60), st.integers(1, 12))
def test_samples_take_classes_in_turn(labels, count):
    labels = np.array(labels)
    chosen = samples.choose(labels, count)
    assert len(chosen) == min(count, len(labels))
    assert len(set(chosen.tolist())) == len(chosen)
    classes = len(np.unique(labels))
    assert len(set(labels[chosen[:classes]].tolist())) == min(classes, len(chosen))


def test_samples_show_every_corruption_with_the_labels_given(run, tmp_path):
    paths = [*run.glob("corrupted/digits/*/manifest.json"), run / "data/digits/manifest.json"]
    figure, drawn = samples.draw(paths)
    style.save(figure, tmp_path / "a.svg")
    figure, _ = samples.draw(paths[::-1])
    style.save(figure, tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert drawn.groupby("corruption").size().eq(8).all()
    assert len(set(drawn["corruption"])) == len(paths)
    clean = drawn[drawn["corruption"] == "none"]
    assert (clean["label"] == clean["true_label"]).all()


def test_samples_need_clean_data_of_one_dataset(run, tmp_path):
    corrupted = list(run.glob("corrupted/digits/*/manifest.json"))
    with pytest.raises(RethinkError, match="need the manifest of its clean data"):
        samples.draw(corrupted)
    fake_results.write_data(tmp_path, "mnist")
    with pytest.raises(RethinkError, match="one dataset"):
        samples.draw([run / "data/digits/manifest.json", tmp_path / "data/mnist/manifest.json"])
