"""`make plan`, `make verify` and `make status`, on finished, changed and damaged results."""

import json
import re
import shutil


def test_nothing_to_plan_and_all_good(finished):
    assert "0 of 6 cells to train; 6 up to date" in finished.script("plan").stdout
    done = finished.script("verify")
    assert done.returncode == 0, done.stdout
    assert re.fullmatch(r"\d+ good", done.stdout.strip())


def test_the_plan_is_what_snakemake_would_train(project):
    project.edit(
        "tiny.yaml",
        "studies:",
        'cells: {"*/alexnet/labels-0.5/*": {epochs: 4}}\nmodels: {mlp_1x512: {momentum: 0.5}}\nstudies:',
    )
    shown = project.script("plan").stdout
    planned = set(re.findall(r"^(digits/\S+)", shown, re.MULTILINE))
    trained = {job.split()[1] for job in project.plan() if job.startswith("Train")}
    assert planned == trained != set()
    assert "train.epochs 3 -> 4" in shown
    assert "train.momentum 0.9 -> 0.5" in shown
    assert re.search(r"5 of 6 cells to train, about \d+ s of training in turn; 1 up to date", shown)


def test_a_plan_before_anything_ran(fresh):
    shown = fresh.script("plan").stdout
    assert "6 of 6 cells to train; nothing was run yet" in shown


def test_verify_names_what_is_stale_damaged_missing_and_foreign(project):
    results = project.results
    shutil.rmtree(project.folder / ".snakemake")
    cells = results / "cells/digits"
    curves = cells / "mlp_1x512/none/none/curves.csv"
    curves.write_text(curves.read_text().replace("1", "2", 1))
    (cells / "mlp_1x512/labels-1/none/summary.json").unlink()
    shutil.rmtree(cells / "alexnet/none")
    shutil.copytree(cells / "mlp_1x512", cells / "mlp_3x512")
    array = results / "corrupted/digits/shuffled_pixels/train_images.npy"
    content = bytearray(array.read_bytes())
    content[-1] ^= 1
    array.write_bytes(content)
    path = project.folder / "scripts/rethink/models/alexnet.py"
    path.write_text(path.read_text() + "\nNEW_CONSTANT = 1\n")
    done = project.script("verify")
    assert done.returncode == 1
    for line in (
        r"damaged +cell +digits/mlp_1x512/none/none +curves.csv is not what its record says",
        r"damaged +cell +digits/mlp_1x512/labels-1/none +summary.json is missing",
        r"damaged +corruption +digits/shuffled_pixels +train_images.npy is not what",
        r"missing +cell +digits/alexnet/none/none +not run",
        r"stale +cell +digits/alexnet/labels-0.5/none +code changed",
        r"foreign +cell +digits/mlp_3x512/none/none",
    ):
        assert re.search(line, done.stdout), (line, done.stdout)


def test_damaged_data_are_never_trained_on(project):
    array = project.results / "corrupted/digits/labels-1/train_labels.npy"
    content = bytearray(array.read_bytes())
    content[-1] ^= 1
    array.write_bytes(content)
    shutil.rmtree(project.results / "cells/digits/mlp_1x512/labels-1")
    done = project.snakemake("--retries", "0")
    assert done.returncode != 0
    assert "train_labels.npy" in done.stdout
    assert not (project.results / "cells/digits/mlp_1x512/labels-1/none/summary.json").exists()


def test_status_of_a_finished_a_new_and_a_running_cell(project):
    assert "7 done" in project.script("status").stdout
    cell = "digits/alexnet/none/none"
    shutil.rmtree(project.results / "cells" / cell)
    (project.results / "logs/cells" / f"{cell}.log").write_text("start\nerror: the reason\n\n")
    assert re.search(rf"failed +{cell} +error: the reason", project.script("status").stdout)
    work = project.results / "work" / cell
    work.mkdir(parents=True)
    progress = {"epoch": 2, "epochs": 3, "eta_seconds": 61, "updated": 4e9}
    (work / "progress.json").write_text(json.dumps(progress))
    assert re.search(rf"running +{cell} +epoch 2/3, 61 s left", project.script("status").stdout)
