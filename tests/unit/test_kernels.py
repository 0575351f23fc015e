import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rethink import free_memory
from rethink.datasets import digits
from rethink.datasets.writer import write_dataset
from rethink.errors import RethinkError
from rethink.provenance import Record
from rethink.theory import features, interpolation
from rethink.theory.blocks import packed_size, spans
from rethink.theory.kernels import (
    FeatureProducts,
    Kernel,
    StoredProducts,
    median_squared_distance,
)
from rethink.theory.tiles import ColumnFiles, NotPositiveDefinite, factorize

SCRIPT = Path(__file__).parents[2] / "scripts" / "kernel.py"
CPU = torch.device("cpu")
SIZES = st.integers(1, 90)
TILES = st.integers(1, 40)
BASE = {"name": "toy", "dataset": "digits", "bandwidth": {"median": 2}, "tile": 70}


def positive_definite(size: int, seed: int = 0) -> torch.Tensor:
    root = torch.from_numpy(np.random.default_rng(seed).standard_normal((size, size)))
    return root @ root.T + size * torch.eye(size)


def factor_of(matrix: torch.Tensor, tile: int, **arguments):
    largest = float(matrix.diagonal().max())
    return factorize(
        lambda start, stop: matrix[start:, start:stop].clone(),
        len(matrix),
        tile,
        largest,
        **arguments,
    )


def dense(factor) -> np.ndarray:
    lower = np.zeros((factor.size, factor.size))
    for (start, stop), column in zip(factor.spans, factor.columns, strict=True):
        lower[start:, start:stop] = column.numpy()
    return lower


@given(size=SIZES, tile=TILES, dtype=st.sampled_from([torch.float32, torch.float64]))
@settings(max_examples=40, deadline=None)
def test_the_factor_is_that_of_scipy(size, tile, dtype):
    matrix = positive_definite(size, size)
    factor = factor_of(matrix.to(dtype), tile)
    tolerance = 1e-4 if dtype == torch.float32 else 1e-11
    expected = scipy.linalg.cholesky(matrix.numpy(), lower=True)
    np.testing.assert_allclose(dense(factor), expected, atol=tolerance, rtol=tolerance)
    assert factor.min_diagonal == pytest.approx(expected.diagonal().min(), rel=tolerance)
    assert sum(column.numel() for column in factor.columns) == packed_size(size, tile)


@given(size=SIZES, tile=TILES, right=st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_solutions_and_the_inverse_diagonal_are_those_of_numpy(size, tile, right):
    matrix = positive_definite(size, size)
    given_right = torch.from_numpy(np.random.default_rng(1).standard_normal((size, right)))
    before = given_right.clone()
    factor = factor_of(matrix, tile)
    expected = np.linalg.solve(matrix.numpy(), given_right.numpy())
    np.testing.assert_allclose(factor.solve(given_right), expected, atol=1e-11)
    assert torch.equal(given_right, before)
    inverse = np.linalg.inv(matrix.numpy()).diagonal()
    np.testing.assert_allclose(factor.inverse_diagonal(), inverse, rtol=1e-10)


def test_a_matrix_that_is_not_positive_definite_is_named_with_its_row():
    matrix = positive_definite(50)
    matrix[33, 33] = -1.0
    with pytest.raises(NotPositiveDefinite) as caught:
        factor_of(matrix, 20)
    assert caught.value.row == 33


def test_a_pivot_of_rounding_size_is_no_pivot():
    root = torch.from_numpy(np.random.default_rng(0).standard_normal((60, 20)))
    with pytest.raises(NotPositiveDefinite) as caught:
        factor_of(root @ root.T, 16)
    assert 20 <= caught.value.row < 30


def test_an_interrupted_factorization_resumes_after_the_last_finished_column(tmp_path):
    matrix, filled = positive_definite(50), []

    def fill(start, stop, fail_at=None):
        if start == fail_at:
            raise KeyboardInterrupt
        filled.append(start)
        return matrix[start:, start:stop].clone()

    store = ColumnFiles(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        factorize(lambda a, b: fill(a, b, fail_at=36), 50, 12, 100.0, store)
    resumed = factorize(fill, 50, 12, 100.0, store)
    assert filled == [0, 12, 24, 36, 48]
    assert np.array_equal(dense(resumed), dense(factor_of(matrix, 12)))


def test_of_a_failed_factorization_only_the_failure_is_kept(tmp_path):
    root = torch.from_numpy(np.random.default_rng(0).standard_normal((60, 20)))
    rows, filled, store = [], [], ColumnFiles(tmp_path)

    def fill(start, stop):
        filled.append(start)
        return (root @ root.T)[start:, start:stop].clone()

    for _ in range(2):
        with pytest.raises(NotPositiveDefinite) as caught:
            factorize(fill, 60, 16, 30.0, store)
        rows.append(caught.value.row)
    assert rows[0] == rows[1]
    assert len(filled) == len(set(filled))
    assert [path.name for path in tmp_path.iterdir()] == ["failed.json"]


def gaussian(left: np.ndarray, right: np.ndarray, gamma: float) -> np.ndarray:
    return np.exp(-gamma * ((left[:, None] - right[None]) ** 2).sum(-1))


def some_features(count: int = 40, dimension: int = 7) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).standard_normal((count, dimension)))


@pytest.mark.parametrize("stored", [False, True])
def test_the_gaussian_kernel_is_its_formula(stored):
    rows = some_features()
    products = FeatureProducts(rows)
    if stored:
        products = StoredProducts(40, 9, torch.float64, CPU)
        for chunk in rows.split(3, dim=1):
            products.add(chunk)
    kernel = Kernel.of(products, 0.1)
    expected = gaussian(rows.numpy(), rows.numpy(), 0.1)
    for a, b in [(slice(0, 40), slice(0, 40)), (slice(5, 30), slice(3, 21)), (slice(0, 4),) * 2]:
        np.testing.assert_allclose(kernel.block(a, b), expected[a, b], atol=1e-13)
        np.testing.assert_allclose(kernel.block(b, a), expected[b, a], atol=1e-13)
    assert torch.equal(kernel.block(slice(0, 40), slice(0, 40)).diagonal(), torch.ones(40).double())
    coefficients = torch.from_numpy(np.random.default_rng(1).standard_normal((30, 2)))
    np.testing.assert_allclose(
        kernel.apply_symmetric(coefficients, 8), expected[:30, :30] @ coefficients.numpy()
    )
    np.testing.assert_allclose(
        kernel.apply(slice(30, 40), 30, coefficients, 8), expected[30:, :30] @ coefficients.numpy()
    )
    distances = -np.log(expected[:30, :30][np.tril_indices(30, -1)]) / 0.1
    assert median_squared_distance(products, 30) == pytest.approx(np.sort(distances)[217])


def test_squared_distances_in_float32_are_never_negative():
    rows = some_features().float().repeat(2, 1) + 1000
    block = Kernel.of(FeatureProducts(rows), 1.0).block(slice(0, 80), slice(0, 80))
    assert block.max() <= 1


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits")
    write_dataset(digits.load({}, folder), "digits", folder, Record("data", "digits", "{}", "c"))
    return folder / "manifest.json"


def experiment(data, out, **values):
    spec = {**BASE, "train_examples": 200, "test_examples": 150, **values}
    record = Record("theory", "toy", json.dumps(spec, sort_keys=True), "c", [data])
    interpolation.run(spec, data, out, record, CPU, out / "work")
    return json.loads((out / "result.json").read_text())


def images_and_labels(data, **values):
    spec = interpolation.Spec.parse({**BASE, "train_examples": 200, "test_examples": 150, **values})
    chosen = interpolation.choose(interpolation.open_dataset(data), spec)
    rows = [
        images.reshape(len(images), -1) / 255
        for images in (chosen.train_images, chosen.test_images)
    ]
    return *rows, chosen.train_labels.numpy(), chosen.test_labels.numpy()


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_interpolation_is_exact_and_its_figures_follow_their_formulas(data, tmp_path, precision):
    result = experiment(data, tmp_path, precision=precision, regularization=[0.0, 0.1])
    train, test, labels, test_labels = images_and_labels(data)
    kernel = gaussian(train, train, result["gamma"])
    targets = np.eye(10)[labels]
    for row, ridge in zip(result["rows"], (0.0, 0.1), strict=True):
        solution = np.linalg.solve(kernel + ridge * np.eye(200), targets)
        predicted = (gaussian(test, train, result["gamma"]) @ solution).argmax(1)
        close = pytest.approx if precision == "float64" else lambda x: pytest.approx(x, rel=1e-3)
        assert row["rkhs_norm"] == close(np.sqrt((solution * (kernel @ solution)).sum()))
        assert row["coefficient_norm"] == close(np.linalg.norm(solution))
        assert row["test_error"] == pytest.approx((predicted != test_labels).mean())
        assert row["precision"] == precision and len(row["attempts"]) == 1
        lower = np.linalg.cholesky(kernel + ridge * np.eye(200))
        assert row["min_diagonal"] == close(lower.diagonal().min())
        if not ridge:
            assert row["rkhs_norm"] == close(np.sqrt((targets * solution).sum()))
    plain, regularized = result["rows"]
    assert plain["interpolates"] and plain["train_error"] == 0
    assert plain["residual"] < (1e-10 if precision == "float64" else 1e-3)
    assert not regularized["interpolates"] and regularized["rkhs_norm"] < plain["rkhs_norm"]
    predictions = np.load(tmp_path / "predictions.npy")
    assert predictions.shape == (2, 150) and predictions.dtype == np.uint8


@pytest.mark.parametrize("ridge", [0.0, 0.05])
def test_leave_one_out_in_closed_form_is_leaving_one_out(data, tmp_path, ridge):
    result = experiment(
        data, tmp_path, train_examples=30, regularization=[ridge], bandwidth=0.5, tile=11
    )
    train, _, labels, _ = images_and_labels(data, train_examples=30)
    kernel, targets = gaussian(train, train, 0.5) + ridge * np.eye(30), np.eye(10)[labels]
    residuals = np.empty((30, 10))
    for left in range(30):
        rest = np.arange(30) != left
        solution = np.linalg.solve(kernel[np.ix_(rest, rest)], targets[rest])
        residuals[left] = targets[left] - kernel[left, rest] @ solution
    found = result["rows"][0]["leave_one_out"]
    assert found["error"] == pytest.approx(((targets - residuals).argmax(1) != labels).mean())
    assert found["mean_square"] == pytest.approx((residuals**2).sum(1).mean())
    assert found["largest_residual"] == pytest.approx(np.abs(residuals).max())


def test_other_interpolants_have_a_larger_norm_and_generalize_worse(data, tmp_path):
    result = experiment(data, tmp_path, forced_points=100)
    plain, other = result["rows"][0], result["counterexamples"]
    assert other["random_training_labels"]["norm_ratio"] > 1
    assert other["random_training_labels"]["test_error"] > 0.7
    forced = other["random_test_labels"]
    assert forced["points"] == 100 and forced["norm_ratio"] > 1
    assert forced["train_error"] == 0 and forced["residual_at_points"] < 1e-8
    assert forced["test_error"] > forced["test_error_at_points"] * 100 / 150 - 1e-9
    assert forced["test_error"] > plain["test_error"]
    elsewhere = 150 * forced["test_error"] - 100 * forced["test_error_at_points"]
    assert forced["test_error_elsewhere"] == pytest.approx(elsewhere / 50)
    centres = other["random_centres"]
    assert centres["interpolates"] and centres["train_error"] == 0
    assert centres["norm_ratio"] > 10 and centres["test_error"] > 2 * plain["test_error"]
    assert centres["minimum_norm"] == pytest.approx(plain["rkhs_norm"])


def test_the_joint_norm_is_that_of_the_joint_system(data, tmp_path):
    result = experiment(data, tmp_path, forced_points=60)
    train, test, labels, test_labels = images_and_labels(data)
    everything = np.concatenate([train, test[:60]])
    drawn = interpolation.counterexamples.random_labels(
        torch.from_numpy(test_labels[:60]), 10, 0, "digits", "kernel", "random test labels"
    ).numpy()
    targets = np.eye(10)[np.concatenate([labels, drawn])]
    kernel = gaussian(everything, everything, result["gamma"])
    norm = np.sqrt((targets * np.linalg.solve(kernel, targets)).sum())
    found = result["counterexamples"]["random_test_labels"]
    assert found["rkhs_norm"] == pytest.approx(norm)


def test_a_singular_matrix_goes_through_float64_to_a_jitter_and_says_so(data, tmp_path):
    # 64 pixels: inner products of 200 images have rank 64 at most
    result = experiment(data, tmp_path, kernel="linear", bandwidth=None, precision="float32")
    row = result["rows"][0]
    assert [attempt["precision"] for attempt in row["attempts"]] == ["float32"] + ["float64"] * (
        len(row["attempts"]) - 1
    )
    assert "not positive definite at row" in row["attempts"][0]["outcome"]
    assert row["attempts"][1]["jitter"] == 0 and row["attempts"][-1]["outcome"] == "solved"
    assert row["jitter"] > 0 and row["precision"] == "float64" and not row["interpolates"]
    assert row["rkhs_norm"] is None or row["rkhs_norm"] > 0
    assert "singular" in result["counterexamples"]["note"]


def test_float32_stays_where_float64_does_not_fit(data, tmp_path, monkeypatch):
    monkeypatch.setattr(
        interpolation.Memory, "fits", lambda self, spec, examples, precision: precision == "float32"
    )
    result = experiment(data, tmp_path, kernel="linear", bandwidth=None)
    attempts = result["rows"][0]["attempts"]
    assert {attempt["precision"] for attempt in attempts} == {"float32"} and len(attempts) > 1


def test_too_little_memory_is_refused_beforehand(data, tmp_path, monkeypatch):
    free = type("Free", (), {"available": 2**20})
    monkeypatch.setattr(free_memory.psutil, "virtual_memory", lambda: free)
    with pytest.raises(RethinkError, match=r"float64 need .* GiB .*lower train_examples or choose"):
        experiment(data, tmp_path, precision="float64")
    with pytest.raises(RethinkError, match="lower train_examples$"):
        experiment(data, tmp_path, precision="auto")
    assert not (tmp_path / "result.json").exists()


def test_the_memory_of_a_job_or_a_container_is_not_that_of_the_machine(tmp_path, monkeypatch):
    own = free_memory.psutil.Process().memory_info().rss
    monkeypatch.setattr(free_memory, "CGROUPS", tmp_path)
    monkeypatch.delenv("SLURM_MEM_PER_NODE", raising=False)
    near = {"abs": 100 * 2**20}
    whole = free_memory.free_memory()
    assert whole == pytest.approx(free_memory.psutil.virtual_memory().available, **near)
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "0")  # all of the node
    (tmp_path / "memory.max").write_text("max\n")
    assert free_memory.free_memory() == pytest.approx(whole, **near)
    limit = own + whole // 2
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    assert free_memory.free_memory() == pytest.approx(whole // 2, **near)
    monkeypatch.setenv("SLURM_MEM_PER_NODE", str((own + whole // 4) // 2**20))
    assert free_memory.free_memory() == pytest.approx(whole // 4, **near)
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "1")
    assert free_memory.free_memory() == 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"bandwith": 1}, "unknown key 'bandwith'; did you mean 'bandwidth'"),
        ({"bandwidth": {"mean": 1}}, "bandwidth should be"),
        ({"bandwidth": None}, "bandwidth should be"),
        ({"regularization": [-1]}, "regularization"),
        ({"features": "sift"}, "features is 'sift'"),
        ({"train_examples": 10**6}, "train_examples is 1,000,000"),
        ({"features_arguments": {"colour": 1}}, "features_arguments"),
        ({"features": "random_conv", "features_arguments": {"recipe": "x"}}, "unknown recipe 'x'"),
        ({"features": "random_conv"}, "smaller than the pooling window"),
    ],
)
def test_a_mistaken_specification_is_one_sentence(data, tmp_path, values, message):
    with pytest.raises(RethinkError, match=message):
        experiment(data, tmp_path, **values)


def random_images(count: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *shape), dtype=np.uint8)


def test_pixels_are_scaled_or_standardized():
    images = random_images(3, (5, 6, 3))
    np.testing.assert_allclose(features.pixels(images), images.reshape(3, -1) / 255, rtol=1e-6)
    rows = features.pixels(images, standardize=True)
    np.testing.assert_allclose(rows.mean(1), 0, atol=1e-6)
    np.testing.assert_allclose(rows.std(1, correction=0), 1, rtol=1e-5)


def test_gabor_features_have_the_published_shape_and_see_no_brightness():
    bank = features.gabor_bank(3, 8, 13, 4.0)
    assert bank.shape == (48, 13, 13)
    np.testing.assert_allclose(bank.sum((1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(bank.square().sum((1, 2)).reshape(2, -1).sum(0), 1, rtol=1e-5)
    images = random_images(70, (28, 28, 1))
    rows = features.gabor(images, CPU)
    assert rows.shape == (70, 1176) and rows.dtype == torch.float32
    assert torch.equal(rows, features.gabor(images, CPU))
    assert features.gabor(random_images(2, (32, 32, 3)), CPU).shape[1] % 3 == 0
    # an even grey is seen at the border alone
    flat = features.gabor(np.full((1, 28, 28, 1), 200, np.uint8), CPU).reshape(24, 7, 7)
    assert flat[:, 3, 3].max() < 1e-5 < flat[:, 0, 0].max()


def convolve_by_hand(convolutions) -> np.ndarray:
    recipe, images = convolutions.recipe, convolutions.images
    maps = torch.nn.functional.conv2d(images, convolutions.filters)
    parts = [
        torch.nn.functional.avg_pool2d(
            torch.relu(sign * maps - recipe.bias), recipe.pool, recipe.stride, ceil_mode=True
        ).flatten(1)
        for sign in (1, -1)
    ]
    return torch.cat(parts, 1).numpy() / (recipe.filters**0.5 if recipe.scale else 1)


@pytest.mark.parametrize("name", features.RECIPES)
def test_random_convolutions_summed_by_chunks_are_those_computed_at_once(name, monkeypatch):
    train, test = random_images(150, (12, 12, 3)), random_images(20, (12, 12, 3))[::-1]
    recipe = features.recipe_of({"recipe": name, "filters": 10, "pool": 3, "stride": 2})
    monkeypatch.setattr(features, "WHITENING_PATCHES", 500)
    monkeypatch.setattr(features, "FEATURE_BYTES", 170 * 2 * 9 * 4 * 4)
    convolutions = features.RandomConvolutions(train, test, recipe, (0, "toy"), CPU)
    again = features.RandomConvolutions(train, test, recipe, (0, "toy"), CPU)
    other = features.RandomConvolutions(train, test, recipe, (1, "toy"), CPU)
    assert torch.equal(convolutions.filters, again.filters)
    assert not torch.equal(convolutions.filters, other.filters)
    chunks = list(convolutions.chunks())
    assert len(chunks) > 1
    assert sum(chunk.shape[1] for chunk in chunks) == convolutions.dimension == 2 * 10 * 9
    products = StoredProducts(170, 64, torch.float32, CPU)
    for chunk in chunks:
        products.add(chunk)
    rows = convolve_by_hand(convolutions)
    found = products.block(slice(0, 170), slice(0, 170))
    np.testing.assert_allclose(found, rows @ rows.T, rtol=1e-3, atol=1e-5)


def test_whitened_images_are_uncorrelated_and_normalized_before():
    train = random_images(600, (4, 4, 1))
    recipe = features.Recipe(image_zca=1e-6)
    rows = features.preprocess(train, train[:5], recipe, CPU).flatten(1)
    moments = (rows[:600].T @ rows[:600] / 600).numpy()
    # the mean of each image is gone, so one direction of 16 is empty
    np.testing.assert_allclose(np.sort(np.linalg.eigvalsh(moments)), [0] + [1] * 15, atol=1e-3)
    assert torch.allclose(rows[600:], rows[:5], atol=1e-4)
    norms = features.preprocess(train, train[:5], features.Recipe(image_zca=None), CPU)
    np.testing.assert_allclose(norms.flatten(1).norm(dim=1), 55, rtol=1e-5)


@pytest.mark.parametrize(
    "values",
    [
        {"features": "gabor", "features_arguments": {"size": 5, "pool": 3, "stride": 2}},
        {
            "features": "random_conv",
            "features_arguments": {"filters": 64, "patch": 3, "pool": 3, "stride": 3},
        },
        {
            "features": "random_conv",
            "features_arguments": {
                "recipe": "linear",
                "filters": 64,
                "patch": 3,
                "pool": 3,
                "stride": 3,
            },
            "kernel": "linear",
            "regularization": [1e-3],
            "regularization_unit": "mean_diagonal",
        },
    ],
)
def test_every_kind_of_features_learns_the_digits(data, tmp_path, values):
    result = experiment(data, tmp_path, train_examples=400, **values)
    assert (result["kind"], result["train_examples"]) == ("kernel", 400)
    assert result["train_available"] == 1438
    assert result["rows"][0]["test_error"] < 0.1
    assert result["features"]["dimension"] > 0


def test_the_command_line_writes_the_same_result_twice(data, tmp_path):
    spec = json.dumps({**BASE, "train_examples": 150, "test_examples": 100, "precision": "auto"})
    texts = []
    for name in "ab":
        command = [sys.executable, SCRIPT, "--spec", spec, "--code", "c", "--data", data]
        command += ["--out", tmp_path / name, "--work", tmp_path / "work", "--device", "cpu"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert "column 3 of 3 done, 100% of the work" in done.stderr
        texts.append((tmp_path / name / "result.json").read_text())
    assert texts[0] == texts[1]
    record = json.loads((tmp_path / "a" / "run.json").read_text())
    assert record["kind"] == "theory" and record["factorization_gflops"] > 0
    assert {"gram", "factorization", "evaluation"} <= set(record["stage_seconds"])
    assert not (tmp_path / "work").exists()


def test_an_interrupted_experiment_goes_on_after_its_last_regularization(
    data, tmp_path, monkeypatch
):
    values = {"regularization": [0.0, 0.1, 1.0], "kernel": "linear", "bandwidth": None}
    experiment(data, tmp_path / "whole", **values)
    # A singular kernel is tried several times, the regularized ones once.
    attempts = json.loads((tmp_path / "whole" / "result.json").read_text())["rows"][0]["attempts"]
    cut_at = len(attempts) + 2
    calls, real = [], interpolation.factorize

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == cut_at:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(interpolation, "factorize", interrupted)
    with pytest.raises(KeyboardInterrupt):
        experiment(data, tmp_path / "cut", **values)
    # Two rows, without the columns of their factors.
    assert [path.suffix for path in (tmp_path / "cut" / "work").glob("*/*")] == [".pt", ".pt"]
    experiment(data, tmp_path / "cut", **values)
    assert len(calls) == cut_at + 1
    for name in ("result.json", "predictions.npy"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not (tmp_path / "cut" / "work").exists()


def test_the_blocks_cover_everything():
    assert spans(7, 3) == [(0, 3), (3, 6), (6, 7)]
