"""Everything that the report says, gathered from the tables of a run and its preset."""

import base64
import math
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from rethink import studies as study_catalog
from rethink.analysis.collect import theory_runs
from rethink.analysis.names import cell_order, model_order, model_title, outcome
from rethink.analysis.sources import read_results
from rethink.analysis.tables import TEXT, Tables, read_table
from rethink.claims.verdicts import read_verdicts
from rethink.corruption_names import NOISY_LABELS
from rethink.errors import RethinkError, suggest
from rethink.files import read_json, sha256_file
from rethink.publish import imagenet, noise_regularizers, regularization, studies
from rethink.publish.content import Cell, Column, Figure, Row, Section, Table, anchor, number
from rethink.publish.studies import StudyView, accuracy, criterion, fit_time, fit_times
from rethink.publish.theory import KINDS as THEORY_KINDS
from rethink.publish.theory import TheoryView
from rethink.publish.verdicts import Scoreboard, deviations
from rethink.publish.wording import date, duration, fixed, listing, plural, replicates, span, tidy

CELL_KINDS = {
    **studies.KINDS,
    **regularization.KINDS,
    **imagenet.KINDS,
    **noise_regularizers.KINDS,
}
DEVIATION_COLUMNS = ("item", "paper_says", "we_chose", "why", "switch", "expected_effect")
COST_UNITS = {"cpu": "CPU", "cuda": "GPU"}


def gather(
    preset: dict[str, Any],
    results: Path,
    paper: Path,
    deviations: Path,
    templates: jinja2.Environment,
    code: str,
) -> dict[str, Any]:
    """Return what the report's template shows.

    Parameters
    ----------
    preset : name, title, reduced (text or None), datasets (names), studies (name, kind, title,
        and dataset or experiments each).
    results : the run's folder, with ``tables/<study>/``, ``tables/all/``, ``tables/claims.csv``,
        ``theory/<experiment>/``, ``figures/`` and ``data/<dataset>/manifest.json``.
    paper : folder of the paper's values. deviations : table of what the paper leaves open.
    templates : the environment that holds the captions.
    code : digest of the code that makes the report.

    Raises RethinkError that names the file for anything missing or malformed.
    """
    tables = Tables(results / "tables" / "all")
    report = _Report(preset, results, paper, templates, tables)
    if report.runs.empty:
        raise RethinkError(f"{results / 'tables/all/cells.csv'}: no cell; nothing to report")
    sections = [report.verdicts(), *(report.study(study) for study in preset["studies"])]
    sections += [report.samples()] if len(tables.cells) else []
    sections += [report.claims(), report.deviations(deviations)]
    sections += [report.cells()] if len(tables.cells) else []
    sections += [report.provenance()]
    return {
        "title": preset["title"],
        "preset": preset["name"],
        "reduced": preset["reduced"],
        "identity": report.identity(code),
        "what_was_run": report.what_was_run(),
        "glance": report.glance(),
        "scoreboard": report.scoreboard.sentence(),
        "sections": number(sections),
        "created": report.runs["started"].min(),
        "modified": report.runs["finished"].max(),
        "code": code,
    }


class _Report:
    """The parts of one report; holds what they share."""

    def __init__(
        self,
        preset: dict[str, Any],
        results: Path,
        paper: Path,
        templates: jinja2.Environment,
        tables: Tables,
    ):
        self.preset, self.results, self.paper = preset, results, paper
        self.templates, self.tables = templates, tables
        self.shown = f"results/{preset['name']}"
        self.experiments = [n for study in preset["studies"] for n in study.get("experiments", [])]
        records = [results / "theory" / name / "run.json" for name in self.experiments]
        theory = [theory_runs(records)] if records else []
        self.runs = pd.concat([tables.runs, *theory], ignore_index=True)
        self.scoreboard = Scoreboard(read_verdicts(results / "tables" / "claims.csv"))
        self.data = {name: self._dataset(name) for name in preset["datasets"]}
        self.members: dict[str, list[str]] = {}

    def _dataset(self, name: str) -> dict[str, Any]:
        path = self.results / "data" / name / "manifest.json"
        try:
            manifest = read_json(path)
        except FileNotFoundError:
            raise RethinkError(f"{path}: the file is not there; it describes the data") from None
        except ValueError as error:
            raise RethinkError(f"{path}: not readable: {error}") from None
        for key in ("title", "classes", "train", "test", "image_shape"):
            if key not in manifest:
                raise RethinkError(f"{path}: key '{key}' is missing")
        return {**manifest, "sha256": sha256_file(path)}

    def _caption(self, name: str, block: str, facts: dict[str, Any]) -> str:
        """Return one block of a caption file, rendered, on one line."""
        try:
            template = self.templates.get_template(f"captions/{name}.txt")
        except jinja2.TemplateNotFound:
            raise RethinkError(f"captions/{name}.txt is not in the template folder") from None
        if block not in template.blocks:
            raise RethinkError(f"captions/{name}.txt: block '{block}' is missing")
        text = "".join(template.blocks[block](template.new_context(facts)))
        return tidy(text)

    def _figure(self, folder: str, name: str, caption: str, facts: dict, source: str) -> Figure:
        path = self.results / "figures" / folder / f"{name}.svg"
        data = {}
        for kind, file in (("svg+xml", path), ("csv", path.with_suffix(".csv"))):
            try:
                data[kind] = base64.b64encode(file.read_bytes()).decode()
            except FileNotFoundError:
                raise RethinkError(f"{file}: the figure is not there") from None
        return Figure(
            title=self._caption(caption, "title", facts),
            caption=self._caption(caption, "caption", facts),
            alt=self._caption(caption, "alt", facts),
            source=f"{source} Values drawn: {self.shown}/figures/{folder}/{name}.csv.",
            image=f"data:image/svg+xml;base64,{data['svg+xml']}",
            csv=f"data:text/csv;base64,{data['csv']}",
            csv_name=f"{folder}-{name}.csv",
        )

    def study(self, study: dict[str, Any]) -> Section:
        """Return the section of one study: its figures, then its values."""
        kind = study["kind"]
        known = {**CELL_KINDS, **THEORY_KINDS}
        if kind not in known:
            raise RethinkError(
                f"study '{study['name']}': unknown kind '{kind}'{suggest(kind, known)}"
            )
        entry = study_catalog.KINDS[kind]
        if "experiments" in study:
            tables, facts, of, source = self._theory_study(study)
        else:
            tables, facts, of, source = self._cell_study(study)
        for table in tables:
            name = f"table_{table.name or kind}"
            table.name = ""
            table.title = self._caption(name, "title", facts)
            table.caption = self._caption(name, "caption", facts)
            table.source = source
        figures = [
            self._figure(
                study["name"],
                figure,
                figure,
                facts,
                f"Rule figure, scripts/figure.py --figure {figure}, from {of}.",
            )
            for figure in entry.figures
        ]
        title = study["title"]
        if entry.paper_item:
            title += f" (the paper’s {entry.paper_item})"
        return Section(
            anchor("study", study["name"]),
            title,
            self._caption(f"study_{kind}", "lead", facts),
            [*figures, *tables],
        )

    def _cell_study(self, study: dict[str, Any]) -> tuple[list[Table], dict[str, Any], str, str]:
        """Return a study's tables, the facts for its captions, what it is from, and where."""
        view = StudyView(
            study,
            Tables(self.results / "tables" / study["name"]),
            self.data[study["dataset"]]["title"],
            self.paper,
        )
        self.members[study["name"]] = view.cells["cell"].tolist()
        tables, facts = CELL_KINDS[study["kind"]](view)
        facts = view.facts() | facts
        of = plural(facts["count"], "cell")
        source = (
            f"Rule tabulate, scripts/aggregate.py; {self.shown}/tables/{study['name']}/"
            f"cells.csv and summary.csv, from {of}."
        )
        return tables, facts, of, source

    def _theory_study(self, study: dict[str, Any]) -> tuple[list[Table], dict[str, Any], str, str]:
        """Return the same for a study of theory."""
        folders = [self.results / "theory" / name for name in study["experiments"]]
        view = TheoryView(
            study,
            read_results([folder / "result.json" for folder in folders]),
            {folder.name: read_json(folder / "run.json") for folder in folders},
            {name: entry["title"] for name, entry in self.data.items()},
            self.paper,
        )
        tables, facts = THEORY_KINDS[study["kind"]](view)
        of = f"theory/{listing(study['experiments'])}"
        return tables, facts, of, f"{self.shown}/theory/NAME/result.json, from {of}."

    def verdicts(self) -> Section:
        """Return the section of the scoreboard: verdicts by item of the paper."""
        facts = {"sentence": self.scoreboard.sentence()}
        table = self.scoreboard.by_item()
        table.title = self._caption("verdicts", "title", facts)
        table.caption = self._caption("verdicts", "caption", facts)
        table.source = f"Rule claims, scripts/claims.py; {self.shown}/tables/claims.csv."
        return Section("verdicts", "Verdicts", self._caption("verdicts", "lead", facts), [table])

    def claims(self) -> Section:
        """Return the section of the paper's claims, one by one."""
        table = self.scoreboard.claims()
        table.title = self._caption("claims", "title", {})
        table.caption = self._caption("claims", "caption", {})
        table.source = f"Rule claims, scripts/claims.py; {self.shown}/tables/claims.csv."
        lead = self._caption("claims", "lead", {})
        return Section("claims", "The paper’s claims, one by one", lead, [table])

    def deviations(self, path: Path) -> Section:
        """Return the section of what the paper leaves open and what was chosen."""
        table = deviations(read_table(path, dict.fromkeys(DEVIATION_COLUMNS, TEXT)))
        table.title = self._caption("deviations", "title", {})
        table.caption = self._caption("deviations", "caption", {})
        table.source = "report/deviations.csv."
        lead = self._caption("deviations", "lead", {})
        return Section("deviations", "What the paper leaves open", lead, [table])

    def samples(self) -> Section:
        """Return the section of sample images, one figure per dataset of cells."""
        figures = []
        for name in dict.fromkeys(self.tables.cells["dataset"]):
            data = self.data[name]
            facts = {"dataset": data["title"]}
            source = "Rule samples, scripts/samples.py."
            figures.append(self._figure("samples", name, "samples", facts, source))
        lead = self._caption("samples", "lead", {})
        return Section("samples", "What the networks see", lead, figures)

    def cells(self) -> Section:
        """Return the section with the table of all cells."""
        runs = self.tables.runs.set_index("cell")
        times = fit_times(self.tables.summary)
        cells = self.tables.cells.sort_values("cell", key=lambda names: names.map(cell_order))
        rows = [self._cell_row(cell, times, runs) for cell in cells.itertuples()]
        facts = {
            "preset": self.preset["name"],
            "replicates": replicates(cells["n"].tolist()),
            "criterion": criterion(cells["fit_criterion"]),
            "count": plural(len(cells), "cell"),
        }
        titles = [
            ("Cell", "path"),
            ("Training accuracy [%]", "number"),
            ("Test accuracy [%]", "number"),
            ("Test accuracy, labels as corrupted [%]", "number"),
            ("Time to fit [epochs]", "number"),
            ("Outcome", "name"),
            ("n", "number"),
            ("Training time", "number"),
            ("Device", "text"),
            ("To remake it", "command"),
        ]
        table = Table(
            self._caption("table_cells", "title", facts),
            self._caption("table_cells", "caption", facts),
            [Column(*title) for title in titles],
            rows,
            source=f"Rule tabulate, scripts/aggregate.py; {self.shown}/tables/all/cells.csv.",
            name="all-cells",
            interactive=True,
        )
        lead = self._caption("table_cells", "lead", facts)
        command = f"snakemake --config preset={self.preset['name']} -- {self.shown}/cells/NAME"
        command += "/summary.json\n# with --force before the --: also where it is up to date"
        return Section("cells", "All cells", lead, [table], command)

    def _cell_row(self, cell: Any, times: dict[str, Any], runs: pd.DataFrame) -> Row:
        ended = outcome(cell.n, cell.n_fitted, cell.n_diverged)
        named = cell.corruption_kind in NOISY_LABELS
        given = accuracy(cell.test_accuracy_given_mean, cell.test_accuracy_given_sd, cell)
        seconds = runs["train_seconds"].get(cell.cell, math.nan)
        device = "CPU" if runs["device_type"].get(cell.cell) == "cpu" else cell.device
        target = f"{self.shown}/cells/{cell.cell}/summary.json"
        status = "diverged" if cell.n_diverged else ended
        if status not in ("fitted", "not fitted", "diverged"):
            status = "partly fitted"
        return Row(
            [
                Cell(cell.cell),
                accuracy(cell.train_accuracy_mean, cell.train_accuracy_sd, cell),
                accuracy(cell.test_accuracy_mean, cell.test_accuracy_sd, cell),
                given if named else Cell("same"),
                fit_time(times[cell.cell]) if cell.cell in times else Cell("not recorded"),
                Cell(ended),
                Cell(str(cell.n), cell.n),
                Cell(duration(seconds), None if math.isnan(seconds) else seconds),
                Cell(device or "not recorded"),
                Cell("", command=f"snakemake --config preset={self.preset['name']} -- {target}"),
            ],
            id=anchor("cell", *cell.cell.split("/")),
            data={
                "status": status,
                "studies": " ".join(n for n, names in self.members.items() if cell.cell in names),
            },
        )

    def provenance(self) -> Section:
        """Return the section on data, machines, software and code."""
        runs = self.runs
        machines = []
        for key, group in runs.groupby(
            ["host", "processor", "cores", "memory_mb", "device_type", "device_name", "numerics"],
            dropna=False,
        ):
            host, processor, cores, memory, kind, device, numerics = key
            machines.append(
                Row(
                    [
                        Cell(host or "not recorded"),
                        Cell(processor or "not recorded"),
                        _whole(cores),
                        Cell(
                            "not recorded" if pd.isna(memory) else f"{fixed(memory / 1024, 0)} GB"
                        ),
                        Cell(f"{COST_UNITS.get(kind, kind)}: {device}" if kind != "cpu" else "CPU"),
                        Cell(numerics or "not recorded"),
                        Cell(str(len(group))),
                        Cell(duration(group["train_seconds"].sum())),
                    ]
                )
            )
        software = [
            Row([Cell(text.replace("; ", ", ") or "not recorded"), Cell(str(len(group)))])
            for text, group in runs.groupby("software")
        ]
        commits = [
            Row(
                [
                    Cell(commit or "not recorded"),
                    Cell({"yes": "yes", "no": "no"}.get(dirty, "not recorded")),
                    Cell(str(len(group))),
                ]
            )
            for (commit, dirty), group in runs.groupby(["commit", "dirty"])
        ]
        data = [
            Row(
                [
                    Cell(entry["title"]),
                    Cell(fixed(entry["train"], 0)),
                    Cell(fixed(entry["test"], 0)),
                    Cell(fixed(entry["classes"], 0)),
                    Cell("x".join(map(str, entry["image_shape"]))),
                    Cell(entry["sha256"]),
                ]
            )
            for entry in self.data.values()
        ]
        text, value = "text", "number"
        parts = [
            (
                "data",
                data,
                _columns(
                    "Dataset",
                    ("Training images", value),
                    ("Test images", value),
                    ("Classes", value),
                    ("Image", text),
                    ("sha256 of the manifest", "hash"),
                ),
            ),
            (
                "machines",
                machines,
                _columns(
                    "Host",
                    ("Processor", text),
                    ("Cores", value),
                    ("Memory", value),
                    ("Trained on", text),
                    ("Numerics", text),
                    ("Cells", value),
                    ("Training time", value),
                ),
            ),
            (
                "commits",
                commits,
                _columns("Commit", ("Uncommitted changes", text), ("Cells", value)),
            ),
            ("software", software, _columns("Versions", ("Cells", value))),
        ]
        tables = [
            Table(
                self._caption(f"table_{name}", "title", {}),
                self._caption(f"table_{name}", "caption", {}),
                columns,
                rows,
                name=name,
            )
            for name, rows, columns in parts
        ]
        lead = self._caption("table_data", "lead", {"results": self.shown})
        return Section("provenance", "Provenance", lead, tables)

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
        """Return what came out, one paragraph per dataset, as far as the cells tell."""
        return [tidy(text) for name in self.data if (text := self._glance(name))]

    def _glance(self, dataset: str) -> str | None:
        cells = self.tables.cells
        cells = cells[(cells["dataset"] == dataset) & (cells["regularizer"] == "none")]
        cells = cells[cells["test_accuracy_mean"].notna()]
        random = cells[cells["corruption"] == "labels-1"]
        true = cells[(cells["corruption"] == "none") & cells["model"].isin(random["model"])]
        if random.empty:
            return None
        fitted = int((random["n_fitted"] == random["n"]).sum())
        chance = fixed(100 / self.data[dataset]["classes"], 1)
        text = (
            f"On {self.data[dataset]['title']} with every label drawn at random, {fitted} of "
            f"{plural(len(random), 'network')} reached {criterion(random['fit_criterion'])} in "
            f"every replicate; mean training accuracy was "
            f"{span(100 * random['train_accuracy_mean'])} %, and accuracy on the test images "
            f"{span(100 * random['test_accuracy_mean'])} %, where guessing gives {chance} %."
        )
        if len(true):
            text += (
                f" With the true labels the same {'networks' if len(true) > 1 else 'network'} "
                f"reached "
                f"{span(100 * true['test_accuracy_mean'])} % on the test images."
            )
        return text

    def identity(self, code: str) -> list[tuple[str, str]]:
        """Return what identifies the run, as terms and their values."""
        runs = self.runs
        commits = []
        for (commit, dirty), group in runs.groupby(["commit", "dirty"]):
            state = {"yes": ", with uncommitted changes", "no": ", clean"}.get(dirty, "")
            where = f" ({plural(len(group), 'cell')})" if len(runs) != len(group) else ""
            commits.append((commit or "not recorded") + state + where)
        hardware = sorted(
            {
                f"{row.processor} (CPU)" if row.device_type == "cpu" else row.device_name
                for row in runs.itertuples()
            }
        )
        cost = []
        for kind, group in runs.groupby("device_type"):
            unit = COST_UNITS.get(kind, kind)
            cost.append(f"{duration(group['train_seconds'].sum())} of {unit} time")
        return [
            ("Preset", self.preset["name"] + (", reduced" if self.preset["reduced"] else "")),
            ("Commit", listing(commits)),
            (
                "Data (sha256 of the manifest)",
                listing([f"{name} {entry['sha256']}" for name, entry in self.data.items()]),
            ),
            ("Hardware", listing(hardware)),
            ("Numerics", listing(sorted(set(runs["numerics"])))),
            ("Newest cell", date(runs["finished"].max())),
            ("Training time and cost", listing(cost)),
            ("Report code", code),
        ]


def _whole(value: Any) -> Cell:
    return Cell("not recorded" if pd.isna(value) else str(int(value)))


def _columns(header: str, *others: tuple[str, str]) -> list[Column]:
    return [Column(header, "text"), *(Column(*other) for other in others)]
