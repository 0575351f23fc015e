"""The report: what it says, that it stands alone, and that its PDF keeps to the standards."""

import base64
import hashlib
import html.parser
import importlib
import re
import shutil
import zlib
from pathlib import Path
from types import SimpleNamespace

import browser
import fake_results
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rethink import studies
from rethink.analysis.collect import aggregate
from rethink.analysis.tables import Tables, write_table
from rethink.claims.verdicts import DIFFERS, NOT_RUN, REPRODUCED, read_verdicts, write_verdicts
from rethink.errors import RethinkError
from rethink.figures import samples, style
from rethink.files import write_json, write_text
from rethink.publish import context, front, items, pango, sources, wording
from rethink.publish import html as page
from rethink.publish import pdf as print_out
from rethink.publish.content import anchor
from rethink.publish.verdicts import Scoreboard

REPORT = Path(__file__).resolve().parents[2] / "report"
needs_pango = pytest.mark.skipif(pango.missing() is not None, reason=str(pango.missing()))


def build(root):
    """Write the tables and figures of a made-up run below `root`."""
    style.use()
    fake_results.write_results(root)
    manifest = root / "data/digits/manifest.json"
    aggregate(sorted(root.glob("cells/*/*/*/*/summary.json")), [manifest], root / "tables/all")
    for entry in fake_results.preset()["studies"]:
        folder = root / "tables" / entry["name"]
        cells = fake_results.cells_of(entry["name"])
        aggregate([root / "cells" / c / "summary.json" for c in cells], [manifest], folder)
        for name in studies.KINDS[entry["kind"]].figures:
            module = importlib.import_module(f"rethink.figures.{name}")
            save(root / "figures" / entry["name"], name, *module.draw(entry, Tables(folder), PAPER))
    described = {"name": "demo", "reduced": "made-up numbers.", "dataset": "digits"}
    verdicts = root / "tables/claims.csv"
    claims = [REPORT / "claims.csv", REPORT / "claims_slides.csv"]
    write_verdicts(root / "tables/all", [], claims, described, verdicts)
    manifests = [manifest, *root.glob("corrupted/digits/*/manifest.json")]
    save(root / "figures/samples", "digits", *samples.draw(manifests))
    return root


PAPER = REPORT / "paper"


def save(folder, name, figure, drawn):
    style.save(figure, folder / f"{name}.svg")
    write_table(drawn, folder / f"{name}.csv")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return build(tmp_path_factory.mktemp("run"))


def gather(described, run, templates):
    return context.gather(described, run, PAPER, REPORT / "deviations.csv", templates, "c0de")


def render(run, **preset):
    templates = page.environment(REPORT)
    described = {**fake_results.preset(), **preset}
    return page.render(gather(described, run, templates), templates)


@pytest.fixture(scope="module")
def report(run):
    return render(run)


class Reader(html.parser.HTMLParser):
    """Keeps the elements of a page with their attributes, and the text of its table cells."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.cells, self.inside = [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag in ("td", "th"):
            self.inside = ""

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.cells.append(self.inside.strip())
            self.inside = None

    def handle_data(self, text):
        if self.inside is not None:
            self.inside += text

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def read(report):
    return Reader(report)


def test_no_cell_of_any_table_is_empty_or_not_a_number(read):
    assert len(read.cells) > 300
    assert all(read.cells)
    wrong = re.compile(r"\b(nan|NaN|None|<NA>|inf)\b")
    assert [text for text in read.cells if wrong.search(text) and "/" not in text] == []


def test_bad_ends_are_named(report):
    assert "not run" in report
    assert "diverged" in report
    assert "not fitted" in report
    assert "&gt; 40" in report


def test_the_page_asks_nothing_of_the_network(report, read):
    assert read.all("link") == []
    assert all(image["src"].startswith("data:image/svg+xml;base64,") for image in read.all("img"))
    assert all(a["href"].startswith(("#", "data:")) for a in read.all("a"))
    assert not re.search(r"\bstyle=|\bon[a-z]+=", re.sub(r"<(style|script)>.*?</\1>", "", report))


def test_the_policy_names_the_style_and_the_script_by_hash(report, read):
    policy = next(m["content"] for m in read.all("meta") if "http-equiv" in m)
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        text = re.search(f"<{tag}>(.*?)</{tag}>", report, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_links_lead_somewhere_and_ids_are_unique(read):
    ids = [attributes["id"] for _, attributes in read.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    targets = {a["href"][1:] for a in read.all("a") if a["href"].startswith("#")}
    assert targets <= set(ids)


def test_figures_have_words_and_headers_have_scope(read):
    images = read.all("img")
    assert len(images) == 18
    assert all(len(image["alt"]) > 60 for image in images)
    assert all(header.get("scope") in ("row", "col") for header in read.all("th"))


def test_captions_leave_no_gap_between_sentences(report):
    text = re.sub(r"<(style|script)>.*?</\1>|<[^>]*>", "", report, flags=re.DOTALL)
    assert not re.search(r"[a-z]\.[A-Z]", text)


def test_what_fits_noise_and_what_does_not_is_said(report):
    assert "None is fitted by Alexnet" in report
    assert "Noise is memorized by Convex MLP 1x512 on random labels" in report
    assert "No logit exceeds a chord by more than rounding." in report


def test_table_one_has_the_papers_numbers(report):
    for value in ("89.05", "85.75", "82.00", "53.35", "10.61"):
        assert f">{value}<" in report
    assert report.count(">not run<") >= 14


def test_table_two_has_the_papers_numbers_with_the_best_in_brackets(report):
    section = report.partition('id="study-table2"')[2].partition("</section>")[0]
    for text in ("59.80 (63.16)", "80.38 (84.49)", "77.84", "Winner of ILSVRC 2012", "83.60"):
        assert text in section
    assert section.count("not run") >= 4
    section = report.partition('id="study-figure2a"')[2].partition("</section>")[0]
    assert "+5.39" in section and "+3.36" in section


def test_every_cell_has_its_command_and_anchor(report):
    for study in fake_results.STUDIES:
        for name in fake_results.cells_of(study):
            target = f"results/fake/cells/{name}/summary.json"
            assert f"<code>snakemake --config preset=fake -- {target}</code>" in report
            assert f'id="{anchor("cell", *name.split("/"))}"' in report


def test_dates_come_from_the_records(report, read):
    dates = {m["name"]: m["content"] for m in read.all("meta") if "name" in m}
    assert dates["dcterms.modified"].startswith("2026-11-20T10:01:")
    assert "20 November 2026" in report


def board_of(run, **changed):
    """Return the run's scoreboard with claims changed to a verdict and a scale."""
    verdicts = read_verdicts(run / "tables/claims.csv").set_index("id", drop=False)
    verdicts[["verdict", "scale"]] = [REPRODUCED, "full"]
    for name, pair in changed.items():
        verdicts.loc[name, ["verdict", "scale"]] = pair
    return Scoreboard(verdicts.reset_index(drop=True)).of("C")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, "The paper’s finding is reproduced: networks"),
        ({"C1": (DIFFERS, "full"), "C2": (NOT_RUN, "full")}, "is not reproduced: claim C1 not met"),
        ({"C2": (NOT_RUN, "full"), "C16": (REPRODUCED, "reduced")}, "not decided here: C2 was not"),
        ({"C16": (REPRODUCED, "reduced")}, "shows at this reduced scale too, which is no evidence"),
        ({"C1": (DIFFERS, "reduced"), "C2": (DIFFERS, "reduced")}, "neither for nor against it"),
    ],
)
def test_the_answer_follows_from_the_verdicts(run, changed, words):
    board = board_of(run, **changed)
    sentences = front.answer(board, [])
    assert len(sentences) == 4
    assert words in sentences[2]
    counts = [
        sum(pair[0] == verdict for pair in changed.values()) for verdict in (DIFFERS, NOT_RUN)
    ]
    if all(scale == "full" for _, scale in changed.values()):
        done = 37 - sum(counts)
        differ = "differs" if counts[0] == 1 else "differ"
        assert sentences[3] == (
            f"{done} of 37 claims reproduced, {counts[0]} {differ}, {counts[1]} not run."
        )
    else:
        assert "counts as no reproduction" in sentences[3]


def test_the_scoreboard_has_every_item_with_a_symbol_and_words(run):
    board = board_of(run, C13=(DIFFERS, "full"), C25=(NOT_RUN, "full"), C35=(NOT_RUN, "full"))
    found = {item.name: item for item in items.scoreboard_items(board, {"Figure 1a": "there"})}
    assert set(found) == set(studies.PAPER_ITEMS)
    assert found["Figure 1a"][1:4] == ("✗", "1 of 3 differs", "there")
    assert found["Table 2"][1:4] == ("◐", "3 of 4 reproduced", "claim-c25")
    assert found["Theorem 1"][1:3] == ("○", "not run")
    assert found["Figure 1c"][1:3] == ("✓", "6 of 6 reproduced")


def test_page_one_has_scoreboard_summary_and_identity(report):
    first = report.partition('<section class="first"')[2].partition("</section>")[0]
    for item in studies.PAPER_ITEMS:
        assert f">{item}</a>" in first
    for term in ("Scope", "Method", "Results", "What was easy", "What was difficult"):
        assert f"<h3>{term}</h3>" in first
    for term in ("Commit", "Preset", "Data (sha256 of the manifest)", "Hardware", "Date"):
        assert f">{term}</th>" in first
    assert re.search(r"\d [CG]PU hours", first)


def test_a_section_tells_its_claims_and_sources(report):
    section = report.partition('id="study-figure1a"')[2].partition("</section>")[0]
    assert re.findall(r'href="#claim-(\w+)"', section) == ["c13", "c14", "c15"]
    for words in (
        *("Rule figure: scripts/figure.py --figure learning_curves", "Rule tabulate"),
        *("configuration key studies.figure1a of preset fake", "seed 0, 3 replicates", "5 cells, "),
        *(" on CPU", "results/fake/figures/figure1a/learning_curves.csv"),
    ):
        assert words in section


def test_a_source_names_the_commit_of_its_record(tmp_path):
    record = tmp_path / "x.svg.run.json"
    assert sources.commit_of(record) == "(commit not recorded)"
    write_json(record, {"schema": 1, "git": {"commit": "0123456789abcdef", "dirty": True}})
    assert sources.commit_of(record) == "at commit 0123456789ab (uncommitted changes)"
    write_json(record, {"schema": 0})
    with pytest.raises(RethinkError, match=r"x.svg.run.json: not readable"):
        sources.commit_of(record)


def test_rows_and_cells_have_anchors_and_records(report, read):
    rows = [a for name, a in read.elements if name == "tr"]
    heads = report.count("<thead>") + report.count('<table class="identity"') * 8
    assert sum("id" in row for row in rows) == len(rows) - heads
    for name in fake_results.cells_of("figure1a"):
        assert f"Record: results/fake/cells/{name}/run.json" in report


def test_commits_beyond_three_are_counted():
    runs = pd.DataFrame({"commit": list("aaabbcde"), "dirty": ["no"] * 8})
    assert front._commits(runs) == [
        *("a, clean (3 results)", "b, clean (2 results)", "c, clean (1 result)"),
        "2 more, in section Provenance",
    ]


def test_only_a_reduced_run_says_so(run, report):
    assert 'class="reduced"' in report
    assert "made-up numbers." in report
    assert "educed run" not in render(run, reduced=None)


def test_the_same_page_every_time(run, report):
    assert render(run) == report


def test_text_from_the_preset_is_escaped(run):
    assert "<b>x</b>&" not in render(run, title="<b>x</b>& more")


def test_what_is_missing_is_named(run, tmp_path):
    with pytest.raises(RethinkError, match=r"nowhere/manifest.json: the file is not there"):
        render(run, datasets=["digits", "nowhere"])
    with pytest.raises(RethinkError, match=r"unknown kind 'grit'; did you mean 'grid'"):
        entry = {"name": "more", "kind": "grit", "title": "", "dataset": "digits"}
        render(run, studies=[entry])
    with pytest.raises(RethinkError, match=r"runs.csv: the table is not there"):
        render(tmp_path)


def test_a_broken_template_is_named(run, tmp_path):
    shutil.copytree(REPORT, tmp_path, dirs_exist_ok=True)
    (tmp_path / "captions/table1.txt").write_text("{% block title %}{% endblock %}")
    templates = page.environment(tmp_path)
    with pytest.raises(RethinkError, match=r"captions/table1.txt: block 'caption' is missing"):
        gather(fake_results.preset(), run, templates)


@given(st.floats(-1e4, 1e4), st.integers(0, 3))
def test_a_difference_has_a_sign_unless_it_reads_zero(value, digits):
    text = wording.signed(value, digits)
    number = float(text.replace(wording.MINUS, "-").replace(",", ""))
    assert number == pytest.approx(value, abs=0.51 * 10**-digits)
    assert text[0].isdigit() == (number == 0)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(3.21, "3.2 s"), (59.4, "59 s"), (62, "1 min 02 s"), (3720, "1 h 02 min")],
)
def test_durations(seconds, words):
    assert wording.duration(seconds) == words


def test_words():
    assert wording.listing(["a", "b", "c"]) == "a, b and c"
    assert wording.mean_sd(97.3, float("nan")) == "97.30"
    assert wording.replicates([1, 3]) == "1 to 3 replicates"
    assert wording.tidy("99  %\nof 1") == f"99{wording.NO_BREAK}% of 1"


def test_missing_libraries_are_told_with_their_packages(monkeypatch, tmp_path):
    monkeypatch.setitem(pango.LIBRARIES, "Pango", ("libnothing-of-this-name.so.0",))
    sentence = pango.missing()
    assert "Pango" in sentence
    assert "libpango-1.0-0" in sentence
    with pytest.raises(RethinkError, match="libpango-1.0-0"):
        print_out.write_pdf(tmp_path / "report.html", [], tmp_path / "report.pdf")
    assert not (tmp_path / "report.pdf").exists()


@pytest.fixture(scope="module")
def printed(run):
    """Return the PDF of a report with two studies, made twice, and its attachments."""
    chosen = [s for s in fake_results.preset()["studies"] if s["name"] in ("figure1a", "more")]
    write_text(run / "report.html", render(run, studies=chosen))
    attached = sorted((run / "tables/all").glob("*.csv"))
    for name in ("one.pdf", "two.pdf"):
        print_out.write_pdf(run / "report.html", attached, run / name)
    return run, attached


needs_browser = pytest.mark.skipif(browser.PROGRAM is None, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def shown(run):
    """Return a short report as a file, with rows of every kind."""
    path = run / "shown/report.html"
    write_text(path, render(run, studies=fake_results.preset()["studies"][:1]))
    return path


@needs_browser
def test_axe_finds_nothing_in_either_theme(shown):
    found = browser.audit(shown)
    assert found["light"]["ink"] != found["dark"]["ink"]
    for theme in ("light", "dark"):
        assert found[theme]["violations"] == []
        # A symbol alone has no contrast that axe could measure.
        unsure = [text for text in found[theme]["incomplete"] if "non-text characters" not in text]
        assert unsure == []
        assert found[theme]["passes"] > 30


@needs_browser
def test_the_address_keeps_the_state_of_the_table_under_the_policy(shown):
    dom, complaints = browser.load(shown, "#cells?q=gaussian&sort=1&dir=desc")
    assert complaints == []
    table = dom.partition('id="all-cells"')[2].partition("</table>")[0]
    rows = re.findall(r'<tr id="cell-([^"]+)"[^>]*?( hidden="")?>', table)
    visible = [name for name, hidden in rows if not hidden]
    assert visible and all("gaussian" in name for name in visible)
    assert len(visible) < len(rows)
    assert 'aria-sort="descending"' in table
    assert f"{len(visible)} of {len(rows)} cells" in dom


@needs_pango
def test_the_pdf_is_the_same_bytes_every_time(printed):
    run, _ = printed
    assert (run / "one.pdf").read_bytes() == (run / "two.pdf").read_bytes()


@needs_pango
@pytest.mark.parametrize("profile", ["ua1", "3a"])
def test_the_pdf_keeps_to_the_standards(printed, profile):
    validator = pytest.importorskip("page")
    report = validator.validate_pdf(str(printed[0] / "one.pdf"), profile=profile)
    assert report.is_compliant, str(report)


@needs_pango
def test_the_pdf_has_headers_numbers_bookmarks_and_the_tables(printed):
    pypdf = pytest.importorskip("pypdf")
    run, attached = printed
    document = pypdf.PdfReader(run / "one.pdf")
    count = len(document.pages)
    for number, sheet in enumerate(document.pages, 1):
        text = sheet.extract_text()
        assert "Reduced run: made-up numbers." in text
        assert f"{number} / {count}" in text
    for path in attached:
        assert document.attachments[path.name] == [path.read_bytes()]
    titles = [str(item.title) for item in document.outline[-1] if not isinstance(item, list)]
    assert any("All cells" in title for title in titles)


@needs_pango
def test_a_warning_fails_the_pdf(tmp_path):
    text = '<html lang="en"><title>t</title><meta name="dcterms.modified" content="2026-01-01">'
    write_text(tmp_path / "r.html", f"{text}<style>p {{ colour: red }}</style><p>x")
    with pytest.raises(RethinkError, match="colour"):
        print_out.write_pdf(tmp_path / "r.html", [], tmp_path / "r.pdf")
    assert not (tmp_path / "r.pdf").exists()


@needs_pango
@pytest.mark.parametrize("height", [203, 206, 209])
def test_a_long_caption_does_not_stay_before_its_table(tmp_path, height):
    pypdf = pytest.importorskip("pypdf")
    rows = "".join(f"<tr><th scope=row>row {n}</th><td>x</td></tr>" for n in range(20))
    write_text(
        tmp_path / "r.html",
        f'<html lang="en"><title>t</title><meta name="dcterms.modified" content="2026-01-01">'
        f"<style>{page.font_faces(REPORT / 'fonts')}{(REPORT / 'style.css').read_text()}</style>"
        f'<h1>t</h1><div style="height: {height}mm">x</div><div class="table"><table>'
        f"<caption>Caption {'word ' * 120}</caption><thead><tr><td>a</td><th>b</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div>",
    )
    print_out.write_pdf(tmp_path / "r.html", [], tmp_path / "r.pdf")
    sheets = [sheet.extract_text() for sheet in pypdf.PdfReader(tmp_path / "r.pdf").pages]
    (captioned,) = [text for text in sheets if "Caption" in text]
    assert "row 0" in captioned


@needs_pango
def test_a_stream_that_ends_in_a_carriage_return_keeps_its_length(tmp_path):
    validator = pytest.importorskip("page")
    texts = (f"a,b\n{n},{n * n}\n".encode() for n in range(10_000))
    awkward = next(text for text in texts if zlib.compress(text, 9).endswith(b"\r"))
    (tmp_path / "t.csv").write_bytes(awkward)
    dates = '<meta name="dcterms.modified" content="2026-01-01T00:00:00+00:00">'
    body = '<style>body { font-family: "Figure Sans" }</style><p>x'
    write_text(tmp_path / "r.html", f'<html lang="en"><title>t</title>{dates}{body}')
    print_out.write_pdf(tmp_path / "r.html", [tmp_path / "t.csv"], tmp_path / "r.pdf")
    report = validator.validate_pdf(str(tmp_path / "r.pdf"), profile="3a")
    assert report.is_compliant, str(report)


def test_the_answer_counts_the_networks_of_the_paper_alone():
    """Convex networks, of another publication, do not fit random labels, which is their point."""
    columns = ["model", "corruption", "n", "n_fitted", "train_accuracy_mean", "test_accuracy_mean"]
    rows = [
        ("mlp_1x512", "none", 2, 2, 1.0, 0.5),
        ("mlp_1x512", "labels-1", 2, 2, 1.0, 0.1),
        ("convex_mlp_3x512_bn", "none", 2, 0, 0.6, 0.4),
        ("convex_mlp_3x512_bn", "labels-1", 2, 0, 0.15, 0.1),
    ]
    cells = pd.DataFrame(rows, columns=columns).assign(
        dataset="cifar10", regularizer="none", fit_criterion="train_accuracy >= 0.99"
    )
    data = {"cifar10": {"title": "CIFAR-10", "classes": 10}}
    tables = SimpleNamespace(cells=cells)
    (sentence,) = front.Front(tables, pd.DataFrame(), data, [], None).glance()
    assert "1 of 1 network reached" in sentence and "15.0" not in sentence
