"""The audit of a bundle: from the checkout and the bundle alone, without training."""

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from rethink.audit import integrity, recompute
from rethink.audit.differences import Difference, of_csv, of_json, of_text
from rethink.audit.findings import Findings
from rethink.audit.page import of_pages
from rethink.bundle import assemble, contents
from rethink.bundle.archive import files_below, opened
from rethink.bundle.crate import CHECKSUMS, METADATA
from rethink.claims.claim import CLAIM_FILES
from rethink.config import validate
from rethink.errors import RethinkError
from rethink.grid import Grid, expand
from rethink.provenance import git_state, software
from rethink.publish import pango

DOCUMENTS = {contents.PRESET, contents.SPECIFICATIONS, *assemble.PAPERS, METADATA, CHECKSUMS}
OWN_IMAGES = re.compile(r"data\.[^.]+\.folder")


def audit(bundle: Path, checkout: Path, print_again: bool = False) -> Findings:
    """Return the findings on a bundle, a zip file or the folder that it was unpacked into.

    `checkout` is the folder of the workflow; with `print_again` the PDF is made again too. Raises
    RethinkError where the bundle is so damaged that it cannot be read as one.
    """
    with opened(bundle) as folder, tempfile.TemporaryDirectory(prefix="rethink-") as work:
        findings = Findings()
        files = files_below(folder)
        integrity.checksums(folder, files, findings)
        integrity.the_crate(folder, findings)
        try:
            _Audit(folder, files, checkout, Path(work), findings).run(print_again)
        except RethinkError as error:
            text = str(error).replace(f"{folder}/", "").replace(f"{work}/", "")
            if findings.good:
                raise RethinkError(f"{bundle} cannot be audited: {text}") from None
            findings.remark(f"the audit ends here: {text}")
        except (KeyError, TypeError, ValueError) as error:
            # Of a file that was named above; with none of these it would be a mistake of ours.
            if findings.good:
                raise
            findings.remark(f"the audit ends here: a damaged file has no {error}")
        return findings


class _Audit:
    """One audit; holds what its parts share."""

    def __init__(
        self, folder: Path, files: dict[str, Path], checkout: Path, work: Path, findings: Findings
    ):
        self.folder, self.files, self.checkout = folder, files, checkout
        self.work, self.findings = work, findings
        self.grid = _grid(files, work)
        self.facts = assemble.facts_of(self.grid, files)

    def run(self, print_again: bool) -> None:
        """Compare everything, in the order in which it follows from what came before."""
        grid, files, findings = self.grid, self.files, self.findings
        self._say_what_is_compared()
        self._is_complete()
        integrity.records(grid, self.facts.jobs, files, findings)
        integrity.copies(self.checkout, files, self.same_commit, findings)
        self._summaries()
        self.results = recompute.stage(grid, files, self.checkout, self.work)
        for name in recompute.tables(grid, self.results):
            self._compare(name, of_csv)
            findings.count("tables")
        claims = [self.checkout / "report" / name for name in CLAIM_FILES]
        self._compare(recompute.verdicts(grid, self.results, claims), of_csv)
        findings.count("verdicts on claims", len(self.facts.claims))
        self._figures()
        self._report()
        if contents.PDF in files:
            self._pdf(print_again)
        self._written()

    def _is_complete(self) -> None:
        """Compare the files with those that a bundle of this preset has."""
        expected = {*contents.result_names(self.grid, self.folder), *DOCUMENTS}
        for name in sorted(expected - self.files.keys()):
            self.findings.disagree(name, ["is not there"])
        for name in self.files.keys() - expected:
            if not contents.is_copy(name):
                self.findings.disagree(name, ["is no part of a bundle of this preset"])
        if expected - self.files.keys():
            raise RethinkError("nothing more can be compared without the files that are not there")

    @property
    def same_commit(self) -> bool:
        """Whether this checkout is the one that the bundle was made in, as far as that is known."""
        here = git_state()
        return None in (here["commit"], self.facts.commit) or here["commit"] == self.facts.commit

    def _say_what_is_compared(self) -> None:
        here = git_state()["commit"]
        if not self.same_commit:
            self.findings.remark(
                f"the bundle was made at commit {self.facts.commit}, this checkout is at {here}: "
                "what differs may differ for that; check that commit out to be sure"
            )
        for name, version in software().items():
            theirs = self.facts.software.get(name, version)
            if version not in theirs.split(", "):
                self.findings.remark(f"{name} is {version} here, the bundle was made with {theirs}")

    def _summaries(self) -> None:
        """Compare every cell's summary with its learning curves."""
        for name, cell in self.grid.cells.items():
            file = f"cells/{name}/summary.json"
            try:
                computed = recompute.cell_summary(cell, self.folder / "cells" / name)
            except RethinkError as error:
                self.findings.disagree(file, [str(error)])
                continue
            said = json.loads(self.files[file].read_text(encoding="utf-8"))
            self.findings.disagree(file, of_json(said, computed))
            self.findings.count("summaries from learning curves")

    def _figures(self) -> None:
        for name in recompute.drawings(self.grid, self.results, self.checkout / "report/paper"):
            self._compare(f"{name}.csv", of_csv)
            self._compare_bytes(f"{name}.svg", "matplotlib")
            self.findings.count("figures and their values")
        if self.grid.sampled:
            self.findings.remark(
                "figures/samples: not drawn again, the images are no part of the bundle; they are "
                "what their records say"
            )

    def _report(self) -> None:
        """Render the report from what was recomputed; compare what its readers see."""
        (record,) = [j for j in self.facts.jobs if j.record == f"{contents.REPORT}.run.json"]
        recompute.report(self.grid, self.work, record.facts["digests"]["code"])
        said, computed = self._both(contents.REPORT)
        found = list(of_pages(said, computed))
        self.findings.disagree(contents.REPORT, found)
        if not found and said != computed:
            self.findings.disagree(contents.REPORT, ["differs beside its text: style or script"])
        self.findings.count("reports rendered again")

    def _pdf(self, print_again: bool) -> None:
        problem = pango.missing() if print_again else "only on demand (--pdf)"
        if problem:
            self.findings.remark(
                f"{contents.PDF}: not printed again, {problem}; it is what its record says, made "
                f"from this {contents.REPORT}"
            )
            return
        recompute.printed(self.grid, self.work)
        one, other = (f.read_bytes() for f in self._paths(contents.PDF))
        if one != other:
            self.findings.remark(
                f"{contents.PDF} printed here has other bytes: that may be WeasyPrint, Pango or "
                "the fonts; it is what its record says, and so is the report that it was printed from"
            )
        self.findings.count("reports printed again")

    def _written(self) -> None:
        """Compare what the bundle says of itself with what follows from its results.

        The preset is where all begins: it follows from nothing. Where images of one's own lie is
        known to the machine that had them alone.
        """
        said = {name: self.files[name].read_bytes() for name in DOCUMENTS}
        results = {name: path for name, path in self.files.items() if name not in DOCUMENTS}
        texts = assemble.configuration(self.grid) | assemble.papers(self.grid, results)
        written = {name: said[name] for name in texts}
        texts |= assemble.closing(self.grid, results, written)
        for name in sorted(DOCUMENTS - {contents.PRESET, CHECKSUMS}):
            found = _written_differences(name, said[name].decode(), texts[name].decode())
            own = (d for d in found if not OWN_IMAGES.fullmatch(d.place))
            self.findings.disagree(name, own)
            self.findings.count("documents written again")

    def _paths(self, name: str) -> tuple[Path, Path]:
        return self.files[name], self.results / name

    def _both(self, name: str) -> tuple[str, str]:
        one, other = (path.read_text(encoding="utf-8") for path in self._paths(name))
        return one, other

    def _compare(self, name: str, differences: Any) -> None:
        said, computed = self._both(name)
        if said != computed:
            found = list(differences(said, computed))
            self.findings.disagree(name, found or ["differs in its line ends or quotes"])

    def _compare_bytes(self, name: str, package: str) -> None:
        """Compare a file that another version of a package may write otherwise."""
        said, computed = self._both(name)
        if said == computed:
            return
        here, there = software().get(package), self.facts.software.get(package)
        if here != there:
            self.findings.remark(
                f"{name} drawn here has other bytes; {package} is {here} here and was {there}"
            )
        else:
            self.findings.disagree(name, ["is not the figure that is drawn from its values"])


def _grid(files: dict[str, Path], work: Path) -> Grid:
    """Return the grid of the bundle's preset.

    A folder of images of one's own need not be on this machine: an empty one stands in for it.
    """
    if contents.PRESET not in files:
        raise RethinkError(f"{contents.PRESET} is not there: this is no bundle")
    try:
        values = yaml.safe_load(files[contents.PRESET].read_text(encoding="utf-8"))
        datasets = (values.get("datasets") or {}).items()
        for name, settings in datasets:
            if isinstance(settings, dict) and settings.get("kind") == "imagefolder":
                for part in ("train", "test"):
                    (work / "images" / name / part).mkdir(parents=True)
                settings["folder"] = str(work / "images" / name)
    except (yaml.YAMLError, AttributeError, UnicodeDecodeError) as error:
        raise RethinkError(f"{contents.PRESET}: not readable as a preset: {error}") from None
    return expand(validate(values, contents.PRESET), contents.PRESET)


def _written_differences(name: str, said: str, computed: str) -> Iterator[Difference]:
    if said == computed:
        return iter(())
    if name in (METADATA, contents.SPECIFICATIONS):
        try:
            return of_json(json.loads(said), json.loads(computed))
        except ValueError:
            pass
    return of_text(said, computed)
