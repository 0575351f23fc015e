"""The checklists that reviewers fill in, filled in from the run."""

from collections.abc import Iterable
from typing import NamedTuple

from rethink.bundle.contents import PDF
from rethink.bundle.facts import Facts
from rethink.states import duration


class Item(NamedTuple):
    """A line of a checklist: what is asked, the answer, and where a reader finds it."""

    question: str
    answer: str
    where: str


YES, NO, NOT_APPLICABLE = "yes", "no", "not applicable"


def ml_reproducibility(facts: Facts) -> str:
    """Return the Machine Learning Reproducibility Checklist (Pineau, version 2.0) as Markdown."""
    sizes = "; ".join(
        f"{m['title']}: {m['train']:,} training and {m['test']:,} test images, {m['classes']:,} "
        "classes"
        for m in facts.data.values()
    )
    counts = sorted({int(row["n"]) for row in facts.cells})
    per_cell = (
        " to ".join(str(n) for n in dict.fromkeys((counts[0], counts[-1]))) if counts else "0"
    )
    theory = [job for job in facts.jobs if job.kind == "theory"]
    sections = {
        "For all models and algorithms": [
            Item(
                "A clear description of the mathematical setting, algorithm and model",
                "yes: one module per model, with the published schedule",
                "config/specifications.json; scripts/rethink/models/ of the repository",
            ),
            Item(
                "A clear explanation of any assumptions",
                "yes: what the paper leaves open, what was chosen and why",
                "report/deviations.csv; the report, What the paper leaves open",
            ),
            Item(
                "An analysis of the complexity of any algorithm",
                "measured: parameters, time and memory of every cell",
                "tables/all/cells.csv, tables/all/runs.csv",
            ),
        ],
        "For any theoretical claim": [
            Item("A clear statement of the claim", YES, "report/claims.csv, kind theory"),
            Item(
                "A complete proof of the claim",
                "in the paper; here it is constructed and evaluated"
                if theory
                else "in the paper; not part of this run",
                "theory/",
            ),
        ],
        "For all datasets used": [
            Item(
                "The relevant statistics, such as number of examples", sizes, "data/*/manifest.json"
            ),
            Item(
                "The details of train, validation and test splits",
                "the sets of each manifest; early stopping alone holds out more",
                "tables/all/summary.csv, train_examples and validation_examples",
            ),
            Item(
                "Any data that were excluded, and all pre-processing steps",
                "crop, whitening and subsets are part of each specification",
                "config/specifications.json, input and train_examples",
            ),
            Item(
                "A link to a downloadable version of the dataset",
                "fetched by the workflow, checked by sha256",
                "data/*/manifest.json",
            ),
            Item(
                "For new data, a description of its collection", NOT_APPLICABLE, "no data collected"
            ),
        ],
        "For all shared code": [
            Item("Specification of dependencies", "yes, locked by hash", "envs/"),
            Item("Training code", f"yes, at commit {facts.commit}", "the repository"),
            Item("Evaluation code", f"yes, at commit {facts.commit}", "the repository"),
            Item("Pre-trained models", "no: they are trained, their curves are kept", "cells/"),
            Item(
                "A table of results with the precise command that produces each",
                YES,
                "the report, All cells; tables/claims.csv, command",
            ),
        ],
        "For all reported experimental results": [
            Item(
                "The range of hyper-parameters considered, the method of selection, and all that "
                "were used",
                "the paper's; none is selected by test results",
                "config/specifications.json",
            ),
            Item(
                "The exact number of training and evaluation runs",
                f"{facts.replicates} trainings of {len(facts.cells)} cells, {per_cell} replicates "
                f"each; {len(theory)} experiments",
                "tables/all/cells.csv, n",
            ),
            Item(
                "A clear definition of the measure or statistics",
                "accuracy as a fraction; mean, sample standard deviation (n - 1), minimum and "
                "maximum over replicates; a criterion for each claim",
                "tables/all/cells.csv; report/claims.csv",
            ),
            Item(
                "Central tendency and variation",
                YES if counts and counts[-1] > 1 else "single replicates: no variation",
                "tables/all/cells.csv, *_mean and *_sd",
            ),
            Item(
                "The average runtime for each result, or the energy cost",
                f"{duration(facts.seconds('cell', 'theory'))} of training and theory in turn",
                "tables/all/runs.csv, seconds",
            ),
            Item(
                "The computing infrastructure",
                "; ".join(facts.machines),
                "tables/all/runs.csv; every run.json",
            ),
        ],
    }
    return _document(facts, "Machine Learning Reproducibility Checklist", "Pineau, v2.0", sections)


def acm_artifact(facts: Facts) -> str:
    """Return the criteria of ACM's badges (1.1) and what an evaluator needs, as Markdown."""
    size = sum(path.stat().st_size for path in facts.files.values())
    versions = ", ".join(f"{name} {version}" for name, version in facts.software.items())
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in facts.verdicts.items())
    printed = "report.html, report.pdf" if PDF in facts.files else "report.html"
    preset = facts.preset
    sections = {
        "The artifact": [
            Item("Algorithm", "stochastic gradient descent; kernel interpolation", "Snakefile"),
            Item("Program and framework", "Snakemake, Python, PyTorch", "Snakefile, envs/"),
            Item("Data sets", ", ".join(facts.data) or "none", "data/*/manifest.json"),
            Item("Run-time environment", versions, "envs/requirements.txt"),
            Item("Hardware of this run", "; ".join(facts.machines), "tables/all/runs.csv"),
            Item("Execution", "one command", f"make report PRESET={preset}"),
            Item("Metrics", "training and test accuracy, time to fit, norms", "tables/"),
            Item("Output", f"{printed}; {verdicts}", "tables/claims.csv"),
            Item("Disk space of this bundle", f"{size / 1e6:.1f} MB unpacked", "SHA256SUMS"),
            Item("Time to prepare", "some minutes: packages", "README of the repository"),
            Item(
                "Time to complete",
                f"{duration(facts.seconds())} of work in turn on the hardware above",
                "ro-crate-metadata.json",
            ),
            Item("Workflow provenance", "one action per job", "ro-crate-metadata.json"),
            Item("Licences", "code MIT; datasets their own", "LICENSE"),
        ],
        "Artifacts Available": [
            Item(
                "In an archival repository with a DOI", "not yet: this file is what to deposit", ""
            ),
            Item("With a licence", YES, "LICENSE, CITATION.cff"),
        ],
        "Artifacts Evaluated, Functional": [
            Item("Documented", YES, "README.md; README and config/README.md of the repository"),
            Item("Consistent with the paper", "each item beside the paper's values", printed),
            Item("Complete", _complete(facts), "tables/claims.csv"),
            Item(
                "Exercisable",
                "minutes on a laptop, nothing to download",
                "make report (preset digits)",
            ),
            Item(
                "Verified and validated",
                "checksums, recomputation from raw curves",
                "make audit BUNDLE=bundle.zip",
            ),
        ],
        "Artifacts Evaluated, Reusable": [
            Item("Structured for reuse", "presets, one module per model", "config/preset.yaml"),
        ],
        "Results Validated": [
            Item(
                "Results Reproduced (with the authors' artifacts)",
                NOT_APPLICABLE,
                "none of the paper's code is used",
            ),
            Item(
                "Results Replicated (without them)",
                f"a reduced run is no evidence: {facts.reduced}" if facts.reduced else verdicts,
                "tables/claims.csv",
            ),
        ],
    }
    title = "ACM artifact checklist"
    return _document(facts, title, "badges v1.1", sections) + _claims(facts)


def _complete(facts: Facts) -> str:
    undecided = [row["id"] for row in facts.claims if row["verdict"] == "not run"]
    if not undecided:
        return f"all {len(facts.claims)} claims are decided"
    return f"claims not decided by this run: {', '.join(undecided)}"


def _claims(facts: Facts) -> str:
    """Return the table of claims with the command that remakes the evidence, and what it cost."""
    rows = [
        (
            row["id"],
            row["statement"],
            row["verdict"] + (", reduced scale" if row["scale"] == "reduced" else ""),
            facts.cost_of(row) if row["cells"] else "not run",
            f"`{row['command']}`" if row["command"] else "none",
        )
        for row in facts.claims
    ]
    head = ("Claim", "Statement", "Verdict", "Computing time", "Command")
    return f"\n## Claims, costs and commands\n\n{_table(head, rows)}"


def _document(facts: Facts, title: str, version: str, sections: dict[str, list[Item]]) -> str:
    opening = (
        f"# {title}\n\n{version}; filled in from the run of preset `{facts.preset}`, "
        f"{facts.started} to {facts.finished}.\n"
    )
    head = ("Item", "Answer", "Where")
    parts = [f"\n## {name}\n\n{_table(head, items)}" for name, items in sections.items()]
    return "".join([opening, *parts])


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(map(_field, line))} |\n" for line in lines)


def _field(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
