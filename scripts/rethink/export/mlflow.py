"""Learning curves as runs of MLflow, in a SQLite file of their own."""

import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rethink.errors import RethinkError
from rethink.export.runs import Run

BATCH = 1000  # metrics that MLflow takes at once


def write(runs: Iterable[Run], out: Path, experiment: str) -> int:
    """Write runs to ``mlflow.db`` in the folder `out`, which must not have it; return their number.

    `mlflow ui --backend-store-uri sqlite:///OUT/mlflow.db` shows them. Needs the package mlflow,
    which is no part of the workflow's environment: raises RethinkError where it is missing.
    """
    client_class, entities = _mlflow()
    store = out / "mlflow.db"
    if store.exists():
        raise RethinkError(f"{store} is there: MLflow would show its runs twice; remove it")
    out.mkdir(parents=True, exist_ok=True)
    client = client_class(tracking_uri=f"sqlite:///{store.resolve()}")
    artifacts = (out / "artifacts").resolve().as_uri()
    number = client.create_experiment(experiment, artifact_location=artifacts)
    count = 0
    for run in runs:
        made = client.create_run(number, _milliseconds(run.started), run_name=run.name)
        parameters = [entities.Param(key, value) for key, value in run.parameters.items()]
        client.log_batch(made.info.run_id, params=parameters)
        metrics = (
            entities.Metric(point.metric, point.value, _milliseconds(point.time), point.epoch)
            for point in run.points
        )
        ends = (
            entities.Metric(f"final_{name}", value, _milliseconds(run.finished), 0)
            for name, value in run.final.items()
        )
        values = itertools.chain(metrics, ends)
        while batch := list(itertools.islice(values, BATCH)):
            client.log_batch(made.info.run_id, metrics=batch)
        client.set_terminated(made.info.run_id, "FINISHED", _milliseconds(run.finished))
        count += 1
    return count


def _milliseconds(seconds: float) -> int:
    return round(1000 * seconds)


def _mlflow() -> tuple[Any, Any]:
    try:
        from mlflow import entities
        from mlflow.tracking import MlflowClient
    except ImportError:
        raise RethinkError(
            "the export to MLflow needs the package mlflow, which this workflow does not install: "
            "`pip install mlflow` in its environment"
        ) from None
    return MlflowClient, entities
