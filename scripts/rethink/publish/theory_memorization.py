"""What the report says of memorization: four measures, and the statements that they decide."""

from typing import Any

import pandas as pd

from rethink.analysis import memorization as analysis
from rethink.analysis.memorization_statements import Statement, statements
from rethink.analysis.names import dataset_title, model_title
from rethink.publish.content import Cell, Table
from rethink.publish.theory_view import (
    NOTHING,
    TheoryView,
    costs,
    decimals,
    number,
    percent,
    table,
)
from rethink.publish.wording import fixed, listing, mean_sd, plural

TITLES = {
    "easy_hard": "easy and hard examples",
    "loss_sensitivity": "loss sensitivity",
    "critical_samples": "critical samples",
    "capacity": "capacity",
}


def memorization(view: TheoryView) -> tuple[list[Table], dict[str, Any]]:
    """The statements of Arpit et al. beside this run, and the values of each measure."""
    decided = statements(view.results)
    tables, facts = [_statements(decided)], _reading(decided)
    for name, describe in DESCRIBED.items():
        frame = getattr(analysis, name)(view.results)
        facts[name] = len(frame) > 0
        if len(frame):
            made, told = describe(frame, view)
            tables.append(made)
            facts |= told
    return [*tables, costs(view, _titles(view))], view.facts() | facts


def _titles(view: TheoryView) -> dict[str, str]:
    """Return the experiments by name: their dataset and what they measure."""
    return {
        name: f"{dataset_title(result['dataset'])}: "
        + listing([title for measure, title in TITLES.items() if measure in result])
        for name, result in view.results.items()
    }


def _reading(decided: list[Statement]) -> dict[str, Any]:
    texts = list(dict.fromkeys(entry.text for entry in decided))

    def told(answer: bool) -> str:
        kept = [t for t in texts if all(e.held == answer for e in decided if e.text == t)]
        return "; ".join(text[0].lower() + text[1:] for text in kept)

    mixed = [t for t in texts if len({e.held for e in decided if e.text == t}) > 1]
    return {
        "held": told(True),
        "not_held": told(False),
        "mixed": "; ".join(text[0].lower() + text[1:] for text in mixed),
    }


def _statements(decided: list[Statement]) -> Table:
    rows = [
        [
            Cell(entry.text),
            Cell(entry.where),
            Cell(entry.seen),
            Cell("yes" if entry.held else "no"),
        ]
        for entry in decided
    ]
    columns = [
        ("Statement", "text"),
        ("Network", "text"),
        ("This run", "text"),
        ("Held", "name"),
    ]
    return table("memorization", columns, rows)


def _easy_hard(frame: pd.DataFrame, view: TheoryView) -> tuple[Table, dict[str, Any]]:
    rows = [
        [
            _network(row),
            Cell(row.data),
            number(row.runs),
            number(row.examples),
            percent(row.wrong, 1),
            number(row.dispersion, decimals(1)),
            _range(row.low, row.high),
            percent(row.always_right, 1),
            percent(row.always_right_expected, 1),
            percent(row.always_wrong, 1),
            percent(row.always_wrong_expected, 1),
        ]
        for row in frame.itertuples()
    ]
    columns = [
        ("Network", "text"),
        ("Data", "name"),
        ("Runs", "number"),
        ("Examples", "number"),
        ("Wrong on average [%]", "number"),
        ("Dispersion", "number"),
        ("… if equally hard", "number"),
        ("Always right [%]", "number"),
        ("… if equally hard", "number"),
        ("Always wrong [%]", "number"),
        ("… if equally hard", "number"),
    ]
    facts = {
        "runs": listing([f"{n:,}" for n in sorted(set(frame["runs"]))]),
        "followed": listing([plural(n, "example") for n in sorted(set(frame["examples"]))]),
        "easy_hard_steps": listing([plural(n, "step") for n in sorted(set(frame["steps"]))]),
        "dispersions": listing(
            [
                f"{model_title(row.model)} on {row.data} {fixed(row.dispersion, 1)}"
                for row in frame[frame["dispersion"].notna()].itertuples()
            ]
        ),
    }
    return table("easy_hard", columns, rows), facts


def _range(low: float, high: float) -> Cell:
    return Cell(NOTHING if pd.isna(low) else f"{fixed(low, 2)} to {fixed(high, 2)}")


def _loss_sensitivity(frame: pd.DataFrame, view: TheoryView) -> tuple[Table, dict[str, Any]]:
    rows = [
        [
            Cell(row.title),
            Cell(row.data),
            number(row.examples),
            number(row.steps),
            number(row.replicates),
            _spread(row.gini, row.gini_sd, 3),
            _spread(row.gini_end, row.gini_end_sd, 3),
            number(row.sensitivity, lambda value: f"{value:.2g}"),
            _spread(row.train_accuracy, row.train_accuracy_sd, 1),
        ]
        for row in frame.itertuples()
    ]
    columns = [
        ("Images", "name"),
        ("Data", "name"),
        ("Examples", "number"),
        ("Steps", "number"),
        ("n", "number"),
        ("Gini coefficient", "number"),
        ("… of the last step alone", "number"),
        ("Mean sensitivity", "number"),
        ("Training accuracy [%]", "number"),
    ]
    asked = [view.results[name]["loss_sensitivity"]["asked"] for name in set(frame["experiment"])]
    facts = {
        "hidden": listing(sorted({"-".join(map(str, entry["hidden"])) for entry in asked})),
        "toy_examples": listing([f"{n:,}" for n in sorted(set(frame["examples"]))]),
        "ginis": listing([f"{row.data} {fixed(row.gini, 3)}" for row in frame.itertuples()]),
    }
    return table("loss_sensitivity", columns, rows), facts


def _critical_samples(frame: pd.DataFrame, view: TheoryView) -> tuple[Table, dict[str, Any]]:
    rows, ends = [], []
    for _, mine in frame.groupby(["experiment", "model", "corruption"], sort=False):
        trained = mine[mine["epoch"] > 0]
        start, first, last = mine.iloc[0], trained.iloc[0], trained.iloc[-1]
        ends.append(f"{last['data']} {fixed(last['ratio'], 0)} %")
        rows.append(
            [
                _network(last),
                Cell(last["data"]),
                number(last["radius"], lambda value: f"{value:g}"),
                number(last["points"]),
                number(last["epoch"]),
                percent(start["ratio"], 1),
                percent(first["ratio"], 1),
                _spread(last["ratio"], last["ratio_sd"], 1),
                percent(last["train_accuracy"], 1),
                percent(last["test_accuracy"], 1),
            ]
        )
    columns = [
        ("Network", "text"),
        ("Data", "name"),
        ("Radius [gray levels]", "number"),
        ("Points", "number"),
        ("Epochs", "number"),
        ("Critical samples, untrained [%]", "number"),
        ("… first evaluated [%]", "number"),
        ("… at the end [%]", "number"),
        ("Training accuracy [%]", "number"),
        ("Test accuracy, true labels [%]", "number"),
    ]
    facts = {
        "radii": listing([f"{value:g}" for value in sorted(set(frame["radius"]))]),
        "points": listing([f"{n:,}" for n in sorted(set(frame["points"]))]),
        "ratios": listing(ends),
    }
    return table("critical_samples", columns, rows), facts


def _capacity(frame: pd.DataFrame, view: TheoryView) -> tuple[Table, dict[str, Any]]:
    rows = [
        [
            _network(row),
            Cell(row.data),
            number(row.width),
            number(row.parameters),
            number(row.train_examples),
            _spread(row.best_test_accuracy, row.best_test_accuracy_sd, 1),
            _spread(row.train_accuracy, row.train_accuracy_sd, 1),
            _time(row),
            number(row.n),
        ]
        for row in frame.itertuples()
    ]
    columns = [
        ("Network", "text"),
        ("Data", "name"),
        ("Hidden units", "number"),
        ("Parameters", "number"),
        ("Training examples", "number"),
        ("Best test accuracy [%]", "number"),
        ("Training accuracy [%]", "number"),
        ("Time to fit [epochs]", "number"),
        ("n", "number"),
    ]
    whole = frame[frame["whole"]]
    facts = {
        "widths": listing([f"{n:,}" for n in sorted(set(frame["width"]))]),
        "capacity_epochs": listing([f"{n:,}" for n in sorted(set(frame["epochs"]))]),
        "unfitted": listing(
            [
                f"{row.data} with {row.width:,} hidden units"
                for row in whole[whole["censored"]].itertuples()
            ]
        ),
        "best": listing(
            [
                f"{row.data} {fixed(row.best_test_accuracy, 1)} % with {row.width:,}"
                for row in whole[whole["best_test_accuracy"].notna()].itertuples()
            ]
        ),
    }
    return table("capacity", columns, rows), facts


def _time(row: Any) -> Cell:
    if pd.isna(row.time):
        return Cell("diverged")
    text = mean_sd(row.time, row.time_sd, 1)
    return Cell(f"> {fixed(row.time, 1).removesuffix('.0')}" if row.censored else text, row.time)


def _network(row: Any) -> Cell:
    return Cell(f"{model_title(row.model)}, {row.title}")


def _spread(mean: float, sd: float, digits: int) -> Cell:
    return Cell(NOTHING) if pd.isna(mean) else Cell(mean_sd(mean, sd, digits), mean)


DESCRIBED = {
    "easy_hard": _easy_hard,
    "loss_sensitivity": _loss_sensitivity,
    "critical_samples": _critical_samples,
    "capacity": _capacity,
}
