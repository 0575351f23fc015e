"""Where an experiment that trains networks is done, and its command line."""

import argparse
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rethink.files import write_json
from rethink.provenance import Record
from rethink.theory.rounding import rounded

if TYPE_CHECKING:  # They load torch, which reads the number of threads as it starts.
    from rethink.pieces import Pieces
    from rethink.training.devices import Device


@dataclass(frozen=True)
class Place:
    """What an experiment is given beside its specification.

    manifest : of the clean data.
    out : the folder of ``result.json`` and ``run.json``.
    device, threads : what computes.
    pieces : what an interrupted process has finished.
    say : is told of every step.
    """

    manifest: Path
    out: Path
    record: Record
    device: "Device"
    threads: int
    pieces: "Pieces"
    say: Callable[[str], None]

    def finish(self, result: dict[str, Any], numerics: str, seconds: dict[str, float]) -> None:
        """Write the result, then the record with the seconds of each stage."""
        write_json(self.out / "result.json", rounded(result))
        self.record.write(
            self.out / "run.json",
            [self.out / "result.json"],
            device={
                "type": self.device.torch.type,
                "id": self.device.id,
                "name": self.device.name,
            },
            numerics=numerics,
            threads=self.threads,
            stage_seconds={stage: round(value, 3) for stage, value in seconds.items()},
        )
        self.pieces.clear()


def parsed(description: str) -> argparse.Namespace:
    """Return the arguments of an experiment that leases a device and keeps what is finished."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--spec", required=True, help="the experiment's specification, JSON")
    parser.add_argument("--code", required=True, help="digest of the code, kept in run.json")
    parser.add_argument("--data", required=True, type=Path, help="manifest.json of the clean data")
    parser.add_argument("--out", required=True, type=Path, help="the folder to write")
    parser.add_argument("--work", type=Path, help="a folder to keep what is finished until the end")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    return parser.parse_args()


def command_line(description: str, run: Callable[[dict[str, Any], Place], None]) -> None:
    """Read the command line, take a device and do the experiment."""
    arguments = parsed(description)
    # Read when torch is loaded, and when CUDA starts.
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

    from rethink.pieces import Pieces
    from rethink.training.devices import lease
    from rethink.training.numerics import configure

    spec = json.loads(arguments.spec)
    name = str(spec.get("name"))
    record = Record("theory", name, arguments.spec, arguments.code, [arguments.data])
    configure(spec.get("numerics", "fp32"), arguments.threads)
    with lease(arguments.device, 1, lambda: None) as device:
        pieces = Pieces(arguments.work, record, device.torch)
        place = Place(
            arguments.data, arguments.out, record, device, arguments.threads, pieces, _say
        )
        run(spec, place)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
