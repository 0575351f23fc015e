"""Keep the training code loaded and train cells in forks of this process: see `rethink.warm`."""

import ctypes
import os
import runpy
import selectors
import signal
import socket
import sys
import time
import traceback
from pathlib import Path

from rethink.warm import receive, send

IDLE_SECONDS = 15.0
LOOK_SECONDS = 0.5
STOPS = (signal.SIGTERM, signal.SIGINT)
TRAIN = Path(__file__).with_name("train.py")
_PR_SET_PDEATHSIG = 1  # of Linux's prctl


class Server:
    """Takes command lines from a socket, forks for each, and tells its client how it ended."""

    def __init__(self, path: Path):
        self.path = path
        self.selector = selectors.DefaultSelector()
        self.clients: dict[int, tuple[socket.socket, int]] = {}  # pid -> connection, its pidfd
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # Under its name only when it can be connected to.
        hidden = path.with_suffix(f".{os.getpid()}")
        self.listener.bind(str(hidden))
        self.listener.listen()
        hidden.rename(path)
        self.selector.register(self.listener, selectors.EVENT_READ, self.accept)
        self.stopping = False
        for signum in STOPS:
            signal.signal(signum, self.stop)

    def stop(self, signum: int, frame: object) -> None:
        """End, but after the forks: a cluster that ends a job tells them, too, and they save."""
        self.stopping = True

    def serve(self) -> None:
        """Work until there has been nothing to do for a while."""
        patience = time.monotonic() + IDLE_SECONDS
        while self.clients or not self.stopping and time.monotonic() < patience:
            for key, _ in self.selector.select(LOOK_SECONDS):
                key.data()
            if self.clients:
                patience = time.monotonic() + IDLE_SECONDS
        self.path.unlink(missing_ok=True)

    def accept(self) -> None:
        """Fork for a new client."""
        connection, _ = self.listener.accept()
        connection.settimeout(10)
        try:
            _, descriptors, _, _ = socket.recv_fds(connection, 1, 2)
            request = receive(connection)
        except OSError:
            request, descriptors = None, []
        if request is not None:
            connection.settimeout(None)
            pid = os.fork()
            if pid == 0:
                self.close()
                run(request, descriptors)
            self.follow(pid, connection)
        else:
            connection.close()
        for descriptor in descriptors:
            os.close(descriptor)

    def close(self) -> None:
        """Leave clients and socket to the process that this one is a fork of."""
        self.selector.close()
        self.listener.close()
        for connection, ended in self.clients.values():
            connection.close()
            os.close(ended)

    def follow(self, pid: int, connection: socket.socket) -> None:
        """Wait for the end of a fork, and of its client."""
        ended = os.pidfd_open(pid)
        self.clients[pid] = connection, ended
        self.selector.register(ended, selectors.EVENT_READ, lambda: self.finish(pid))
        self.selector.register(connection, selectors.EVENT_READ, lambda: self.abandon(pid))
        tell(connection, {"pid": pid})

    def finish(self, pid: int) -> None:
        """Tell a client how its fork has ended."""
        connection, ended = self.clients.pop(pid)
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        for watched in (ended, connection):
            if watched in self.selector.get_map():
                self.selector.unregister(watched)
        os.close(ended)
        tell(connection, {"code": code if code >= 0 else 128 - code})
        connection.close()

    def abandon(self, pid: int) -> None:
        """Kill the fork of a client that was killed."""
        if pid in self.clients:
            self.selector.unregister(self.clients[pid][0])
            os.kill(pid, signal.SIGKILL)


def tell(connection: socket.socket, message: dict) -> None:
    """Send a message to a client that may have gone."""
    try:
        send(connection, message)
    except OSError:
        return


def run(request: dict, descriptors: list[int]) -> None:
    """Be the process of a command line, in a fork; does not return."""
    code = 1
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.setpgid(0, 0)
        for signum in STOPS:
            signal.signal(signum, signal.SIG_DFL)
        for descriptor, place in zip(descriptors, (1, 2), strict=True):
            os.dup2(descriptor, place)
            os.close(descriptor)
        os.environ.clear()
        os.environ.update(request["env"])
        os.chdir(request["cwd"])
        # Records have this path, and go out into the world: not where the checkout lies.
        sys.argv = [os.path.relpath(TRAIN), *request["argv"]]
        runpy.run_path(sys.argv[0], run_name="__main__")
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except Exception:  # noqa: BLE001 - as at the end of any process, which this one is
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    """Load the training code, then serve."""
    import rethink.training.cell  # noqa: F401

    Server(Path(sys.argv[1])).serve()


if __name__ == "__main__":
    main()
