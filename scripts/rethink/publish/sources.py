"""Source lines: the rule, code, configuration, files, seeds, time and device behind a number."""

from pathlib import Path

import pandas as pd

from rethink.errors import RethinkError
from rethink.provenance import read_record
from rethink.publish.wording import duration, listing, plural

SHORT = 12  # digits of a commit that tell it from all others


def commit_of(record: Path) -> str:
    """Return the commit at which a result was made, from its record, e.g. ``at commit 1a2b (clean)``.

    Raises RethinkError that names the file if it is there and no record.
    """
    try:
        state = read_record(record).get("git") or {}
    except FileNotFoundError:
        return "(commit not recorded)"
    except ValueError as error:
        raise RethinkError(f"{record}: not readable: {error}") from None
    if not state.get("commit"):
        return "(commit not recorded)"
    changed = {True: "uncommitted changes", False: "clean"}.get(state.get("dirty"), "state unknown")
    return f"at commit {state['commit'][:SHORT]} ({changed})"


def origin(preset: str, study: str, runs: pd.DataFrame, replicates: str = "") -> str:
    """Return the configuration key, seeds, wall time and devices of the `runs` behind a study.

    runs : the study's rows, as of runs.csv; replicates : how many each cell has, in words.
    """
    cells = (~runs["cell"].str.startswith("theory/")).sum()
    of = plural(int(cells), "cell") if cells else plural(len(runs), "experiment")
    seeds = [str(seed) for seed in sorted(set(runs["seed"].dropna()))]
    parts = [f"configuration key studies.{study} of preset {preset}"]
    if seeds:
        parts.append(f"{'seeds' if len(seeds) > 1 else 'seed'} {listing(seeds)}")
    if replicates:
        parts[-1] += f", {replicates}"
    if len(runs):
        kinds = {
            "CPU" if row.device_type == "cpu" else row.device_name for row in runs.itertuples()
        }
        parts.append(f"{of}, {duration(runs['train_seconds'].sum())} on {listing(sorted(kinds))}")
    return "; ".join(parts)
