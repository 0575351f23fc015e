"""Learning curves as event files of TensorBoard, one folder per replicate."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rethink.errors import RethinkError
from rethink.export.runs import Run


def write(runs: Iterable[Run], out: Path) -> int:
    """Write event files below the folder `out`, which should be empty or new; return the runs.

    Needs the package tensorboardX, which is no part of the workflow's environment: raises
    RethinkError where it is missing.
    """
    writer = _writer()
    if out.exists() and any(out.iterdir()):
        raise RethinkError(f"{out} is not empty: TensorBoard would show its runs twice; remove it")
    count = 0
    for run in runs:
        events = writer(str(out / run.name))
        for point in run.points:
            events.add_scalar(point.metric, point.value, point.epoch, walltime=point.time)
        text = "\n".join(f"- {key}: {value}" for key, value in run.parameters.items())
        events.add_text("parameters", text, 0, walltime=run.started)
        events.close()
        count += 1
    return count


def _writer() -> Any:
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        raise RethinkError(
            "the export to TensorBoard needs the package tensorboardX, which this workflow does "
            "not install: `pip install tensorboardX` in its environment"
        ) from None
    return SummaryWriter
