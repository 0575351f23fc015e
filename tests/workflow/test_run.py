"""The workflow through its front door: a run, a second run, what it leaves, what it refuses."""

import csv
import json
import re
import sys

from project import ROOT


def test_a_run_leaves_everything_and_a_second_has_nothing_to_do(project):
    results = project.results
    for name in ("report.html", "tables/all/cells.csv", "figures/curves/learning_curves.svg"):
        assert (results / name).stat().st_size > 0, name
    assert not [path for path in results.glob("work/**/*") if path.is_file()]
    assert not list(results.rglob(".tmp-*"))
    done = project.snakemake()
    assert done.returncode == 0
    assert "Nothing to be done" in done.stdout


def test_every_cell_has_its_curves_summary_and_record(finished):
    cells = sorted(p.parent for p in (finished.results / "cells").rglob("summary.json"))
    assert len(cells) == 6
    for cell in cells:
        with open(cell / "curves.csv", newline="") as stream:
            rows = list(csv.DictReader(stream))
        assert [int(row["epoch"]) for row in rows] == [1, 2, 3]
        assert all(0 <= float(row["train_accuracy"]) <= 1 for row in rows)
        record = json.loads((cell / "run.json").read_text())
        assert set(record["digests"]["outputs"]) == {"curves.csv", "summary.json"}
        assert record["seconds"] > 0


def test_the_report_says_that_it_is_reduced_and_needs_nothing_from_outside(finished):
    html = (finished.results / "report.html").read_text()
    assert "a test of the workflow, not of the paper" in html
    assert not re.search(r"""(src|href)=["']https?://[^"']+\.(js|css|png|svg)""", html)


def test_a_dry_run_explains_itself(fresh):
    shown = fresh.snakemake("--dry-run").stdout
    assert re.search(r"train\s+6", shown)
    assert "Train digits/mlp_1x512/labels-0.5/none" in shown


def test_the_papers_preset_is_the_default(fresh):
    shown = fresh.command(
        [sys.executable, "-m", "snakemake", "--cores", "8", "--resources", "gpu=2", "-n"]
    )
    assert shown.returncode == 0, shown.stdout
    (cells,) = re.findall(r"runs it: (\d+) cells", (ROOT / "README.md").read_text())
    assert re.search(rf"train\s+{cells}\n", shown.stdout)


def test_mistakes_stop_before_anything_runs(fresh):
    fresh.edit("tiny.yaml", "epochs: 3", "epochs: 0, lr: 1")
    done = fresh.snakemake()
    assert done.returncode != 0
    assert "training.epochs" in done.stdout
    assert "training.lr: unknown key 'lr'" in done.stdout
    assert "Traceback" not in done.stdout
    assert not fresh.results.exists()
