"""Cells in forks of one process that has torch loaded: importing it costs more than a short cell.

A command line hands itself over to that process, which forks; it stays until the fork has ended,
passes signals on, and ends with its exit code. Folder, environment and output are its own. The
process is started by the first that needs it and ends when it has been idle for a while. Nobody has
to know of it: where it cannot be had, the command line does its work itself.
"""

import contextlib
import fcntl
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rethink.files import sha256_text

SCRIPTS = Path(__file__).resolve().parents[1]
START_SECONDS = 120.0
LENGTH = 4  # bytes that tell how long a message is


def hand_over(arguments: list[str]) -> int | None:
    """Have ``scripts/train.py`` run with `arguments` in a fork; return its exit code.

    None where that is not possible: the caller has to do the work.
    """
    if not hasattr(os, "pidfd_open"):  # Linux alone tells the end of a fork this way.
        return None
    try:
        connection = _connection()
    except OSError:
        return None
    if connection is None:
        return None
    with connection:
        request = {"argv": arguments, "cwd": os.getcwd(), "env": dict(os.environ)}
        socket.send_fds(connection, [b"f"], [1, 2])
        send(connection, request)
        return _wait(connection)


def _wait(connection: socket.socket) -> int | None:
    """Pass signals on to the fork, and return its exit code; None where there was no fork."""
    started = receive(connection)
    if started is None:
        return None

    def forward(signum: int, frame: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(started["pid"], signum)

    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, forward)
    ended = receive(connection)
    if ended is None:
        print("error: the process that trains cells was killed; run again", file=sys.stderr)
        return 1
    return ended["code"]


def _connection() -> socket.socket | None:
    """Connect to the process that fits the present code and machine; start it where there is none."""
    folder = _private_folder()
    if folder is None:
        return None
    path = folder / f"{_key()}.socket"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        connection = _connect(path)
        if connection is not None:
            return connection
        path.unlink(missing_ok=True)
        server = subprocess.Popen(
            [sys.executable, str(SCRIPTS / "warm.py"), str(path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            cwd="/",
            close_fds=True,
        )
        return next(filter(None, _attempts(server, path)), None)


def _attempts(server: subprocess.Popen, path: Path) -> Iterator[socket.socket | None]:
    """Try to connect until the process is ready or has ended."""
    patience = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < patience:
        yield _connect(path)
        time.sleep(0.02)


def _connect(path: Path) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        return None
    return connection


def _private_folder() -> Path | None:
    """Return a folder that no other user can enter, or None."""
    folder = Path(tempfile.gettempdir(), f"rethink-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    private = stat.S_ISDIR(status.st_mode) and not stat.S_IMODE(status.st_mode) & 0o077
    return folder if private and status.st_uid == os.getuid() else None


def _key() -> str:
    """Return what tells processes apart: Python, the state of the code, and what a fork inherits.

    What a cluster's scheduler started has to end, and to be accounted for, with its job.
    """
    parts = [sys.executable, os.environ.get("SLURM_JOB_ID", ""), str(os.nice(0))]
    parts.append(str(sorted(os.sched_getaffinity(0))))
    for path in sorted(SCRIPTS.rglob("*.py")):
        status = path.stat()
        parts.append(f"{path} {status.st_mtime_ns} {status.st_size}")
    return sha256_text("\n".join(parts))[:16]


def send(connection: socket.socket, message: dict) -> None:
    """Send a message."""
    data = json.dumps(message).encode()
    connection.sendall(len(data).to_bytes(LENGTH, "big") + data)


def receive(connection: socket.socket) -> dict | None:
    """Return the next message, or None where the other side has gone."""
    size = _exactly(connection, LENGTH)
    data = None if size is None else _exactly(connection, int.from_bytes(size, "big"))
    return None if data is None else json.loads(data)


def _exactly(connection: socket.socket, count: int) -> bytes | None:
    data = b""
    while len(data) < count:
        try:
            part = connection.recv(count - len(data))
        except ConnectionError:
            return None
        if not part:
            return None
        data += part
    return data
