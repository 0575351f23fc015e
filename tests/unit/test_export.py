"""The export of learning curves: the plain records, and the trackers where they are installed."""

from datetime import datetime

import fake_results
import pandas as pd
import pytest

from rethink.analysis.collect import aggregate
from rethink.errors import RethinkError
from rethink.export import mlflow, tensorboard
from rethink.export.runs import runs

CELLS = ["digits/alexnet/none/none", f"digits/{fake_results.DIVERGES}"]


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Return the folder of tables of a small made-up run."""
    root = tmp_path_factory.mktemp("run")
    for cell in CELLS:
        fake_results.write_cell(root, cell, 2)
    aggregate(sorted(root.glob("cells/*/*/*/*/summary.json")), [], root / "tables")
    return root / "tables"


def test_every_value_of_the_curves_is_a_point(tables):
    found = {run.name: run for run in runs(tables)}
    assert sorted(found) == sorted(f"{cell}/{replicate}" for cell in CELLS for replicate in (0, 1))
    curves = pd.read_csv(tables / "curves.csv")
    values = curves.drop(columns=["level", "replicate", "epoch", "step"]).select_dtypes("number")
    assert sum(len(run.points) for run in found.values()) == values.notna().to_numpy().sum()
    run = found["digits/alexnet/none/none/1"]
    rows = curves[(curves["model"] == "alexnet") & (curves["corruption"] == "none")]
    rows = rows[rows["replicate"] == 1]
    losses = [(p.epoch, p.value) for p in run.points if p.metric == "train_loss"]
    assert losses == list(zip(rows["epoch"], rows["train_loss"], strict=True))


def test_a_run_says_when_and_with_what_it_was_trained(tables):
    run = next(run for run in runs(tables) if run.name == "digits/alexnet/none/none/0")
    assert {"model": "alexnet", "seed": "0", "numerics": "fp32"}.items() <= run.parameters.items()
    record = pd.read_csv(tables / "runs.csv")
    record = record[(record["model"] == "alexnet") & (record["corruption"] == "none")].iloc[0]
    assert run.started == datetime.fromisoformat(record["started"]).timestamp()
    times = [point.time for point in run.points]
    assert times == sorted(times)
    assert run.started < times[0] < times[-1] == run.finished


def test_a_diverged_run_has_the_values_that_it_has(tables):
    run = next(run for run in runs(tables) if run.name.startswith(CELLS[1]))
    assert run.parameters["status"] == "diverged"
    assert "train_loss" not in run.final
    assert "train_loss" not in {point.metric for point in run.points}


def test_a_missing_library_is_told_in_one_sentence(tables, tmp_path, monkeypatch):
    for name in ("tensorboardX", "mlflow"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    with pytest.raises(RethinkError, match="needs the package tensorboardX"):
        tensorboard.write(runs(tables), tmp_path / "t")
    with pytest.raises(RethinkError, match="needs the package mlflow"):
        mlflow.write(runs(tables), tmp_path / "m", "x")
    assert list(tmp_path.iterdir()) == []


def test_tensorboard_shows_the_curves(tables, tmp_path):
    pytest.importorskip("tensorboardX")
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    assert tensorboard.write(runs(tables), tmp_path / "out") == 4
    run = next(runs(tables))
    events = reader.EventAccumulator(str(tmp_path / "out" / run.name))
    events.Reload()
    shown = [(e.step, e.value) for e in events.Scalars("test_accuracy")]
    expected = [(p.epoch, p.value) for p in run.points if p.metric == "test_accuracy"]
    assert [step for step, _ in shown] == [epoch for epoch, _ in expected]
    assert [v for _, v in shown] == pytest.approx([v for _, v in expected], rel=1e-6)
    with pytest.raises(RethinkError, match="is not empty"):
        tensorboard.write(runs(tables), tmp_path / "out")


def test_mlflow_shows_the_curves(tables, tmp_path):
    client = pytest.importorskip("mlflow.tracking").MlflowClient
    assert mlflow.write(runs(tables), tmp_path, "rethink") == 4
    store = client(f"sqlite:///{tmp_path / 'mlflow.db'}")
    (experiment,) = [e for e in store.search_experiments() if e.name == "rethink"]
    found = {run.info.run_name: run for run in store.search_runs([experiment.experiment_id])}
    run = next(runs(tables))
    history = store.get_metric_history(found[run.name].info.run_id, "test_accuracy")
    expected = [(p.epoch, p.value) for p in run.points if p.metric == "test_accuracy"]
    assert sorted((m.step, m.value) for m in history) == expected
    assert found[run.name].data.params == run.parameters
    with pytest.raises(RethinkError, match="is there"):
        mlflow.write(runs(tables), tmp_path, "rethink")
