"""The record beside every result: what was run, on what, with what, for how long."""

import functools
import importlib.metadata
import os
import platform
import resource
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rethink.files import read_json, sha256_file, sha256_text, write_json

SCHEMA = 1
PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "pandas", "matplotlib", "snakemake")


class Record:
    """Times a piece of work and writes its ``run.json``.

    Parameters
    ----------
    kind : what was made: ``data``, ``corruption``, ``cell``, ``table``, ``figure``, ``report``.
    name : the name of the thing, e.g. ``cifar10/inception/labels-0.5/none``.
    spec : the canonical JSON of the resolved specification, as the rule gave it.
    code : digest of the code that computes it, as the rule gave it.
    inputs : files that were read; their sha256 are kept under their paths.
    """

    def __init__(
        self, kind: str, name: str, spec: str, code: str, inputs: Iterable[str | Path] = ()
    ):
        self.kind, self.name, self.spec, self.code = kind, name, spec, code
        self.inputs = {str(path): sha256_file(path) for path in inputs}
        self.started = time.time()

    def write(self, path: str | Path, outputs: Iterable[str | Path], **facts: Any) -> None:
        """Write the record to `path`; `outputs` are hashed, `facts` are added as they are."""
        finished = time.time()
        usage = resource.getrusage(resource.RUSAGE_SELF)
        write_json(
            path,
            {
                "schema": SCHEMA,
                "kind": self.kind,
                "name": self.name,
                "digests": {
                    "spec": sha256_text(self.spec),
                    "code": self.code,
                    "inputs": self.inputs,
                    "outputs": {Path(p).name: sha256_file(p) for p in outputs},
                },
                "spec": self.spec,
                "command": shlex.join(sys.argv),
                "started": timestamp(self.started),
                "finished": timestamp(finished),
                "seconds": round(finished - self.started, 3),
                "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 3),
                "peak_memory_mb": round(usage.ru_maxrss / 1024),
                "machine": machine(),
                "software": software(),
                "git": git_state(),
                **facts,
            },
        )

    def write_for(self, result: Path) -> None:
        """Write the record of a result that is one file: ``report.html.run.json`` beside it."""
        self.write(result.with_name(f"{result.name}.run.json"), [result])


def timestamp(seconds: float) -> str:
    """Return a POSIX time as ISO 8601 in UTC, whole seconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


@functools.cache
def machine() -> dict[str, Any]:
    """Return host name, processor, cores, memory (MB) and operating system."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "host": socket.gethostname(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_mb": memory // 2**20,
        "system": platform.platform(),
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as stream:
            for line in stream:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


@functools.cache
def software() -> dict[str, str]:
    """Return the versions of Python and of the packages that compute the results."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


@functools.cache
def git_state() -> dict[str, Any]:
    """Return the commit of the checkout and whether tracked files differ from it."""
    root = Path(__file__).resolve().parents[2]

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        ).stdout.strip()

    try:
        return {
            "commit": git("rev-parse", "HEAD"),
            "dirty": bool(git("status", "--porcelain", "--untracked-files=no")),
        }
    except (OSError, subprocess.SubprocessError):
        return {"commit": None, "dirty": None}


def read_record(path: str | Path) -> dict[str, Any]:
    """Return a ``run.json``; raises ValueError if it is not one of ours."""
    record = read_json(path)
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise ValueError(f"{path} is not a provenance record of schema {SCHEMA}")
    return record
