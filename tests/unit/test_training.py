"""The training loop: preprocessing, the update, independence of replicates, and what is kept."""

import csv
import importlib
import io
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tiny_cells import SCRIPTS, spec, start_process, write_data

from rethink.datasets.store import open_dataset
from rethink.errors import RethinkError
from rethink.files import canonical_json
from rethink.training import data, devices, metrics, numerics
from rethink.training.checkpoint import Stopped
from rethink.training.data import Images, channel_statistics, load, whiten, whitened
from rethink.training.engine import Trainer, cross_entropy
from rethink.training.optimizer import Adam, Momentum, RMSProp

CPU = torch.device("cpu")


@st.composite
def images_of(draw):
    shape = [draw(st.integers(1, 4)), *draw(st.tuples(st.integers(2, 9), st.integers(2, 9)))]
    return draw(hnp.arrays(np.uint8, (*shape, draw(st.sampled_from([1, 3])))))


@settings(max_examples=60, deadline=None)
@given(images_of())
def test_whitening_gives_mean_zero_and_deviation_one(images):
    values = whiten(torch.from_numpy(images)).flatten(1).double()
    deviation = torch.from_numpy(images / 255).flatten(1).std(1, correction=0)
    floor = 1 / math.sqrt(values.shape[1])
    assert values.mean(1).abs().max() < 1e-4
    for ours, raw in zip(values.std(1, correction=0), deviation, strict=True):
        assert ours == pytest.approx(min(1.0, raw.item() / floor), abs=0.02)


def test_whitening_of_a_real_sized_image_has_deviation_one():
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28, 3)).astype(np.uint8)
    assert ((whiten(torch.from_numpy(images)).flatten(1).std(1) - 1).abs() < 0.02).all()
    assert whiten(torch.full((2, 28, 28, 3), 77)).abs().max() < 1e-5


def test_the_whitening_of_a_dataset_is_that_of_its_training_images():
    pixels = np.random.default_rng(0).integers(0, 200, (2050, 3, 4, 3)).astype(np.uint8)
    pixels[..., 2] = 7
    statistics = channel_statistics(pixels)
    values = whitened(torch.from_numpy(pixels), torch.empty(0), "dataset", statistics)
    flat = values.double().flatten(0, 2)
    torch.testing.assert_close(flat.mean(0), torch.zeros(3).double(), atol=1e-6, rtol=0)
    expected = torch.tensor([1.0, 1.0, 0.0], dtype=torch.float64)
    torch.testing.assert_close(flat.std(0, correction=0), expected, atol=1e-6, rtol=0)


@settings(max_examples=40, deadline=None)
@given(images_of(), st.data())
def test_windows_are_the_pixels_at_their_place(images, choice):
    crop = choice.draw(st.integers(1, min(images.shape[1:3])))
    margins = [side - crop for side in images.shape[1:3]]
    index = torch.tensor(choice.draw(st.lists(st.integers(0, len(images) - 1), min_size=1)))
    top, left = (
        torch.tensor([choice.draw(st.integers(0, margin)) for _ in index]) for margin in margins
    )
    flip = torch.tensor([choice.draw(st.booleans()) for _ in index])
    ours = Images(images, crop, CPU, True).window(index, {"top": top, "left": left, "flip": flip})
    for values, i, y, x, mirrored in zip(ours, index, top, left, flip, strict=True):
        window = images[i, y : y + crop, x : x + crop]
        expected = whiten(torch.from_numpy(window[None, :, :: -1 if mirrored else 1].copy()))[0]
        torch.testing.assert_close(values, expected)


def test_central_crop_and_the_window_there_agree(monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (7, 9, 8, 3)).astype(np.uint8)
    index = torch.tensor([[3, 1], [0, 6]])
    resident = Images(images, 5, CPU, True)
    place = {"top": torch.full_like(index, 2), "left": torch.full_like(index, 1)}
    assert torch.equal(resident.central(index), resident.window(index, place))
    assert torch.equal(resident.central(slice(2, 4)), resident.central(torch.tensor([2, 3])))
    monkeypatch.setattr(data, "WHITENED_BYTES", 0)
    mapped = Images(images, 5, CPU, True)
    assert torch.equal(mapped.central(index), resident.central(index))
    assert torch.equal(mapped.central(slice(2, 4)), resident.central(slice(2, 4)))
    assert torch.equal(mapped.window(index, place), resident.window(index, place))


def test_rotation_turns_about_the_centre():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 6, 6, 2)).astype(np.uint8)
    images = Images(pixels, 6, CPU, True)
    index = torch.arange(3)
    zero = torch.zeros(3, dtype=torch.int64)

    def turned(degrees, **more):
        angle = torch.full((3,), math.radians(degrees))
        return images.window(index, {"top": zero, "left": zero, "angle": angle, **more})

    plain = images.central(index)
    close = {"rtol": 1e-3, "atol": 1e-3}
    torch.testing.assert_close(turned(0), plain, **close)
    torch.testing.assert_close(turned(180), plain.flip(1, 2), **close)
    torch.testing.assert_close(turned(90), plain.rot90(1, (1, 2)), **close)
    flip = torch.ones(3, dtype=torch.bool)
    torch.testing.assert_close(turned(0, flip=flip), plain.flip(2), **close)


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_update_equals_torchs(decay):
    first = {"a.weight": torch.randn(4, 3), "a.bias": torch.randn(3)}
    ours = {name: value.clone().requires_grad_() for name, value in first.items()}
    theirs = {name: value.clone().requires_grad_() for name, value in first.items()}
    optimizer = Momentum(ours.items(), 0.9, decay, ["*.weight"])
    groups = [
        {"params": [theirs["a.weight"]], "weight_decay": decay},
        {"params": [theirs["a.bias"]]},
    ]
    reference = torch.optim.SGD(groups, lr=0.1, momentum=0.9)
    for step in range(5):
        inputs = torch.randn(8, 4)
        losses = [
            (inputs @ p["a.weight"] + p["a.bias"]).sin().square().sum() for p in (ours, theirs)
        ]
        optimizer.step(torch.autograd.grad(losses[0], optimizer.parameters), 0.1 * 0.5**step)
        reference.zero_grad()
        losses[1].backward()
        for group in reference.param_groups:
            group["lr"] = 0.1 * 0.5**step
        reference.step()
    for name in first:
        torch.testing.assert_close(ours[name], theirs[name])


def test_rmsprop_has_its_closed_form():
    """For a constant gradient g: s_k = g^2 + (1 - g^2) 0.9^k, and a geometric sum of steps."""
    rate, momentum, steps = 0.045, 0.9, 7
    weights = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    gradient = np.array([0.3, -4.0, 0.0])
    ours = weights.clone()
    optimizer = RMSProp({"w": ours}.items(), momentum)
    for _ in range(steps):
        optimizer.step([torch.from_numpy(gradient.copy())], rate)
    k = np.arange(1, steps + 1)[:, None]
    squares = gradient**2 + (1 - gradient**2) * 0.9**k
    # The k-th step goes on for the rest of the run, weaker each time.
    weight = (1 - momentum ** (steps - k + 1)) / (1 - momentum)
    moved = (weight * rate * gradient / np.sqrt(squares + 1)).sum(0)
    np.testing.assert_allclose(ours.numpy(), weights.numpy() - moved, rtol=1e-12)
    assert len(optimizer.memory) == 2


def test_rmsprop_decays_weights_by_their_gradient():
    ours, theirs = torch.tensor([2.0, -1.0]), torch.tensor([2.0, -1.0])
    decayed = RMSProp({"w": ours}.items(), 0.9, 0.1, ["w"])
    plain = RMSProp({"w": theirs}.items(), 0.9)
    for _ in range(3):
        gradient = torch.tensor([0.3, 0.2])
        plain.step([gradient + 0.1 * theirs], 0.05)
        decayed.step([gradient.clone()], 0.05)
    torch.testing.assert_close(ours, theirs)


def test_adam_equals_torchs():
    first = {"a": torch.randn(4, 3, dtype=torch.float64), "b": torch.zeros(3, dtype=torch.float64)}
    ours, theirs = ({name: v.clone() for name, v in first.items()} for _ in range(2))
    optimizer = Adam(ours.items(), 0.8, 0.1, ["a"])
    groups = [{"params": [theirs["a"]], "weight_decay": 0.1}, {"params": [theirs["b"]]}]
    reference = torch.optim.Adam(groups, lr=0.1, betas=(0.8, 0.999))
    for step in range(7):
        gradients = [torch.randn_like(value) for value in first.values()]
        for parameter, gradient in zip(theirs.values(), gradients, strict=True):
            parameter.grad = gradient.clone()
        for group in reference.param_groups:
            group["lr"] = 0.1 * 0.5**step
        reference.step()
        optimizer.step(gradients, 0.1 * 0.5**step)
    for name in first:
        torch.testing.assert_close(ours[name], theirs[name])
    assert len(optimizer.memory) == 5


def test_weight_decay_on_nothing_is_an_error():
    with pytest.raises(RethinkError, match="fit no parameter; the network has a.weight"):
        Momentum({"a.weight": torch.zeros(2)}.items(), 0.9, 0.1, ["fc1.*"])


def trainer(manifest, cell, replicates=(0,), placement="auto"):
    numerics.configure(cell["numerics"], 1)
    module = importlib.import_module(f"rethink.models.{cell['model']['module']}")
    examples = load(open_dataset(manifest), cell, CPU, placement)
    return Trainer(module.build, examples, cell, replicates, CPU)


def histories(manifest, cell, replicates=(0,), placement="auto"):
    run = trainer(manifest, cell, replicates, placement)
    run.run(lambda: None, lambda: None)
    return run.histories


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("clean"))


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("noisy"), train=131, level=0.5)


EVERYTHING = {
    "random_crop": True,
    "flip": True,
    "rotation": 25.0,
    "dropout": 0.5,
    "weight_decay": 1e-3,
    "early_stopping": {"validation": 0.2, "patience": 3},
    "evaluate_every": 2,
}


@pytest.mark.parametrize("settings", [{}, EVERYTHING], ids=["plain", "everything"])
def test_a_perceptrons_own_gradients_are_those_of_autograd(noisy, settings):
    cell = spec(replicates=2, **settings)
    runs = [trainer(noisy, cell, [0, 1]) for _ in range(2)]
    assert all(run.by_hand for run in runs)
    runs[1].by_hand = False
    for run in runs:
        run.steps = 3
        run._train_epoch(lambda: None)
    assert all(velocity.count_nonzero() for velocity in runs[0].optimizer.velocity)
    for kind in ("velocity", "parameters"):
        ours, theirs = (getattr(run.optimizer, kind) for run in runs)
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(runs[0].sums, runs[1].sums)


@pytest.mark.parametrize("settings", [{}, EVERYTHING], ids=["plain", "everything"])
def test_replicates_together_equal_each_alone(noisy, settings):
    cell = spec(replicates=3, epochs=5, **settings)
    together = histories(noisy, cell, [0, 1, 2])
    assert together[0].rows[0]["train_loss"] != together[1].rows[0]["train_loss"]
    for replicate, joint in enumerate(together):
        assert histories(noisy, cell, [replicate]) == [joint]


@pytest.mark.parametrize(
    "model, numerics",
    [
        ("mlp", "fp32"),
        ("mlp", "bf16"),
        ("alexnet", "fp32"),
        ("alexnet", "bf16"),
        ("inception", "fp32"),
    ],
)
def test_a_run_stopped_anywhere_continues_to_the_same_bits(noisy, model, numerics):
    settings = EVERYTHING | {"early_stopping": None, "rotation": 0.0, "train_examples": 60}
    cell = spec(model, numerics=numerics, epochs=2, **settings)
    whole = trainer(noisy, cell)
    pulses = 0

    def count():
        nonlocal pulses
        pulses += 1

    whole.run(count, lambda: None)
    rng = np.random.default_rng(0)
    for stop in rng.choice(np.arange(1, pulses), 3, replace=False):
        left = stop

        def pulse():
            nonlocal left
            left -= 1
            if left == 0:
                raise Stopped(signal.SIGTERM)

        first = trainer(noisy, cell)
        with pytest.raises(Stopped):
            first.run(pulse, lambda: None)
        buffer = io.BytesIO()
        torch.save(first.state(), buffer)
        buffer.seek(0)
        second = trainer(noisy, cell)
        second.load(torch.load(buffer, weights_only=True))
        second.run(lambda: None, lambda: None)
        assert second.histories == whole.histories
        for ours, theirs in zip(
            second.optimizer.parameters, whole.optimizer.parameters, strict=True
        ):
            assert torch.equal(ours, theirs)


DISTORT = {"random_resized_crop": 0.05, "flip": True, "color_distortion": True}


@pytest.fixture(scope="module")
def colored(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("colored"), train=131, channels=3, level=0.5)


@pytest.mark.parametrize("settings", [{}, EVERYTHING, DISTORT], ids=["plain", "crop", "distort"])
@pytest.mark.parametrize("whitening", ["after_crop", "before_crop", "fixed", "dataset"])
def test_streamed_and_resident_images_train_to_the_same_bits(colored, settings, whitening):
    cell = spec(replicates=2, epochs=2, train_examples=100, top5=True, **settings)
    cell["input"]["whitening"] = whitening
    streamed = trainer(colored, cell, [0, 1], "streamed")
    resident = trainer(colored, cell, [0, 1], "resident")
    assert streamed.data.train.images.streamed and not resident.data.train.images.streamed
    for run in (streamed, resident):
        run.run(lambda: None, lambda: None)
    assert streamed.histories == resident.histories
    for ours, theirs in zip(
        streamed.optimizer.parameters, resident.optimizer.parameters, strict=True
    ):
        assert torch.equal(ours, theirs)


def test_images_are_streamed_where_memory_is_short(colored, monkeypatch):
    for free, streamed in ((0, True), (2**30, False)):
        monkeypatch.setattr(data, "_free_bytes", lambda device, free=free: free)
        examples = load(open_dataset(colored), spec(), CPU)
        assert (examples.train.images.streamed, examples.test.images.streamed) == (streamed,) * 2


@pytest.mark.parametrize("optimizer", ["momentum", "rmsprop", "adam"])
def test_a_run_stopped_inside_an_epoch_goes_on_with_its_next_batch(colored, optimizer):
    """Streamed: the batches that were being read ahead are read again, no other is."""
    settings = DISTORT | {"optimizer": optimizer, "dropout": 0.5, "label_smoothing": 0.1}
    cell = spec("alexnet", epochs=2, batch_size=16, **settings)
    whole = trainer(colored, cell, placement="streamed")
    whole.run(lambda: None, lambda: None)
    first = trainer(colored, cell, placement="streamed")

    def stop_in_the_second_epoch():
        if (first.epoch, first.step) == (2, 5):
            raise Stopped(signal.SIGTERM)

    with pytest.raises(Stopped):
        first.run(stop_in_the_second_epoch, lambda: None)
    second = trainer(colored, cell, placement="streamed")
    second.load(first.state())
    taken = []
    second.run(lambda: taken.append((second.epoch, second.step)), lambda: None)
    assert taken[:4] == [(2, 6), (2, 7), (2, 8), (2, 9)] and second.steps == 9
    assert second.histories == whole.histories
    for ours, theirs in zip(second.optimizer.memory, whole.optimizer.memory, strict=True):
        assert torch.equal(ours, theirs)


def test_top5_counts_labels_among_the_five_best(tmp_path):
    manifest = write_data(tmp_path, train=64, side=12, classes=9, level=0.5)
    (history,) = histories(manifest, spec(epochs=3, crop=12, top5=True))
    for row in history.rows:
        assert row["train_accuracy"] <= row["train_top5_accuracy"] <= 1
        assert row["test_accuracy"] <= row["test_top5_accuracy"] <= 1
    assert any(row["test_top5_accuracy"] > row["test_accuracy"] for row in history.rows)
    summary = metrics.summarize(history, spec()["train"])
    best = max(row["test_top5_accuracy"] for row in history.rows)
    assert summary["best_test_top5_accuracy"] == best
    assert "train_top5_accuracy" in metrics.curves_csv([history]).splitlines()[0]


def test_label_smoothing_spreads_the_label():
    logits = torch.randn(2, 3, 5)
    labels = torch.randint(5, (2, 3))
    plain, smooth = cross_entropy(logits, labels), cross_entropy(logits, labels, 0.1)
    uniform = -logits.log_softmax(-1).mean(-1)
    torch.testing.assert_close(smooth, 0.9 * plain + 0.1 * uniform)


def test_random_labels_are_memorized(tmp_path):
    manifest = write_data(tmp_path, train=64, level=1.0)
    cell = spec(epochs=150, learning_rate=0.05, learning_rate_decay=1.0, evaluate_every=10)
    cell["model"]["arguments"] = {"hidden": [256]}
    (history,) = histories(manifest, cell)
    assert history.rows[-1]["train_accuracy"] == 1.0
    summary = metrics.summarize(history, cell["train"])
    assert summary["status"] == "fitted"
    assert summary["time_to_fit_epochs"] % 10 == 0
    assert summary["time_to_fit_steps"] == 2 * summary["time_to_fit_epochs"]


def test_hit_and_untouched_examples_make_up_the_whole(noisy):
    hits = open_dataset(noisy).train_hit
    for row in histories(noisy, spec())[0].rows:
        whole = hits.mean() * row["train_accuracy_hit"]
        whole += (1 - hits.mean()) * row["train_accuracy_untouched"]
        assert row["train_accuracy"] == pytest.approx(whole)
        assert row["test_accuracy"] != row["test_accuracy_given"]


def test_clean_labels_have_no_hits(clean):
    row = histories(clean, spec(epochs=1))[0].rows[0]
    assert "train_accuracy_hit" not in row
    assert row["train_accuracy_true"] == row["train_accuracy"]
    assert (row["test_loss_given"], row["test_accuracy_given"]) == (
        row["test_loss"],
        row["test_accuracy"],
    )


def test_learning_rate_decays_per_epoch(clean):
    rows = histories(clean, spec(epochs=3, learning_rate=0.1, learning_rate_decay=0.5))[0].rows
    assert [row["learning_rate"] for row in rows] == [0.1, 0.05, 0.025]
    assert [row["step"] for row in rows] == [3, 6, 9]


def test_learning_rate_drops_to_a_tenth_after_the_epochs_named(clean):
    settings = {"learning_rate": 0.1, "learning_rate_decay": 1.0, "learning_rate_drops": [1, 3]}
    rows = histories(clean, spec(epochs=4, **settings))[0].rows
    assert [row["learning_rate"] for row in rows] == pytest.approx([0.1, 0.01, 0.01, 0.001])


def test_divergence_is_a_result(clean):
    cell = spec(epochs=6, learning_rate=1e30)
    (history,) = histories(clean, cell)
    summary = metrics.summarize(history, cell["train"])
    assert (summary["status"], summary["epochs_run"]) == ("diverged", len(history.rows))
    assert summary["epochs_run"] < 6
    assert summary["train_loss"] is None
    text = metrics.curves_csv([history])
    assert "nan" not in text and "inf" not in text


def test_a_diverged_replicate_leaves_the_others_alone(clean, monkeypatch):
    cell = spec(replicates=2, epochs=4, evaluate_every=3)
    alone = histories(clean, cell, [1])
    together = trainer(clean, cell, [0, 1])
    with torch.no_grad():
        together.network.fc1.weight[0] *= 1e30
    together.run(lambda: None, lambda: None)
    assert together.histories[0].ended == "diverged"
    assert together.histories[1:] == alone


def test_early_stopping_keeps_the_best_epoch_and_never_sees_the_test_set(tmp_path):
    stopping = {"validation": 0.25, "patience": 2}
    cell = spec(epochs=40, learning_rate=0.2, early_stopping=stopping)
    runs = []
    for name, hide in (("a", False), ("b", True)):
        manifest = write_data(tmp_path / name, level=0.5)
        if hide:
            for path in (tmp_path / name).rglob("test_labels.npy"):
                np.save(path, (np.load(path) + 1) % 4)
        (history,) = histories(manifest, cell)
        runs.append(history)
    seen = [[{k: v for k, v in row.items() if "test" not in k} for row in h.rows] for h in runs]
    assert seen[0] == seen[1]
    assert runs[0].rows != runs[1].rows
    summary = metrics.summarize(runs[0], cell["train"])
    losses = [row["validation_loss"] for row in runs[0].rows]
    assert summary["stopped_early"] and summary["epochs_run"] == len(losses) < 40
    assert summary["kept_epoch"] == losses.index(min(losses)) + 1 == len(losses) - 2
    assert summary["validation_loss"] == min(losses)


def test_validation_examples_are_taken_out_of_training(clean):
    cell = spec(early_stopping={"validation": 0.25, "patience": 2}, train_examples=80)
    examples = load(open_dataset(clean), cell, CPU)
    assert (len(examples.train), len(examples.validation)) == (60, 20)
    rows = torch.cat(
        [part.images.central(slice(None)) for part in (examples.train, examples.validation)]
    )
    assert len(rows.flatten(1).unique(dim=0)) == 80


@pytest.mark.parametrize(
    "change, message",
    [
        ({"crop": 9}, "input.crop is 9, but the images of spots are 8x8"),
        ({"train_examples": 97}, "train_examples is 97, but spots has 96"),
        ({"train_examples": 1, "early_stopping": {"validation": 0.1, "patience": 1}}, "left"),
    ],
)
def test_data_that_do_not_fit_the_specification(clean, change, message):
    with pytest.raises(RethinkError, match=message):
        load(open_dataset(clean), spec(**change), CPU)


def test_curves_read_back(noisy):
    runs = histories(noisy, spec(replicates=2), [0, 1])
    rows = list(csv.DictReader(io.StringIO(metrics.curves_csv(runs))))
    assert list(rows[0]) == list(metrics.COLUMNS)
    assert [(row["replicate"], row["epoch"]) for row in rows[3:5]] == [("0", "4"), ("1", "1")]
    assert float(rows[0]["train_loss"]) == runs[0].rows[0]["train_loss"]
    assert rows[0]["validation_loss"] == ""


def test_unknown_numerics_are_refused():
    with pytest.raises(RethinkError, match="did you mean 'fp32'"):
        numerics.configure("fp23", 1)


def test_training_loads_only_what_it_needs(clean, tmp_path):
    code = (
        "import sys; from pathlib import Path; from rethink.training.cell import train_cell\n"
        "train_cell(sys.argv[1], '', *map(Path, sys.argv[2:]))\n"
        "heavy = {'torch._dynamo', 'torch._inductor', 'sympy', 'torchvision', 'pandas', 'scipy',"
        " 'matplotlib', 'sklearn', 'snakemake'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    cell = canonical_json(spec(dropout=0.5, random_crop=True))
    folders = [clean, tmp_path / "out", tmp_path / "work"]
    environment = os.environ | {"PYTHONPATH": str(SCRIPTS)}
    command = [sys.executable, "-c", code, cell, *folders]
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# Leases, with devices that stand for real ones.


def test_visible_devices_are_those_that_cuda_would_show(monkeypatch):
    monkeypatch.setenv("RETHINK_FAKE_DEVICES", "0,1,MIG-aa,MIG-bb")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert devices.visible_devices() == ["0", "1", "MIG-aa", "MIG-bb"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-bb, 1")
    assert devices.visible_devices() == ["MIG-bb", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert devices.visible_devices() == []


def test_no_device_is_an_error_only_where_one_is_demanded(monkeypatch):
    monkeypatch.setenv("RETHINK_FAKE_DEVICES", "")
    with devices.lease("auto", 1, lambda: None) as device:
        assert (device.torch, device.id) == (CPU, "cpu")
    with (
        pytest.raises(RethinkError, match="no CUDA device is visible"),
        devices.lease("cuda", 1, lambda: None),
    ):
        pass


def test_the_scheduler_of_a_cluster_assigns_devices(monkeypatch, tmp_path):
    monkeypatch.setenv("RETHINK_FAKE_DEVICES", "0,1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("RETHINK_LOCKS", str(tmp_path))
    with devices.lease("auto", 1, lambda: None) as device:
        assert device.id == "1"
        assert not list(tmp_path.iterdir())


def _hold(folder, slots, seconds):
    """Lease a device, note when and which, and hold it for a while."""
    os.environ.update(RETHINK_FAKE_DEVICES="a,b", RETHINK_LOCKS=str(folder))
    os.environ.pop("SLURM_JOB_ID", None)
    os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    with devices.lease("auto", slots, lambda: None) as device:
        note = Path(folder) / f"{os.getpid()}.held"
        note.write_text(f"{device.id} {time.monotonic()} ")
        time.sleep(seconds)
        with note.open("a") as stream:
            stream.write(f"{time.monotonic()}")


@pytest.mark.parametrize("slots", [1, 2])
def test_leases_are_exclusive(tmp_path, slots):
    processes = [start_process(_hold, str(tmp_path), slots, 0.3) for _ in range(6)]
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    held = [note.read_text().split() for note in tmp_path.glob("*.held")]
    assert {name for name, _, _ in held} == {"a", "b"}
    for name, begin, _ in held:
        at_once = [n for n, b, e in held if n == name and float(b) <= float(begin) < float(e)]
        assert len(at_once) <= slots


def test_a_lease_ends_with_its_holder(tmp_path):
    holders = [start_process(_hold, str(tmp_path), 1, 60) for _ in range(2)]
    while len(list(tmp_path.glob("*.held"))) < 2:
        time.sleep(0.05)
    successor = start_process(_hold, str(tmp_path), 1, 0)
    time.sleep(0.5)
    assert successor.exitcode is None
    holders[0].kill()
    successor.join(30)
    assert successor.exitcode == 0
    holders[1].kill()
    for holder in holders:
        holder.join()
