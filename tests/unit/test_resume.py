"""Interrupted cells continue to the same bits, whatever interrupts them."""

import errno
import io
import json
import os
import random
import subprocess
import sys
import time

import pytest
import torch
from tiny_cells import SCRIPTS, spec, start, train, write_data

from rethink import saved
from rethink.errors import RethinkError
from rethink.files import canonical_json
from rethink.training import cell as cell_module
from rethink.training import checkpoint, engine
from rethink.training.checkpoint import Workplace

OFTEN = {"checkpoint_seconds": 0.0}
RESULTS = ("curves.csv", "summary.json")


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data"), level=0.5)


def long_cell(**more):
    """A cell whose two replicates, in turn, take a second or two."""
    settings = {"dropout": 0.5, "random_crop": True, "weight_decay": 1e-3, "epochs": 12} | more
    return spec("alexnet", replicates=2, **settings)


def read_results(folder):
    return [(folder / name).read_bytes() for name in RESULTS]


def wait_for(condition, process, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.is_alive() and time.monotonic() < deadline
        time.sleep(0.002)


def training(work):
    """Whether a process has begun to train in the folder `work`."""
    return '"training"' in _text(work / "progress.json")


def _text(path):
    return path.read_text() if path.exists() else ""


@pytest.fixture(scope="module")
def whole(manifest, tmp_path_factory):
    """The results of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("whole")
    train(manifest, folder, long_cell())
    assert not (folder / "work").exists()
    assert sorted(path.name for path in (folder / "out").iterdir()) == [
        *RESULTS[:1],
        "run.json",
        RESULTS[1],
    ]
    return read_results(folder / "out")


@pytest.mark.parametrize("seed", range(2))
def test_kill_at_random_moments(manifest, whole, tmp_path, seed):
    rng = random.Random(seed)
    out, work, log = tmp_path / "out", tmp_path / "work", tmp_path / "log"
    kills = 0
    while True:
        process = start(manifest, out, work, long_cell(), log, **OFTEN)
        if kills < 4:
            wait_for(
                lambda: list(work.glob("checkpoint-*")) or (out / "run.json").exists(), process
            )
            process.join(rng.uniform(0, 0.6))
        else:
            process.join(60)
        if process.exitcode is not None:
            break
        process.kill()
        process.join()
        kills += 1
        assert not (out / "run.json").exists() or read_results(out) == whole
    assert process.exitcode == 0, log.read_text()
    assert kills >= 2
    assert read_results(out) == whole
    assert not work.exists()
    record = json.loads((out / "run.json").read_text())
    assert record["attempts"] == kills + 1
    assert record["resumed_from"] >= 1


def test_a_killed_epoch_goes_on_from_its_last_checkpoint(manifest, tmp_path):
    """A cell of one epoch, streamed: whatever its checkpoint holds lies inside the epoch."""
    settings = spec("alexnet", epochs=1, batch_size=1, dropout=0.5, random_crop=True)
    options = {"placement": "streamed"}
    train(manifest, tmp_path / "whole", settings, **options)
    out, work, log = tmp_path / "out", tmp_path / "work", tmp_path / "log"
    process = start(manifest, out, work, settings, log, **options, **OFTEN)
    wait_for(lambda: list(work.glob("checkpoint-*")), process)
    process.kill()
    process.join()
    (path,) = work.glob("checkpoint-*.pt")
    saved = torch.load(io.BytesIO(path.read_bytes().partition(b"\n")[2]), weights_only=True)
    trainer = saved["state"]["trainer"]
    assert trainer["epoch"] == 1 and 0 < trainer["step"] < 96
    train(manifest, tmp_path, settings, **options)
    assert read_results(out) == read_results(tmp_path / "whole/out")


def test_sigterm_on_the_command_line_leaves_a_checkpoint(manifest, whole, tmp_path):
    out, work = tmp_path / "out", tmp_path / "work"
    command = [sys.executable, SCRIPTS / "train.py", "--code", "code", "--data", manifest]
    command += ["--spec", canonical_json(long_cell()), "--out", out, "--work", work]
    process = subprocess.Popen([*command, "--device", "cpu"], stderr=subprocess.PIPE, text=True)
    while not training(work):
        assert process.poll() is None
        time.sleep(0.005)
    progress = json.loads((work / "progress.json").read_text())
    assert progress["cell"] == "spots/alexnet/none/none"
    assert (progress["epochs"], progress["pid"]) == (24, process.pid)
    process.terminate()
    message = process.communicate()[1].splitlines()[-1]
    assert process.returncode == 143
    assert message.startswith("stopped by SIGTERM at epoch")
    assert message.endswith("run again to continue")
    assert list(work.glob("checkpoint-*.pt")) and not out.exists()
    train(manifest, tmp_path, long_cell())
    assert read_results(out) == whole
    assert json.loads((out / "run.json").read_text())["attempts"] == 2


def interrupted(manifest, folder, cell):
    """Stop a cell by SIGTERM once it trains; return its checkpoint."""
    work = folder / "work"
    process = start(manifest, folder / "out", work, cell, folder / "log")
    wait_for(lambda: training(work), process)
    process.terminate()
    process.join(30)
    assert process.exitcode == 143
    (path,) = work.glob("checkpoint-*.pt")
    return path


def test_a_checkpoint_of_another_specification_is_not_used(manifest, whole, tmp_path):
    other = interrupted(manifest, tmp_path, long_cell(weight_decay=0.0))
    train(manifest, tmp_path, long_cell())
    assert not other.exists()
    assert read_results(tmp_path / "out") == whole
    assert json.loads((tmp_path / "out" / "run.json").read_text())["resumed_from"] is None


def flip_a_bit(content):
    place = len(content) // 2
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize("damage", [lambda content: b"", lambda c: c[: len(c) // 2], flip_a_bit])
def test_a_damaged_checkpoint_is_passed_over(manifest, whole, tmp_path, damage):
    path = interrupted(manifest, tmp_path, long_cell())
    path.write_bytes(damage(path.read_bytes()))
    train(manifest, tmp_path, long_cell())
    assert "cannot be read" in (tmp_path / "log").read_text()
    assert read_results(tmp_path / "out") == whole


def test_two_processes_on_one_cell_take_turns(manifest, whole, tmp_path):
    logs = [tmp_path / "log0", tmp_path / "log1"]
    out, work = tmp_path / "out", tmp_path / "work"
    first = start(manifest, out, work, long_cell(), logs[0], **OFTEN)
    wait_for(lambda: training(work), first)
    second = start(manifest, out, work, long_cell(), logs[1], **OFTEN)
    wait_for(lambda: logs[1].exists() and "another process trains" in logs[1].read_text(), second)
    first.terminate()
    first.join(30)
    second.join(60)
    assert (first.exitcode, second.exitcode) == (143, 0)
    assert read_results(out) == whole
    assert logs[1].read_text().count("another process trains") == 1


def test_a_process_that_waits_can_be_stopped(manifest, tmp_path):
    work = tmp_path / "work"
    with Workplace(work, "cell", "key", 1).hold(lambda: None):
        process = start(manifest, tmp_path / "out", work, long_cell(), tmp_path / "log")
        wait_for(lambda: "another" in _text(tmp_path / "log"), process)
        process.terminate()
        process.join(30)
    assert process.exitcode == 143


def full_disk(*arguments, **options):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def train_here(manifest, folder, monkeypatch):
    """Train a cell in this process, its signals left alone."""
    monkeypatch.setattr(checkpoint.signal, "signal", lambda *_: None)
    cell = canonical_json(spec(epochs=3))
    work = folder / "work"
    cell_module.train_cell(cell, "", manifest, folder / "out", work, "cpu", checkpoint_seconds=0)


def test_a_full_disk_costs_the_checkpoint_only(manifest, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(saved, "write_bytes", full_disk)
    train_here(manifest, tmp_path, monkeypatch)
    assert "no checkpoint could be written: [Errno 28]" in caplog.text
    assert (tmp_path / "out" / "run.json").exists() and not (tmp_path / "work").exists()


def test_results_that_cannot_be_written_are_an_error(manifest, tmp_path, monkeypatch):
    monkeypatch.setattr(cell_module, "write_text", full_disk)
    with pytest.raises(RethinkError, match="cannot be written to .*out: No space left on device"):
        train_here(manifest, tmp_path, monkeypatch)
    assert not (tmp_path / "out").exists()
    assert list((tmp_path / "work").glob("checkpoint-*.pt"))


def test_memory_that_does_not_suffice_is_an_error(manifest, tmp_path, monkeypatch):
    def exhausted(*arguments):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(engine.Trainer, "run", exhausted)
    with pytest.raises(RethinkError, match="spots/mlp/none/none does not fit .* batch_size"):
        train_here(manifest, tmp_path, monkeypatch)
