"""Print the state of every cell and experiment, of a run that is going on or over."""

from rethink.errors import run_main
from rethink.stages import experiment_code, train_code
from rethink.states import CellState, cell_state, duration, experiment_state
from rethink.terminal import chosen_grid, columns, preset_parser, results_folder

ORDER = ("failed", "running", "begun", "stale", "waiting", "done")


def main() -> None:
    """Print a line per cell and experiment, those that need attention first, and a count."""
    grid = chosen_grid(preset_parser(__doc__).parse_args())
    results = results_folder(grid)
    states = {
        name: cell_state(cell, results, train_code(cell.model)) for name, cell in grid.cells.items()
    }
    for name, experiment in grid.experiments.items():
        code = experiment_code(experiment)
        states[f"theory/{name}"] = experiment_state(experiment, results, code)
    ordered = sorted(states, key=lambda name: ORDER.index(states[name].state))
    print(columns([(states[name].state, name, remark(states[name])) for name in ordered]))
    counts = [(state, sum(s.state == state for s in states.values())) for state in ORDER]
    print(", ".join(f"{count} {state}" for state, count in counts if count))


def remark(state: CellState) -> str:
    """Return where a running cell is, or why a failed one failed."""
    if state.state == "running":
        left = f", {duration(state.eta)} left" if state.eta is not None else ""
        return f"epoch {state.epoch}/{state.epochs}{left}"
    return state.detail


if __name__ == "__main__":
    run_main(main)
