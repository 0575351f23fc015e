"""Which jobs an edit causes, and no others: real plans by Snakemake over a finished run."""

import os
import shutil
import time

import pytest

CELLS = {
    "Train digits/mlp_1x512/none/none",
    "Train digits/mlp_1x512/labels-1/none",
    "Train digits/mlp_1x512/shuffled_pixels/none",
    "Train digits/mlp_1x512/labels-0.5/none",
    "Train digits/alexnet/none/none",
    "Train digits/alexnet/labels-0.5/none",
}
ALEXNET = {name for name in CELLS if "alexnet" in name}
CURVES = {"Tabulate study curves", "Draw curves/learning_curves"}
LEVELS = {"Tabulate study levels", "Draw levels/time_to_fit", "Draw levels/test_error"}
REPORT = {"Render results/tiny/report.html", "Render results/tiny/report.pdf"}
CLAIMS = {"Decide the paper's claims"} | REPORT
ALL = {"Tabulate study all"} | CLAIMS
LINES = {"Compare linear interpolants: lines", "Draw lines/linear_models"}


def test_nothing_changed(project):
    assert project.plan() == set()


def test_comments_docstrings_and_layout_change_nothing(project):
    for path in (project.folder / "scripts").rglob("*.py"):
        text = path.read_text()
        path.write_text(f"# a new comment\n\n\n{text}\n# and another\n")
    project.edit("scripts/rethink/models/mlp.py", '"""', '"""Otherwise said: ')
    assert project.plan() == set()


def test_how_a_cell_is_computed_changes_nothing(project):
    ways = ["cuda_graphs=true", "placement=streamed", "warm_start=false", "cells_per_gpu=2"]
    asked = ("--dry-run", "--printshellcmds", "--config", *ways)
    assert project.run(*asked) == set()
    shutil.rmtree(project.results / "cells" / "digits" / "alexnet")
    shown = project.snakemake(*asked).stdout
    assert "--cells-per-gpu 2 --placement streamed --cuda-graphs >" in shown


def test_touching_every_file_changes_nothing(project):
    for path in project.folder.rglob("*"):
        if path.is_file() and ".snakemake" not in path.parts:
            os.utime(path)
    assert project.plan() == set()


def test_checking_out_every_file_anew_changes_nothing(project):
    for part in ("scripts", "workflow", "report", "config", "profiles"):
        moved = project.folder / f"{part}.old"
        (project.folder / part).rename(moved)
        shutil.copytree(moved, project.folder / part, copy_function=shutil.copy)
        shutil.rmtree(moved)
    assert project.plan() == set()


def test_a_models_file_retrains_that_model(project):
    path = project.folder / "scripts/rethink/models/alexnet.py"
    path.write_text(path.read_text() + "\nNEW_CONSTANT = 1\n")
    assert project.plan() == ALEXNET | LEVELS | ALL


def test_the_engine_retrains_all(project):
    path = project.folder / "scripts/rethink/training/engine.py"
    path.write_text(path.read_text() + "\nNEW_CONSTANT = 1\n")
    assert project.plan() == CELLS | CURVES | LEVELS | ALL


def test_one_models_epochs(project):
    project.edit("tiny.yaml", "studies:", "models: {alexnet: {epochs: 4}}\nstudies:")
    assert project.plan() == ALEXNET | LEVELS | ALL


def test_one_cells_epochs(project):
    project.edit(
        "tiny.yaml", "studies:", 'cells: {"*/alexnet/labels-0.5/*": {epochs: 4}}\nstudies:'
    )
    assert project.plan() == {"Train digits/alexnet/labels-0.5/none"} | LEVELS | ALL


def test_swapping_two_values_retrains(project):
    cells = 'cells: {"*/alexnet/none/none": {momentum: %s, dropout: %s}}\nstudies:'
    project.edit("tiny.yaml", "studies:", cells % (0.5, 0.25))
    assert "Train digits/alexnet/none/none" in project.run("--quiet", "host")
    assert project.plan() == set()
    project.edit("tiny.yaml", cells % (0.5, 0.25), cells % (0.25, 0.5))
    assert project.plan() == {"Train digits/alexnet/none/none"} | LEVELS | ALL


def test_a_new_level(project):
    project.edit("tiny.yaml", "labels-0.5]", "labels-0.5, labels-0.75]")
    assert (
        project.plan()
        == {
            "Corrupt digits: labels-0.75",
            "Train digits/mlp_1x512/labels-0.75/none",
            "Train digits/alexnet/labels-0.75/none",
            "Draw samples of digits",
        }
        | LEVELS
        | ALL
    )


def test_a_new_model(project):
    project.edit("tiny.yaml", "[mlp_1x512, alexnet]", "[mlp_1x512, alexnet, mlp_3x512]")
    assert (
        project.plan()
        == {
            "Train digits/mlp_3x512/none/none",
            "Train digits/mlp_3x512/labels-0.5/none",
        }
        | LEVELS
        | ALL
    )


def test_one_experiments_setting(project):
    project.edit("tiny.yaml", "train_examples: 12", "train_examples: 13")
    assert project.plan() == LINES | CLAIMS


def test_a_claims_limit_trains_nothing(project):
    project.edit("report/claims.csv", "train=99", "train=98")
    assert project.plan() == CLAIMS


def test_a_new_study_of_known_cells_trains_nothing(project):
    study = "  more: {kind: grid, dataset: digits, models: [alexnet], corruptions: [none]}\n"
    path = project.folder / "tiny.yaml"
    path.write_text(path.read_text() + study)
    assert project.plan() == {"Tabulate study more", "Draw more/final_accuracy"} | REPORT


def test_a_study_left_out_trains_nothing(project):
    path = project.folder / "tiny.yaml"
    text = path.read_text()
    path.write_text(text[: text.index("  levels:")])
    assert project.plan() == {"Draw samples of digits"} | ALL


@pytest.mark.parametrize(
    "file, jobs",
    [
        ("scripts/rethink/figures/learning_curves.py", {"Draw curves/learning_curves"} | REPORT),
        ("scripts/rethink/theory/linear.py", LINES | CLAIMS),
        ("scripts/rethink/claims/fitting.py", CLAIMS),
        ("scripts/rethink/publish/pdf.py", {"Render results/tiny/report.pdf"}),
        ("scripts/rethink/provenance.py", set()),
        ("scripts/rethink/progress.py", set()),
        ("scripts/rethink/config.py", set()),
    ],
)
def test_code_that_trains_nothing(project, file, jobs):
    path = project.folder / file
    path.write_text(path.read_text() + "\nNEW_CONSTANT = 1\n")
    assert project.plan() == jobs


@pytest.mark.parametrize("pattern", ["report/*.j2", "report/*.css", "report/captions/*"])
def test_a_template_style_or_caption_renders_anew(project, pattern):
    path = min(project.folder.glob(pattern))
    path.write_text(path.read_text() + "\n")
    assert project.plan() == REPORT


@pytest.mark.parametrize(
    "file, jobs",
    [
        (
            "cells/digits/alexnet/none/none/curves.csv",
            {"Tabulate study levels", "Draw levels/test_error", "Render results/tiny/report.html"},
        ),
        (
            "corrupted/digits/labels-0.5/manifest.json",
            LEVELS
            | ALL
            | {
                "Train digits/alexnet/labels-0.5/none",
                "Train digits/mlp_1x512/labels-0.5/none",
                "Draw samples of digits",
            },
        ),
    ],
)
def test_a_file_restored_with_its_old_time(project, file, jobs):
    path = project.results / file
    path.write_text(path.read_text() + "\n")
    an_hour_ago = time.time() - 3600
    os.utime(path, (an_hour_ago, an_hour_ago))
    assert jobs <= project.plan()


def test_results_moved_to_another_place_stay(project, tmp_path):
    moved = tmp_path / "elsewhere"
    shutil.copytree(project.folder, moved)
    assert type(project)(moved).plan() == set()
