"""Everything that the report says, gathered from the tables of a run and its preset."""

import base64
import math
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from rethink import studies as study_catalog
from rethink.analysis.collect import theory_runs
from rethink.analysis.names import cell_order, outcome
from rethink.analysis.sources import read_results
from rethink.analysis.tables import TEXT, Tables, read_table
from rethink.claims.verdicts import read_verdicts
from rethink.corruption_names import NOISY_LABELS
from rethink.errors import RethinkError, suggest
from rethink.files import read_json, sha256_file
from rethink.publish import (
    complexity,
    demo,
    imagenet,
    mixup,
    noise_grid,
    noise_regularizers,
    regularization,
    studies,
)
from rethink.publish.content import Cell, Column, Figure, Row, Section, Table, anchor, number
from rethink.publish.front import COST_UNITS, Front, answer, commit_state
from rethink.publish.items import scoreboard_items, verdicts_of
from rethink.publish.sources import SHORT, commit_of, origin
from rethink.publish.studies import StudyView, accuracy, criterion, fit_time, fit_times
from rethink.publish.theory import KINDS as THEORY_KINDS
from rethink.publish.theory import TheoryView
from rethink.publish.verdicts import Scoreboard, deviations, undecided
from rethink.publish.wording import duration, fixed, listing, plural, replicates, tidy

CELL_KINDS = {
    **studies.KINDS,
    **regularization.KINDS,
    **imagenet.KINDS,
    **noise_regularizers.KINDS,
    **noise_grid.KINDS,
    **demo.KINDS,
    **mixup.KINDS,
    **complexity.KINDS,
}
DEVIATION_COLUMNS = ("item", "paper_says", "we_chose", "why", "switch", "expected_effect")
STATEMENT_COLUMNS = ("statement", "why")
SLIDES = "noise_grid"  # the kind of study that decides the claims of the slides


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
    sections = [report.study(study) for study in preset["studies"]]
    sections += [report.samples()] if len(tables.cells) else []
    sections += [report.claims(), report.deviations(deviations)]
    if any(study["kind"] == SLIDES for study in preset["studies"]):
        statements = deviations.with_name("statements_slides.csv")
        sections.insert(-1, report.claims_of_slides(statements))
    sections += [report.cells()] if len(tables.cells) else []
    sections += [report.provenance()]
    front = Front(tables, report.runs, report.data, report.experiments, report.scoreboard)
    return {
        "title": preset["title"],
        "preset": preset["name"],
        "reduced": preset["reduced"],
        "answer": answer(report.scoreboard, front.glance()),
        "summary": front.summary(report.open_choices),
        "identity": front.identity(preset, code),
        "items": scoreboard_items(report.scoreboard, report.item_sections()),
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
        verdicts = Scoreboard(read_verdicts(results / "tables" / "claims.csv"))
        self.scoreboard, self.slides = verdicts.of("C"), verdicts.of("S")
        self.data = {name: self._dataset(name) for name in preset["datasets"]}
        self.members: dict[str, list[str]] = {}
        self.open_choices = 0

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

    def _figure(
        self, folder: str, name: str, caption: str, facts: dict, rule: str, behind: str
    ) -> Figure:
        path = self.results / "figures" / folder / f"{name}.svg"
        made = f"{rule} {commit_of(path.with_name(f'{path.name}.run.json'))}"
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
            source=f"{made}; {self.shown}/figures/{folder}/{name}.csv; {behind}.",
            image=f"data:image/svg+xml;base64,{data['svg+xml']}",
            csv=f"data:text/csv;base64,{data['csv']}",
            csv_name=f"{folder}-{name}.csv",
            name=f"{folder}-{name}",
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
        name = study["name"]
        if "experiments" in study:
            tables, facts, members, script = self._theory_study(study)
        else:
            tables, facts, members, script = self._cell_study(study)
        runs = self.runs[self.runs["cell"].isin(members)]
        behind = origin(self.preset["name"], name, runs, facts.get("replicates", ""))
        for table in tables:
            captions = f"table_{table.name or kind}"
            table.name = anchor("table", name, table.name or kind)
            table.title = self._caption(captions, "title", facts)
            table.caption = self._caption(captions, "caption", facts)
            table.source = f"{script}; {behind}."
        figures = []
        for figure in entry.figures:
            rule = f"Rule figure: scripts/figure.py --figure {figure}"
            figures.append(self._figure(name, figure, figure, facts, rule, behind))
        title = study["title"]
        if entry.paper_items:
            title += f" (the paper’s {listing(entry.paper_items)})"
        return Section(
            anchor("study", name),
            title,
            self._caption(f"study_{kind}", "lead", facts),
            [*figures, *tables],
            verdicts=verdicts_of(self.scoreboard, kind, members),
        )

    def item_sections(self) -> dict[str, str]:
        """Return the anchor of the section of every item of the paper that has one."""
        sections: dict[str, str] = {}
        for study in self.preset["studies"]:
            for item in study_catalog.KINDS[study["kind"]].paper_items:
                sections.setdefault(item, anchor("study", study["name"]))
        return sections

    def _cell_study(
        self, study: dict[str, Any]
    ) -> tuple[list[Table], dict[str, Any], list[str], str]:
        """Return a study's tables, facts for its captions, its cells, and what tabulated them."""
        folder = self.results / "tables" / study["name"]
        title = self.data[study["dataset"]]["title"]
        view = StudyView(study, Tables(folder), title, self.paper)
        cells = view.cells["cell"].tolist()
        self.members[study["name"]] = cells
        tables, facts = CELL_KINDS[study["kind"]](view)
        script = (
            f"Rule tabulate: scripts/aggregate.py {commit_of(folder / 'run.json')}; "
            f"{self.shown}/tables/{study['name']}/cells.csv and summary.csv"
        )
        return tables, view.facts() | facts, cells, script

    def _theory_study(
        self, study: dict[str, Any]
    ) -> tuple[list[Table], dict[str, Any], list[str], str]:
        """Return the same for a study of theory."""
        names = study["experiments"]
        folders = [self.results / "theory" / name for name in names]
        view = TheoryView(
            study,
            read_results([folder / "result.json" for folder in folders]),
            {folder.name: read_json(folder / "run.json") for folder in folders},
            {name: entry["title"] for name, entry in self.data.items()},
            self.paper,
        )
        tables, facts = THEORY_KINDS[study["kind"]](view)
        scripts = {view.runs[name]["command"].split()[0] for name in names}
        where = f"{{{','.join(names)}}}" if len(names) > 1 else names[0]
        script = (
            f"{listing(sorted(scripts))} {commit_of(folders[0] / 'run.json')}; "
            f"{self.shown}/theory/{where}/result.json"
        )
        return tables, facts, [f"theory/{name}" for name in names], script

    def claims(self) -> Section:
        """Return the section of the claims: by item of the paper, then one by one."""
        made = commit_of(self.results / "tables" / "claims.csv.run.json")
        tables = [self.scoreboard.by_item(), self.scoreboard.claims()]
        for table, name in zip(tables, ("verdicts", "claims"), strict=True):
            table.title = self._caption(name, "title", {})
            table.caption = self._caption(name, "caption", {})
            table.source = f"Rule claims: scripts/claims.py {made}; {self.shown}/tables/claims.csv."
        lead = self._caption("claims", "lead", {"sentence": self.scoreboard.sentence()})
        return Section("claims", "The paper’s claims, one by one", lead, tables)

    def claims_of_slides(self, statements: Path) -> Section:
        """Return the section of the slides' claims and of what in them no experiment decides."""
        facts = {"sentence": self.slides.sentence("the slides’ ")}
        claims = self.slides.claims("slides-claims", "What the slides say", "Slides")
        claims.title = self._caption("claims_slides", "title", facts)
        claims.caption = self._caption("claims_slides", "caption", facts)
        made = commit_of(self.results / "tables" / "claims.csv.run.json")
        claims.source = f"Rule claims: scripts/claims.py {made}; {self.shown}/tables/claims.csv."
        table = undecided(read_table(statements, dict.fromkeys(STATEMENT_COLUMNS, TEXT)))
        table.title = self._caption("statements_slides", "title", facts)
        table.caption = self._caption("statements_slides", "caption", facts)
        table.source = "report/statements_slides.csv."
        lead = self._caption("claims_slides", "lead", facts)
        return Section("claims-of-slides", "Claims of the slides", lead, [claims, table])

    def deviations(self, path: Path) -> Section:
        """Return the section of what the paper leaves open and what was chosen."""
        table = deviations(read_table(path, dict.fromkeys(DEVIATION_COLUMNS, TEXT)))
        self.open_choices = len(table.rows)
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
            rule = "Rule samples: scripts/samples.py"
            behind = f"drawn from seed {self.preset['seed']}, {self.shown}/corrupted/{name}"
            figures.append(self._figure("samples", name, "samples", facts, rule, behind))
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
            ("Command and record", "command"),
        ]
        table = Table(
            self._caption("table_cells", "title", facts),
            self._caption("table_cells", "caption", facts),
            [Column(*title) for title in titles],
            rows,
            source=(
                f"Rule tabulate: scripts/aggregate.py "
                f"{commit_of(self.results / 'tables' / 'all' / 'run.json')}; "
                f"{self.shown}/tables/all/cells.csv and runs.csv."
            ),
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
                Cell(
                    "",
                    command=f"snakemake --config preset={self.preset['name']} -- {target}",
                    record=self._record(cell, runs),
                ),
            ],
            id=anchor("cell", *cell.cell.split("/")),
            data={
                "status": status,
                "studies": " ".join(n for n, names in self.members.items() if cell.cell in names),
            },
        )

    def _record(self, cell: Any, runs: pd.DataFrame) -> list[tuple[str, str]]:
        """Return what the record of a cell says, and where the whole of it lies."""
        if cell.cell not in runs.index:
            return []
        run = runs.loc[cell.cell]
        return [
            ("Record", f"{self.shown}/cells/{cell.cell}/run.json"),
            ("Seed", "not recorded" if pd.isna(run["seed"]) else str(run["seed"])),
            ("Finished", run["finished"] or "not recorded"),
            ("Host", run["host"] or "not recorded"),
            ("Commit", commit_state(run["commit"][:SHORT], run["dirty"])),
            ("Code", run["code_sha256"] or "not recorded"),
            ("Specification (sha256)", run["spec_sha256"][:SHORT] or "not recorded"),
            ("Data (sha256)", run["data_sha256"][:SHORT] or "not recorded"),
        ]

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
                name=anchor("table", name),
            )
            for name, rows, columns in parts
        ]
        lead = self._caption("table_data", "lead", {"results": self.shown})
        return Section("provenance", "Provenance", lead, tables)


def _whole(value: Any) -> Cell:
    return Cell("not recorded" if pd.isna(value) else str(int(value)))


def _columns(header: str, *others: tuple[str, str]) -> list[Column]:
    return [Column(header, "text"), *(Column(*other) for other in others)]
