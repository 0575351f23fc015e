"""Rank correlations against closed forms, and the study of complexity measures on made-up cells."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from rethink.analysis import complexity
from rethink.analysis.complexity import AXES, TITLES, along_labels, criterion, networks, rankings
from rethink.analysis.rank_correlation import granulated, kendall, sign_errors
from rethink.analysis.tables import MEASURES

FEW = st.integers(0, 5).map(float)


# Kendall's tau


@given(st.lists(st.tuples(FEW, FEW), max_size=12))
def test_tau_agrees_with_scipy_ties_included(pairs):
    x, y = [p[0] for p in pairs], [p[1] for p in pairs]
    expected = stats.kendalltau(x, y).statistic if len(pairs) > 1 else math.nan
    assert kendall(x, y) == pytest.approx(expected, nan_ok=True)


def test_tau_of_hand_made_orders():
    assert kendall([1, 2, 3, 4], [1, 2, 3, 4]) == 1
    assert kendall([1, 2, 3, 4], [4, 3, 2, 1]) == -1
    assert kendall([1, 2, 3, 4], [1, 2, 4, 3]) == pytest.approx(4 / 6)
    assert math.isnan(kendall([1, 1], [1, 2])) and math.isnan(kendall([1], [1]))


def test_pairs_with_a_missing_value_are_left_out():
    assert kendall([1, 2, math.nan, 3], [1, 2, 0, 3]) == 1


# Granulated tau and sign errors


def grid(measure, gap, replicates=1):
    """Return networks of two models at three levels; `measure` and `gap` (model, level, replicate)."""
    rows = [
        {
            "model": f"m{i}",
            "labels": f"labels-{j}",
            "replicate": k,
            "measure": measure(i, j, k),
            "gap": gap(i, j, k),
        }
        for i in range(2)
        for j in range(3)
        for k in range(replicates)
    ]
    return pd.DataFrame(rows)


PLACES = ("model", "labels")


def test_granulation_holds_all_but_one_axis_fixed():
    """The measure follows the level within a model, and is wrong between models."""
    frame = grid(lambda i, j, k: 10 * i + j, lambda i, j, k: j - 10 * i)
    found = granulated(frame, PLACES, "measure", "gap")
    assert found.by_axis == {"model": -1, "labels": 1}
    assert found.psi == 0
    assert kendall(frame["measure"], frame["gap"]) == pytest.approx((6 - 9) / 15)


def test_an_axis_without_variation_does_not_count():
    frame = grid(lambda i, j, k: j, lambda i, j, k: j).query("model == 'm0'")
    found = granulated(frame, PLACES, "measure", "gap")
    assert math.isnan(found.by_axis["model"]) and found.psi == found.by_axis["labels"] == 1


def test_sign_errors_by_environment():
    frame = grid(lambda i, j, k: 10 * i + j, lambda i, j, k: j - 10 * i)
    found = {(e.axis, e.values): (e.error, e.pairs) for e in sign_errors(frame, PLACES, *COLUMNS)}
    assert found == {
        ("model", ("m0", "m1")): (1.0, 3),
        ("labels", ("labels-0", "labels-1")): (0.0, 2),
        ("labels", ("labels-0", "labels-2")): (0.0, 2),
        ("labels", ("labels-1", "labels-2")): (0.0, 2),
    }


COLUMNS = ("measure", "gap")


def test_one_bad_group_shows_in_the_worst_environment_not_in_the_mean():
    """The measure is wrong for one model alone, from level 1 to 2."""
    swap = {(1, 1): 2, (1, 2): 1}
    frame = grid(lambda i, j, k: swap.get((i, j), j), lambda i, j, k: j)
    errors = {e.values: e.error for e in sign_errors(frame, PLACES, *COLUMNS)}
    assert errors[("labels-1", "labels-2")] == 0.5
    assert max(errors.values()) == 0.5 and np.mean(list(errors.values())) == pytest.approx(0.5 / 3)


def test_a_tie_in_the_measure_is_half_an_error():
    frame = grid(lambda i, j, k: 0.0, lambda i, j, k: j)
    assert {e.error for e in sign_errors(frame, PLACES, *COLUMNS)} == {0.5}


def test_differences_within_the_noise_of_the_replicates_are_left_out():
    """Levels 0 and 1 differ by 0.1, far less than replicates do; level 2 lies far off."""
    noise = (-1.0, 0.0, 1.0)
    gap = lambda i, j, k: (0.0, 0.1, 9.0)[j] + noise[k]
    frame = grid(lambda i, j, k: -j, gap, replicates=3)
    found = {e.values: e.error for e in sign_errors(frame, ("model", "labels"), *COLUMNS)}
    assert set(found) == {("labels-0", "labels-2"), ("labels-1", "labels-2")}
    assert set(found.values()) == {1.0}


def test_the_noise_of_replicates_is_part_of_an_error():
    """Of nine pairs of networks the measure orders three the wrong way."""
    measure = lambda i, j, k: (j + (0, 0, 5)[k]) if j == 0 else 3.0 * j
    frame = grid(measure, lambda i, j, k: j, replicates=3)
    found = {e.values: e.error for e in sign_errors(frame, ("model", "labels"), *COLUMNS)}
    assert found[("labels-0", "labels-1")] == pytest.approx(1 / 3)


# The study


class Fake:
    """Tables of perceptrons on random labels whose gap grows with the level, as their norms do."""

    def __init__(self, levels=(0.0, 0.5, 1.0), models=("mlp_1x512", "alexnet"), **changed):
        rows, curves = [], []
        for model in models:
            for level in levels:
                for replicate in range(2):
                    corruption = f"labels-{level:g}" if level else "none"
                    cell = {
                        "cell": f"digits/{model}/{corruption}/none",
                        "dataset": "digits",
                        "model": model,
                        "corruption": corruption,
                        "corruption_kind": "labels" if level else "none",
                        "level": level,
                        "regularizer": "none",
                        "replicate": replicate,
                    }
                    size = 2 + level + 0.01 * replicate
                    values = dict.fromkeys(MEASURES, size) | {"margin": 3 - 2 * level}
                    rows.append(
                        {
                            **cell,
                            "status": "fitted",
                            "train_examples": 100,
                            "time_to_fit_epochs": 10 + int(10 * level),
                            "train_accuracy": 1.0,
                            "test_accuracy": 0.9 - 0.8 * level,
                            "test_accuracy_given": 0.9 - 0.7 * level,
                            **values,
                            **changed,
                        }
                    )
                    curves.append({**cell, "epoch": 1, "train_accuracy": 0.5 - 0.4 * level})
        self.summary, self.curves = pd.DataFrame(rows), pd.DataFrame(curves)


STUDY = {"name": "complexity", "dataset": "digits"}


def test_measures_have_their_formulas():
    tables = Fake(margin=0.5, log_spectral_norm=3.0, log_bartlett=7.0, parameter_norm=40.0)
    row = networks(STUDY, tables).iloc[0]
    expected = {
        "parameter_norm": math.log(40 / math.sqrt(100)),
        "inverse_margin": math.log(math.sqrt(1 / (0.5**2 * 100))),
        "spectral_margin": 0.5 * (2 * 3.0 - 2 * math.log(0.5) - math.log(100)),
        "bartlett": 7.0 - math.log(0.5),
        "time_to_fit": math.log(20),
        "first_error": math.log(0.9),
    }
    row = networks(STUDY, tables).query("level == 1").iloc[0]
    assert {name: row[name] for name in expected} == pytest.approx(expected)
    assert row["gap_true"] == pytest.approx(0.9) and row["gap_given"] == pytest.approx(0.8)
    assert (row["labels"], row["images"]) == ("labels-1", "none")


def test_without_a_positive_margin_there_is_no_measure_over_it():
    row = networks(STUDY, Fake(margin=-0.1)).iloc[0]
    over = [name for name in TITLES if math.isnan(row[name])]
    assert set(over) == {"inverse_margin", "bartlett", "neyshabur"} | {
        f"{name}_margin" for name in ("spectral", "frobenius", "path")
    }


def test_only_networks_that_fitted_and_were_measured_count():
    assert networks(STUDY, Fake(status="not_fitted")).empty
    assert networks(STUDY, Fake(parameter_norm=math.nan)).empty
    assert networks(STUDY, Fake(corruption_kind="signs")).empty
    assert rankings(networks(STUDY, Fake(status="not_fitted")))["tau"].isna().all()


def test_norms_that_grow_with_the_gap_rank_it():
    ranked = rankings(networks(STUDY, Fake())).set_index(["measure", "gap"])
    assert set(ranked.index.get_level_values(0)) == set(TITLES)
    for gap in complexity.GAPS:
        row = ranked.loc[("distance", gap)]
        # Six cells, three pairs of which tie in both.
        assert row["tau"] == 1 and row["tau_labels"] == row["psi"] == 1
        assert row["error_worst"] == 0 and row["environments"] == 3
        assert math.isnan(row["tau_images"]) and math.isnan(row["tau_model"])
    assert ranked.loc[("first_error", "gap_true"), "tau"] == 1
    assert len(AXES) == len([c for c in ranked.columns if c.startswith("tau_")])


def test_m_is_relative_to_true_labels():
    curves = along_labels(networks(STUDY, Fake()))
    mine = curves[(curves["measure"] == "distance") & (curves["model"] == "alexnet")]
    start = 1 / (1 + 2.005 / 10)
    assert mine["level"].tolist() == [0, 0.5, 1]
    assert mine["start"].iloc[0] == pytest.approx(start, rel=1e-3)
    assert mine["ratio"].iloc[0] == pytest.approx(1, abs=1e-6)
    assert mine["ratio"].iloc[2] == pytest.approx(1 / (1 + 3.005 / 10) / start, rel=1e-3)


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ((0.0, 1.0, 5.0), "falls to zero"),
        ((0.0, 0.2, 0.4), "falls"),
        ((0.0, -1.0, -2.0), "does not fall"),
        ((9.0, 19.0, 39.0), "vacuous"),
    ],
)
def test_the_criterion(values, verdict):
    frame = networks(STUDY, Fake())
    frame["distance"] = frame["level"].map(dict(zip((0.0, 0.5, 1.0), values, strict=True)))
    found = criterion(along_labels(frame)).set_index(["measure", "model", "regularizer"])
    row = found.loc[("distance", "mlp_1x512", "none")]
    assert row["verdict"] == verdict
    assert row["trend"] == (1 if verdict == "does not fall" else -1)


def test_two_levels_decide_nothing():
    assert criterion(along_labels(networks(STUDY, Fake(levels=(0.0, 1.0))))).empty
    assert along_labels(networks(STUDY, Fake(levels=(0.5, 1.0)))).empty


def test_networks_with_a_regularizer_are_followed_by_themselves_from_three_levels_on():
    frame = networks(STUDY, Fake(regularizer="dropout"))
    curves = along_labels(frame)
    assert set(curves["regularizer"]) == {"dropout"}
    assert set(criterion(curves)["regularizer"]) == {"dropout"}
    both = pd.concat([networks(STUDY, Fake()), frame[frame["level"] != 0.5]])
    assert set(along_labels(both)["regularizer"]) == {"none"}
