"""Several processes for one cell: the same results, and no harm when one of them is lost."""

import csv
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from tiny_cells import SCRIPTS, spec, start, train, write_data

from rethink.datasets.store import open_dataset
from rethink.errors import RethinkError
from rethink.files import canonical_json
from rethink.models import alexnet
from rethink.training.data import load
from rethink.training.devices import leases
from rethink.training.engine import Trainer
from rethink.training.team import Alone

CPU = torch.device("cpu")
OFTEN = {"checkpoint_seconds": 0.0}
RESULTS = ("curves.csv", "summary.json")


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """131 examples: the batches of 32 leave three for an epoch's last one."""
    return write_data(tmp_path_factory.mktemp("data"), train=131, channels=3, level=0.5)


def cell(processes=2, **more):
    """A cell without batch normalization, whose last batch is uneven."""
    settings = {"epochs": 3, "random_crop": True, "weight_decay": 1e-3, "label_smoothing": 0.1}
    return spec("alexnet", processes=processes, **settings | more)


def read_results(folder):
    return [(folder / name).read_bytes() for name in RESULTS]


@pytest.fixture(scope="module")
def whole(manifest, tmp_path_factory):
    """The folder of an uninterrupted run of two processes."""
    folder = tmp_path_factory.mktemp("whole")
    train(manifest, folder, cell(dropout=0.5))
    return folder


def member(rank, size):
    """Return one of several processes, as far as it need not speak to the others."""
    team = Alone()
    team.rank, team.size = rank, size
    return team


@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_parts_of_a_batch_make_up_the_whole(size):
    for first, stop in [(0, 8), (5, 100), (64, 67 + size)]:
        parts = []
        for rank in range(size):
            parts.append(member(rank, size).part(first, stop))
        assert parts[0].start == first and parts[-1].stop == stop
        assert all(a.stop == b.start for a, b in itertools.pairwise(parts))
        sizes = [part.stop - part.start for part in parts]
        assert max(sizes) - min(sizes) <= 1


def test_two_processes_train_what_one_does(manifest, tmp_path):
    """Without batch normalization and dropout the two differ by the order of sums alone."""
    curves = []
    for processes in (1, 2):
        _, text = train(manifest, tmp_path / str(processes), cell(processes))
        curves.append(list(csv.DictReader(text.splitlines())))
    assert len(curves[0]) == 3
    for one, two in zip(*curves, strict=True):
        for name, value in one.items():
            if value:
                assert float(two[name]) == pytest.approx(float(value), rel=1e-3, abs=1e-3), name
    record = json.loads((tmp_path / "2/out/run.json").read_text())
    assert record["device"]["processes"] == 2


def has_checkpoint(folder):
    return list((folder / "work").glob("checkpoint-*"))


def wait_for(condition, process, seconds=180):
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.is_alive() and time.monotonic() < deadline
        time.sleep(0.005)


def children(pid):
    """Return the processes that the process `pid` has started to train with it."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # After the name, which stands in brackets: state, parent, ...
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            command = (folder / "cmdline").read_text()
        except OSError:  # It has ended in the meantime.
            continue
        if parent == str(pid) and "spawn_main" in command:
            found.append(int(folder.name))
    return found


def ended(pid, seconds=30):
    deadline = time.monotonic() + seconds
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    return not Path(f"/proc/{pid}").exists()


def test_an_interrupted_cell_of_two_goes_on_to_the_same_bits(manifest, whole, tmp_path):
    out, work, log = tmp_path / "out", tmp_path / "work", tmp_path / "log"
    for signum, code in ((signal.SIGKILL, -9), (signal.SIGTERM, 143)):
        seen = [path.stat().st_ino for path in has_checkpoint(tmp_path)]
        process = start(manifest, out, work, cell(dropout=0.5), log, **OFTEN)
        wait_for(
            lambda seen=seen: [p.stat().st_ino for p in has_checkpoint(tmp_path)] != seen, process
        )
        (follower,) = children(process.pid)
        os.kill(process.pid, signum)
        process.join(60)
        assert process.exitcode == code
        assert ended(follower), "a follower outlived the first process"
    train(manifest, tmp_path, cell(dropout=0.5))
    assert read_results(out) == read_results(whole / "out")
    record = json.loads((out / "run.json").read_text())
    assert record["attempts"] == 3 and record["resumed_from"] >= 1


def test_a_killed_follower_ends_the_first_process_with_one_sentence(manifest, tmp_path):
    process = start(
        manifest, tmp_path / "out", tmp_path / "work", cell(epochs=500), tmp_path / "log", **OFTEN
    )
    wait_for(lambda: has_checkpoint(tmp_path), process)
    (follower,) = children(process.pid)
    os.kill(follower, signal.SIGKILL)
    process.join(60)
    assert process.exitcode == 1
    log = (tmp_path / "log").read_text()
    assert "Traceback" not in log
    assert log.endswith(
        "error: process 2 of 2 that train spots/alexnet/none/none together ended with exit code "
        "-9; run again to go on from the last checkpoint\n"
    )
    assert has_checkpoint(tmp_path) and not (tmp_path / "out").exists()


BREAKING = """
import multiprocessing, sys, time
import torch
from rethink.training.devices import Device
from rethink.training.team import together

def work(team, device):
    time.sleep(60)

if __name__ == "__main__":
    cpu = Device(torch.device("cpu"), "cpu", "Example CPU")
    with together([cpu, cpu], "toy", work):
        if sys.argv[1] == "killed":
            multiprocessing.active_children()[0].kill()
        raise RuntimeError("connection reset by peer")
"""


@pytest.mark.parametrize(("fate", "traceback"), [("killed", False), ("alive", True)])
def test_a_broken_connection_is_told_by_the_process_that_ended(tmp_path, fate, traceback):
    (tmp_path / "breaking.py").write_text(BREAKING)
    done = subprocess.run(
        [sys.executable, tmp_path / "breaking.py", fate],
        check=False,
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert ("connection reset" in done.stderr) == traceback
    assert ("process 2 of 2 that train toy together ended" in done.stderr) != traceback


def test_a_cell_of_two_takes_two_devices(manifest, tmp_path):
    command = [sys.executable, SCRIPTS / "train.py", "--code", "code", "--data", manifest]
    command += ["--spec", canonical_json(cell(epochs=1)), "--out", tmp_path / "out"]
    devices = {"RETHINK_LOCKS": str(tmp_path / "locks"), "RETHINK_FAKE_DEVICES": "a,b,c"}
    subprocess.run([*command, "--work", tmp_path / "work"], env=os.environ | devices, check=True)
    device = json.loads((tmp_path / "out/run.json").read_text())["device"]
    assert (device["id"], device["processes"]) == ("a,b", 2)


def test_more_devices_than_there_are_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setenv("RETHINK_LOCKS", str(tmp_path))
    monkeypatch.setenv("RETHINK_FAKE_DEVICES", "a")
    with (
        pytest.raises(
            RethinkError, match="2 GPUs are wanted at once, but 1 visible: a; set 'gpus'"
        ),
        leases("auto", 1, 2, lambda: None),
    ):
        pass


def test_a_last_batch_too_small_for_all_processes_is_an_error(manifest):
    settings = cell(train_examples=129)
    examples = load(open_dataset(manifest), settings, CPU)
    with pytest.raises(RethinkError, match="the last batch of an epoch has 1 of 129 examples"):
        Trainer(alexnet.build, examples, settings, [0], CPU, member(0, 2))
