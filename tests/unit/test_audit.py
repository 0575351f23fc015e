"""The parts of the audit: where two files differ, what a page says, what curves determine."""

import base64
import json
import zipfile
from types import SimpleNamespace

import fake_results
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rethink.audit import recompute
from rethink.audit.differences import of_csv, of_json, of_text
from rethink.audit.findings import Findings, summary
from rethink.audit.page import of_pages
from rethink.bundle.archive import opened, write_zip
from rethink.errors import RethinkError
from rethink.training.metrics import History, curves_csv, summarize

FIELD = st.sampled_from(["", "0", "0.5", "a", 'b"c', "d,e", "é"])
TABLE = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(FIELD, min_size=width, max_size=width), min_size=1, max_size=5)
)


def as_csv(rows):
    header = ["replicate", "epoch", "x", "y"][: len(rows[0])]
    quoted = [",".join('"' + f.replace('"', '""') + '"' for f in row) for row in rows]
    return "\n".join([",".join(header), *quoted]) + "\n"


@given(TABLE, st.data())
def test_exactly_the_altered_field_of_a_csv_is_named(rows, data):
    assert list(of_csv(as_csv(rows), as_csv(rows))) == []
    row = data.draw(st.integers(0, len(rows) - 1))
    column = data.draw(st.integers(0, len(rows[0]) - 1))
    altered = [list(r) for r in rows]
    altered[row][column] += "7"
    (found,) = of_csv(as_csv(altered), as_csv(rows))
    assert (found.said, found.computed) == (altered[row][column], rows[row][column])
    assert found.place.startswith(f"row {row + 2}")
    assert found.place.endswith(f"column {['replicate', 'epoch', 'x', 'y'][column]}")


def test_rows_and_columns_that_are_missing_are_named():
    full = "dataset,model,corruption,regularizer,epoch,x\nd,m,c,r,3,1\nd,m,c,r,4,2\n"
    (rows,) = of_csv(full.replace("d,m,c,r,4,2\n", ""), full)
    assert str(rows) == "number of rows: says '2', computed '3'"
    (header,) = of_csv(full.replace("epoch,", ""), full)
    assert header.place == "row 1, the header"
    (value,) = of_csv(full.replace("4,2", "4,9"), full)
    assert str(value) == "row 3 (d/m/c/r, epoch 4), column x: says '9', computed '2'"
    (fields,) = of_csv(full.replace("4,2", "4"), full)
    assert "number of fields" in fields.place


def test_values_of_json_are_named_by_their_path():
    one = {"a": [{"b": 1}, {"@id": "x", "c": 2}], "d": None}
    other = {"a": [{"b": 1}, {"@id": "x", "c": 3}], "e": 0}
    assert [d.place for d in of_json(one, other)] == ["a[x].c", "d", "e"]
    assert list(of_json({"x": float("nan")}, {"x": float("nan")})) == []
    assert [d.place for d in of_text("a\nb\n", "a\nc\nd\n")] == ["line 2", "number of lines"]


def page(value="97.3", note="as found", svg=b"<svg/>", csv=b"x,y\n1,2\n"):
    address = base64.b64encode(csv).decode()
    return f"""<!DOCTYPE html><html><head><title>t</title><style>p {{ color: red }}</style></head>
<body><h2 id="all">Cells</h2><p>Everything {note}.</p>
<img alt="a plot" src="data:image/svg+xml;base64,{base64.b64encode(svg).decode()}">
<a href="data:text/csv;base64,{address}">values</a>
<table aria-labelledby="cells-caption"><caption>Cells</caption>
<thead><tr><td>Cell</td><th>Training</th><th>Test</th></tr></thead>
<tbody><tr id="r1"><th>a/b</th><td>100</td><td>{value}</td></tr>
<tr><th>c/d</th><td>50</td><td>49</td></tr></tbody></table></body></html>"""


@pytest.mark.parametrize(
    "change,place,said",
    [
        ({"value": "97.4"}, "table 'cells-caption', row 'a/b', column 'Test'", "97.4"),
        ({"note": "as wished"}, "text at #all", "Everything as wished."),
        ({"svg": b"<svg></svg>"}, "image (image/svg+xml) at #all", "content of sha256"),
        ({"csv": b"x,y\n1,3\n"}, "attached file (text/csv), line 2 at #all", "1,3"),
    ],
)
def test_what_a_reader_of_the_report_sees_is_compared(change, place, said):
    assert list(of_pages(page(), page())) == []
    (found,) = of_pages(page(**change), page())
    assert found.place == place
    assert found.said.startswith(said)


def test_a_row_more_is_one_difference_of_its_fields():
    shorter = page().replace("<tr><th>c/d</th><td>50</td><td>49</td></tr>", "")
    found = list(of_pages(shorter, page()))
    assert [(d.said, d.computed) for d in found] == [("", "c/d"), ("", "50"), ("", "49")]


def cell_of(folder, **settings):
    """Return a cell as the audit knows it."""
    train = {"fit_accuracy": 0.99, "early_stopping": None, **settings}
    return SimpleNamespace(name="digits/alexnet/none/none", spec=json.dumps({"train": train}))


def test_a_summary_follows_from_its_curves(tmp_path):
    fake_results.write_cell(tmp_path, "digits/alexnet/none/none", 3)
    folder = tmp_path / "cells/digits/alexnet/none/none"
    said = json.loads((folder / "summary.json").read_text())
    computed = recompute.cell_summary(cell_of(folder), folder)
    for entry, other in zip(said["replicates"], computed["replicates"], strict=True):
        assert entry.keys() == other.keys()
        # These summaries are not rounded like the curves.
        assert {k: v for k, v in other.items() if not isinstance(v, float)}.items() <= entry.items()
        floats = {k: v for k, v in other.items() if isinstance(v, float)}
        assert floats == pytest.approx({k: entry[k] for k in floats}, rel=1e-7)


def test_early_stopping_and_divergence_are_summarized_like_in_training(tmp_path):
    rows = [(1, 0.5, 0.9, 0.7), (2, 0.4, 0.995, 0.8), (3, 0.6, 0.999, 0.75)]
    history = History(0, epochs_run=3, ended="early")
    for epoch, loss, train, test in rows:
        history.add(
            {
                "replicate": 0,
                "epoch": epoch,
                "step": 10 * epoch,
                "learning_rate": 0.1,
                "train_accuracy": train,
                "test_accuracy": test,
                "validation_loss": loss,
            },
            None,
        )
    history.ended = "early"
    settings = {"fit_accuracy": 0.99, "early_stopping": {"validation": 0.1, "patience": 1}}
    expected = summarize(history, settings)
    assert (expected["kept_epoch"], expected["status"]) == (2, "fitted")
    (tmp_path / "curves.csv").write_text(curves_csv([history]))
    (tmp_path / "summary.json").write_text(json.dumps({"replicates": [expected]}))
    computed = recompute.cell_summary(cell_of(tmp_path, **settings), tmp_path)
    assert computed["replicates"] == [expected]
    diverged = {**expected, "status": "diverged", "stopped_early": False}
    (tmp_path / "summary.json").write_text(json.dumps({"replicates": [diverged]}))
    (entry,) = recompute.cell_summary(cell_of(tmp_path), tmp_path)["replicates"]
    assert (entry["status"], entry["kept_epoch"]) == ("diverged", 3)


@pytest.mark.parametrize(
    "text", ["", "a,b\n1,2\n", "replicate,epoch,step,learning_rate\n0,x,1,1\n"]
)
def test_curves_that_are_none_are_told(tmp_path, text):
    (tmp_path / "summary.json").write_text('{"replicates": []}')
    (tmp_path / "curves.csv").write_text(text)
    with pytest.raises(RethinkError, match="curves.csv is not readable"):
        recompute.cell_summary(cell_of(tmp_path), tmp_path)


@settings(deadline=None, max_examples=10)  # each writes to the disk and waits for it
@given(
    st.dictionaries(st.from_regex(r"[a-z]{1,4}(/[a-z]{1,4})?\.txt", fullmatch=True), st.binary())
)
def test_a_zip_opens_to_what_was_packed_and_is_the_same_bytes(tmp_path_factory, files):
    folder = tmp_path_factory.mktemp("zip")
    write_zip(files, folder / "one.zip")
    write_zip(dict(reversed(files.items())), folder / "two.zip")
    assert (folder / "one.zip").read_bytes() == (folder / "two.zip").read_bytes()
    with opened(folder / "one.zip") as inside:
        assert {name: (inside / name).read_bytes() for name in files} == files


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archives_that_lie_are_refused(tmp_path):
    for name, entries, words in (
        ("out", ["../x"], "leads out"),
        ("root", ["/x"], "leads out"),
        ("twice", ["x", "x"], "is there twice"),
    ):
        path = tmp_path / f"{name}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for entry in entries:
                archive.writestr(zipfile.ZipInfo(entry), "x")
        with pytest.raises(RethinkError, match=words), opened(path):
            pass
    (tmp_path / "cut.zip").write_bytes((tmp_path / "out.zip").read_bytes()[:-9])
    with (
        pytest.raises(RethinkError, match="not readable as a zip file"),
        opened(tmp_path / "cut.zip"),
    ):
        pass
    with pytest.raises(RethinkError, match="is not there"), opened(tmp_path / "none.zip"):
        pass


def test_the_summary_names_files_and_counts_what_it_leaves_out():
    findings = Findings()
    findings.count("tables", 3)
    assert "The bundle is good" in summary(findings, 1)
    findings.disagree("a.csv", ["first", "second"])
    findings.disagree("b.csv", [])
    text = summary(findings, 1)
    assert "DISAGREES: a.csv: first" in text and "and 1 more" in text
    assert "2 disagreements in 1 file." in text and "b.csv" not in text
    assert "second" in summary(findings, 0)
