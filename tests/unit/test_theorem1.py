"""Theorem 1, Lemma 1 and the corollary: exactness, counts, conditioning, ties."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from fake_results import write_data
from hypothesis import given, settings
from hypothesis import strategies as st

from rethink.datasets.store import open_dataset
from rethink.errors import RethinkError
from rethink.provenance import Record
from rethink.theory import expressivity
from rethink.theory.depth import deepen
from rethink.theory.theorem1 import (
    KNOTS,
    Network,
    check_distinct,
    choose_direction,
    distinct,
    hidden_matrix,
    place_knots,
    solve,
    spectrum,
)

SAMPLES = st.tuples(st.integers(2, 120), st.integers(1, 40), st.integers(0, 10**6))


def sample(count: int, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return distinct random points (count or fewer, size) and labels 0..9."""
    random = np.random.default_rng(seed)
    points = random.integers(0, 256, (count, size), dtype=np.uint8)
    points = points[distinct(points)]
    return points, random.integers(0, 10, len(points))


def build(points: np.ndarray, labels: np.ndarray, rule: str = "adaptive") -> tuple:
    direction, z, _ = choose_direction(points, np.random.default_rng(1))
    return solve(direction, z, labels, rule), z


@settings(max_examples=60, deadline=None)
@given(SAMPLES)
def test_any_labels_are_fitted(parts: tuple[int, int, int]) -> None:
    points, labels = sample(*parts)
    if len(points) < 2:
        return
    network, z = build(points, labels)
    count, size = points.shape
    assert network.parameters == 2 * count + size
    assert np.abs(network.piecewise(z) - labels).max() < 1e-9
    assert np.abs(network.dense(points) - labels).max() < 1e-6
    assert (np.rint(network.dense(points)) == labels).all()


@settings(max_examples=40, deadline=None)
@given(SAMPLES, st.sampled_from(KNOTS))
def test_knots_interleave(parts: tuple[int, int, int], rule: str) -> None:
    points, _ = sample(*parts)
    if len(points) < 2:
        return
    _, z, gap = choose_direction(points, np.random.default_rng(1))
    ordered = np.sort(z)
    knots = place_knots(ordered, rule)
    assert (knots < ordered).all()
    assert (ordered[:-1] < knots[1:]).all()
    assert gap > 0
    if rule == "adaptive":
        handed_on = (knots[1:] - ordered[:-1]) / (ordered[:-1] - knots[:-1])
        assert handed_on.max(initial=0) <= 0.5


@settings(max_examples=40, deadline=None)
@given(SAMPLES)
def test_adaptive_knots_keep_the_function_bounded(parts: tuple[int, int, int]) -> None:
    """|F_{i+1}| <= |y_i| + (|y_i| + |F_i|) / 2, hence at most three times the largest label."""
    points, labels = sample(*parts)
    if len(points) < 2:
        return
    network, _ = build(points, labels)
    assert np.abs(network.levels).max() <= 3 * np.abs(labels).max() + 1e-9


def test_midpoints_let_it_grow() -> None:
    points, labels = sample(2000, 20, 3)
    adaptive, midpoint = (build(points, labels, rule)[0] for rule in KNOTS)
    assert np.abs(adaptive.levels).max() <= 27
    assert np.abs(midpoint.levels).max() > 1000


def test_projections_and_sums_are_exact() -> None:
    """z, z - b and the running sums of w are what they are over the rationals."""
    points, labels = sample(200, 30, 5)
    direction, z, _ = choose_direction(points, np.random.default_rng(2))
    network = solve(direction, z, labels)
    a = [Fraction(v) for v in direction.tolist()]
    for i in range(0, 200, 40):
        exact = sum(Fraction(int(x)) * v for x, v in zip(points[i], a, strict=True))
        assert Fraction(float(z[i])) == exact
    total = Fraction(0)
    for weight, slope in zip(network.weights.tolist(), network.slopes.tolist(), strict=True):
        total += Fraction(weight)
        assert total == Fraction(slope)
    b = [Fraction(v) for v in network.knots.tolist()]
    for knot, exact in zip(network.knots.tolist(), b, strict=True):
        assert Fraction(float(z[0]) - knot) == Fraction(float(z[0])) - exact


def test_exact_evaluation() -> None:
    points, labels = sample(60, 10, 6)
    network, z = build(points, labels)
    for value in z[:10].tolist():
        exact = sum(
            Fraction(w) * max(Fraction(value) - Fraction(b), 0)
            for w, b in zip(network.weights.tolist(), network.knots.tolist(), strict=True)
        )
        assert network.exact(value) == float(exact)
    assert network.exact(network.knots[0] - 1) == 0.0


def test_evaluations_agree_between_and_beyond_the_points() -> None:
    network = Network(np.array([1.0]), np.array([0.0, 1.0, 2.0]), np.array([1.0, -3.0, 0.5]))
    z = np.array([-1.0, 0.0, 0.5, 1.0, 1.5, 2.0, 7.0])
    expected = np.maximum(z[:, None] - network.knots, 0) @ network.weights
    assert network.piecewise(z) == pytest.approx(expected, abs=1e-12)
    assert network.dense(z[:, None]) == pytest.approx(expected, abs=1e-12)


def test_agrees_with_the_linear_system() -> None:
    points, labels = sample(150, 20, 8)
    network, z = build(points, labels)
    matrix = hidden_matrix(z, network.knots)
    assert (np.triu(matrix, 1) == 0).all()
    dense = np.linalg.solve(matrix, labels[np.argsort(z)].astype(float))
    assert network.weights == pytest.approx(dense, rel=1e-6, abs=1e-6 * np.abs(dense).max())


@pytest.mark.parametrize("rule", KNOTS)
def test_lemma1(rule: str) -> None:
    points, _ = sample(100, 20, 9)
    _, z, _ = choose_direction(points, np.random.default_rng(1))
    found = spectrum(z, place_knots(np.sort(z), rule))
    assert found.smallest_eigenvalue == pytest.approx(found.smallest_difference, rel=1e-9)
    assert found.largest_imaginary_part == 0
    assert found.rank == 100
    assert found.smallest_singular_value < found.smallest_eigenvalue


def test_equal_points_with_different_labels_are_refused() -> None:
    points, labels = sample(20, 5, 10)
    points = np.concatenate([points, points[3:4]])
    same = np.append(labels, labels[3])
    assert list(check_distinct(points, same)) == list(range(20))
    other = np.append(labels, labels[3] + 1)
    with pytest.raises(RethinkError, match="points 3 and 20 are equal"):
        check_distinct(points, other)


def test_ties_are_refused() -> None:
    points, labels = sample(10, 5, 11)
    points[7] = points[2]
    with pytest.raises(RethinkError, match="keeps the 10 points apart"):
        choose_direction(points, np.random.default_rng(0))
    with pytest.raises(RethinkError, match="same projection"):
        solve(np.ones(1), np.array([1.0, 2.0, 1.0]), labels[:3])
    with pytest.raises(RethinkError, match="at least two points"):
        choose_direction(points[:1], np.random.default_rng(0))


@settings(max_examples=40, deadline=None)
@given(st.tuples(st.integers(10, 120), st.integers(1, 40), st.integers(0, 10**6)), st.data())
def test_depth(parts: tuple[int, int, int], data: st.DataObject) -> None:
    """Depth k: the theorem's values, width about n / k, O(n + d) weights, none of them shared."""
    points, labels = sample(*parts)
    count, size = points.shape
    if count < 4:
        return
    network, z = build(points, labels)
    depth = data.draw(st.integers(3, min(count + 2, 12)))
    deep = deepen(network, z, depth)
    assert deep.depth == depth
    assert max(deep.widths) <= -(-count // (depth - 2)) + 3
    assert deep.parameters <= 3 * count + size + 6 * depth
    assert np.abs(deep(points) - network.piecewise(z)).max() < 1e-7
    assert np.abs(deep(points) - labels).max() < 1e-7


def test_depth_out_of_range() -> None:
    points, labels = sample(10, 5, 12)
    network, z = build(points, labels)
    for depth in (2, 13):
        with pytest.raises(RethinkError, match="between 3 and"):
            deepen(network, z, depth)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write_data(root, "digits")
    return root / "data" / "digits" / "manifest.json"


def experiment(manifest: Path, out: Path, **spec: object) -> dict:
    record = Record("theory", "theorem1", "{}", "c0de", [manifest])
    expressivity.run({"dataset": "digits", **spec}, manifest, out, record)
    return json.loads((out / "result.json").read_text())


def test_experiment(manifest: Path, tmp_path: Path) -> None:
    spec = {"sizes": [10, 30], "depths": [2, 3, 5]}
    result = experiment(manifest, tmp_path / "a", **spec)
    assert [(n["points"], n["target"]) for n in result["networks"]] == [
        (10, "random"),
        (10, "true"),
        (30, "random"),
        (30, "true"),
    ]
    for network in result["networks"]:
        assert network["parameters"] == 2 * network["points"] + 64
        for depth in network["depths"]:
            assert depth["residual"] < 1e-9 and depth["label_accuracy"] == 1
    assert [row["points"] for row in result["lemma1"]] == [10, 30]
    for row in result["lemma1"]:
        for rule in ("adaptive", "midpoint"):
            spectrum = row[rule]
            assert spectrum["smallest_eigenvalue"] == spectrum["smallest_difference"]
            assert spectrum["rank"] == row["points"]
            assert spectrum["smallest_singular_value"] <= spectrum["smallest_eigenvalue"]
    assert result["train_available"] == 40
    assert (tmp_path / "a" / "run.json").is_file()
    experiment(manifest, tmp_path / "b", **spec)
    for name in ("result.json", "residuals.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_experiment_leaves_out_equal_images(manifest: Path, tmp_path: Path) -> None:
    data = open_dataset(manifest)
    images = np.asarray(data.train_images).copy()
    images[1] = images[0]
    doubled = data.__class__(**{**vars(data), "train_images": images})
    spec = {"seed": 0, "sizes": [39], "depths": [2], "targets": ["random"]}
    found = expressivity.Experiment(doubled, spec)
    assert found.duplicates == 1
    assert len(found.rows) == 39
    spec["sizes"] = [40]
    with pytest.raises(RethinkError, match="39 distinct training images"):
        expressivity.Experiment(doubled, spec)


@pytest.mark.parametrize(
    "spec, words",
    [
        ({"sizes": [1]}, "sizes"),
        ({"sizes": [1000]}, "asks for 1,000 points"),
        ({"depths": [1]}, "depths"),
        ({"targets": ["rnadom"]}, "did you mean 'random'"),
        ({"size": [10]}, "did you mean 'sizes'"),
    ],
)
def test_bad_specification(spec: dict, words: str, manifest: Path, tmp_path: Path) -> None:
    with pytest.raises(RethinkError, match=words):
        experiment(manifest, tmp_path, **spec)
