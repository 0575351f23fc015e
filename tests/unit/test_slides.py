"""The slides' claims, on a made-up run that meets them and on runs that violate one at a time."""

import math
from pathlib import Path

import pandas as pd
import pytest

from rethink.analysis.demo import beside_the_log
from rethink.analysis.noise_grid import accuracies, twins
from rethink.analysis.tables import COLUMNS, Tables, write_table
from rethink.claims.claim import read_claims
from rethink.claims.evidence import Evidence
from rethink.claims.verdicts import verdict

ROOT = Path(__file__).resolve().parents[2]
CLAIMS = {claim.id: claim for claim in read_claims(ROOT / "report" / "claims_slides.csv")}
PRESET = {"name": "paper", "reduced": None, "dataset": "cifar10"}
IMAGES = ("shuffled_pixels", "random_pixels", "gaussian")
NOISES = ("labels-0.4", "labels-1", *IMAGES)
PERCEPTRONS = ("mlp_1x512", "mlp_3x512")
CONVEX = ("convex_mlp_1x512", "convex_mlp_3x512", "convex_mlp_3x512_bn")
REGULARIZERS = ("dropout", "weight_decay", "weight_decay+dropout", "early_stopping")


def rows(dataset):
    """Return the summary of a run as the slides describe it, a row for each cell."""

    def row(model, corruption, regularizer="none", **values):
        kind, _, level = corruption.partition("-")
        return {
            "dataset": dataset,
            "model": model,
            "corruption": corruption,
            "corruption_kind": kind,
            "level": 0.0 if kind == "none" else float(level) if level else math.nan,
            "regularizer": regularizer,
            "parameters": 1_200_000,
            "train_examples": 50_000,
            "replicate": 0,
            "status": "fitted",
            "epochs_run": 100,
            "kept_epoch": 100,
            "train_accuracy": 1.0,
            "test_accuracy": 0.5 if corruption == "none" else 0.1,
            "time_to_fit_epochs": 60 if kind == "labels" else 20,
        } | values

    found = []
    for corruption in ("none", *NOISES):
        found += [row(model, corruption) for model in (*PERCEPTRONS, "alexnet")]
        fit = 1.0 if corruption == "none" else 0.3
        found += [row(model, corruption, train_accuracy=fit) for model in CONVEX]
        for regularizer in REGULARIZERS:
            fit = 0.2 if regularizer == "early_stopping" else 0.95
            found += [row(m, corruption, regularizer, train_accuracy=fit) for m in PERCEPTRONS]
    return found


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    summary = pd.DataFrame([*rows("cifar10"), *rows("cifar100")])
    extra = {"convexity_excess": summary["model"].isin(CONVEX).map({True: 2e-7, False: math.nan})}
    columns = [*COLUMNS["summary"], *extra]
    write_table(summary.assign(**extra).reindex(columns=columns), folder / "summary.csv")
    cells = summary.assign(
        classes=10,
        n=1,
        n_diverged=0,
        train_accuracy_mean=summary["train_accuracy"],
        test_accuracy_mean=summary["test_accuracy"],
    )
    write_table(cells.reindex(columns=list(COLUMNS["cells"])), folder / "cells.csv")
    for name in ("curves", "runs"):
        write_table(pd.DataFrame(columns=list(COLUMNS[name])), folder / f"{name}.csv")
    return folder


def evidence(tables, **changed):
    return Evidence(tables, [], PRESET | changed)


def change(found, cell, **values):
    """Change the summary of the cells whose names contain `cell`."""
    mine = found.tables.summary["cell"].str.contains(cell, regex=False)
    assert mine.any()
    for column, value in values.items():
        found.tables.summary.loc[mine, column] = value


def drop(found, cell):
    """Leave out the cells whose names contain `cell`."""
    keep = ~found.tables.summary["cell"].str.contains(cell, regex=False)
    assert not keep.all()
    found.tables.summary = found.tables.summary[keep].reset_index(drop=True)


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_run_as_the_slides_describe_it_meets_their_claims(claim, tables):
    row = verdict(CLAIMS[claim], evidence(tables))
    assert row["verdict"] == "reproduced", row
    assert "cifar100" in row["ours"] and "{" not in row["criterion"] + row["tolerance"]


VIOLATIONS = {
    "S1": ("cifar100/mlp_3x512/labels-0.4/none", {"train_accuracy": 0.98}),
    "S2": ("cifar10/mlp_1x512/gaussian/none", {"train_accuracy": 0.9}),
    "S3": ("alexnet/gaussian/none", {"test_accuracy": 0.5}),
    "S4": ("mlp_3x512/labels-1/dropout", {"train_accuracy": 0.89}),
    "S5": ("mlp_1x512/random_pixels/weight_decay", {"train_accuracy": math.nan}),
    "S6": ("labels-1/weight_decay+dropout", {"train_accuracy": 0.5}),
    "S7": ("mlp_1x512/labels-1/early_stopping", {"train_accuracy": 0.95}),
    "S8": ("alexnet/shuffled_pixels/none", {"train_accuracy": 0.97}),
    "S9": ("alexnet/gaussian/none", {"time_to_fit_epochs": 61}),
    "S10": ("convex_mlp_1x512/labels-1/none", {"train_accuracy": 1.0}),
    "S11": ("convex_mlp_3x512_bn/gaussian/none", {"train_accuracy": 0.95}),
    "S12": ("alexnet/labels-1/none", {"train_accuracy": 0.8}),
}


@pytest.mark.parametrize("claim", VIOLATIONS)
def test_one_violation_is_enough(claim, tables):
    found = evidence(tables)
    cell, values = VIOLATIONS[claim]
    change(found, cell, **values)
    row = verdict(CLAIMS[claim], found)
    assert row["verdict"] == "differs" and row["note"].startswith("fails for "), row


def test_a_convex_network_that_learns_nothing_is_no_evidence(tables):
    found = evidence(tables)
    change(found, "cifar10/convex_mlp_3x512/", train_accuracy=0.11)
    row = verdict(CLAIMS["S10"], found)
    assert row["verdict"] == "differs"
    assert "random labels, cifar10: true data are not fitted further" in row["note"]


def test_a_run_that_the_budget_cut_off_converges_no_sooner(tables):
    found = evidence(tables)
    change(found, "alexnet/gaussian", status="not_fitted", time_to_fit_epochs=pd.NA, epochs_run=10)
    row = verdict(CLAIMS["S9"], found)
    assert row["verdict"] == "differs" and "> 10.0 against 60.0 epochs" in row["ours"]


def test_one_dataset_decides_on_a_reduced_preset_only(tables):
    for reduced, expected in ((None, "not run"), ("fewer images", "reproduced")):
        found = evidence(tables, reduced=reduced)
        drop(found, "cifar100")
        row = verdict(CLAIMS["S4"], found)
        assert row["verdict"] == expected
        assert "cifar100/mlp_1x512/labels-1/dropout" in row["note"]


def test_twins_share_all_but_the_data(tables):
    study = {"dataset": "cifar10"}
    frame = twins(study, Tables(tables)).set_index("cell")
    assert len(frame) == len(accuracies(study, Tables(tables))) * 5 // 6
    held = frame.loc["cifar10/convex_mlp_1x512/labels-1/none"]
    assert held["gap"] == pytest.approx(70) and held["convexity"] == pytest.approx(2e-7)
    assert frame.loc["cifar10/mlp_1x512/labels-1/early_stopping", "gap"] == pytest.approx(0)
    assert math.isnan(frame.loc["cifar10/mlp_1x512/labels-1/none", "convexity"])
    study["cells"] = [name for name in frame.index]  # without the twins on true data
    assert twins(study, Tables(tables)).empty


def test_the_printed_log_stands_beside_the_same_epochs(tmp_path):
    cell = {"dataset": "d", "model": "wrn_28_1", "corruption": "labels-1", "level": 1.0}
    cell |= {"corruption_kind": "labels", "regularizer": "weight_decay"}
    epochs = [
        cell | {"replicate": 0, "epoch": n, "train_accuracy": n / 200, "test_accuracy_given": 0.1}
        for n in range(1, 181)
    ]
    parts = {"curves": epochs, "cells": [cell | {"n": 1, "n_diverged": 0, "epochs_run": 180}]}
    for name in ("curves", "cells"):
        frame = pd.DataFrame(parts[name]).reindex(columns=list(COLUMNS[name]))
        write_table(frame, tmp_path / f"{name}.csv")
    frame = beside_the_log({"dataset": "d"}, Tables(tmp_path), ROOT / "report" / "paper")
    assert len(frame) == 9
    mine = frame[frame["cell"] != ""].set_index(["quantity", "from_epoch"])
    assert mine.loc[("train_accuracy", 38), "ours"] == pytest.approx(19)
    late = mine.loc[("train_accuracy", 154)]
    assert (late["ours_low"], late["ours_high"]) == pytest.approx((77, 90))
    assert mine.loc[("test_accuracy_given", 1), "low"] == 9.9
    assert frame.loc[frame["corruption"] == "none", "ours"].isna().all()
