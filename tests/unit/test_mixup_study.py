"""The study of mixup: our cells beside the published errors, and which statements hold."""

from pathlib import Path

import fake_results
import pandas as pd
import pytest

from rethink.analysis.collect import aggregate
from rethink.analysis.mixup import PUBLISHED, compared, method, statements
from rethink.analysis.tables import Tables, read_paper

PAPER = Path(__file__).resolve().parents[2] / "report" / "paper"


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    root = tmp_path_factory.mktemp("run")
    fake_results.write_data(root, "digits")
    for name in fake_results.cells_of("mixup"):
        fake_results.write_cell(root, name, 3)
    aggregate(root.glob("cells/*/*/*/*/summary.json"), root.glob("data/*/*.json"), root)
    return Tables(root)


STUDY = {"name": "mixup", "kind": "mixup", "dataset": "digits"}


@pytest.mark.parametrize(
    ("regularizer", "column"),
    [
        ("none", "none"),
        ("crop+weight_decay", "none"),
        ("mixup", "mixup"),
        ("mixup-32", "mixup"),
        ("crop+dropout-30+mixup-8", "mixup+dropout"),
        ("dropout", "dropout"),
    ],
)
def test_a_regularizer_belongs_to_a_published_column(regularizer, column):
    assert method(regularizer) == column


def test_cells_stand_beside_what_was_published(tables):
    frame = compared(STUDY, tables, PAPER)
    rows = frame[frame["cell"] != ""].set_index("cell")
    assert len(rows) == len(fake_results.cells_of("mixup"))
    row = rows.loc["digits/alexnet/labels-0.5/mixup-32"]
    assert (row["paper_best_error"], row["paper_last_error"]) == (11.3, 12.7)
    runs = tables.summary[tables.summary["cell"] == row.name]
    assert row["last_error"] == pytest.approx(100 * (1 - runs["test_accuracy"].mean()))
    assert row["random_error"] == pytest.approx(100 * (1 - runs["train_accuracy_hit"].mean()))
    assert row["true_error_sd"] == pytest.approx(100 * runs["train_accuracy_untouched"].std())
    clean = rows.loc["digits/mlp_1x512/none/mixup"]
    assert clean["paper_last_error"] == 4.2 and pd.isna(clean["random_error"])
    assert clean["true_error"] < 2, "all labels of clean data are true"
    assert pd.isna(rows.loc["digits/mlp_1x512/labels-0.75/none", "paper_last_error"])


def test_what_was_published_and_not_run_comes_last(tables):
    frame = compared(STUDY, tables, PAPER)
    missing = frame[frame["cell"] == ""]
    assert frame["cell"].iloc[-len(missing) :].eq("").all()
    done = {("none", "none"), ("none", "mixup")}
    done |= {("labels-0.5", name) for name in ("none", "mixup", "dropout")}
    seen = set(zip(missing["corruption"], missing["method"], strict=True))
    published = read_paper(PAPER / "mixup.csv", PUBLISHED)
    assert seen == set(zip(published["corruption"], published["method"], strict=True)) - done


def made(method, best, last, random, model="mlp", corruption="labels-0.5"):
    return {
        "cell": "x",
        "model": model,
        "corruption": corruption,
        "method": method,
        "best_error": best,
        "last_error": last,
        "random_error": random,
    }


def test_statements_are_decided_wherever_mixup_has_a_twin():
    rows = [
        *(made("none", 20, 50, 1), made("mixup", 30, 70, 5), made("mixup", 15, 16, 80)),
        *(made("none", 20, 25, 9, "cnn"), made("mixup", 21, 24, 8, "cnn")),
        made("mixup", 1, 1, 90, "alone"),
        made("none", 5, 5, float("nan"), corruption="none"),
        made("mixup", 4, 4, float("nan"), corruption="none"),
    ]
    found = [(held, count, total) for _, held, count, total in statements(pd.DataFrame(rows))]
    assert found == [(True, 2, 2), (False, 1, 2), (True, 2, 2), (False, 1, 2)]


def test_without_a_twin_nothing_is_decided():
    assert statements(pd.DataFrame([made("mixup", 1, 1, 90)])) == []
