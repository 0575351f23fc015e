"""Page one: the question and the answer, the summary that reviewers ask for, the run's identity."""

from collections.abc import Iterable
from typing import Any

import pandas as pd

from rethink.analysis.names import model_order, model_title
from rethink.analysis.tables import Tables
from rethink.claims.verdicts import NOT_RUN
from rethink.models.catalog import MODELS
from rethink.publish.studies import criterion
from rethink.publish.verdicts import Scoreboard
from rethink.publish.wording import date, fixed, listing, plural, replicates, span, tidy

COST_UNITS = {"cpu": "CPU", "cuda": "GPU"}
# The claims that carry the paper's main finding: random labels are fitted (C1) and teach nothing
# (C2), and networks generalize without explicit regularizers (C16), which gain little (C17).
CORE = ("C1", "C2", "C16", "C17")
# The networks of the paper's question; others are compared with them in their own studies.
PAPER_MODELS = [name for name, entry in MODELS.items() if entry.paper_parameters]
SHOWN_COMMITS = 3
EASY = (
    "The randomization itself: it changes the labels and nothing else, and the paper prints its "
    "main numbers in tables to compare with."
)
DIFFICULT = (
    "What the paper leaves open, {} in all, and values that it shows in plots only, which had to "
    "be read off."
)

QUESTION = (
    "Large networks generalize although they have more than enough parameters to memorize their "
    "training set: does anything in the networks, their training or their regularizers keep them "
    "from memorizing?"
)
MEMORIZING = (
    "networks that generalize on true labels fit random ones just as well, and explicit "
    "regularizers are not what makes them generalize"
)


def answer(board: Scoreboard, glance: list[str]) -> list[str]:
    """Return the question and the answer in four sentences, from the verdicts of this run."""
    measured = glance[0] if glance else "No network was trained on random labels in this run."
    return [QUESTION, measured, _verdict(board), board.sentence()]


def _verdict(board: Scoreboard) -> str:
    """Return what becomes of the paper's main finding, in one sentence."""
    found = dict(zip(board.verdicts["id"], board.grades(), strict=True))
    by_grade: dict[str, list[str]] = {}
    for name in CORE:
        by_grade.setdefault(found.get(name, NOT_RUN), []).append(name)
    against = by_grade.get("differs", [])
    if against:
        return f"The paper’s finding, that {MEMORIZING}, is not reproduced: {_these(against)}."
    failing = by_grade.get("fails on a reduced scale", [])
    if failing:
        return (
            f"The paper’s finding, that {MEMORIZING}, does not show at this reduced scale, which "
            f"speaks neither for nor against it: {_these(failing)}."
        )
    absent = by_grade.get(NOT_RUN, [])
    if absent:
        return (
            f"The paper’s finding, that {MEMORIZING}, is not decided here: {listing(absent)} "
            f"{'was' if len(absent) == 1 else 'were'} not run."
        )
    if by_grade.get("holds on a reduced scale"):
        return (
            f"The paper’s finding, that {MEMORIZING}, shows at this reduced scale too, which is no "
            "evidence for it at the paper’s own."
        )
    return f"The paper’s finding is reproduced: {MEMORIZING}."


def _these(claims: list[str]) -> str:
    return f"{'claim' if len(claims) == 1 else 'claims'} {listing(claims)} not met"


class Front:
    """What page one says of a run.

    tables : the tables of all cells. runs : a row per cell and experiment, as in runs.csv.
    data : by name, the manifests of the datasets, with their sha256. experiments : their names.
    """

    def __init__(
        self,
        tables: Tables,
        runs: pd.DataFrame,
        data: dict[str, dict[str, Any]],
        experiments: list[str],
        board: Scoreboard,
    ):
        self.tables, self.runs, self.data = tables, runs, data
        self.experiments, self.board = experiments, board

    def summary(self, open_choices: int) -> list[tuple[str, str]]:
        """Return the summary under the headings of the ML Reproducibility Challenge."""
        verdicts = self.board.verdicts
        not_run = verdicts["id"][self.board.grades() == NOT_RUN].tolist()
        scope = (
            f"The paper’s {plural(len(verdicts), 'claim')} that an experiment can decide, each "
            "with a criterion and a tolerance fixed beforehand; its theory where numbers follow "
            "from it."
        )
        if not_run:
            scope += f" Not run with this preset: {listing(not_run)}."
        method = (
            "Networks, training and theory are written anew from the paper; no code of the "
            f"authors is used. {self.what_was_run()}"
        )
        return [
            ("Scope", scope),
            ("Method", method),
            ("Results", self.results()),
            (
                "What was easy",
                EASY,
            ),
            (
                "What was difficult",
                DIFFICULT.format(plural(open_choices, "choice")),
            ),
            ("Contact", "There was none with the authors."),
        ]

    def results(self) -> str:
        """Return which claims met their criterion and which did not, by what they are about."""
        grades = self.board.grades()
        met = grades.isin(["reproduced", "holds on a reduced scale"])
        decided = grades != NOT_RUN
        parts = []
        for kind, rows in self.board.verdicts.groupby("kind", sort=False):
            count = int(decided[rows.index].sum())
            if count:
                parts.append(f"{kind} {int(met[rows.index].sum())} of {count}")
        if not parts:
            return "No claim was decided."
        text = f"Criterion met, of the claims decided: {', '.join(parts)}."
        failed = self.board.verdicts["id"][decided & ~met].tolist()
        return f"{text} Not met: {listing(failed)}." if failed else text

    def what_was_run(self) -> str:
        """Return one paragraph on the size of the run."""
        cells = self.tables.cells
        models = [model_title(m) for m in sorted(set(cells["model"]), key=model_order)]
        data = listing(
            [
                f"{entry['title']}, with {self._training_images(name)} training and "
                f"{entry['test']:,} test images in {entry['classes']:,} classes"
                for name, entry in self.data.items()
                if name in set(cells["dataset"])
            ]
        )
        theory = ""
        if self.experiments:
            theory = f"{plural(len(self.experiments), 'experiment')} of theory."
        if cells.empty:
            return theory
        return (
            f"{plural(len(models), 'network')} ({listing(models)}) on {data}: "
            f"{plural(len(cells), 'cell')}, each a choice of network, data and regularizer, trained "
            f"from {replicates(cells['n'].tolist()).replace('replicate', 'random seed')} each; "
            f"{plural(int(cells['n'].sum()), 'training run')} in all. {theory}"
        ).rstrip()

    def _training_images(self, dataset: str) -> str:
        """Return how many images the cells of a dataset were trained on, e.g. ``400 of 1,438``."""
        summary, total = self.tables.summary, self.data[dataset]["train"]
        used = summary[summary["dataset"] == dataset]
        sizes = sorted(set(used["train_examples"] + used["validation_examples"]))
        if not sizes or sizes == [total]:
            return f"{total:,}"
        return f"{' to '.join(f'{n:,}' for n in dict.fromkeys((sizes[0], sizes[-1])))} of {total:,}"

    def glance(self) -> list[str]:
        """Return what came out with random labels, a sentence per dataset, as far as cells tell."""
        return [tidy(text) for name in self.data if (text := self._glance(name))]

    def _glance(self, dataset: str) -> str | None:
        cells = self.tables.cells
        cells = cells[(cells["dataset"] == dataset) & (cells["regularizer"] == "none")]
        cells = cells[cells["test_accuracy_mean"].notna()]
        of_paper = cells["model"].isin(PAPER_MODELS)
        cells = cells[of_paper] if of_paper.any() else cells
        random = cells[cells["corruption"] == "labels-1"]
        true = cells[(cells["corruption"] == "none") & cells["model"].isin(random["model"])]
        if random.empty:
            return None
        fitted = int((random["n_fitted"] == random["n"]).sum())
        chance = fixed(100 / self.data[dataset]["classes"], 1)
        text = (
            f"On {self.data[dataset]['title']} with every label drawn at random, {fitted} of "
            f"{plural(len(random), 'network')} reached {criterion(random['fit_criterion'])} in "
            f"every replicate, the mean being {span(100 * random['train_accuracy_mean'])} %, and "
            f"{span(100 * random['test_accuracy_mean'])} % on the test images, where guessing "
            f"gives {chance} %"
        )
        if len(true):
            text += (
                f"; with the true labels the same {'networks' if len(true) > 1 else 'network'} "
                f"reached {span(100 * true['test_accuracy_mean'])} % on the test images"
            )
        return f"{text}."

    def identity(self, preset: dict[str, Any], code: str) -> list[tuple[str, str]]:
        """Return what identifies the run, as terms and their values."""
        runs = self.runs
        hardware = sorted(
            {
                f"{row.processor} (CPU)" if row.device_type == "cpu" else row.device_name
                for row in runs.itertuples()
            }
        )
        first, last = (date(runs[end].agg(how)) for end, how in _ENDS)
        return [
            ("Preset", preset["name"] + (", reduced" if preset["reduced"] else "")),
            ("Commit", listing(_commits(runs))),
            (
                "Data (sha256 of the manifest)",
                listing([f"{name} {entry['sha256']}" for name, entry in self.data.items()]),
            ),
            ("Hardware", listing(hardware)),
            ("Numerics", listing(sorted(set(runs["numerics"])))),
            ("Date", first if first == last else f"{first} to {last}"),
            ("Total cost", listing(_costs(runs))),
            ("Code of the report", code),
        ]


_ENDS = (("started", "min"), ("finished", "max"))


def commit_state(commit: str | None, dirty: str) -> str:
    """Return a commit and the state of its checkout; `dirty` is ``yes``, ``no`` or unknown."""
    state = {"yes": ", with uncommitted changes", "no": ", clean"}.get(dirty, "")
    return (commit or "not recorded") + state


def _commits(runs: pd.DataFrame) -> list[str]:
    """Return the commits that most results were made at, and how many others there are."""
    groups = sorted(runs.groupby(["commit", "dirty"]), key=lambda group: -len(group[1]))
    shown = [
        commit_state(*key) + (f" ({plural(len(rows), 'result')})" if len(groups) > 1 else "")
        for key, rows in groups[:SHOWN_COMMITS]
    ]
    more = len(groups) - len(shown)
    return [*shown, f"{more} more, in section Provenance"] if more else shown


def _costs(runs: pd.DataFrame) -> Iterable[str]:
    """Return the time that training and theory kept each kind of device, in hours."""
    for kind, rows in runs.groupby("device_type"):
        hours = rows["train_seconds"].sum() / 3600
        digits = 2 if hours < 10 else 1 if hours < 100 else 0
        yield f"{fixed(hours, digits)} {COST_UNITS.get(kind, kind)} hours"
