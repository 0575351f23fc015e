"""Collecting cells, statistics over replicates, and the tables' checks."""

import json
import math
from pathlib import Path

import fake_results
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rethink.analysis import names
from rethink.analysis.collect import aggregate
from rethink.analysis.comparison import TABLE1, published_table2, table1, table2
from rethink.analysis.convergence import steps_to_loss
from rethink.analysis.levels import along_levels, paper_levels
from rethink.analysis.noise_regularizers import family, noise_against_real, progress, strength
from rethink.analysis.statistics import ratio, spread, time_to_fit
from rethink.analysis.tables import (
    COLUMNS,
    NUMBER,
    OPTIONAL,
    TEXT,
    WHOLE,
    Tables,
    read_paper,
    read_table,
)
from rethink.errors import RethinkError
from rethink.files import read_json, write_json

PAPER = Path(__file__).resolve().parents[2] / "report" / "paper"
NUMBERS = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return a results folder with all its cells and the tables of all of them."""
    root = fake_results.write_results(tmp_path_factory.mktemp("run"))
    aggregate(summaries(root), manifests(root), root / "tables")
    return root


def summaries(root):
    return sorted(root.glob("cells/*/*/*/*/summary.json"))


def manifests(root):
    return sorted(root.glob("data/*/manifest.json"))


def study(name):
    kind, _ = fake_results.STUDIES[name]
    cells = fake_results.cells_of(name)
    return {"name": name, "kind": kind, "dataset": "digits", "cells": cells}


@given(NUMBERS)
def test_spread_agrees_with_numpy_and_ignores_what_is_no_number(values):
    result = spread([*values, math.nan, math.inf])
    assert result.n == len(values)
    assert result.mean == pytest.approx(np.mean(values), abs=1e-6)
    assert result.min - 1e-6 <= result.mean <= result.max + 1e-6
    if len(values) == 1:
        assert math.isnan(result.sd)
    else:
        assert result.sd == pytest.approx(np.std(values, ddof=1), abs=1e-6)


def test_spread_of_nothing():
    assert spread([]).n == 0
    assert math.isnan(spread([math.nan]).mean)


@given(NUMBERS.filter(lambda v: abs(np.mean(v)) > 1e-3))
def test_ratio_of_a_cell_to_itself_is_one(values):
    value, _ = ratio(spread(values), spread(values))
    assert value == pytest.approx(1)


def test_ratio_has_no_value_without_a_denominator():
    assert math.isnan(ratio(spread([1.0]), spread([]))[0])
    value, sd = ratio(spread([4.0, 6.0]), spread([2.0]))
    assert value == 2.5
    assert math.isnan(sd)


def test_time_to_fit_counts_open_ends_as_lower_bounds_and_leaves_out_divergence():
    fitted = time_to_fit([10, 12], [40, 40], ["fitted", "fitted"])
    assert (fitted.spread.mean, fitted.censored) == (11, False)
    some = time_to_fit([10, math.nan], [40, 40], ["fitted", "not_fitted"])
    assert (some.spread.mean, some.censored) == (25, True)
    one_diverged = time_to_fit([10, math.nan], [40, 3], ["fitted", "diverged"])
    assert (one_diverged.spread.mean, one_diverged.censored) == (10, False)
    assert time_to_fit([math.nan], [3], ["diverged"]).spread.n == 0


def test_tables_are_the_same_bytes_in_any_order(run, tmp_path):
    aggregate(reversed(summaries(run)), manifests(run), tmp_path)
    for name in COLUMNS:
        assert (tmp_path / f"{name}.csv").read_bytes() == (
            run / "tables" / f"{name}.csv"
        ).read_bytes()


def test_every_cell_replicate_and_epoch_is_there_once(run):
    tables = Tables(run / "tables")
    count = len(summaries(run))
    assert len(tables.cells) == len(tables.runs) == count == tables.cells["cell"].nunique()
    assert len(tables.summary) == 3 * count
    assert not tables.curves.duplicated(["cell", "replicate", "epoch"]).any()
    for name, columns in COLUMNS.items():
        header = (run / "tables" / f"{name}.csv").read_text().partition("\n")[0]
        assert header.split(",") == list(columns | OPTIONAL[name])


def test_cells_summarize_the_replicates(run):
    tables = Tables(run / "tables")
    for cell in tables.cells.itertuples():
        mine = tables.summary[tables.summary["cell"] == cell.cell]
        assert cell.n == len(mine)
        assert cell.n_fitted == (mine["status"] == "fitted").sum()
        values = mine["test_accuracy"].dropna()
        assert cell.test_accuracy_n == len(values)
        if len(values):
            assert cell.test_accuracy_mean == pytest.approx(values.mean())
            assert cell.test_accuracy_sd == pytest.approx(values.std(ddof=1))


def test_a_diverged_cell_has_a_row_and_no_values(run):
    cells = Tables(run / "tables").cells.set_index("cell")
    cell = cells.loc[f"digits/{fake_results.DIVERGES}"]
    assert cell["n_diverged"] == cell["n"] == 3
    assert math.isnan(cell["train_accuracy_mean"])
    assert cell["train_accuracy_n"] == 0


def test_clean_data_are_level_zero_and_shuffled_ones_have_none(run):
    cells = Tables(run / "tables").cells.set_index("cell")
    assert cells.loc["digits/inception/none/none", "level"] == 0
    assert cells.loc["digits/inception/labels-0.25/none", "level"] == 0.25
    assert math.isnan(cells.loc["digits/inception/gaussian/none", "level"])


def test_classes_are_known_only_from_a_manifest(run, tmp_path):
    assert Tables(run / "tables").classes("digits") == 10
    aggregate(summaries(run)[:1], [], tmp_path)
    assert Tables(tmp_path).classes("digits") is None


@pytest.fixture
def cell(tmp_path):
    """Return the summary.json of a single good cell."""
    fake_results.write_cell(tmp_path, "digits/mlp_1x512/labels-1/none", 2)
    return next(tmp_path.glob("cells/*/*/*/*/summary.json"))


def edit(path, change):
    content = read_json(path)
    change(content)
    write_json(path, content)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.pop("parameters"), "summary.json: key 'parameters' is missing"),
        (lambda s: s.update(parameters="many"), "key 'parameters' should be of type int"),
        (lambda s: s.update(name="digits/mlp"), "dataset/model/corruption/regularizer"),
        (lambda s: s.update(name="digits/mlp_1x512/lables-1/none"), "did you mean 'labels'"),
        (lambda s: s["replicates"][0].update(status="fine"), "not_fitted, diverged, not 'fine'"),
        (lambda s: s["replicates"][0].pop("test_loss"), "key 'test_loss' is missing"),
        (lambda s: s["replicates"][0].update(test_loss="low"), "number or null, not 'low'"),
        (lambda s: s.update(replicates=[]), "at least one"),
    ],
)
def test_a_malformed_summary_is_refused_by_file_and_key(cell, tmp_path, change, words):
    edit(cell, change)
    with pytest.raises(RethinkError) as error:
        aggregate([cell], [], tmp_path / "tables")
    assert "summary.json" in str(error.value)
    assert words in str(error.value)


def test_damaged_neighbours_are_refused(cell, tmp_path):
    curves = cell.with_name("curves.csv")
    good = curves.read_text()
    curves.write_text(good.replace("test_accuracy,", "test_precision,"))
    with pytest.raises(RethinkError, match=r"curves.csv: column 'test_accuracy' is missing"):
        aggregate([cell], [], tmp_path / "tables")
    curves.write_text(good.replace("0,1,12,", "0,1,twelve,", 1))
    with pytest.raises(RethinkError, match=r"curves.csv: column 'step', row 1: .*'twelve'"):
        aggregate([cell], [], tmp_path / "tables")
    curves.write_text(good)
    cell.with_name("run.json").unlink()
    with pytest.raises(RethinkError, match=r"run.json: the file is not there"):
        aggregate([cell], [], tmp_path / "tables")


def test_a_record_of_another_cell_is_refused(cell, tmp_path):
    spec = json.dumps({"name": "digits/alexnet/none/none"})
    edit(cell.with_name("run.json"), lambda record: record.update(spec=spec))
    with pytest.raises(RethinkError, match=r"run.json: key 'spec' belongs to cell"):
        aggregate([cell], [], tmp_path / "tables")


def test_the_same_cell_twice_is_refused(cell, tmp_path):
    with pytest.raises(RethinkError, match="is also in"):
        aggregate([cell, cell], [], tmp_path / "tables")


def test_a_table_says_what_is_wrong_with_it(tmp_path):
    columns = {"name": TEXT, "count": WHOLE, "value": NUMBER}
    path = tmp_path / "t.csv"
    path.write_text("name,count,value\nnone,,\nNA,3,nan\n")
    frame = read_table(path, columns)
    assert list(frame["name"]) == ["none", "NA"]
    assert frame["count"].isna().tolist() == [True, False]
    path.write_text("name,count,value\nx,1.5,0\n")
    with pytest.raises(RethinkError, match=r"t.csv: column 'count', row 1: .*whole number"):
        read_table(path, columns)
    path.write_text("name,count\nx,1\n")
    with pytest.raises(RethinkError, match=r"t.csv: column 'value' is missing"):
        read_table(path, columns)
    with pytest.raises(RethinkError, match="is not there"):
        read_table(tmp_path / "no.csv", columns)


def test_along_levels(run):
    levels = along_levels(study("figure1bc"), Tables(run / "tables")).set_index(["model", "level"])
    assert len(levels) == 15
    for model in ("inception", "alexnet", "mlp_1x512"):
        assert levels.loc[(model, 0.0), "ratio"] == 1
        assert levels.loc[(model, 0.25), "ratio"] > 1
    assert levels.loc[("mlp_1x512", 0.75), "outcome"] == "censored"
    assert levels.loc[("mlp_1x512", 0.75), "epochs"] == 40
    assert levels.loc[("inception", 1.0), "outcome"] == "fitted"


def test_steps_to_loss_counts_those_that_never_get_there():
    curves = pd.DataFrame(
        {
            "cell": "a",
            "replicate": [0, 0, 1, 1],
            "step": [10, 20, 10, 20],
            "train_loss": [0.5, 0.1, 0.9, math.nan],
        }
    )
    reached, never = steps_to_loss(curves, 0.1)["a"]
    assert (reached.mean, reached.n, never) == (20, 1, 1)


def test_table_one_has_each_row_of_the_paper_once_and_ours_beside(run):
    frame = table1(study("table1"), Tables(run / "tables"), PAPER)
    published = frame[frame["paper_test_accuracy"].notna()]
    assert len(published) == 19
    assert not frame.duplicated(["model", "corruption", "regularizer"]).any()
    row = published.set_index(["model", "corruption", "regularizer"]).loc[
        ("inception", "none", "crop+weight_decay")
    ]
    assert row["test_accuracy_difference"] == pytest.approx(row["test_accuracy"] - 89.05)
    missing = published[published["cell"] == ""]
    assert set(missing["model"]) >= {"inception_no_bn"}
    assert missing["test_accuracy"].isna().all()


def test_table_one_matches_sums_of_regularizers_in_any_order(run):
    frame = table1(study("more"), Tables(run / "tables"), PAPER)
    extra = frame[frame["paper_test_accuracy"].isna()]
    assert set(extra["corruption"]) == {"labels-0.5", "labels-1", "gaussian_noise-0.2"}
    assert list(frame["model"]) == sorted(frame["model"], key=names.model_order)


def test_table_two_has_the_papers_rows_in_two_groups_and_ours_beside(run):
    frame = table2(study("table2"), Tables(run / "tables"), PAPER)
    printed = frame[frame["paper_test_top5_accuracy"].notna()]
    assert list(printed["corruption"]) == ["none"] * 4 + ["labels-1"] * 3 + ["none"]
    assert list(frame["model"])[-1] == "alexnet_2012" and not frame["trained"].iloc[-1]
    full, plain = (printed.iloc[i] for i in (0, 3))
    assert full["regularizer"] == "distort+weight_decay+dropout"
    assert full["cell"] == "digits/inception_v3/none/distort+weight_decay+dropout"
    assert (plain["paper_test_accuracy"], plain["paper_best_test_accuracy"]) == (59.80, 63.16)
    # With augmentation the paper gives no best value: ours has nothing to be compared with.
    assert pd.isna(full["paper_best_test_accuracy"]) and full["best_test_accuracy"] > 0
    cells = Tables(run / "tables").cells.set_index("cell")
    ours = 100 * cells.loc[plain["cell"], "best_test_top5_accuracy_mean"]
    assert plain["best_test_top5_accuracy"] == pytest.approx(ours)
    assert plain["best_test_top5_accuracy_difference"] == pytest.approx(ours - 84.49)
    (extra,) = frame[frame["paper_test_top5_accuracy"].isna()].to_dict("records")
    assert (extra["regularizer"], extra["n"]) == ("dropout", 3)


def test_the_papers_gains_of_figure_two_a_are_those_of_table_two():
    rows = published_table2(PAPER)
    rows = rows[rows["model"] == "inception_v3"].set_index(["corruption", "regularizer"])
    gains = rows["best_test_accuracy"] - rows["test_accuracy"]
    assert gains["none", "weight_decay"] == pytest.approx(5.39)
    assert gains["none", "none"] == pytest.approx(3.36)
    read = pd.read_csv(PAPER / "figure2a.csv").set_index(["regularizer", "split", "quantity"])
    for (regularizer, split, quantity), reading in read.iterrows():
        column = "best_test_accuracy" if quantity == "peak" else f"{split}_accuracy"
        printed = rows.loc[("none", regularizer), column] / 100
        if (regularizer, split) == ("weight_decay", "train"):
            continue  # 90.60 is probably a misprint.
        assert abs(reading["accuracy"] - printed) <= reading["accuracy_error"] + 1e-9


def test_paper_values_are_whole_and_say_their_source():
    for path in PAPER.glob("*.csv"):
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
        assert frame["source"].str.match("printed|read off the plot").all(), path
        assert not frame.duplicated().any(), path
    first = read_paper(PAPER / "table1.csv", TABLE1)
    assert len(first) == 19
    assert first.groupby("model")["parameters"].nunique().eq(1).all()
    times = paper_levels(PAPER, "figure1b.csv", "ratio")
    epochs = paper_levels(PAPER, "figure1b.csv", "epochs")["epochs"]
    start = epochs.groupby(times["model"]).transform("first")
    assert (times["ratio"] - epochs / start).abs().max() < 1e-3
    errors = paper_levels(PAPER, "figure1c.csv", "test_error")
    assert errors.groupby("model").size().eq(11).all()
    assert errors["test_error"].between(0.1, 0.9).all()


def test_names_are_ordered_and_worded_for_a_reader():
    assert max(["mlp_1x512", "new", "inception"], key=names.model_order) == "new"
    assert names.model_title("new") == "new"
    cells = ["d/inception/labels-1/none", "d/inception/labels-0.5/none", "d/inception/none/none"]
    assert sorted(cells, key=names.cell_order) == cells[::-1]
    assert names.row_title("none", "none") == "no regularizer"
    assert names.row_title("labels-1", "weight_decay") == "random labels, weight decay"


@pytest.mark.parametrize(
    ("name", "of", "strong"),
    [("dropout", "dropout", 0), ("dropout-25", "dropout", 25), ("noise_3", "noise", 3)],
)
def test_strengths_of_a_regularizer_are_a_family(name, of, strong):
    assert (family(name), strength(name)) == (of, strong)


def test_noise_stands_beside_true_data_of_the_same_regularizer(run):
    tables = Tables(run / "tables")
    frame = noise_against_real(study("noise"), tables)
    keys = ["model", "noise", "regularizer"]
    assert not frame.duplicated(keys).any()
    missing = ("alexnet", "labels-1", "dropout-75")
    assert missing not in set(frame[keys].itertuples(index=False, name=None)), "no true data"
    cells = tables.cells.set_index("cell")
    rows = frame.set_index(keys)
    row = rows.loc[("mlp_1x512", "gaussian", "dropout-25")]
    noise = cells.loc["digits/mlp_1x512/gaussian/dropout-25"]
    real = cells.loc["digits/mlp_1x512/none/dropout-25"]
    assert row["noise_accuracy"] == 100 * noise["train_accuracy_mean"]
    assert row["real_accuracy"] == 100 * real["best_test_accuracy_mean"]
    plain = rows.loc[("mlp_1x512", "gaussian", "none")]
    assert row["slowed"] == pytest.approx(plain["noise_accuracy"] - row["noise_accuracy"])
    assert row["cost"] == pytest.approx(plain["real_accuracy"] - row["real_accuracy"])
    assert (plain["slowed"], plain["cost"]) == (0, 0)
    assert math.isnan(rows.loc[("alexnet", "labels-1", "weight_decay"), "slowed"]), "diverged"
    for _, group in frame.groupby(["model", "noise"]):
        best = group.loc[group["slowed"].idxmax()]
        assert not best["beaten"], "nothing hinders the noise more"


def test_progress_has_a_row_for_each_cell(run):
    tables = Tables(run / "tables")
    frame = progress(study("noise"), tables).set_index("cell")
    assert sorted(frame.index) == sorted(fake_results.cells_of("noise"))
    name = "digits/mlp_1x512/labels-1/dropout-25"
    mine = tables.curves[tables.curves["cell"] == name]
    firsts = mine[mine["epoch"] == 1]["train_accuracy"]
    assert frame.loc[name, "first"] == pytest.approx(100 * firsts.mean())
    areas = mine.groupby("replicate")["train_accuracy"].mean()
    assert frame.loc[name, "area"] == pytest.approx(100 * areas.mean())
    assert frame.loc[name, "area_sd"] == pytest.approx(100 * areas.std())
    assert math.isnan(frame.loc["digits/mlp_1x512/none/none", "hit"]), "no label was drawn"
