"""Linear models: which interpolant SGD finds, and that Hessians do not tell them apart."""

import json
from pathlib import Path

import numpy as np
import pytest
from fake_results import write_data
from hypothesis import given, settings
from hypothesis import strategies as st

from rethink.errors import RethinkError
from rethink.provenance import Record
from rethink.theory import linear


def problem(count: int = 12, size: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.standard_normal((count, size)), random.standard_normal((count, 2))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(13, 40), st.integers(0, 10**6))
def test_minimum_norm(count: int, size: int, seed: int) -> None:
    x, y = problem(count, size, seed)
    w = linear.minimum_norm(x, y)
    assert w == pytest.approx(np.linalg.pinv(x) @ y, abs=1e-8)
    basis, _ = linear.row_space(x)
    other = w + linear.outside(basis, np.random.default_rng(1).standard_normal(w.shape))
    assert x @ other == pytest.approx(y, abs=1e-8)
    assert np.linalg.norm(other) > np.linalg.norm(w)


@pytest.mark.parametrize("method", [linear.sgd, linear.block_kaczmarz])
def test_sgd_from_zero_is_the_minimum_norm(method) -> None:
    x, y = problem()
    w = linear.minimum_norm(x, y)
    found = method(x, y, np.zeros_like(w), 200_000, 4, np.random.default_rng(2))
    assert found.arrived
    assert np.linalg.norm(found.w - w) < 1e-6 * np.linalg.norm(w)
    basis, _ = linear.row_space(x)
    assert np.linalg.norm(linear.outside(basis, found.w)) < 1e-10


@pytest.mark.parametrize("method", [linear.sgd, linear.block_kaczmarz])
def test_sgd_from_elsewhere_keeps_what_the_rows_do_not_see(method) -> None:
    x, y = problem()
    start = np.random.default_rng(3).standard_normal((x.shape[1], y.shape[1]))
    basis, _ = linear.row_space(x)
    expected = linear.minimum_norm(x, y) + linear.outside(basis, start)
    found = method(x, y, start, 200_000, 4, np.random.default_rng(2))
    assert found.arrived
    assert np.linalg.norm(found.w - expected) < 1e-6 * np.linalg.norm(expected)
    assert np.linalg.norm(found.w - linear.minimum_norm(x, y)) > 0.1


def test_span_is_kept_at_every_step() -> None:
    x, y = problem()
    basis, _ = linear.row_space(x)
    zero = np.zeros((x.shape[1], y.shape[1]))
    found = linear.sgd(x, y, zero, 50, 4, np.random.default_rng(2))
    assert not found.arrived and found.steps == 50
    assert np.linalg.norm(linear.outside(basis, found.w)) < 1e-12


@pytest.mark.parametrize("loss", linear.CURVATURES)
def test_hessians_are_equal_at_different_interpolants(loss: str) -> None:
    x, y = problem()
    first = linear.minimum_norm(x, y)
    basis, _ = linear.row_space(x)
    second = first + linear.outside(basis, np.ones_like(first))
    found = linear.compare_hessians(x, y[:, 0], first[:, 0], second[:, 0], loss)
    assert found["relative_difference"] < 1e-12
    assert found["distance"] > 0.1
    assert found["rank"] == 12 < found["dimensions"]


def test_hessians_differ_where_predictions_do() -> None:
    """The comparison is able to fail: two weights with different predictions."""
    x, y = problem()
    first = linear.minimum_norm(x, y)
    found = linear.compare_hessians(x, y[:, 0], first[:, 0], 2 * first[:, 0], "logistic")
    assert found["relative_difference"] > 1e-2


def test_eigenvalues_are_those_of_the_hessian() -> None:
    x, _ = problem()
    curvature = np.random.default_rng(4).uniform(0.1, 1, len(x))
    full = np.linalg.eigvalsh(linear.hessian(x, curvature))[::-1]
    assert linear.eigenvalues(x, curvature) == pytest.approx(full[: len(x)])
    assert full[len(x) :] == pytest.approx(np.zeros(x.shape[1] - len(x)), abs=1e-12)


def test_soft_labels_have_different_curvatures() -> None:
    """Or else the logistic Hessian would be the squared loss's, times a constant."""
    soft = np.array(linear.SOFT)
    other, own = linear.CURVATURES["logistic"](np.log(soft / (1 - soft)))
    assert own / other > 1.5


@pytest.mark.parametrize("method", [linear.sgd, linear.block_kaczmarz])
def test_watching_changes_nothing_and_sees_start_and_end(method) -> None:
    x, y = problem()
    start = np.ones((x.shape[1], y.shape[1]))
    seen: list[tuple[int, np.ndarray]] = []
    watched, alone = (
        method(x, y, start, 2000, 4, np.random.default_rng(2), watch)
        for watch in (lambda steps, w: seen.append((steps, w.copy())), linear.unwatched)
    )
    assert np.array_equal(watched.w, alone.w)
    steps = [step for step, _ in seen]
    assert steps[:4] == [0, 1, 2, 3] and steps == sorted(steps) and steps[-1] == watched.steps
    assert np.array_equal(seen[0][1], start) and np.array_equal(seen[-1][1], watched.w)


def test_logistic_curvature() -> None:
    z, step = np.linspace(-4, 4, 9), 1e-4
    loss = [np.logaddexp(0, z + shift) for shift in (-step, 0, step)]
    numeric = (loss[0] - 2 * loss[1] + loss[2]) / step**2
    assert linear.CURVATURES["logistic"](z) == pytest.approx(numeric, abs=1e-6)


def test_rank_and_shape_are_checked() -> None:
    x, _ = problem()
    x[3] = x[4]
    with pytest.raises(RethinkError, match="rank 11"):
        linear.row_space(x)
    with pytest.raises(RethinkError, match="no choice of interpolant"):
        linear.row_space(np.eye(5))


def test_whiten() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 4, 4, 1), dtype=np.uint8)
    images[2] = 7
    rows = linear.whiten(images)
    assert rows.shape == (3, 16)
    assert rows.mean(1) == pytest.approx(np.zeros(3), abs=1e-12)
    assert rows[:2].std(1) == pytest.approx(np.ones(2))
    assert (rows[2] == 0).all()


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write_data(root, "digits")
    return root / "data" / "digits" / "manifest.json"


def test_experiment(manifest: Path, tmp_path: Path) -> None:
    spec = {"dataset": "digits", "train_examples": 20, "steps": 100_000}
    for out in ("a", "b"):
        record = Record("theory", "linear", "{}", "c0de", [manifest])
        linear.run(spec, manifest, tmp_path / out, record)
    content = (tmp_path / "a" / "result.json").read_bytes()
    assert content == (tmp_path / "b" / "result.json").read_bytes()
    result = json.loads(content)
    for method in result["methods"].values():
        assert method["arrived"]
        assert method["from_zero"]["difference_from_minimum_norm"] < 1e-6
        assert method["from_elsewhere"]["difference_from_expected"] < 1e-6
        assert method["from_elsewhere"]["difference_from_minimum_norm"] > 0.1
        trace = method["trace"]
        assert len(set(map(len, trace.values()))) == 1
        assert len(set(trace["steps"])) == len(trace["steps"])
        assert trace["steps"][-1] == method["steps"]
        assert trace["from_zero"][0] == 1
        assert trace["from_zero"][-1] == method["from_zero"]["difference_from_minimum_norm"]
    assert result["interpolants"]["minimum_norm"]["train_error"] == 0
    assert (result["train_examples"], result["train_available"]) == (20, 40)
    for row in result["hessians"]:
        first, second = row["eigenvalues"]
        assert len(first) == row["rank"] == 20
        assert first == pytest.approx(second, rel=1e-5)


@pytest.mark.parametrize(
    "spec, words",
    [
        ({"train_examples": 0}, "train_examples"),
        ({"train_examples": 41}, "has 40"),
        ({"stpes": 5}, "did you mean 'steps'"),
    ],
)
def test_bad_specification(spec: dict, words: str, manifest: Path, tmp_path: Path) -> None:
    record = Record("theory", "linear", "{}", "c0de", [manifest])
    with pytest.raises(RethinkError, match=words):
        linear.run({"dataset": "digits", **spec}, manifest, tmp_path, record)
