"""The tiny preset through a real SLURM: devices, cancelled jobs, a drained node, equal results."""

import json
import os
import subprocess
import threading
import time
from datetime import datetime

import pytest
import slurm
from project import Project

pytestmark = pytest.mark.skipif(bool(slurm.missing()), reason=str(slurm.missing()))
LONG = "cells: {'*/mlp_1x512/labels-1/*': {epochs: 6000}}\nstudies:"
# Only what the test cluster lacks: no accounts, no time to wait. What jobs need the rules say.
OPTIONS = (
    "--profile", "profiles/slurm", "--workflow-profile", "none",
    "--default-resources", "mem_mb=500", "runtime=10",
    "--slurm-no-account",
    "--slurm-init-seconds-before-status-checks", "3",
    "--seconds-between-status-checks", "2",
    "--latency-wait", "10",
)  # fmt: skip
UNGROUPED = (*OPTIONS, "--groups", "train=cells", "--group-components", "cells=1")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with slurm.Cluster(tmp_path_factory.mktemp("slurm")) as cluster:
        yield cluster


def records(project):
    return [json.loads(p.read_text()) for p in sorted(project.results.glob("cells/**/run.json"))]


def outputs(project):
    return {
        path.relative_to(project.results): path.read_bytes()
        for name in ("curves.csv", "summary.json")
        for path in project.results.glob(f"cells/**/{name}")
    }


def submit(cluster, project, *options):
    """Run the workflow on the cluster and insist that it succeeds."""
    # The inner Snakemake drops SLURM_CONF: its srun finds the cluster by a wrapper on the path.
    environment = {
        **cluster.environment,
        "PATH": f"{cluster.programs}:{os.environ['PATH']}",
        "RETHINK_FAKE_DEVICES": "0,1",
    }
    done = project.snakemake(*options, **environment)
    assert done.returncode == 0, done.stdout
    return done.stdout


def overlap(one, other):
    """Return whether two records tell of jobs that ran at the same time."""
    times = [
        (datetime.fromisoformat(r["started"]), datetime.fromisoformat(r["finished"]))
        for r in (one, other)
    ]
    return times[0][0] < times[1][1] and times[1][0] < times[0][1]


def test_two_jobs_at_most_on_distinct_devices_with_the_local_results(cluster, fresh, finished):
    submit(cluster, fresh, *UNGROUPED)
    assert outputs(fresh) == outputs(finished)
    cells = records(fresh)
    assert {cell["device"]["id"] for cell in cells} <= {"0", "1"}
    for i, one in enumerate(cells):
        at_once = [other for other in cells[i + 1 :] if overlap(one, other)]
        assert len(at_once) <= 1
        assert all(one["device"]["id"] != other["device"]["id"] for other in at_once)


def test_short_cells_share_a_submission(cluster, fresh, finished):
    before = jobs_so_far(cluster)
    submit(cluster, fresh, *OPTIONS)
    assert outputs(fresh) == outputs(finished)
    # Six cells, four to a job, and one experiment of theory.
    assert jobs_so_far(cluster) - before == 2 + 1


def jobs_so_far(cluster):
    return len(cluster.run("squeue", "--states=all", "-h", "-o", "%i").split())


@pytest.mark.parametrize("end", ["cancelled", "drained"])
def test_a_job_that_the_cluster_ends_resumes(cluster, fresh, end):
    """The long cell is ended in its middle; a retry or the requeued job goes on from there."""
    fresh.edit("tiny.yaml", "studies:", LONG)
    target = "results/tiny/cells/digits/mlp_1x512/labels-1/none/summary.json"
    interrupter = Interrupter(cluster, fresh, end)
    interrupter.start()
    submit(cluster, fresh, *UNGROUPED, "--", target)
    interrupter.join()
    assert interrupter.error is None
    (cell,) = records(fresh)
    assert cell["attempts"] == 2
    assert cell["resumed_from"] > 0
    alone = Project.create(fresh.folder.parent / "alone", fresh.folder / "tiny.yaml")
    alone.run("--", target)
    assert outputs(fresh) == outputs(alone)


class Interrupter(threading.Thread):
    """Ends the running training job once it has written a checkpoint."""

    def __init__(self, cluster, project, end):
        super().__init__(daemon=True)
        self.cluster, self.project, self.end = cluster, project, end
        self.error = None

    def run(self):
        try:
            self._wait_for_epochs()
            (job,) = self.cluster.run("squeue", "--states=R", "-h", "-o", "%i").split()
            if self.end == "cancelled":
                self.cluster.run("scancel", job)
            else:
                node = f"nodename={self.cluster.host}"
                self.cluster.run("scontrol", "update", node, "state=drain", "reason=test")
                self.cluster.run("scontrol", "requeue", job)
                time.sleep(8)
                self.cluster.run("scontrol", "update", node, "state=resume")
        except (subprocess.SubprocessError, TimeoutError, ValueError) as error:
            self.error = error

    def _wait_for_epochs(self):
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            for path in self.project.results.glob("work/**/progress.json"):
                try:
                    if json.loads(path.read_text())["epoch"] > 200:
                        return
                except (OSError, ValueError):
                    continue
            time.sleep(0.2)
        raise TimeoutError("the training job did not start")
