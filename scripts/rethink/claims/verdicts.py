"""From claims and a run to verdicts: one row per claim."""

import os
import shlex
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from rethink.analysis.tables import write_table
from rethink.claims import (
    curves,
    fitting,
    imagenet,
    kernels,
    levels,
    regularizers,
    slides,
    theory,
)
from rethink.claims.claim import Case, Claim, Outcome, Undecidable, read_claims
from rethink.claims.evidence import Evidence
from rethink.errors import RethinkError, suggest

PREDICATES: dict[str, Callable[[Evidence, dict[str, float]], list[Case]]] = {
    "C1": fitting.fits_random_labels,
    "C2": fitting.tests_at_chance,
    "C3": fitting.gap_widens,
    "C4": fitting.same_schedule,
    "C5": levels.slows_down_little,
    "C6": levels.takes_longer_with_level,
    "C7": levels.fits_every_level,
    "C8": levels.error_grows_smoothly,
    "C9": levels.ends_at_chance,
    "C10": levels.uses_remaining_signal,
    "C11": levels.keeps_the_order,
    "C12": levels.errors_agree,
    "C13": curves.fits_noise,
    "C14": curves.harder_data_take_longer,
    "C15": curves.starts_late_then_converges,
    "C16": regularizers.generalizes_unregularized,
    "C17": regularizers.regularizers_gain_little,
    "C18": regularizers.augmentation_gains_more,
    "C19": regularizers.weight_decay_matters_little,
    "C20": regularizers.batch_norm_helps,
    "C21": curves.batch_norm_steadies,
    "C22": curves.early_stopping_gains_little,
    "C23": regularizers.decay_leaves_random_labels,
    "C24": regularizers.augmentation_leaves_random_labels,
    "C25": imagenet.fits_random_labels,
    "C26": imagenet.regularizers_gain,
    "C27": imagenet.early_stopping_gains,
    "C28": imagenet.stays_near_the_winner,
    "C29": kernels.interpolates_and_generalizes,
    "C30": kernels.regularization_matters_little,
    "C31": kernels.norm_does_not_predict,
    "C32": kernels.other_interpolants_are_larger,
    "C33": theory.sgd_finds_the_minimum_norm,
    "C34": theory.hessians_are_equal,
    "C35": theory.theorem_holds,
    "C36": fitting.reaches_signs,
    "C37": fitting.has_more_parameters_than_examples,
    "S1": slides.fits_every_level,
    "S2": slides.fits_corrupted_images,
    "S3": slides.widens_the_gap,
    "S4": slides.dropout_does_not_stop,
    "S5": slides.weight_decay_does_not_stop,
    "S6": slides.both_do_not_stop,
    "S7": slides.early_stopping_stops,
    "S8": slides.cnn_fits_like_perceptrons,
    "S9": slides.images_before_labels,
    "S10": slides.convex_does_not_fit_labels,
    "S11": slides.convex_does_not_fit_images,
    "S12": slides.has_the_capacity,
}
REPRODUCED, DIFFERS, NOT_RUN = "reproduced", "differs", "not run"
COLUMNS = (
    "id",
    "kind",
    "item",
    "statement",
    "criterion",
    "tolerance",
    "paper_value",
    "paper_satisfies",
    "paper_note",
    "ours",
    "verdict",
    "scale",
    "cells",
    "command",
    "note",
)


def write_verdicts(
    tables: Path,
    theory_results: Iterable[Path],
    claims: Iterable[Path],
    preset: dict[str, Any],
    out: Path,
) -> None:
    """Decide every claim of the files `claims` and write the verdicts to `out`.

    See `Evidence` for the other arguments. Raises RethinkError for a claim that no function
    decides and for malformed input.
    """
    evidence = Evidence(tables, theory_results, preset)
    rows = [verdict(claim, evidence) for path in claims for claim in read_claims(path)]
    write_table(pd.DataFrame(rows, columns=list(COLUMNS)), out)


def verdict(claim: Claim, evidence: Evidence) -> dict[str, str]:
    """Return the row of one claim.

    A claim is reproduced where its criterion holds in every case. A case whose cells were not run
    leaves it ``not run``; on a reduced preset the cases that are there decide, if there are any.
    """
    if claim.id not in PREDICATES:
        raise RethinkError(
            f"claim '{claim.id}' has no function that decides it{suggest(claim.id, PREDICATES)}"
        )
    try:
        cases = PREDICATES[claim.id](evidence, claim.limits)
    except KeyError as error:
        raise RethinkError(f"claim '{claim.id}': something is missing: {error}") from error
    outcomes, absent = _decide(claim, cases, evidence)
    decided = bool(outcomes) and (not absent or evidence.reduced is not None)
    failing = [case.name for case, outcome in outcomes if not outcome.holds]
    reduced = evidence.reduced is not None or any(outcome.reduced for _, outcome in outcomes)
    notes = []
    if decided and failing:
        notes.append("fails for " + ", ".join(failing))
    notes += dict.fromkeys(outcome.note for _, outcome in outcomes if outcome.note)
    if absent:
        notes.append("not run: " + ", ".join(absent))
    if decided and reduced:
        notes.append("on a reduced scale: counts as no reproduction of the paper")
    if claim.paper_satisfies != "yes":
        notes.append(f"the paper's own numbers: {claim.paper_satisfies}, {claim.paper_note}")
    needs = _needs([case for case, _ in outcomes] if decided else cases)
    foreign = f"{evidence.imagenet}/"  # of another preset, unless it was run
    remade = needs if decided else [need for need in needs if not need.startswith(foreign)]
    return {
        **{key: getattr(claim, key) for key in COLUMNS if hasattr(claim, key)},
        "ours": _ours(outcomes),
        "verdict": NOT_RUN if not decided else DIFFERS if failing else REPRODUCED,
        "scale": "reduced" if reduced else "full",
        "cells": ";".join(need for need in needs if evidence.has(need)),
        "command": command(remade, evidence.preset),
        "note": "; ".join(notes),
    }


def _decide(
    claim: Claim, cases: list[Case], evidence: Evidence
) -> tuple[list[tuple[Case, Outcome]], list[str]]:
    """Return the cases that could be decided, with their outcomes, and what the others lack."""
    outcomes, absent = [], []
    for case in cases:
        lacking = [need for need in case.needs if not evidence.has(need)]
        absent += lacking
        if lacking:
            continue
        try:
            outcomes.append((case, case.decide()))
        except Undecidable as reason:
            absent.append(str(reason))
        except (KeyError, TypeError, IndexError) as error:
            raise RethinkError(
                f"claim '{claim.id}', {case.name}: a result lacks or malforms {error}"
            ) from error
    return outcomes, list(dict.fromkeys(absent))


def _needs(cases: Iterable[Case]) -> list[str]:
    return list(dict.fromkeys(need for case in cases for need in case.needs))


def _ours(outcomes: list[tuple[Case, Outcome]]) -> str:
    return "; ".join(f"{case.name}: {outcome.ours}" for case, outcome in outcomes)


def command(needs: Iterable[str], preset: str) -> str:
    """Return the command that remakes cells and theory results; empty where none has a name."""
    targets = []
    for need in needs:
        if need.startswith("theory/"):
            targets.append(f"results/{preset}/{need}/result.json")
        elif need.count("/") == 3:
            targets.append(f"results/{preset}/cells/{need}/summary.json")
    if not targets:
        return ""
    return shlex.join(["snakemake", "--config", f"preset={preset}", "--", *targets])


def read_verdicts(path: str | os.PathLike) -> pd.DataFrame:
    """Return a table of verdicts; every field is text, an empty one the empty string."""
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False)[list(COLUMNS)]
    except (OSError, ValueError, KeyError) as error:
        raise RethinkError(f"{path}: not readable as a table of verdicts: {error}") from None
