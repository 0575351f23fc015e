"""Killed at any moment, continued by the next run, equal to the bit to a run without a kill."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest
from project import PRESET

KILLS = int(os.environ.get("RETHINK_KILLS", "8"))


def outputs(project):
    """Return the bytes of everything that must not depend on how often a run was killed."""
    patterns = (
        "cells/**/curves.csv",
        "cells/**/summary.json",
        "corrupted/**/*.npy",
        "data/**/*.npy",
    )
    return {
        path.relative_to(project.results): path.read_bytes()
        for pattern in patterns
        for path in project.results.glob(pattern)
    }


def start(project, *arguments):
    """Start Snakemake as the leader of a group of its own, so that all of it can be killed."""
    return subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", PRESET, *arguments],
        cwd=project.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "TQDM_DISABLE": "1"},
    )


def jobs_of(project):
    """Return the process ids of the jobs that run in the project's folder."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                cwd = os.readlink(f"{entry.path}/cwd")
                with open(f"{entry.path}/cmdline", "rb") as stream:
                    command = stream.read()
            except OSError:
                continue
            if cwd == str(project.folder) and b"scripts/" in command:
                found.append(int(entry.name))
    return found


def interrupt(project, process, number):
    """End the run, or only a job of it, in the way that belongs to `number`."""
    way = number % 4
    if way == 0:
        os.killpg(process.pid, signal.SIGKILL)  # the machine is gone
    elif way == 1:
        os.kill(process.pid, signal.SIGKILL)  # the workflow is gone, its jobs go on as orphans
    elif way == 2:
        os.killpg(process.pid, signal.SIGINT)  # Ctrl-C in a terminal
    else:
        for pid in jobs_of(project):  # preempted jobs; the workflow retries them
            with_pid(pid, signal.SIGTERM)
        return
    process.wait(timeout=120)


def with_pid(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def test_many_kills_at_random_moments_change_no_bit(fresh, finished):
    draw = random.Random(0)
    for number in range(KILLS):
        process = start(fresh)
        time.sleep(draw.uniform(4, 14))
        if process.poll() is None:
            interrupt(fresh, process, number)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(timeout=60)
        assert_nothing_is_half_written(fresh)
    fresh.run()
    assert outputs(fresh) == outputs(finished)
    assert (fresh.results / "report.html").stat().st_size > 0
    assert not [path for path in fresh.results.glob("work/**/*") if path.is_file()]
    assert fresh.plan() == set()


def assert_nothing_is_half_written(project):
    """Every summary has its curves' last line; every report is a whole document."""
    for path in project.results.glob("cells/**/curves.csv"):
        assert path.read_bytes().endswith(b"\n")
    for path in project.results.glob("report.html"):
        assert path.read_text().rstrip().endswith("</html>")


@pytest.mark.parametrize("options", [(), ("--nolock",)])
def test_a_second_workflow_in_the_same_folder_does_no_harm(fresh, finished, options):
    first = start(fresh)
    time.sleep(6)
    second = fresh.snakemake(*options)
    if not options:
        assert second.returncode != 0
        assert "cannot be locked" in second.stdout
    assert first.wait(timeout=300) == 0 or second.returncode == 0
    fresh.run()
    assert outputs(fresh) == outputs(finished)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_is_one_clear_sentence_and_costs_nothing(fresh, finished):
    fresh.results.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=120k", "tmpfs", str(fresh.results)], check=False
    )
    if mounted.returncode:
        pytest.skip("this machine mounts nothing")
    try:
        done = fresh.snakemake("--retries", "0")
        assert done.returncode != 0
        assert "No space left on device" in done.stdout
        subprocess.run(["mount", "-o", "remount,size=200m", str(fresh.results)], check=True)
        fresh.run()
        assert outputs(fresh) == outputs(finished)
    finally:
        subprocess.run(["umount", str(fresh.results)], check=False)
