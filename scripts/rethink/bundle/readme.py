"""The README of a bundle: what it is, how it is checked, what lies where."""

from rethink.bundle.contents import PDF, PRESET, SPECIFICATIONS
from rethink.bundle.facts import Facts
from rethink.states import duration

PLACES = {
    "report.html": "the report, one file that needs no network",
    "report.pdf": "the same, printed, with the tables attached",
    "tables/": "tidy CSV: a verdict on each claim (`claims.csv`), the cells of each study, `all/`",
    "figures/": "SVG, and the CSV of what is drawn",
    "theory/": "results of the experiments without cells",
    "cells/": "for every cell its learning curves, their summary, and the record of its job",
    "data/, corrupted/": "manifests with the sha256 of every array; the images are not here",
    PRESET: "the preset with everything that the command line laid over it",
    SPECIFICATIONS: "every cell, experiment and dataset, fully spelled out",
    "envs/": "the hash-locked environment",
    "report/": "the paper's values, the criteria of the claims, what the paper leaves open",
    "Snakefile, workflow/": "the workflow; its code is in the repository, at the commit below",
    "checklists/": "the ML reproducibility and the ACM artifact checklists, filled in",
    "codecheck.yml": "the manifest for a CODECHECK",
    "ro-crate-metadata.json": "every job with inputs, outputs, parameters and times (RO-Crate)",
    "SHA256SUMS": "of every file: `sha256sum -c SHA256SUMS`",
}


def readme(facts: Facts) -> str:
    """Return the text of the bundle's ``README.md``."""
    places = {place: text for place, text in PLACES.items() if place != PDF or PDF in facts.files}
    reduced = f"\n**Reduced run**: {facts.reduced} It is no evidence about the paper.\n"
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in facts.verdicts.items())
    return f"""\
# {facts.title}

A run of the workflow that reproduces *Understanding deep learning requires rethinking
generalization* (Zhang et al., ICLR 2017): preset `{facts.preset}`, {len(facts.cells)} cells,
{facts.replicates} training runs, {duration(facts.seconds())} of work in turn, from {facts.started}
to {facts.finished}. The paper's claims: {verdicts}.
{reduced if facts.reduced else ""}
## Checking it

In a checkout of the workflow at commit `{facts.commit or "not recorded"}`, on any machine, without a
GPU and without training:

    make audit BUNDLE=bundle.zip

It checks every checksum and record, recomputes the summaries, tables, verdicts and figures from the
learning curves, renders the report again, and names every file, row and column that disagrees.
What it cannot know is whether the learning curves, the norms and margins in the summaries, the
results in `theory/` and the images in `figures/samples/` came out of the training that their records describe. To see that, train again
(`snakemake --configfile {PRESET}`, or cells by their commands in the report) and compare:

    make compare A=bundle.zip B=results/{facts.preset}

## What lies where

| path | what it is |
|---|---|
{"".join(f"| `{place}` | {text} |{chr(10)}" for place, text in places.items())}
## Code

Commits of the jobs: {"; ".join(facts.commits)}.
"""
