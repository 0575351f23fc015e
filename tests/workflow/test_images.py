"""The studies of ImageNet from a folder of images to their report: a real run."""

import csv
import json
from pathlib import Path

import numpy as np
from PIL import Image
from project import Project

PRESET = Path(__file__).with_name("images.yaml")
CLASSES = ("disc", "stripes", "checks")


def write_images(folder):
    """Write colour images, some of them wider than high, of three patterns in noise."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:88, :96]
    patterns = {
        "disc": (x - 48) ** 2 + (y - 44) ** 2 < 900,
        "stripes": x // 8 % 2,
        "checks": (x // 12 + y // 12) % 2,
    }
    for split, count in (("train", 4), ("val", 2)):
        for name in CLASSES:
            place = folder / split / name
            place.mkdir(parents=True)
            for i in range(count):
                pixels = random.integers(0, 120, (88, 96, 3)) + 100 * patterns[name][..., None]
                image = Image.fromarray(pixels.astype(np.uint8)[:, : 80 + 2 * i])
                image.save(place / f"{i}.{'png' if i % 2 else 'jpeg'}")


def test_a_folder_of_images_comes_to_its_tables_figures_and_claims(tmp_path):
    project = Project.create(tmp_path / "project", PRESET)
    write_images(project.folder / "images")
    jobs = project.run(
        "--",
        "results/tiny/report.html",
        RETHINK_FAKE_DEVICES="a,b",
        RETHINK_LOCKS=str(tmp_path / "locks"),
    )
    assert {"Train shapes/inception_v3/none/none", "Draw table2/table2"} <= jobs
    results = project.results
    for figure in ("table2/table2", "figure2a/figure2a", "samples/shapes"):
        assert (results / "figures" / f"{figure}.svg").stat().st_size > 0
    _check_cells(results / "cells/shapes/inception_v3")
    _check_claims(results / "tables/claims.csv")
    html = (results / "report.html").read_text()
    assert "The paper’s Table 2 beside this run" in html
    assert "nan" not in html.partition("<main>")[2].partition("</main>")[0].split()


def _check_cells(cells):
    devices = {}
    for path in cells.rglob("run.json"):
        record = json.loads(path.read_text())
        devices[path.parent.relative_to(cells).as_posix()] = record["device"]["id"]
        (entry,) = json.loads(path.with_name("summary.json").read_text())["replicates"]
        assert entry["test_accuracy"] <= entry["test_top5_accuracy"] == 1  # of three classes
        assert entry["best_test_accuracy"] >= entry["test_accuracy"]
        assert record["numerics"] == "bf16"
    assert set(devices) == {
        "none/none",
        "none/distort+weight_decay+dropout",
        "labels-1/none",
    }
    assert devices.pop("none/none") == "a,b"
    assert set(devices.values()) <= {"a", "b"}


def _check_claims(path):
    with path.open(newline="") as stream:
        claims = {row["id"]: row for row in csv.DictReader(stream)}
    for name in ("C25", "C26", "C27", "C28"):
        row = claims[name]
        assert row["verdict"] in ("reproduced", "differs"), row
        assert row["scale"] == "reduced"
        assert "shapes/inception_v3/" in row["cells"]
    assert claims["C1"]["verdict"] == "not run"
