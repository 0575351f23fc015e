import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rethink import corruptions, seeds
from rethink.datasets.store import open_dataset
from rethink.datasets.writer import Dataset, write_dataset
from rethink.errors import RethinkError
from rethink.provenance import Record

SCRIPTS = Path(__file__).parents[2] / "scripts"
SEEDS = st.integers(0, 2**32)
KINDS = [
    "labels-0.5",
    "shuffled_pixels",
    "shuffled_pixels-scalars",
    "random_pixels",
    "random_pixels-tied",
    "gaussian",
    "gaussian-channels",
    "gaussian_noise-0.1",
]


@pytest.fixture
def data(tmp_path):
    """The manifest of a small colour dataset, its channels unlike each other."""
    rng = np.random.default_rng(0)

    def images(count):
        means, stds = np.array([40, 120, 200]), np.array([60, 20, 40])
        return np.clip(rng.normal(means, stds, (count, 6, 7, 3)), 0, 255).astype(np.uint8)

    dataset = Dataset(
        title="Toy",
        class_names=[f"class {i}" for i in range(5)],
        train_images=images(300),
        train_labels=rng.integers(0, 5, 300),
        test_images=images(100),
        test_labels=rng.integers(0, 5, 100),
        source=lambda: {"name": "toy"},
    )
    write_dataset(dataset, "toy", tmp_path / "data" / "toy", Record("data", "toy", "{}", "c"))
    return tmp_path / "data" / "toy" / "manifest.json"


def corrupt(data: Path, name: str, seed: int = 0, folder: str = "corrupted") -> Path:
    out = data.parents[2] / folder / "toy" / name
    spec = {"dataset": "toy", "corruption": name, "seed": seed}
    record = Record("corruption", name, json.dumps(spec), "c", [data])
    corruptions.write_corruption(spec, data, out, record)
    return out / "manifest.json"


def contents(manifest: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in manifest.parent.iterdir() if p.name != "run.json"}


# ---- what all corruptions have in common


@pytest.mark.parametrize("name", KINDS)
def test_a_seed_gives_one_corruption(data, name):
    first = contents(corrupt(data, name))
    assert contents(corrupt(data, name, folder="again")) == first
    other = contents(corrupt(data, name, seed=1, folder="other"))
    assert all(other[file] != first[file] for file in first)


@pytest.mark.parametrize("name", KINDS)
def test_a_corruption_stores_what_it_changes_and_opens_whole(data, name):
    manifest = corrupt(data, name)
    clean, arrays = open_dataset(data), open_dataset(manifest, verify=True)
    header = json.loads(manifest.read_text())
    assert header["clean"] == "../../../data/toy/manifest.json"
    assert (arrays.corruption, arrays.image_shape, arrays.classes) == (name, (6, 7, 3), 5)
    np.testing.assert_array_equal(arrays.test_labels, clean.test_labels)
    np.testing.assert_array_equal(arrays.train_labels_true, clean.train_labels)
    if name.startswith("labels"):
        assert set(header["arrays"]) == {"train_labels", "train_hit", "test_labels", "test_hit"}
        np.testing.assert_array_equal(arrays.train_images, clean.train_images)
        assert arrays.train_hit.dtype == bool
    else:
        assert set(header["arrays"]) == {"train_images", "test_images"}
        assert arrays.train_hit is None
        np.testing.assert_array_equal(arrays.train_labels, clean.train_labels)
        np.testing.assert_array_equal(arrays.test_labels_given, clean.test_labels)
        assert (np.asarray(arrays.train_images) != clean.train_images).mean() > 0.5
        assert (np.asarray(arrays.test_images) != clean.test_images).mean() > 0.5


def test_train_and_test_have_draws_of_their_own(data):
    gaussian = open_dataset(corrupt(data, "gaussian"))
    same = np.asarray(gaussian.train_images[:100]) == gaussian.test_images
    assert same.mean() < 0.1
    folder = corrupt(data, "labels-0.5").parent
    train, test = (np.load(folder / f"{split}_hit.npy") for split in ("train", "test"))
    assert (train[:100] != test).any()


@pytest.mark.parametrize("name", KINDS[1:])
def test_the_size_of_the_blocks_does_not_show(data, name, monkeypatch):
    whole = contents(corrupt(data, name))
    monkeypatch.setattr(corruptions, "BLOCK_BYTES", 7 * 6 * 7 * 3)
    assert contents(corrupt(data, name, folder="blocks")) == whole


def test_clean_data_that_changed_are_noticed(data):
    manifest = corrupt(data, "labels-1")
    data.write_text(data.read_text() + " ")
    with pytest.raises(RethinkError, match="was made from another version"):
        open_dataset(manifest)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"dataset": "toy", "corruption": "label-0.5", "seed": 0}, "unknown corruption"),
        ({"dataset": "toy", "corruption": "none", "seed": 0}, "no new corruption"),
        ({"dataset": "mnist", "corruption": "gaussian", "seed": 0}, "is dataset 'toy'"),
    ],
)
def test_what_cannot_be_done_is_refused(data, tmp_path, spec, message):
    with pytest.raises(RethinkError, match=message):
        corruptions.write_corruption(spec, data, tmp_path / "x", Record("c", "x", "{}", "c"))
    assert not (tmp_path / "x").exists()


# ---- labels


@given(seed=SEEDS, classes=st.integers(2, 300), level=st.floats(0.01, 1))
@settings(max_examples=40, deadline=None)
def test_labels_are_hit_at_their_level(seed, classes, level):
    n = 4000
    true = np.random.default_rng(seed).integers(0, classes, n).astype(np.uint16)
    given_labels, hit = corruptions.corrupt_labels(true, classes, level, seeds.generator(seed))
    assert given_labels.dtype == true.dtype
    np.testing.assert_array_equal(given_labels[~hit], true[~hit])
    assert given_labels.max() < classes
    # five standard deviations of a binomial
    assert abs(hit.mean() - level) <= 5 * np.sqrt(level * (1 - level) / n) + 1e-12
    changed = level * (1 - 1 / classes)
    found = (given_labels != true).mean()
    assert abs(found - changed) <= 5 * np.sqrt(changed * (1 - changed) / n) + 1e-12


@given(seed=SEEDS, levels=st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)))
@settings(max_examples=40, deadline=None)
def test_levels_are_nested(seed, levels):
    true = np.zeros(500, np.uint8)
    low, low_hit = corruptions.corrupt_labels(true, 10, min(levels), seeds.generator(seed))
    high, high_hit = corruptions.corrupt_labels(true, 10, max(levels), seeds.generator(seed))
    assert (high_hit | ~low_hit).all()
    np.testing.assert_array_equal(low[low_hit], high[low_hit])


def test_drawn_labels_are_uniform():
    drawn, hit = corruptions.corrupt_labels(np.zeros(50_000, int), 10, 1, seeds.generator(0))
    assert hit.all()
    counts = np.bincount(drawn, minlength=10)
    assert ((counts - 5000) ** 2 / 5000).sum() < 33.7  # chi-square, 9 degrees, p = 1e-4


def test_levels_are_nested_in_the_files_and_both_splits_are_corrupted(data):
    half, whole = open_dataset(corrupt(data, "labels-0.5")), open_dataset(corrupt(data, "labels-1"))
    assert whole.train_hit.all()
    hit = half.train_hit
    np.testing.assert_array_equal(half.train_labels[hit], whole.train_labels[hit])
    np.testing.assert_array_equal(half.train_labels[~hit], half.train_labels_true[~hit])
    assert 0.3 < (half.test_labels_given != half.test_labels).mean() < 0.5
    facts = json.loads((data.parents[2] / "corrupted/toy/labels-0.5/manifest.json").read_text())
    assert facts["facts"]["train_hit"] == hit.sum()
    assert facts["facts"]["train_changed"] == (half.train_labels != half.train_labels_true).sum()


# ---- pixels


@pytest.mark.parametrize("variant", ["", "-scalars"])
def test_shuffled_pixels_are_one_permutation_for_both_splits(data, variant):
    clean = open_dataset(data)
    arrays = open_dataset(corrupt(data, f"shuffled_pixels{variant}"))
    size = 6 * 7 * (3 if variant else 1)
    permutation = seeds.generator(0, "toy", "shuffled_pixels").permutation(size)
    inverse = np.argsort(permutation)
    for split in ("train", "test"):
        images = np.asarray(getattr(arrays, f"{split}_images"))
        restored = corruptions.shuffle_pixels(images, inverse)
        np.testing.assert_array_equal(restored, getattr(clean, f"{split}_images"))


IMAGES = st.tuples(st.integers(2, 5), st.integers(3, 6), st.integers(3, 6), st.sampled_from([1, 3]))


@given(seed=SEEDS, shape=IMAGES)
@settings(max_examples=40, deadline=None)
def test_random_pixels_keep_what_they_should(seed, shape):
    images = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    before = images.copy()
    n, channels = shape[0], shape[-1]
    scalars = corruptions.permute_scalars(images, seeds.generator(seed))
    tied = corruptions.permute_pixels(images, seeds.generator(seed))
    np.testing.assert_array_equal(images, before)
    assert scalars.shape == tied.shape == shape
    assert scalars.dtype == tied.dtype == np.uint8
    np.testing.assert_array_equal(np.sort(scalars.reshape(n, -1)), np.sort(images.reshape(n, -1)))
    for one, other in zip(images, tied, strict=True):
        assert sorted(map(tuple, one.reshape(-1, channels))) == sorted(
            map(tuple, other.reshape(-1, channels))
        )


@pytest.mark.parametrize("permute", [corruptions.permute_scalars, corruptions.permute_pixels])
def test_every_image_has_a_permutation_of_its_own(permute):
    one = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(1, 8, 8, 3)
    images = permute(np.repeat(one, 50, axis=0), seeds.generator(0))
    assert len({image.tobytes() for image in images}) == 50
    # every value is found everywhere: on average no position keeps a trace of its own
    assert (images == one).mean() < 0.05


# ---- gaussian


@given(mean=st.floats(0.5, 254.5), share=st.floats(0.001, 0.97))
@settings(max_examples=60, deadline=None)
def test_the_clipped_normal_has_the_moments_asked_for(mean, share):
    """Any variance between what rounding leaves and that of 0 and 255 alone can be had."""
    smallest = (mean % 1) * (1 - mean % 1)
    variance = smallest + share * (mean * (255 - mean) - smallest)
    found = corruptions._clipped_moments(*corruptions.matching_normal(mean, variance))
    assert found == pytest.approx((mean, variance), rel=1e-4, abs=1e-3)


def test_a_constant_and_a_black_and_white_image_have_a_nearest_normal():
    assert corruptions.matching_normal(7.0, 0.0) == (7.0, 0.0)
    mean, std = corruptions.matching_normal(51.0, 51.0 * 204.0)
    assert corruptions._clipped_moments(mean, std) == pytest.approx((51, 51 * 204), rel=1e-3)


def test_the_moments_are_those_of_the_values():
    values = np.random.default_rng(0).integers(0, 256, (50, 4, 4, 3), np.uint8)
    mean, variance = corruptions.moments(corruptions.value_counts(values))
    np.testing.assert_allclose(mean, values.mean(axis=(0, 1, 2)))
    np.testing.assert_allclose(variance, values.var(axis=(0, 1, 2)))
    mean, std = np.array([100.3]), np.array([20.0])
    drawn = corruptions.draw_gaussian((200_000,), mean, std, seeds.generator(0))
    expected = corruptions._clipped_moments(100.3, 20.0)
    assert (drawn.mean(), drawn.var()) == pytest.approx(expected, rel=0.01)


def photos(rng, shape):
    return rng.normal(120, 64, shape)


def strokes(rng, shape):
    """Mostly black with some white, like MNIST."""
    return np.where(rng.random(shape) < 0.13, rng.normal(230, 40, shape), 0)


def binary(rng, shape):
    return 255 * (rng.random(shape) < 0.3)


@pytest.mark.parametrize("values", [photos, strokes, binary])
def test_gaussian_images_have_the_moments_of_the_training_set(values):
    rng = np.random.default_rng(0)
    images = np.clip(values(rng, (2000, 10, 10, 1)), 0, 255).astype(np.uint8)
    (mean,), (variance,) = corruptions.moments(corruptions.value_counts(images))
    fit = np.array([corruptions.matching_normal(mean, variance)]).T
    drawn = corruptions.draw_gaussian(images.shape, *fit, seeds.generator(0))
    error = np.sqrt(variance / drawn.size)
    assert abs(drawn.mean() - mean) < 5 * error
    assert drawn.std() == pytest.approx(np.sqrt(variance), rel=0.01)


def test_gaussian_is_matched_over_all_values_or_by_channel(data):
    clean = np.asarray(open_dataset(data).train_images, float)
    for name in ("gaussian", "gaussian-channels"):
        arrays = open_dataset(corrupt(data, name))
        for images in (np.asarray(arrays.train_images), np.asarray(arrays.test_images)):
            axes = (0, 1, 2) if name.endswith("channels") else None
            np.testing.assert_allclose(images.mean(axis=axes), clean.mean(axis=axes), rtol=0.05)
            np.testing.assert_allclose(images.std(axis=axes), clean.std(axis=axes), rtol=0.05)
        if name == "gaussian":
            assert np.ptp(images.mean(axis=(0, 1, 2))) < 10


def test_noise_has_its_level_and_is_the_same_noise_at_every_level():
    images = np.full((20, 16, 16, 3), 128, np.uint8)
    low = corruptions.add_noise(images, 255 * 0.05, seeds.generator(0)).astype(float) - 128
    high = corruptions.add_noise(images, 255 * 0.1, seeds.generator(0)).astype(float) - 128
    assert low.std() == pytest.approx(255 * 0.05, rel=0.02)
    assert abs(low.mean()) < 0.5
    np.testing.assert_allclose(high, 2 * low, atol=1.5)
    nearest = corruptions.add_noise(images, 0.1, seeds.generator(0))
    np.testing.assert_array_equal(nearest, images)
    white = corruptions.add_noise(images + np.uint8(127), 255, seeds.generator(0))
    assert (white.min(), white.max()) == (0, 255)


# ---- the command line


def test_corrupt_writes_a_corruption_or_one_sentence(data, tmp_path):
    def run(name, out):
        spec = json.dumps({"dataset": "toy", "corruption": name, "seed": 3})
        command = [sys.executable, SCRIPTS / "corrupt.py", "--spec", spec, "--code", "c"]
        return subprocess.run(
            [*command, "--data", data, "--out", out],
            check=False,
            capture_output=True,
            text=True,
            env=dict(os.environ),
            timeout=120,
        )

    out = tmp_path / "corrupted" / "toy" / "labels-1"
    done = run("labels-1", out)
    assert done.returncode == 0, done.stderr
    assert contents(out / "manifest.json") == contents(corrupt(data, "labels-1", 3, "again"))
    record = json.loads((out / "run.json").read_text())
    assert record["digests"]["inputs"].keys() == {str(data)}

    failed = run("labels-2", tmp_path / "no")
    assert (failed.returncode, failed.stderr.count("\n")) == (1, 1)
    assert failed.stderr.startswith("error: corruption 'labels-2'")
    assert not (tmp_path / "no").exists()
