"""What jobs ask of a scheduler: enough, not far too much, and more with every attempt."""

import itertools
import json
import re
import sys
from pathlib import Path

import pytest
from project import PRESET

from rethink import config, grid, needs
from rethink.files import canonical_json
from rethink.models.catalog import MODELS
from rethink.needs import GPU_PROCESS_MB, LONGEST, MB, Images
from rethink.needs_theory import of_experiment
from rethink.training.limits import WHITENED_BYTES

ROOT = Path(__file__).resolve().parents[2]
CIFAR10, MNIST = Images(50_000, 10_000, 32, 3), Images(60_000, 10_000, 28, 1)
DIGITS, UNKNOWN = Images(1437, 360, 8, 1), Images(None, None, 64, 3)
LOCAL = {"tabulate", "claims", "figure", "samples", "html", "pdf", "report"}

# Prints what jobs and groups of jobs ask for at two attempts, instead of running them.
SHOW = """
import json
from snakemake.cli import main
from snakemake.scheduling.job_scheduler import JobScheduler

def asked(job, attempt):
    job.attempt = attempt
    return [job.resources.get(name) for name in ("mem_mb", "disk_mb", "runtime")]

def show(scheduler):
    dag = scheduler.workflow.dag
    groups = {dag.get_job_group(job) for job in dag.jobs} - {None}
    for job in [*dag.jobs, *groups]:
        rule, size = ("group", len(job)) if job.is_group() else (job.rule.name, 1)
        print("NEEDS", rule, size, json.dumps([asked(job, 1), asked(job, 2)]))
    return True

JobScheduler.schedule = show
main()
"""


def preset(name="paper", **values):
    return grid.expand(config.load({"preset": name, **values}, ROOT / "config"), "f")


def all_needs(whole):
    """Return the needs of all cells and experiments."""

    def images(dataset):
        return needs.images_of(whole.datasets[dataset]) if dataset else None

    cells = [needs.of_cell(c.spec, images(c.dataset)) for c in whole.cells.values()]
    return cells + [
        of_experiment(e.script, e.spec, images(e.dataset)) for e in whole.experiments.values()
    ]


@pytest.fixture(scope="module")
def paper():
    return preset()


@pytest.fixture
def cell(paper):
    """A function: the needs of a cell of the paper's preset, with other settings."""

    def asked(model="mlp_1x512", images=CIFAR10, crop=None, **changed):
        name = next(name for name in paper.cells if name.split("/")[1] == model)
        spec = json.loads(paper.cells[name].spec)
        spec["input"]["crop"] = crop or spec["input"]["crop"]
        for key, value in changed.items():
            place = spec if key in spec or key == "processes" else spec["train"]
            place[key] = value
        return needs.of_cell(canonical_json(spec), images)

    return asked


@pytest.fixture
def experiment(paper):
    """A function: the needs of an experiment that the paper's preset has, with other settings."""

    def asked(name, images=CIFAR10, **changed):
        entry = paper.experiments[name]
        spec = canonical_json(json.loads(entry.spec) | changed)
        return of_experiment(entry.script, spec, images)

    return asked


def asks_for(asked, measured):
    """Return whether memory is enough and not far too much; a job with a GPU has a least amount."""
    return measured <= asked <= max(3 * measured, GPU_PROCESS_MB)


# `peak_memory_mb` of run.json on the CPU: the first two of whole runs on CIFAR-10, the rest of one
# epoch on 256 images of that shape. (training images, test images, peak)
MEASURED = {
    "mlp_1x512": [(50_000, 10_000, 1321), (256, 1000, 655), (256, 10_000, 767)],
    "mlp_3x512": [(50_000, 10_000, 1330), (256, 1000, 652)],
    "mlp_1x512_demo": [(256, 1000, 664)],
    "convex_mlp_1x512": [(256, 1000, 647)],
    "convex_mlp_3x512": [(256, 1000, 665)],
    "convex_mlp_3x512_bn": [(256, 1000, 643)],
    "alexnet": [(256, 1000, 1148), (4000, 4000, 1393), (256, 10_000, 1546)],
    "inception": [(256, 1000, 2806), (256, 4000, 3008)],
    "inception_no_bn": [(256, 1000, 2117), (256, 3000, 2311)],
    "wrn_28_1": [(256, 1000, 1318), (256, 3000, 1561)],
    "convex_allcnn": [(256, 1000, 1920), (256, 2000, 3364), (256, 5000, 3483)],
    "convex_densenet": [(256, 1000, 5829), (256, 2000, 6326)],
}


@pytest.mark.parametrize("model", MEASURED)
def test_cells_ask_for_the_memory_that_was_measured(cell, model):
    for train, test, measured in MEASURED[model]:
        asked = cell(model, Images(train, test, 32, 3), replicates=1)
        assert asks_for(asked.mem_mb, measured), (train, test, measured, asked)


def test_experiments_ask_for_the_memory_that_was_measured(paper, experiment):
    kernel = {"train_examples": 20_000, "regularization": [0, 0.01]}
    assert asks_for(experiment("kernel_cifar10_pixels", **kernel).mem_mb, 4260)
    conv = {"train_examples": 10_000, "features_arguments": {"filters": 512}}
    assert asks_for(experiment("kernel_cifar10_conv", **conv).mem_mb, 3523)
    assert asks_for(experiment("linear").mem_mb, 656)
    assert asks_for(experiment("theorem1").mem_mb, 502)
    assert asks_for(experiment("information_plane", None).mem_mb, 566)
    models = json.loads(paper.experiments["stability"].spec)["models"]
    perceptron = {"mlp_1x512": models["mlp_1x512"]}
    assert asks_for(experiment("stability", models=perceptron, train_examples=5000).mem_mb, 994)
    mnist = {"regularization": [0], "precision": "float32", "extra_norms": False}
    assert asks_for(experiment("kernel_mnist_pixels", MNIST, **mnist).mem_mb, 9369)
    for name, measured in (("memorization_examples", 1898), ("memorization_critical", 2437)):
        assert asks_for(experiment(name, models=perceptron).mem_mb, measured)


def test_cells_of_digits_ask_for_little():
    assert {asked.mem_mb for asked in all_needs(preset("digits"))} <= set(range(GPU_PROCESS_MB + 1))


def test_every_job_of_small_presets_fits_the_test_cluster_at_its_last_attempt():
    """A job that asks for more than the node has would wait for ever."""
    cluster = (ROOT / "tests/cluster/slurm.py").read_text()
    memory = int(re.search(r"RealMemory=(\d+)", cluster).group(1))
    retries = int(
        re.search(
            r"^retries: (\d+)", (ROOT / "profiles/slurm/config.yaml").read_text(), re.MULTILINE
        )[1]
    )
    asked = all_needs(preset("digits"))
    assert max(entry.on(1 + retries).mem_mb for entry in asked) <= memory


def test_memory_grows_by_the_images_that_are_kept(cell):
    """60,000 images of 28x28x3 as float32, and the files of 32x32x3."""
    whitened = 4 * 28 * 28 * 3 * 60_000
    assert CIFAR10.whitened(28) == whitened
    assert CIFAR10.whitened(28, 1000) == 4 * 28 * 28 * 3 * 11_000
    assert CIFAR10.raw == 60_000 * 3072
    few = cell("alexnet", train_examples=1000).mem_mb
    more = 1.25 * 4 * 28 * 28 * 3 * 49_000 / MB
    assert cell("alexnet").mem_mb - few == pytest.approx(more, abs=100)


def test_images_too_many_to_keep_whitened_take_no_memory():
    assert Images(1_281_167, 50_000, 342, 3).whitened(299) == 0
    assert Images(500_000, 10_000, 32, 3).whitened(28) == 4 * 28 * 28 * 3 * 10_000


def test_a_folder_of_unknown_size_asks_for_what_training_keeps_at_most(cell):
    asked = cell("alexnet", UNKNOWN, crop=56)
    assert WHITENED_BYTES / MB < asked.mem_mb < 4 * WHITENED_BYTES / MB
    assert asked.runtime == LONGEST
    assert needs.of_dataset(UNKNOWN).runtime == LONGEST


def test_imagenet_is_planned_without_its_images(tmp_path):
    for name in ("train", "val"):
        (tmp_path / name).mkdir()
    whole = preset("imagenet", datasets={"imagenet": {"folder": str(tmp_path)}})
    (asked,) = set(all_needs(whole))
    assert 4 * GPU_PROCESS_MB < asked.mem_mb < 8 * GPU_PROCESS_MB
    assert asked.runtime == LONGEST


def test_time_is_operations_over_the_assumed_rate(cell):
    """An epoch of Inception: 50,000 images of 1,221.3 MFLOP, a third for each of 60,000 to test."""
    flop = 1221.3e6 * (50_000 + 60_000 / 3) * 64 * 3
    seconds = flop / 3e12 + 64 * 3 * 391 * 0.005 + 60
    # Twice that, in steps of five minutes.
    assert cell("inception").runtime == pytest.approx(2 * seconds / 60, abs=5)
    assert cell("inception", numerics="bf16").runtime < cell("inception").runtime / 2
    assert cell("inception", evaluate_every=10).runtime < cell("inception").runtime


@pytest.mark.parametrize(
    "changed",
    [{"epochs": 900}, {"replicates": 30}, {"batch_size": 8}, {"crop": 112}],
    ids=lambda changed: next(iter(changed)),
)
def test_what_takes_longer_asks_for_more_time(cell, changed):
    assert cell("alexnet", **changed).runtime > cell("alexnet").runtime


def test_perceptrons_at_once_or_wider_ask_for_more_memory(cell, experiment):
    assert cell("mlp_1x512", replicates=20).mem_mb > cell("mlp_1x512").mem_mb
    assert cell("alexnet", replicates=20).mem_mb == cell("alexnet").mem_mb
    capacity = {"corruptions": ["none"], "widths": [16, 1024]}
    narrow = experiment("memorization_capacity", MNIST, capacity=capacity)
    wide = experiment("memorization_capacity", MNIST, capacity=capacity | {"widths": [16, 8192]})
    assert wide.mem_mb > 2 * narrow.mem_mb
    assert wide.runtime > narrow.runtime


def test_no_job_of_the_paper_is_beyond_an_ordinary_cluster(paper):
    for asked in all_needs(paper):
        assert GPU_PROCESS_MB / 4 <= asked.mem_mb <= 40_000
        assert 0 < asked.disk_mb <= 60_000
        assert 10 <= asked.runtime <= LONGEST
    # Four cells in a submission stay within a day.
    assert 4 * LONGEST <= 24 * 60


def test_every_attempt_asks_for_more(cell):
    asked = [cell("inception").on(attempt) for attempt in (1, 2, 3, 4)]
    assert asked[0] == cell("inception")
    for one, next_one in itertools.pairwise(asked):
        assert next_one.mem_mb > one.mem_mb
        assert next_one.runtime > one.runtime
    assert asked[3].runtime == 4 * asked[0].runtime


def test_perceptrons_are_the_models_that_train_their_replicates_together():
    for name, entry in MODELS.items():
        module = (ROOT / f"scripts/rethink/models/{entry.module}.py").read_text()
        assert needs.is_perceptron(name) == ("JOINT_REPLICATES = True" in module), name


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_kernels_ask_for_a_triangle_of_memory_and_of_disk(experiment, precision):
    """The lower triangle of 60,000 points in columns of 3,000 is 7 GB in float32."""
    triangle = (60_000**2 + 60_000 * 3000) // 2 / MB
    asked = [
        experiment("kernel_mnist_pixels", MNIST, regularization=values, precision=precision)
        for values in ([0], [0, 1, 2, 3])
    ]
    item = 4 if precision == "float32" else 8
    for one in asked:
        assert 1.1 * item * triangle < one.mem_mb < 1.8 * item * triangle
        # Its columns, of one regularization after the other, in float64 where float32 fails.
        assert one.disk_mb == pytest.approx(8 * triangle, rel=0.02)
    assert asked[1].runtime > asked[0].runtime


@pytest.fixture
def submitted(fresh):
    """What the jobs of the digits' preset, which has all rules, would ask of SLURM, by rule.

    Of each job, and of each group of jobs in a submission: its size, then memory, disk and time of
    the first and of the second attempt.
    """
    (fresh.folder / PRESET).write_text((ROOT / "config/digits.yaml").read_text())
    profile = ["--profile", "profiles/slurm", "--workflow-profile", "none"]
    arguments = ["--configfile", PRESET, *profile, "--dry-run", "--quiet", "all"]
    done = fresh.command([sys.executable, "-c", SHOW, *arguments])
    assert done.returncode == 0, done.stdout
    found = {}
    for rule, size, asked in re.findall(r"^NEEDS (\w+) (\d+) (.*)$", done.stdout, re.MULTILINE):
        found.setdefault(rule, []).append((int(size), *json.loads(asked)))
    return found


def test_every_submitted_job_states_what_it_needs(submitted):
    rules = "\n".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    assert submitted.keys() >= set(re.findall(r"^rule (\w+):", rules, re.MULTILINE)) - {"bundle"}
    for rule in submitted.keys() - LOCAL:
        for _, first, second in submitted[rule]:
            assert all(isinstance(value, int) and value > 0 for value in first), rule
            assert second[0] > first[0], rule
            assert second[1] == first[1], rule
            assert second[2] == 2 * first[2], rule
    # Cells in a submission run one after the other: the time of all, the memory of one.
    (memory, disk, minutes) = max(first for _, first, _ in submitted["train"])
    assert {size for size, _, _ in submitted["group"]} == {3, 4}
    for size, first, _ in submitted["group"]:
        assert first == [memory, disk, size * minutes]
