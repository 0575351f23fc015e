"""What the report says of exact interpolation by kernels."""

from typing import Any

import pandas as pd

from rethink.analysis.kernels import MINIMUM, errors, experiment_titles, norms
from rethink.publish.content import Cell, Table
from rethink.publish.theory_view import (
    TheoryView,
    costs,
    decimals,
    difference,
    number,
    percent,
    table,
)
from rethink.publish.wording import listing, magnitude, scientific

NOT_RUN = "not run"


def kernels(view: TheoryView) -> tuple[list[Table], dict[str, Any]]:
    """Table 3 beside ours, how the systems were solved, leave-one-out errors, other interpolants."""
    table3, interpolants = errors(view.results, view.paper), norms(view.results, view.paper)
    titles = experiment_titles(view.results)
    tables = [
        _errors(table3, interpolants),
        _interpolants(interpolants),
        _leave_one_out(view, titles),
        _solves(view, titles),
        costs(view, titles),
    ]
    plain = table3[(table3["l2"] == "no") & (table3["experiment"] != "")]
    facts = {
        "fewer": "; ".join(_fewer(table3)),
        "ridged": listing(plain.loc[~plain["interpolates"], "title"].tolist()),
        "published": int(table3["paper_test_error"].notna().sum()),
        "not_run": int((table3["experiment"] == "").sum()),
        "values": "; ".join(f"{row.title} {row.test_error:.2f} %" for row in plain.itertuples()),
        "norms": "; ".join(_norms(interpolants)),
    }
    return tables, view.facts() | facts


def _errors(table3: pd.DataFrame, interpolants: pd.DataFrame) -> Table:
    published = interpolants[interpolants["interpolant"] == MINIMUM]
    their_norms = dict(zip(published["title"], published["paper_norm"], strict=True))
    rows = []
    for row in table3.itertuples():
        run = bool(row.experiment)
        rows.append(
            [
                Cell(row.title),
                Cell(_examples(row) if run else NOT_RUN),
                Cell(_regularization(row)),
                percent(row.paper_test_error, 1),
                percent(row.test_error) if run else Cell(NOT_RUN),
                number(row.difference, difference(2)),
                percent(row.train_error),
                number(their_norms.get(row.title) if row.l2 == "no" else None),
                number(row.rkhs_norm, magnitude),
            ]
        )
    columns = [
        ("Data and features", "text"),
        ("Training examples", "text"),
        ("λ", "number"),
        ("Test error [%]: paper", "number"),
        ("Test error [%]: this run", "number"),
        ("Difference", "number"),
        ("Training error [%]", "number"),
        ("Norm: paper", "number"),
        ("Norm: this run", "number"),
    ]
    return table("kernels", columns, rows)


def _examples(row: Any) -> str:
    """Return how many of the training examples were used, and with how many filters."""
    of = "all " if row.train_examples == row.train_available else ""
    used = f"{of}{row.train_examples:,}"
    if not of:
        used += f" of {row.train_available:,}"
    return used if pd.isna(row.filters) else f"{used}; {row.filters:,} filters"


def _regularization(row: Any) -> str:
    if not row.experiment:
        return "0" if row.l2 == "no" else "not stated"
    text = f"{row.regularization:g}"
    return text if row.ridge == row.regularization else f"{text} tr K / n"


def _fewer(table3: pd.DataFrame) -> list[str]:
    """Say of each experiment on the paper's data how many fewer examples it had."""
    rows = table3[table3["l2"] == "no"].drop_duplicates("experiment")
    return [
        f"{row.title}: {row.train_examples:,} of {row.train_available:,}"
        for row in rows.itertuples()
        if row.experiment and row.train_examples < row.train_available
    ]


def _interpolants(interpolants: pd.DataFrame) -> Table:
    rows = [
        [
            Cell(row.title),
            Cell(row.interpolant),
            number(row.examples),
            number(row.norm, magnitude),
            number(row.minimum_norm, magnitude),
            number(row.ratio, magnitude),
            percent(row.train_error),
            percent(row.test_error),
            percent(row.test_error_elsewhere),
            percent(row.minimum_norm_test_error),
        ]
        for row in interpolants[interpolants["experiment"] != ""].itertuples()
    ]
    columns = [
        ("Data and features", "text"),
        ("Interpolant", "text"),
        ("Examples fitted", "number"),
        ("Norm", "number"),
        ("Minimum norm", "number"),
        ("Ratio", "number"),
        ("Training error [%]", "number"),
        ("Test error [%]", "number"),
        ("… at other test points [%]", "number"),
        ("… of the minimum-norm solution [%]", "number"),
    ]
    return table("interpolants", columns, rows)


def _leave_one_out(view: TheoryView, titles: dict[str, str]) -> Table:
    rows = []
    for name, title in titles.items():
        for row in view.results[name]["rows"]:
            found = row["leave_one_out"]
            done = "error" in found
            note = Cell(found.get("note", ""))
            rows.append(
                [
                    Cell(title),
                    Cell(f"{row['regularization']:g}", row["regularization"]),
                    percent(100 * row["test_error"]),
                    percent(100 * found["error"]) if done else note,
                    number(found["mean_square"], decimals(3)) if done else note,
                    number(found["largest_residual"], decimals(3)) if done else note,
                ]
            )
    columns = [
        ("Data and features", "text"),
        ("λ", "number"),
        ("Test error [%]", "number"),
        ("Leave-one-out error [%]", "number"),
        ("Mean squared residual", "number"),
        ("Largest residual", "number"),
    ]
    return table("leave_one_out", columns, rows)


def _solves(view: TheoryView, titles: dict[str, str]) -> Table:
    rows = []
    for name, title in titles.items():
        result = view.results[name]
        kernel = "linear" if result["gamma"] is None else f"Gaussian, γ = {result['gamma']:.3g}"
        for row in result["rows"]:
            rows.append(
                [
                    Cell(title),
                    Cell(kernel),
                    Cell(f"{row['regularization']:g}", row["regularization"]),
                    Cell(_attempts(row["attempts"])),
                    number(row["jitter"], scientific),
                    number(row["residual"], magnitude),
                    Cell("yes" if row["interpolates"] else "no"),
                    number(row["min_diagonal"], magnitude),
                    number(row["coefficient_norm"], magnitude),
                ]
            )
    columns = [
        ("Data and features", "text"),
        ("Kernel", "text"),
        ("λ", "number"),
        ("Attempts", "text"),
        ("Jitter", "number"),
        ("Largest residual", "number"),
        ("Interpolates", "text"),
        ("Smallest pivot’s root", "number"),
        ("Norm of the coefficients", "number"),
    ]
    return table("kernel_solves", columns, rows)


def _attempts(attempts: list[dict[str, Any]]) -> str:
    """Return the precisions tried, e.g. ``float32, float64, float64 with jitter``."""
    words = [
        attempt["precision"] + (" with jitter" if attempt["jitter"] else "") for attempt in attempts
    ]
    return ", ".join(dict.fromkeys(words))


def _norms(interpolants: pd.DataFrame) -> list[str]:
    minima = interpolants[
        (interpolants["interpolant"] == MINIMUM) & (interpolants["experiment"] != "")
    ]
    return [
        f"{row.title} norm {magnitude(row.norm)} and test error {row.test_error:.2f} %"
        for row in minima.itertuples()
    ]
