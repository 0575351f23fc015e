"""Files deleted behind Snakemake's back: made again where something needs them, else not missed."""

import shutil

import pytest


@pytest.mark.parametrize("file", ["summary.json", "curves.csv"])
def test_a_deleted_file_of_a_cell_is_made_again(project, file):
    (project.results / "cells/digits/alexnet/none/none" / file).unlink()
    plan = project.plan()
    assert {job for job in plan if job.startswith("Train")} == {"Train digits/alexnet/none/none"}
    assert {"Tabulate study levels", "Tabulate study all"} <= plan


def test_deleted_arrays_that_only_finished_cells_read_stay_away(project):
    (project.results / "corrupted/digits/labels-1/train_labels.npy").unlink()
    (project.results / "data/digits/train_images.npy").unlink()
    assert project.plan() == set()


@pytest.mark.parametrize(
    "array, job",
    [
        ("corrupted/digits/shuffled_pixels/test_images.npy", "Corrupt digits: shuffled_pixels"),
        ("data/digits/train_labels.npy", "Fetch digits"),
    ],
)
def test_deleted_arrays_that_an_unfinished_cell_reads_are_made_again(project, array, job):
    (project.results / array).unlink()
    shutil.rmtree(project.results / "cells/digits/mlp_1x512/shuffled_pixels")
    assert job in project.plan()


def test_deleted_arrays_that_a_stale_cell_reads_are_made_again(project):
    (project.results / "corrupted/digits/shuffled_pixels/train_images.npy").unlink()
    project.edit("tiny.yaml", "studies:", 'cells: {"*/shuffled_pixels/*": {epochs: 4}}\nstudies:')
    assert {
        "Corrupt digits: shuffled_pixels",
        "Train digits/mlp_1x512/shuffled_pixels/none",
    } <= project.run()


def test_a_cell_that_no_study_has_is_named(project):
    done = project.snakemake("-n", "results/tiny/cells/digits/alexnet/labels-1/none/summary.json")
    assert done.returncode != 0
    assert "no study of preset 'tiny' has a cell 'digits/alexnet/labels-1/none'" in done.stdout
