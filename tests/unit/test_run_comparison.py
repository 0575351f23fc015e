"""Two runs compared: the criterion against its closed form, what is named."""

import math
import shutil
import statistics

import fake_results
import pytest
from scipy import stats

from rethink import run_comparison
from rethink.analysis.collect import aggregate
from rethink.analysis.statistics import spread
from rethink.claims.verdicts import COLUMNS
from rethink.errors import RethinkError
from rethink.files import write_json


def judge(a, b, level=0.95):
    return run_comparison.judge("d/m/c/r", "test_accuracy", spread(a), spread(b), level)


@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
@pytest.mark.parametrize("shift", [0.0, 0.01, 0.03, 0.1])
def test_the_criterion_is_welchs_test(shift, level):
    a = [0.91, 0.93, 0.92, 0.95]
    b = [value + shift for value in (0.90, 0.94, 0.925)]
    p = stats.ttest_ind(a, b, equal_var=False).pvalue
    found = judge(a, b, level)
    assert (found.finding == run_comparison.DIFFERS) == (p < 1 - level)
    assert found.difference == pytest.approx(statistics.mean(b) - statistics.mean(a))


def test_a_single_replicate_borrows_the_others_spread():
    a = [0.9, 0.92, 0.94]
    limit = stats.t.ppf(0.975, 2) * statistics.stdev(a) * math.sqrt(1 / 3 + 1)
    assert judge(a, [0.9]).limit == pytest.approx(limit) == judge([0.9], a).limit
    assert judge(a, [0.92 + 1.01 * limit]).finding == run_comparison.DIFFERS
    assert judge(a, [0.92 + 0.99 * limit]).finding == run_comparison.SAME


def test_without_spread_a_difference_is_told_as_such():
    assert judge([0.9], [0.9]).finding == run_comparison.SAME
    assert judge([0.9], [0.91]).finding == run_comparison.NO_SPREAD
    assert judge([0.9], []).finding == run_comparison.ONE_SIDE
    assert judge([1.0, 1.0], [1.0, 1.0]).finding == run_comparison.SAME
    assert judge([1.0, 1.0], [0.99, 0.99]).finding == run_comparison.DIFFERS


def verdicts(root, **of_claims):
    rows = [
        ",".join(
            {"id": claim, "verdict": v, "scale": "full", "ours": "1.0"}.get(c, "") for c in COLUMNS
        )
        for claim, v in of_claims.items()
    ]
    (root / "tables/claims.csv").write_text("\n".join([",".join(COLUMNS), *rows]) + "\n")


@pytest.fixture
def two(tmp_path):
    """Return two runs: the second lacks a cell, and one of its cells ended otherwise."""
    cells = [
        "digits/alexnet/none/none",
        "digits/alexnet/labels-1/none",
        "digits/mlp_1x512/none/none",
    ]
    a, b = tmp_path / "a", tmp_path / "b"
    for cell in cells:
        fake_results.write_cell(a, cell, 3)
    shutil.copytree(a, b)
    shutil.rmtree(b / "cells/digits/mlp_1x512")
    summary = b / "cells" / cells[0] / "summary.json"
    text = summary.read_text().replace('"test_accuracy": 0.9', '"test_accuracy": 0.5')
    summary.write_text(text)
    for root, value in ((a, 1.0), (b, 1.5)):
        aggregate(sorted(root.glob("cells/*/*/*/*/summary.json")), [], root / "tables/all")
        write_json(root / "theory/kernel/result.json", {"norm": value, "n": 3, "seconds": value})
    verdicts(a, C1="reproduced", C2="differs")
    verdicts(b, C1="differs", C2="differs", C3="not run")
    return a, b


def test_what_differs_is_named_and_nothing_else(two):
    found = run_comparison.compare(*two)
    assert found.only_a == ["digits/mlp_1x512/none/none"] and found.only_b == []
    differing = [(q.cell, q.quantity) for q in found.quantities if q.finding == "differs"]
    assert differing == [("digits/alexnet/none/none", "test_accuracy")]
    assert [v[:3] for v in found.verdicts] == [
        ("C1", "reproduced (full scale)", "differs (full scale)"),
        ("C3", "not there", "not run (full scale)"),
    ]
    assert found.theory == [("kernel", 1, 2, "norm: 1 and 1.5")]
    assert found.respecified == []
    rows = found.rows()
    assert rows["finding"].value_counts()["only in A"] == 1
    assert len(rows) == len(found.quantities) + 1


def test_a_run_without_tables_is_told(two, tmp_path):
    with pytest.raises(RethinkError, match="cells.csv: the table is not there"):
        run_comparison.compare(two[0], tmp_path / "empty")
