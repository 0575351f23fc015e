"""Print what a run would train and compute, with the reason and the expected cost."""

from rethink.errors import run_main
from rethink.grid import Grid
from rethink.states import duration, estimate_seconds, read_quietly, seconds_per_megaflop
from rethink.terminal import chosen_grid, columns, preset_parser, results_folder
from rethink.verify import Finding, verify


def main() -> None:
    """Print cells and experiments to make, then how many there are, what they cost, what is up to date."""
    grid = chosen_grid(preset_parser(__doc__).parse_args())
    results = results_folder(grid)
    findings = verify(grid, results)
    data = {f.name: f for f in findings if f.kind in ("data", "corruption")}
    todo = {f.name: reason for f in findings if f.kind == "cell" and (reason := why(f, data, grid))}
    rates = seconds_per_megaflop(grid.cells.values(), results)
    costs = {name: estimate_seconds(grid.cells[name], rates) for name in todo}
    rows = [
        (name, f"{cell.epochs} epochs x {cell.replicates}", words(costs[name]), todo[name])
        for name, cell in grid.cells.items()
        if name in todo
    ]
    experiments = {
        f.name: reason for f in findings if f.kind == "theory" and (reason := why(f, data, grid))
    }
    for name, reason in experiments.items():
        earlier = read_quietly(results / "theory" / name / "run.json") or {}
        rows.append((f"theory/{name}", "", words(earlier.get("seconds")), reason))
    if rows:
        print(columns([("to train or compute", "", "expected", "because"), *rows]))
    print(total(grid, costs, len(experiments)))


def why(finding: Finding, data: dict[str, Finding], grid: Grid) -> str:
    """Return why a result would be made, or nothing: its own state, else that of its data."""
    if finding.state == "foreign":
        return ""
    if finding.state != "good":
        return finding.reason
    if finding.kind == "theory":
        names = [grid.experiments[finding.name].dataset]
    else:
        dataset, _, corruption, _ = finding.name.split("/")
        names = [dataset, f"{dataset}/{corruption}"]
    for name in names:
        if name in data and data[name].state in ("missing", "stale"):
            return f"{name} is made anew: {data[name].reason}"
    return ""


def words(seconds: float | None) -> str:
    """Return a cost for a reader."""
    return "unknown" if seconds is None else duration(seconds)


def total(grid: Grid, costs: dict[str, float | None], experiments: int) -> str:
    """Return the sum in one line."""
    known = [cost for cost in costs.values() if cost is not None]
    text = f"{len(costs)} of {len(grid.cells)} cells to train"
    if known:
        text += f", about {duration(sum(known))} of training in turn"
    elif costs:
        text += "; nothing was run yet to tell what they cost"
    text += f"; {len(grid.cells) - len(costs)} up to date"
    if grid.experiments:
        text += f"; {experiments} of {len(grid.experiments)} experiments to compute"
    return text


if __name__ == "__main__":
    run_main(main)
