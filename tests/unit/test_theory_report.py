"""The figures, tables and captions of the theory, from results of the real command lines."""

import copy
import importlib
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import theory_results

from rethink.analysis.memorization_statements import statements
from rethink.analysis.tables import write_table
from rethink.figures import style
from rethink.publish import html as page
from rethink.publish.theory import KINDS, TheoryView
from rethink.publish.wording import magnitude, scientific, tidy

REPORT = Path(__file__).resolve().parents[2] / "report"
PAPER = REPORT / "paper"
FIGURES = {
    "kernel_errors": "kernels",
    "kernel_norms": "kernels",
    "theorem1": "theorem1",
    "linear_models": "linear_models",
    "stability": "stability",
    "information_plane": "information_plane",
    "information_epochs": "information_plane",
    "information_variants": "information_plane",
    "easy_hard": "memorization",
    "loss_sensitivity": "memorization",
    "critical_samples": "memorization",
    "capacity": "memorization",
}
TRAIN_EPOCHS = theory_results.TRAIN["epochs"]
TITLES = {"digits": "Digits (8x8, scikit-learn)", "mnist": "MNIST", "cifar10": "CIFAR-10"}


@pytest.fixture(scope="session")
def theory(tmp_path_factory):
    style.use()
    return theory_results.write(tmp_path_factory.mktemp("theory"))


def study(kind):
    experiments = list(theory_results.EXPERIMENTS[kind])
    return {"name": kind, "kind": kind, "title": "", "dataset": "", "experiments": experiments}


def drawn(theory, figure, results=None):
    kind = FIGURES[figure]
    module = importlib.import_module(f"rethink.figures.{figure}")
    return module.draw(study(kind), results or theory_results.read(theory, kind), PAPER)


def view(theory, kind, results=None):
    return TheoryView(
        study(kind),
        results or theory_results.read(theory, kind),
        theory_results.read(theory, kind, "run.json"),
        TITLES,
        PAPER,
    )


def tables(theory, kind, results=None):
    """Return the tables of a kind by name, as frames of their texts; and the facts."""
    made, facts = KINDS[kind](view(theory, kind, results))
    frames = {}
    for table in made:
        titles = [column.title for column in table.columns]
        rows = [[cell.text for cell in row.cells] for row in table.rows]
        frames[table.name] = pd.DataFrame(rows, columns=titles)
    return frames, facts


def as_papers(results):
    """Return kernel results as if they were of MNIST: the paper's values then stand beside."""
    changed = {}
    for name, features in (("pixels", "pixels"), ("conv", "gabor")):
        changed[name] = copy.deepcopy(results["pixels"]) | {"dataset": "mnist"}
        changed[name]["features"]["kind"] = features
    return changed


@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_is_the_same_bytes_every_time(theory, tmp_path, figure):
    for name in ("a", "b"):
        picture, values = drawn(theory, figure)
        style.save(picture, tmp_path / f"{name}.svg")
        write_table(values, tmp_path / f"{name}.csv")
        assert len(values) > 0
    svg = (tmp_path / "a.svg").read_bytes()
    assert svg == (tmp_path / "b.svg").read_bytes()
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    assert b"<text" not in svg and b"<dc:date>" not in svg


@pytest.mark.parametrize("figure", FIGURES)
def test_nothing_drawn_lies_outside_of_its_panel(theory, figure):
    picture, _ = drawn(theory, figure)
    picture.canvas.draw()
    for axes in picture.axes:
        (left, right), (bottom, top) = sorted(axes.get_xlim()), sorted(axes.get_ylim())
        for line in axes.lines:
            if line.get_transform() != axes.transData:
                continue  # reaches from edge to edge
            x, y = (np.asarray(part, float) for part in line.get_data())
            known = np.isfinite(x) & np.isfinite(y)
            assert (x[known] >= left).all() and (x[known] <= right).all()
            assert (y[known] >= bottom).all() and (y[known] <= top).all()


def test_kernel_errors_are_the_results(theory):
    results = theory_results.read(theory, "kernels")
    _, values = drawn(theory, "kernel_errors")
    for name, result in results.items():
        mine = values[values["experiment"] == name].set_index("regularization")
        assert list(mine.index) == [row["regularization"] for row in result["rows"]]
        for row in result["rows"]:
            assert mine.loc[row["regularization"], "test_error"] == 100 * row["test_error"]
        assert (mine["train_examples"] == 120).all() and (mine["train_available"] == 1438).all()
        assert mine["paper_test_error"].isna().all(), "the paper has no digits"
    best = values[values["l2"] == "best"].dropna(subset="test_error")
    assert list(best["experiment"]) == ["pixels", "conv"]
    regularized = [row["test_error"] for row in results["pixels"]["rows"][1:]]
    assert best["test_error"].iloc[0] == 100 * min(regularized)
    theirs = values[values["experiment"] == ""]
    assert theirs["paper_test_error"].tolist() == [1.2, 0.6, 46, 17, 15]


def test_the_papers_values_stand_beside_the_same_data(theory):
    results = as_papers(theory_results.read(theory, "kernels"))
    _, values = drawn(theory, "kernel_errors", results)
    plain = values[(values["l2"] == "no") & (values["experiment"] != "")]
    assert plain["paper_test_error"].tolist() == [1.2, 0.6]
    expected = 100 * results["pixels"]["rows"][0]["test_error"] - np.array([1.2, 0.6])
    assert plain["difference"].tolist() == pytest.approx(expected.tolist())
    assert set(values.loc[values["experiment"] == "", "dataset"]) == {"cifar10"}
    _, norms = drawn(theory, "kernel_norms", results)
    minima = norms[norms["interpolant"] == "minimum norm"]
    assert minima["paper_norm"].tolist() == [220, 390]
    frames, facts = tables(theory, "kernels", results)
    first = frames["kernels"].iloc[0]
    assert (first["Norm: paper"], first["Test error [%]: paper"]) == ("220", "1.2")
    assert first["Difference"].startswith("+")
    assert "MNIST pixels: 120 of 1,438" in facts["fewer"]


def test_standardized_pixels_are_not_the_papers(theory):
    results = as_papers(theory_results.read(theory, "kernels"))
    results["pixels"]["features"]["standardize"] = True
    _, values = drawn(theory, "kernel_errors", results)
    mine = values[values["experiment"] == "pixels"]
    assert mine["paper_test_error"].isna().all()
    assert mine["title"].iloc[0] == "MNIST standardized pixels"


def test_experiments_that_are_alike_are_told_apart(theory):
    pixels = theory_results.read(theory, "kernels")["pixels"]
    _, values = drawn(theory, "kernel_errors", {"one": pixels, "two": pixels})
    assert list(dict.fromkeys(values["title"]))[:2] == [
        "Digits pixels (one)",
        "Digits pixels (two)",
    ]


def test_kernel_norms_are_the_results(theory):
    results = theory_results.read(theory, "kernels")
    _, values = drawn(theory, "kernel_norms")
    mine = values[values["experiment"] == "pixels"].set_index("interpolant")
    found = results["pixels"]["counterexamples"]
    plain = results["pixels"]["rows"][0]
    assert mine.loc["minimum norm", "norm"] == plain["rkhs_norm"]
    for key, name in (
        ("random_test_labels", "random labels at test points"),
        ("random_training_labels", "random training labels"),
        ("random_centres", "random centres"),
    ):
        assert mine.loc[name, "norm"] == found[key]["rkhs_norm"]
        assert mine.loc[name, "ratio"] == found[key]["norm_ratio"]
        assert mine.loc[name, "test_error"] == 100 * found[key]["test_error"]
        ratio = mine.loc[name, "norm"] / mine.loc[name, "minimum_norm"]
        assert ratio == pytest.approx(mine.loc[name, "ratio"])
    assert mine.loc["random labels at test points", "examples"] == 160
    assert "singular" not in set(values["experiment"]), "nothing there interpolates"


def test_a_figure_says_where_nothing_interpolates(theory):
    results = {"singular": theory_results.read(theory, "kernels")["singular"]}
    picture, _ = drawn(theory, "kernel_norms", results)
    assert "No experiment" in picture.axes[0].texts[0].get_text()


def test_theorem1_draws_the_worst_residual(theory):
    result = theory_results.read(theory, "theorem1")["digits"]
    _, values = drawn(theory, "theorem1")
    residuals = values[values["panel"] == "residual"].set_index(["points", "knots"])
    for knots in ("adaptive", "midpoint"):
        networks = [n for n in result["networks"] if n["points"] == 400]
        worst = max(n["knots"][knots]["float32_sum"]["residual"] for n in networks)
        assert residuals.loc[(400, knots), "float32_sum_residual"] == worst
    spectrum = values[values["panel"] == "spectrum"]
    assert spectrum["points"].unique().tolist() == [10, 30, 100, 300]
    assert (spectrum["smallest_eigenvalue"] == spectrum["smallest_difference"]).all()
    widths = values[values["panel"] == "width"].set_index(["points", "depth"])["width"]
    assert widths[400, 2] == 400 and widths[400, 5] < 400 / 2


def test_linear_models_draw_the_path_to_its_end(theory):
    result = theory_results.read(theory, "linear_models")["linear"]
    _, values = drawn(theory, "linear_models")
    path = values[(values["panel"] == "path") & (values["method"] == "sgd")]
    end = path.iloc[-1]
    sgd = result["methods"]["sgd"]
    assert end["steps"] == sgd["steps"]
    assert end["from_zero"] == sgd["from_zero"]["difference_from_minimum_norm"]
    assert end["from_elsewhere"] == sgd["from_elsewhere"]["difference_from_minimum_norm"]
    spectrum = values[values["panel"] == "spectrum"]
    assert len(spectrum) == 2 * 2 * 20
    scales = values.loc[values["panel"] == "interpolant", "scale"]
    assert scales.tolist() == [0, 0.5, 1, 2]


def test_stability_draws_every_pair_and_all_together(theory):
    result = theory_results.read(theory, "stability")["replaced"]
    _, values = drawn(theory, "stability")
    for network in result["networks"]:
        mine = values[values["corruption"] == network["corruption"]]
        pairs, whole = mine[mine["pair"].notna()], mine[mine["pair"].isna()].iloc[0]
        changes = [pair["largest_loss_change"] for pair in network["pairs"]]
        assert pairs["largest_loss_change"].tolist() == changes
        assert whole["largest_loss_change"] == max(changes)
        gap = 100 * (network["train_accuracy"] - network["test_accuracy"])
        assert whole["gap"] == pytest.approx(gap)
        own = pairs["own_loss_change"].mean()
        assert whole["own_loss_change"] == pytest.approx(own, rel=1e-4)


def test_the_information_plane_draws_the_results(theory):
    results = theory_results.read(theory, "information_plane")
    _, values = drawn(theory, "information_plane")
    assert set(values["train_fraction"]) == {0.5} and set(values["depth"]) == {5}
    assert values.groupby(["activation", "labels", "binning"]).ngroups == 2 * 2 * 3
    (condition,) = [
        c
        for c in results["plane"]["conditions"]
        if (c["activation"], c["train_fraction"], c["depth"]) == ("relu", 0.5, 5)
    ]
    keys = ["activation", "labels", "binning", "layer"]
    path = values.set_index(keys).sort_index().loc[("relu", "rule", "range", 3)]
    expected = condition["planes"]["range"]["layers"][2]
    assert path["input"].tolist() == expected["input"]["mean"]
    assert path["label_sd"].tolist() == expected["label"]["sd"]
    assert path["epoch"].tolist() == results["plane"]["epochs"] == [0, 1, 2, 5, 12]
    single = values[values["labels"] == "random"]
    assert single["input_sd"].isna().all(), "one replicate has no deviation"
    _, variants = drawn(theory, "information_variants")
    assert set(variants["binning"]) == {"fixed"} and set(variants["activation"]) == {"tanh"}
    panels = variants.groupby(["labels", "train_fraction", "depth"]).ngroups
    assert panels == 4, "two fractions, random labels, another depth"


def test_information_is_told_by_layer(theory):
    frames, facts = tables(theory, "information_plane")
    results = theory_results.read(theory, "information_plane")
    planes = frames["information_plane"]
    assert len(planes) == 3 * (8 + 2)
    first = results["plane"]["conditions"][0]
    expected = [f"{layer['input']['mean'][-1]:.1f}" for layer in first["planes"]["fixed"]["layers"]]
    assert planes["I(X;T) at the end, by layer [bits]"][0].split() == expected
    networks = frames["information_networks"]
    assert networks["Training examples"].tolist() == ["205"] * 2 + ["2,048"] * 2 + (
        ["205"] * 2 + ["2,048"] * 2 + ["2,048"] * 2
    )
    assert facts["replicates"] == "1 to 2 replicates" and not facts["repeated"]
    assert "generated rule of 0.99 bit" in facts["rule"]


def test_easy_and_hard_examples_are_drawn_in_order(theory):
    result = theory_results.read(theory, "memorization")["memorized"]
    _, values = drawn(theory, "easy_hard")
    for entry in result["easy_hard"]["found"]:
        mine = values[values["corruption"] == entry["corruption"]]
        assert (mine["wrong"] * 8 / 100).tolist() == sorted(entry["wrong"])
        # Both have the same mean, but for the steps of the quantiles.
        assert mine["equally_hard"].mean() == pytest.approx(100 * entry["probability"], abs=2)


def test_lorenz_curves_and_gini_coefficients_agree(theory):
    result = theory_results.read(theory, "memorization")["sensitive"]
    _, values = drawn(theory, "loss_sensitivity")
    curves = values[values["panel"] == "lorenz"]
    for entry in result["loss_sensitivity"]["found"]:
        mine = curves[curves["corruption"] == entry["corruption"]]
        area = np.trapezoid(mine["share"] / 100, mine["place"] / 100)
        assert 1 - 2 * area == pytest.approx(np.mean(entry["gini"]), abs=1e-4)


def test_critical_samples_are_drawn_from_before_training(theory):
    result = theory_results.read(theory, "memorization")["memorized"]
    _, values = drawn(theory, "critical_samples")
    entry = result["critical_samples"]["found"][1]
    mine = values[values["corruption"] == entry["corruption"]]
    assert mine["epoch"].iloc[0] == 0 and mine["epoch"].iloc[-1] == TRAIN_EPOCHS
    ratios = [100 * row["ratio"] for row in entry["rows"]]
    assert mine["ratio"].tolist() == pytest.approx(ratios)


def test_capacity_tells_what_never_fitted(theory):
    results = theory_results.read(theory, "memorization")
    _, values = drawn(theory, "capacity")
    mine = values.set_index(["corruption", "width", "train_examples"])
    assert mine.loc[("labels-1", 2, 120), "censored"]
    assert mine.loc[("labels-1", 2, 120), "time"] == TRAIN_EPOCHS
    assert not mine.loc[("none", 16, 120), "censored"]
    found = [r for r in results["memorized"]["capacity"]["found"] if r["corruption"] == "none"]
    best = [r["best_test_accuracy"] for r in found if (r["width"], r["train_examples"]) == (16, 40)]
    assert mine.loc[("none", 16, 40), "best_test_accuracy"] == pytest.approx(50 * sum(best))
    frames, _ = tables(theory, "memorization")
    times = frames["capacity"].set_index(["Data", "Hidden units", "Training examples"])
    assert times.loc[("random labels", "2", "120"), "Time to fit [epochs]"] == f"> {TRAIN_EPOCHS}"


def decided(results):
    return {entry.text: entry for entry in statements(results)}


def test_statements_follow_the_numbers(theory):
    results = copy.deepcopy(theory_results.read(theory, "memorization"))
    for entry, ratio in zip(
        results["memorized"]["critical_samples"]["found"], (0.2, 0.4, 0.6, 0.8), strict=True
    ):
        for row in entry["rows"]:
            row["ratio"] = ratio + row["epoch"] / 1000
    for entry, dispersion in zip(
        results["memorized"]["easy_hard"]["found"], (9.0, 4.0, 1.0), strict=True
    ):
        entry["dispersion"], entry["dispersion_expected"] = dispersion, [0.9, 1.1]
    found = decided(results)
    assert found["The critical sample ratio is higher for noise"].held
    assert "22 % against 42 % (50 % random labels)" in (
        found["The critical sample ratio is higher for noise"].seen
    )
    assert found["The critical sample ratio rises during training"].held
    assert found["Noise images are equally hard"].held
    assert found["Random labels lie between real data and noise images"].held
    results["memorized"]["easy_hard"]["found"][2]["dispersion"] = 5.0
    results["memorized"]["critical_samples"]["found"][3]["rows"][-1]["ratio"] = 0.1
    found = decided(results)
    assert not found["The critical sample ratio is higher for noise"].held
    assert not found["The critical sample ratio rises during training"].held
    assert not found["Noise images are equally hard"].held
    assert not found["Random labels lie between real data and noise images"].held


def test_a_statement_needs_what_it_compares(theory):
    results = copy.deepcopy(theory_results.read(theory, "memorization"))
    for measure in ("easy_hard", "critical_samples", "capacity"):
        entries = results["memorized"][measure]["found"]
        results["memorized"][measure]["found"] = [
            entry for entry in entries if entry["corruption"] == "labels-1"
        ]
    del results["sensitive"]
    assert set(decided(results)) == {"The critical sample ratio rises during training"}


@pytest.mark.parametrize("figure", [name for name, of in FIGURES.items() if of == "memorization"])
def test_a_measure_that_nobody_asked_for_is_told(theory, figure):
    results = theory_results.read(theory, "memorization")
    for result in results.values():
        result.pop(figure, None)
    picture, values = drawn(theory, figure, results)
    assert "No experiment" in picture.axes[0].texts[0].get_text() and values.empty


def test_a_training_that_diverged_is_drawn_and_told(theory):
    results = copy.deepcopy(theory_results.read(theory, "stability"))
    network = results["replaced"]["networks"][0]
    network["status"] = "diverged"
    for values in (network["summary"], *network["pairs"]):
        for name, value in values.items():
            if isinstance(value, float):
                values[name] = None
    network["pairs"][0]["at_fresh"]["loss_with"] = None
    drawn(theory, "stability", results)
    frames, facts = tables(theory, "stability", results)
    row = frames["stability"].iloc[0]
    assert (row["Outcome"], row["Largest change of a loss"]) == ("diverged", "–")
    assert "diverged" in facts["unfitted"]


def test_tables_say_what_the_results_say(theory):
    frames, facts = tables(theory, "kernels")
    solves = frames["kernel_solves"].set_index(["Data and features", "λ"])
    assert solves.loc[("Digits pixels", "0"), "Interpolates"] == "yes"
    singular = solves.loc[("Digits pixels, linear kernel", "0")]
    assert singular["Interpolates"] == "no" and "with jitter" in singular["Attempts"]
    assert facts["ridged"] == "Digits pixels, linear kernel"
    left_out = frames["leave_one_out"].set_index(["Data and features", "λ"])
    row = theory_results.read(theory, "kernels")["pixels"]["rows"][0]
    error = f"{100 * row['leave_one_out']['error']:.2f}"
    assert left_out.loc[("Digits pixels", "0"), "Leave-one-out error [%]"] == error
    assert "switched off" in left_out.loc[("Digits pixels, linear kernel", "0")].to_list()
    assert (frames["kernels"]["Training examples"] == "120 of 1,438").sum() == 4
    assert "120 of 1,438; 16 filters" in set(frames["kernels"]["Training examples"])

    frames, _ = tables(theory, "theorem1")
    built = frames["theorem1"]
    assert (built["Weights: paper, 2n + d"] == built["Weights: built"]).all()
    assert (built["Difference"] == "0").all()
    lemma = frames["lemma1"]
    computed = lemma["Smallest eigenvalue: computed"]
    assert (computed == lemma["Smallest eigenvalue: paper, min(zᵢ − bᵢ)"]).all()

    frames, _ = tables(theory, "linear_models")
    ends = frames["sgd_ends"]
    assert ends["Start"].tolist() == ["from zero", "from a random start"] * 2
    assert (frames["hessians"]["Rank"] == "20").all()

    frames, facts = tables(theory, "stability")
    assert frames["stability"]["Labels"].tolist() == ["true labels", "random labels"]
    assert "60 of 1,438 training images" in facts["sizes"]


@pytest.mark.parametrize("kind", KINDS)
def test_costs_are_told(theory, kind):
    frames, _ = tables(theory, kind)
    costs = frames["theory_costs"]
    assert len(costs) == len(theory_results.EXPERIMENTS[kind])
    assert (costs["Device"] == "CPU").all()
    assert costs["Peak memory"].str.endswith("GB").all()


@pytest.mark.parametrize("kind", KINDS)
def test_no_field_is_empty_or_not_a_number(theory, kind):
    wrong = re.compile(r"\b(nan|None|<NA>|inf)\b")
    for results in (None, *_others(theory, kind)):
        made, _ = KINDS[kind](view(theory, kind, results))
        for table in made:
            for row in table.rows:
                assert len(row.cells) == len(table.columns)
                texts = [cell.text for cell in row.cells]
                assert all(texts) and not any(wrong.search(text) for text in texts)


def _others(theory, kind):
    """Return results that bring out other branches of the same kind."""
    results = theory_results.read(theory, kind)
    if kind == "kernels":
        yield as_papers(results)
    if kind == "memorization":
        yield {"sensitive": results["sensitive"]}
        ended = copy.deepcopy(results)
        for row in ended["memorized"]["capacity"]["found"]:
            row |= {"status": "diverged", "time_to_fit_epochs": None, "time_to_fit_steps": None}
            row |= {"best_test_accuracy": None, "train_accuracy": None}
        for entry in ended["memorized"]["critical_samples"]["found"]:
            entry["rows"] = [r | {"test_accuracy": None, "ratio": 0.0} for r in entry["rows"]]
        entry = ended["memorized"]["easy_hard"]["found"][0]
        entry |= {"dispersion": None, "dispersion_expected": None}
        yield ended
    if kind == "linear_models":
        late = copy.deepcopy(results)
        late["linear"]["methods"]["sgd"]["arrived"] = False
        yield late


@pytest.mark.parametrize("kind", KINDS)
def test_every_caption_renders(theory, kind):
    templates = page.environment(REPORT)
    for results in (None, *_others(theory, kind)):
        made, facts = KINDS[kind](view(theory, kind, results))
        names = [f"table_{table.name}" for table in made]
        names += [figure for figure, of in FIGURES.items() if of == kind]
        blocks = [(name, ("title", "caption")) for name in names]
        blocks.append((f"study_{kind}", ("lead",)))
        blocks += [(figure, ("alt",)) for figure, of in FIGURES.items() if of == kind]
        for name, wanted in blocks:
            template = templates.get_template(f"captions/{name}.txt")
            for block in wanted:
                text = tidy("".join(template.blocks[block](template.new_context(facts))))
                assert text and "  " not in text
                assert not re.search(r"\bnan\b|\bNone\b|\(\)|: \.|[a-z]\.[A-Z]", text)
                assert block == "title" or text.endswith(".")


def test_captions_say_what_is_a_bound_or_a_stand_in():
    for name, words in (
        ("stability", "lower bound"),
        ("table_stability", "lower bounds"),
        ("table_leave_one_out", "stand-in"),
        ("table_leave_one_out", "no uniform stability"),
        ("kernel_errors", "chosen on the test images"),
        ("study_information_plane", "Saxe et al. (2018) answered"),
        ("information_plane", "the bins alone"),
        ("information_epochs", "claimed to be compression"),
        ("table_information_plane", "not of the network’s information"),
    ):
        assert words in (REPORT / "captions" / f"{name}.txt").read_text()


def test_what_had_not_arrived_is_told(theory):
    (late,) = _others(theory, "linear_models")
    _, facts = tables(theory, "linear_models", late)
    assert facts["not_arrived"] == "SGD, constant step"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (3.4e-14, "3.4e−14"),
        (0.126, "0.13"),
        (22.72, "22.7"),
        (8966.8, "8,967"),
        (2.04e7, "2.0e7"),
    ],
)
def test_numbers_of_any_size(value, text):
    assert magnitude(value) == text
    assert scientific(-1.25e-6, 2) == "−1.25e−6"
