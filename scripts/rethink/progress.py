"""One line in the terminal while a workflow runs: cells done, running, and the time left."""

import sys
import threading
import time
from pathlib import Path
from typing import TextIO

from rethink.grid import Cell, Grid
from rethink.states import (
    CellState,
    CodeOf,
    cell_state,
    duration,
    estimate_seconds,
    running_state,
    seconds_per_megaflop,
)

LOOK_SECONDS = 2.0
# Snakemake prints its own lines in between: a line that rewrites itself would be garbled.
SAY_SECONDS = {"terminal": 10.0, "file": 60.0}


class Monitor(threading.Thread):
    """Watches the files of a run from a thread of the Snakemake process and ends with it.

    It prints a line at most every 10 seconds on a terminal, every minute elsewhere.
    """

    def __init__(self, grid: Grid, results: Path, code_of: CodeOf, stream: TextIO = sys.stderr):
        super().__init__(daemon=True, name="progress")
        self.results, self.stream = results, stream
        self.period = SAY_SECONDS["terminal" if stream.isatty() else "file"]
        self.total = len(grid.cells)
        done = {
            name
            for name, cell in grid.cells.items()
            if cell_state(cell, results, code_of(cell.model)).state == "done"
        }
        self.pending = {name: cell for name, cell in grid.cells.items() if name not in done}
        self.before = {name: self._stamp(cell) for name, cell in self.pending.items()}
        self.rates = seconds_per_megaflop(grid.cells.values(), results)
        self.cells = list(grid.cells.values())
        self.width = 1
        self.said_at = time.monotonic()

    def _stamp(self, cell: Cell) -> int | None:
        """Identify the state of a cell's summary: it is written once, at the very end."""
        try:
            return (self.results / "cells" / cell.name / "summary.json").stat().st_mtime_ns
        except OSError:
            return None

    def run(self) -> None:
        """Look every two seconds until the process ends or all cells are done."""
        while self.pending:
            time.sleep(LOOK_SECONDS)
            finished = [
                name
                for name, cell in self.pending.items()
                if self._stamp(cell) not in (None, self.before[name])
            ]
            for name in finished:
                del self.pending[name]
            if finished:
                self.rates = seconds_per_megaflop(self.cells, self.results)
            if time.monotonic() - self.said_at >= self.period or not self.pending:
                self.said_at = time.monotonic()
                print(self.line(), file=self.stream, flush=True)

    def line(self) -> str:
        """Return the present state in one line."""
        running = {
            name: state
            for name, cell in self.pending.items()
            if (state := running_state(cell, self.results)) is not None
        }
        self.width = max(self.width, len(running))
        parts = [f"cells: {self.total - len(self.pending)} of {self.total} done"]
        if running:
            name, state = next(iter(running.items()))
            more = f" and {len(running) - 1} more" if len(running) > 1 else ""
            parts.append(
                f"{len(running)} running ({name} epoch {state.epoch}/{state.epochs}{more})"
            )
        left = self._seconds_left(running)
        if left is not None and self.pending:
            parts.append(f"about {duration(left)} left")
        return ", ".join(parts)

    def _seconds_left(self, running: dict[str, CellState]) -> float | None:
        """Return the expected wall time of the pending cells, or None while nothing is known."""
        total, longest = 0.0, 0.0
        for name, cell in self.pending.items():
            state = running.get(name)
            seconds = state.eta if state else estimate_seconds(cell, self.rates)
            if seconds is None:
                if not self.rates:
                    return None
                seconds = estimate_seconds(cell, self.rates) or 0.0
            total, longest = total + seconds, max(longest, seconds)
        return max(total / self.width, longest)
