"""Write a run's learning curves for TensorBoard or MLflow, from its tables."""

from pathlib import Path

from rethink.errors import RethinkError, run_main
from rethink.export import mlflow, tensorboard
from rethink.export.runs import runs
from rethink.terminal import chosen_grid, preset_parser, results_folder


def main() -> None:
    """Read the command line, write, and say how to look at it."""
    parser = preset_parser(__doc__)
    parser.add_argument("--to", required=True, choices=("tensorboard", "mlflow"))
    parser.add_argument("--out", type=Path, metavar="DIR", help="results/PRESET/export/TO else")
    arguments = parser.parse_args()
    grid = chosen_grid(arguments)
    results = results_folder(grid)
    tables = results / "tables" / "all"
    if not (tables / "curves.csv").is_file():
        raise RethinkError(f"{tables / 'curves.csv'} is not there: run the preset first")
    out = arguments.out or results / "export" / arguments.to
    if arguments.to == "tensorboard":
        count = tensorboard.write(runs(tables), out)
        look = f"tensorboard --logdir {out}"
    else:
        count = mlflow.write(runs(tables), out, f"rethink-{grid.preset.preset}")
        look = f"mlflow ui --backend-store-uri sqlite:///{(out / 'mlflow.db').resolve()}"
    print(f"{count} runs written to {out}; to look at them: {look}")


if __name__ == "__main__":
    run_main(main)
