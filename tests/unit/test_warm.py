"""Cells trained in forks of a process that has torch loaded: the same results, the same ends."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_cells import SCRIPTS, spec, write_data

from rethink import warm
from rethink.files import canonical_json


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with data, whose temporary folder is that of all processes started here."""
    folder = tmp_path_factory.mktemp("warm")
    write_data(folder, train=64)
    return folder


def start(place, name, *options, epochs=3):
    """Start ``scripts/train.py`` on a cell; what it prints goes to a log."""
    manifest = next(place.glob("**/manifest.json"))
    out = place / name
    out.mkdir(exist_ok=True)
    command = [sys.executable, str(SCRIPTS / "train.py"), "--code", "0", "--data", str(manifest)]
    command += ["--spec", canonical_json(spec(epochs=epochs)), "--out", str(out)]
    command += ["--work", str(out / "work"), *options]
    temporary = place / "tmp"
    temporary.mkdir(exist_ok=True)
    with (out / "log").open("a") as log:
        return subprocess.Popen(
            command, stderr=log, stdout=log, env={**os.environ, "TMPDIR": str(temporary)}
        )


def epoch(place, name):
    """Return the epoch that a cell has reached."""
    try:
        return json.loads((place / name / "work" / "progress.json").read_text())["epoch"]
    except (OSError, ValueError):
        return 0


def warm_processes(place):
    """Return the ids of the process with the training code, and of its forks."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            command = path.read_bytes()
            if b"warm.py" in command and os.fsencode(place) in command:
                found.append(int(path.parent.name))
    return found


def wait_for(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_results_are_those_of_a_process_of_its_own(place):
    assert start(place, "cold").wait(120) == 0
    assert start(place, "warm", "--warm").wait(120) == 0
    for name in ("curves.csv", "summary.json"):
        assert (place / "warm" / name).read_bytes() == (place / "cold" / name).read_bytes()
    records = [json.loads((place / kind / "run.json").read_text()) for kind in ("cold", "warm")]
    assert records[1]["cpu_seconds"] < 0.5 * records[0]["cpu_seconds"]
    assert records[1]["command"].startswith(os.path.relpath(SCRIPTS / "train.py") + " ")
    assert "finished" in (place / "warm" / "log").read_text()


def test_an_error_and_its_exit_code_are_handed_back(place):
    assert start(place, "wrong", "--warm", "--device", "cuda").wait(120) == 1
    log = (place / "wrong" / "log").read_text()
    assert log.startswith("error: ") and "Traceback" not in log


def test_a_signal_reaches_the_fork_which_leaves_a_checkpoint(place):
    client = start(place, "stopped", "--warm", epochs=100_000)
    wait_for(lambda: epoch(place, "stopped") > 2)
    client.send_signal(signal.SIGTERM)
    assert client.wait(30) == 128 + signal.SIGTERM
    assert list((place / "stopped" / "work").glob("checkpoint-*.pt"))


def test_a_cluster_that_stops_every_process_of_a_job_gets_a_checkpoint(place):
    """The client, the fork, and the process that it is a fork of are told at the same time."""
    client = start(place, "ended", "--warm", epochs=100_000)
    wait_for(lambda: epoch(place, "ended") > 2)
    processes = warm_processes(place)
    assert len(processes) == 2
    for process in (*processes, client.pid):
        os.kill(process, signal.SIGTERM)
    assert client.wait(30) == 128 + signal.SIGTERM
    assert list((place / "ended" / "work").glob("checkpoint-*.pt"))
    wait_for(lambda: not any(os.path.exists(f"/proc/{process}") for process in processes))


def test_a_fork_dies_with_its_client(place):
    client = start(place, "killed", "--warm", "--checkpoint-seconds", "0.1", epochs=100_000)
    wait_for(lambda: epoch(place, "killed") > 2)
    client.kill()
    client.wait()
    # The next one gets the cell's lock, which the fork has held.
    again = start(place, "killed", "--warm", "--checkpoint-seconds", "0.1", epochs=100_000)
    wait_for(lambda: "resum" in (place / "killed" / "log").read_text())
    again.terminate()
    again.wait(30)


def test_changed_code_is_not_run_by_a_process_with_the_old(monkeypatch, tmp_path):
    monkeypatch.setattr(warm, "SCRIPTS", tmp_path)
    (tmp_path / "a.py").write_text("1")
    before = warm._key()
    assert warm._key() == before
    (tmp_path / "a.py").write_text("12")
    assert warm._key() != before


def test_a_folder_that_others_can_write_is_not_used(monkeypatch, tmp_path):
    monkeypatch.setattr(warm.tempfile, "gettempdir", lambda: str(tmp_path))
    folder = warm._private_folder()
    assert folder is not None
    folder.chmod(0o777)
    assert warm._private_folder() is None
    assert warm.hand_over([]) is None
