"""Claims that are derived: Theorem 1, Lemma 1, and what SGD does on linear models."""

from collections.abc import Callable
from typing import Any

from rethink.claims.claim import Case, Outcome
from rethink.claims.evidence import Evidence
from rethink.claims.fitting import Limits

METHODS = {"sgd": "SGD", "block_kaczmarz": "SGD that solves its batches"}


def _cases(
    evidence: Evidence, kind: str, decide: Callable[[dict[str, Any]], Outcome]
) -> list[Case]:
    """Return one case for each theory result of a kind, or one that stands for its absence."""
    found = {n: r for n, r in evidence.theory.items() if r.get("kind") == kind}
    if not found:
        return [Case(kind, (f"theory/{kind}",), lambda: Outcome(False, ""))]
    return [
        Case(f"{result['dataset']}", (f"theory/{name}",), lambda result=result: decide(result))
        for name, result in found.items()
    ]


def sgd_finds_the_minimum_norm(evidence: Evidence, limits: Limits) -> list[Case]:
    """C33: from zero SGD converges to the minimum-norm interpolant, from elsewhere to another."""

    def decide(result: dict[str, Any]) -> Outcome:
        reached, note = None, ""
        for name, title in METHODS.items():
            method = result["methods"][name]
            zero = method["from_zero"]["difference_from_minimum_norm"]
            other = method["from_elsewhere"]
            away = other["difference_from_minimum_norm"]
            holds = (
                zero < limits["same"]
                and other["difference_from_expected"] < limits["same"]
                and away > limits["other"]
            )
            if holds:
                ours = f"{title}: {zero:.1e} away from zero, {away:.2f} from another start"
                return Outcome(True, f"{ours}, {method['steps']:,} steps", note)
            reached = reached or f"{title}: {zero:.1e} after {method['steps']:,} steps"
            note = (
                f"{result['dataset']}: {title} was {zero:.1e} away after {method['steps']:,} steps"
            )
        return Outcome(False, reached or "", note)

    return _cases(evidence, "linear", decide)


def hessians_are_equal(evidence: Evidence, limits: Limits) -> list[Case]:
    """C34: different interpolants have the same Hessian, and it is degenerate."""

    def decide(result: dict[str, Any]) -> Outcome:
        rows = result["hessians"]
        holds = all(
            row["relative_difference"] < limits["same"]
            and row["rank"] < row["dimensions"]
            and row["distance"] > limits["other"]
            for row in rows
        )
        ours = "; ".join(
            f"{row['loss']}: difference {row['relative_difference']:.1e}, rank {row['rank']} "
            f"of {row['dimensions']}"
            for row in rows
        )
        return Outcome(holds, ours)

    return _cases(evidence, "linear", decide)


def theorem_holds(evidence: Evidence, limits: Limits) -> list[Case]:
    """C35: the network of Theorem 1 fits any labels; Lemma 1 gives the smallest eigenvalue."""

    def decide(result: dict[str, Any]) -> Outcome:
        networks = result["networks"]
        counted = all(n["parameters"] == 2 * n["points"] + n["dimensions"] for n in networks)
        fits = [n["knots"]["adaptive"] for n in networks]
        residual = max(fit["prefix_sums"]["residual"] for fit in fits)
        plain = max(fit["float64_sum"]["residual"] for fit in fits)
        labels = min(fit["float64_sum"]["label_accuracy"] for fit in fits)
        off = max(
            abs(row["smallest_eigenvalue"] / row["smallest_difference"] - 1)
            for size in result["lemma1"]
            for row in size.values()
            if isinstance(row, dict)
        )
        both = {n["target"] for n in networks} >= {"random", "true"}
        most = max(n["points"] for n in networks)
        ours = (
            f"2n + d weights, residual {residual:.1e} up to n = {most:,}, "
            f"smallest eigenvalue off by {off:.1e}"
        )
        note = (
            f"{result['dataset']}: summed plainly in float64 the residual is {plain:.1e} and "
            f"{100 * labels:g} % of the labels are met"
        )
        if not both:
            note += "; random and true labels are both needed"
        holds = counted and both and residual < limits["residual"] and off < limits["eigenvalue"]
        return Outcome(holds, ours, note)

    return _cases(evidence, "theorem1", decide)
