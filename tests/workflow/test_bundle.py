"""The bundle of a real run: packed, audited, damaged, compared, exported, shown by Snakemake."""

import hashlib
import json
import re
import shutil
import zipfile

import pytest
import yaml
from project import ROOT

from rethink.audit.audit import audit
from rethink.audit.findings import Findings, summary
from rethink.audit.integrity import checksums
from rethink.bundle.archive import files_below
from rethink.bundle.assemble import bundle
from rethink.bundle.crate_rules import problems
from rethink.config import load, validate
from rethink.grid import expand


@pytest.fixture(scope="module")
def packed(finished, tmp_path_factory):
    """Return a project with its bundle, made by the rule."""
    project = finished.clone(tmp_path_factory.mktemp("packed") / "project")
    assert project.run("--", "bundle") == {"Pack results/tiny/bundle.zip"}
    return project


@pytest.fixture(scope="module")
def good(packed, tmp_path_factory):
    """Return the folder that the bundle was unpacked into; not to be changed."""
    folder = tmp_path_factory.mktemp("good")
    with zipfile.ZipFile(packed.results / "bundle.zip") as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture
def unpacked(good, tmp_path):
    """Return a copy of it to damage."""
    return shutil.copytree(good, tmp_path / "bundle")


def resolved(folder):
    """Return the grid of an unpacked bundle."""
    values = yaml.safe_load((folder / "config/preset.yaml").read_text())
    return expand(validate(values, "preset.yaml"), "preset.yaml")


def sums(folder):
    """Write the checksums anew, as someone would who covers up a change."""
    names = [name for name in files_below(folder) if name != "SHA256SUMS"]
    lines = [f"{hashlib.sha256((folder / n).read_bytes()).hexdigest()}  {n}\n" for n in names]
    (folder / "SHA256SUMS").write_text("".join(lines))


def alter(path, pattern):
    """Change one digit: the first after what fits `pattern`."""
    text = path.read_text()
    place = re.search(pattern, text).end()
    digit = re.compile(r"\d").search(text, place)
    other = str((int(digit.group()) + 1) % 10)
    path.write_text(text[: digit.start()] + other + text[digit.end() :])


def test_the_same_run_gives_the_same_bytes(packed, good, tmp_path):
    again = tmp_path / "again.zip"
    bundle(resolved(good), packed.results, packed.folder, again)
    assert again.read_bytes() == (packed.results / "bundle.zip").read_bytes()


def test_the_bundle_holds_the_run(packed, good):
    names = set(files_below(good))
    for pattern in (
        *("report.html", "tables/*/*.csv", "figures/*/*.svg", "figures/*/*.csv", "theory/*/*.json"),
        *("cells/*/*/*/*/curves.csv", "cells/*/*/*/*/summary.json", "cells/*/*/*/*/run.json"),
        "data/*/manifest.json",
    ):
        made = {p.relative_to(packed.results).as_posix() for p in packed.results.glob(pattern)}
        assert made, pattern
        assert made <= names
    assert {"LICENSE", "CITATION.cff", "envs/requirements.txt", "Snakefile"} <= names
    assert not [name for name in names if name.endswith(".npy")], (
        "images have licences of their own"
    )
    listed = (good / "SHA256SUMS").read_text().splitlines()
    digests = {line.split("  ")[1]: line.split("  ")[0] for line in listed}
    assert digests.keys() == names - {"SHA256SUMS"}
    for name, digest in digests.items():
        assert hashlib.sha256((good / name).read_bytes()).hexdigest() == digest


def test_the_preset_in_it_is_the_whole_preset(packed, good):
    given = yaml.safe_load((packed.folder / "tiny.yaml").read_text())
    expected = expand(load(given, ROOT / "config"), "tiny")
    found = resolved(good)
    assert (found.cells, found.experiments) == (expected.cells, expected.experiments)
    assert found.report_spec() == expected.report_spec()
    specifications = json.loads((good / "config/specifications.json").read_text())
    assert specifications["cell"]["digits/alexnet/none/none"]["train"]["learning_rate"] == 0.01


def test_codecheck_lists_files_that_are_there_and_holds_no_place(good):
    text = (good / "codecheck.yml").read_text()
    assert text.startswith("---\n")
    content = yaml.safe_load(text)
    assert all(
        (good / entry["file"]).is_file() and entry["comment"] for entry in content["manifest"]
    )
    assert len(content["manifest"]) > 10
    assert not {"codechecker", "certificate", "report"} & content.keys()
    assert not re.search(r"FIXME|TODO", text)


def test_the_checklists_have_an_answer_for_every_item(good):
    for name, said in (
        (
            "ml_reproducibility",
            ["6 trainings of 6 cells, 1 replicates each; 1 experiments", "10 classes"],
        ),
        ("acm_artifact", ["a reduced run is no evidence: a test of the workflow", "make report"]),
    ):
        text = (good / f"checklists/{name}.md").read_text()
        rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
        assert len(rows) > 20
        assert all(row[1].strip() for row in rows)
        assert [words for words in said if words not in text] == []


def test_a_good_bundle_passes(packed):
    findings = audit(packed.results / "bundle.zip", packed.folder)
    assert findings.good, summary(findings, 0)
    assert findings.checked["summaries from learning curves"] == 6
    assert findings.checked["tables"] == 12
    assert findings.checked["verdicts on claims"] == 37 + 12  # the paper's and the slides'
    assert findings.checked["figures and their values"] == 4
    assert "figures/samples" in " ".join(findings.remarks)
    assert "The bundle is good" in summary(findings, 10)


def test_one_altered_digit_is_found_by_name_though_the_checksums_were_altered_too(packed, unpacked):
    curves = "cells/digits/mlp_1x512/none/none/curves.csv"
    damages = {
        curves: r"\n0,2,.*?,",
        "cells/digits/alexnet/none/none/summary.json": r'"best_test_accuracy": 0\.',
        "cells/digits/alexnet/none/none/run.json": r'"peak_memory_mb": ',
        "tables/levels/cells.csv": r"digits,alexnet,none,.*0\.",
        "tables/claims.csv": r"C1,.*",
        "figures/levels/test_error.csv": r"\n.*0\.",
        "figures/levels/test_error.svg": r' d="M ',
        "theory/lines/result.json": r": 0\.",
        "report.html": r'id="cell-digits-alexnet-none-none"(.|\n)*?<td[^>]*>',
        "checklists/acm_artifact.md": r"unpacked|C1 ",
        "config/preset.yaml": r"replicates: ",
        "envs/requirements.txt": r"numpy==",
        "ro-crate-metadata.json": r'"endTime": "20',
    }
    for name, pattern in damages.items():
        alter(unpacked / name, pattern)
    sums(unpacked)
    findings = audit(unpacked, packed.folder)
    said = findings.disagreements
    assert [name for name in damages if name not in said] == []
    for name, words in (
        (
            "tables/curves/curves.csv",
            r"row \d+ \(digits/mlp_1x512/none/none, replicate 0, epoch 2\)",
        ),
        ("tables/levels/cells.csv", r"row 3 \(digits/alexnet/none/none\), column \w+: says '"),
        (
            "cells/digits/alexnet/none/none/summary.json",
            r"replicates\[0\].best_test_accuracy: says",
        ),
        ("report.html", r"table '.*', row 'digits/alexnet/none/none', column 'Training accuracy"),
        (curves, r"it is not what cells/.*/run.json says was written"),
    ):
        assert re.search(words, "\n".join(said[name])), said[name]
    # The epoch that was altered is not the one that the summary is of.
    assert "tables/curves/summary.csv" not in said
    assert "NOT good" in summary(findings, 1)


def test_a_change_without_new_checksums_is_named(unpacked):
    alter(unpacked / "LICENSE", r"Copyright")
    (unpacked / "CITATION.cff").unlink()
    (unpacked / "data/extra.csv").write_text("x\n")
    findings = Findings()
    checksums(unpacked, files_below(unpacked), findings)
    assert findings.disagreements == {
        "LICENSE": ["its sha256 is not the one in SHA256SUMS"],
        "CITATION.cff": ["SHA256SUMS names it, but it is not there"],
        "data/extra.csv": ["SHA256SUMS does not name it"],
    }


def entity(crate, iri):
    """Return an entity of a crate."""
    return next(entity for entity in crate["@graph"] if entity["@id"] == iri)


ACTION = "#cells/digits/alexnet/none/none/run.json"
DAMAGES = {
    "an action without its tool": lambda c: entity(c, ACTION).pop("instrument"),
    "an action without a time": lambda c: entity(c, ACTION).pop("endTime"),
    "an action that ends first": lambda c: entity(c, ACTION).update(endTime="2000-01-01T00:00:00Z"),
    "no run of the workflow": lambda c: c["@graph"].remove(entity(c, "#run")),
    "no workflow": lambda c: entity(c, "./").pop("mainEntity"),
    "a workflow of no language": lambda c: entity(c, "Snakefile").pop("programmingLanguage"),
    "a workflow that is no workflow": lambda c: entity(c, "Snakefile").update({"@type": "File"}),
    "no licence": lambda c: entity(c, "./").pop("license"),
    "a profile less": lambda c: entity(c, "./")["conformsTo"].pop(0),
    "a step without its tool": lambda c: entity(c, "#step-train").pop("workExample"),
    "a parameter of no type": lambda c: entity(c, "#in-preset").pop("additionalType"),
    "an output that is not there": lambda c: entity(c, ACTION)["result"].append(
        {"@id": "gone.csv"}
    ),
    "a file that is no part": lambda c: entity(c, "./")["hasPart"].pop(0),
    "two entities of one name": lambda c: c["@graph"].append(entity(c, ACTION)),
    "another vocabulary": lambda c: c["@context"].pop(),
    "a wrong checksum": lambda c: entity(c, "LICENSE").update(sha256="0" * 64),
    "a wrong size": lambda c: entity(c, "LICENSE").update(contentSize="1"),
}


def test_the_crate_has_an_action_for_every_job_and_keeps_to_its_profiles(packed, good):
    assert problems(good) == []
    crate = json.loads((good / "ro-crate-metadata.json").read_text())
    actions = [e for e in crate["@graph"] if e["@type"] == "CreateAction"]
    records = [p for p in packed.results.rglob("*run.json")]
    assert len(actions) == len(records) + 1
    action = entity(crate, ACTION)
    record = json.loads((good / ACTION[1:]).read_text())
    assert (action["startTime"], action["endTime"]) == (record["started"], record["finished"])
    assert {"@id": "data/digits/manifest.json"} in action["object"]
    assert {"@id": "cells/digits/alexnet/none/none/curves.csv"} in action["result"]
    assert entity(crate, f"{ACTION}-specification")["value"] == record["spec"]


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_crate_is_refused(good, unpacked, damage):
    path = unpacked / "ro-crate-metadata.json"
    crate = json.loads(path.read_text())
    damage(crate)
    path.write_text(json.dumps(crate))
    assert problems(unpacked)


def test_a_crate_that_lacks_a_file_is_refused(unpacked):
    (unpacked / "report.html").unlink()
    assert problems(unpacked) == [
        "report.html: ro-crate-metadata.json names it, but it is not there"
    ]


def test_snakemakes_own_report_has_captions_and_categories(finished, tmp_path):
    path = tmp_path / "report.html"
    done = finished.snakemake("--report", str(path))
    assert done.returncode == 0, done.stdout
    text = path.read_text()
    for category in ("Report", "Verdicts", "Tables", "Figures"):
        assert f'"{category}": {{' in text
    for caption in (
        "Every item of the paper beside its re-run",
        "The cells of the study <strong>levels</strong>",
        "Figure <em>time_to_fit</em> of the study <strong>levels</strong>",
        "Begin with <em>Report</em>",
    ):
        assert caption in text
