"""What the rules share: the validated preset, its cells, the digests of code, and lookups."""

import contextlib
import gc
import inspect
import json
import os
import re
import sys
from operator import attrgetter
from pathlib import Path

# People start the Snakefile at the top, the catalog of workflows the one in workflow/.
ROOT = Path(workflow.basedir)
ROOT = ROOT.parent if ROOT.name == "workflow" else ROOT
sys.path.insert(0, str(ROOT / "scripts"))

from rethink import config as presets
from rethink.claims.claim import CLAIM_FILES
from rethink.files import canonical_json
from rethink import needs
from rethink.grid import expand as expand_grid
from rethink.needs_theory import of_experiment
from rethink.progress import Monitor
from rethink.stale_locks import remove_stale_locks
from rethink.states import cell_state
from rethink.stages import experiment_code, fetch_code, figure_code, script_code, train_code
from rethink.terminal import prefer_this_python
from rethink.publish.pango import missing as missing_pango
from rethink.clocks import reveal_restored
from rethink.corruption_names import LABEL_KINDS
from rethink.corruption_names import parse as parse_corruption

# A plan is millions of objects that all stay: looking for garbage among them takes a tenth of it.
gc.set_threshold(100_000)

prefer_this_python()

try:
    PRESET = presets.load(config, ROOT / "config")
    GRID = expand_grid(PRESET, PRESET.preset)
except presets.ConfigError as error:
    raise WorkflowError(str(error)) from None

RESULTS = f"results/{PRESET.preset}"

remove_stale_locks()
reveal_restored(Path(RESULTS), Path("report"))

PDF_POSSIBLE = missing_pango() is None

DATA_ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")
LABEL_ARRAYS = ("train_labels", "train_hit", "test_labels", "test_hit")
IMAGE_ARRAYS = ("train_images", "test_images")
TABLES = ("curves", "summary", "cells", "runs")
PAPER_VALUES = sorted(str(p) for p in Path("report/paper").glob("*.csv"))
TEMPLATES = sorted(
    str(p)
    for pattern in ("*.*", "captions/*", "fonts/*.woff2")
    for p in Path("report").glob(pattern)
)


pathvars:
    results=RESULTS,
    logs=f"{RESULTS}/logs",


wildcard_constraints:
    dataset="|".join(GRID.datasets),
    cell="[^/]+/[^/]+/[^/]+/[^/]+",  # dataset/model/corruption/regularizer
    corruption=r"[a-z_]+(-[a-z0-9.]+)?",
    study="|".join([*GRID.studies, "all"]),
    figure=r"[a-z0-9_]+",


def signed(function):
    """Return a function of the wildcards with its signature at hand.

    Snakemake asks each function for it three times a job, a twentieth of a large plan.
    """
    function.__signature__ = inspect.signature(function)
    return function


# So it does for its own method that evaluates a resource of a job, which this makes half as dear.
with contextlib.suppress(ImportError, AttributeError):
    from snakemake.resources import Resource

    signed(Resource.evaluate)


def manifest_of(dataset, corruption):
    """Return the manifest of a dataset under a corruption; clean data are their own."""
    if corruption == "none":
        return f"<results>/data/{dataset}/manifest.json"
    return f"<results>/corrupted/{dataset}/{corruption}/manifest.json"


def arrays_of(dataset, corruption):
    """Return the big arrays of a dataset under a corruption, with the clean ones that it leaves."""
    clean = [f"<results>/data/{dataset}/{name}.npy" for name in DATA_ARRAYS]
    if corruption == "none":
        return clean
    kind = parse_corruption(corruption).kind
    names = LABEL_ARRAYS if kind in LABEL_KINDS else IMAGE_ARRAYS
    return clean + [f"<results>/corrupted/{dataset}/{corruption}/{name}.npy" for name in names]


def corruptions_of(labels):
    """Return the pattern of the names of the corruptions that change labels, or else images."""
    names = {c for _, c in GRID.corruptions if (parse_corruption(c).kind in LABEL_KINDS) == labels}
    return "|".join(map(re.escape, sorted(names))) or "(?!)"  # which nothing matches


def places_of(dataset):
    """Return where the user has a dataset's archives, as canonical JSON."""
    settings = PRESET.datasets.get(dataset)
    chosen = {"mirror": settings.mirror, "folder": settings.folder} if settings else {}
    return canonical_json({key: str(value) for key, value in chosen.items() if value})


def cells_of(study):
    """Return the names of a study's cells; `all` stands for every study of the preset."""
    return GRID.studies[study].cells if study in GRID.studies else tuple(GRID.cells)


def cell_of(wildcards):
    """Return the cell that a training job is about."""
    if wildcards.cell not in GRID.cells:
        raise WorkflowError(f"no study of preset '{PRESET.preset}' has a cell '{wildcards.cell}'")
    return GRID.cells[wildcards.cell]


@signed
def data_of_cell(wildcards):
    """Return the manifest of a cell's data; the arrays come with it (see `lost_files`)."""
    cell = cell_of(wildcards)
    return manifest_of(cell.dataset, cell.corruption)


@signed
def spec_of_cell(wildcards):
    """Return the specification of a cell."""
    return cell_of(wildcards).spec


@signed
def code_of_cell(wildcards):
    """Return the digest of the code that trains a cell."""
    return train_code(cell_of(wildcards).model)


@signed
def settings_of_cells(wildcards, output):
    """Return where cells and images are put. A function of `output` is no trigger for a rerun."""
    flags = [f"--cells-per-gpu {PRESET.cells_per_gpu}", f"--placement {PRESET.placement}"]
    flags += ["--cuda-graphs"] * PRESET.cuda_graphs + ["--warm"] * PRESET.warm_start
    return " ".join(flags)


def threads_of(cell):
    """Return the cores that a training job keeps busy: with several GPUs also by reading images."""
    return 1 if cell.gpus == 1 else 4 * cell.gpus


def of_cells(value):
    """Return a value that all cells share, or else a function of the wildcards, slower to plan."""
    values = {value(cell) for cell in GRID.cells.values()}
    return values.pop() if len(values) == 1 else lambda wildcards: value(cell_of(wildcards))


def stated(needs_of, names=needs.Needs._fields):
    """Return the resources of a rule whose jobs need what `needs_of` says, given the wildcards."""

    def resource(name):
        return signed(lambda wildcards, attempt: getattr(needs_of(wildcards).on(attempt), name))

    return {name: resource(name) for name in names}


def images_of(dataset):
    """Return what is known of a dataset's images; nothing where an experiment makes its data."""
    return needs.images_of(GRID.datasets[dataset]) if dataset else None


def needs_of_cell(wildcards):
    """Return what a cell's training job needs."""
    cell = cell_of(wildcards)
    return needs.of_cell(cell.spec, images_of(cell.dataset))


def needs_of_experiment(wildcards):
    """Return what an experiment needs."""
    entry = GRID.experiments[wildcards.experiment]
    return of_experiment(entry.script, entry.spec, images_of(entry.dataset))


def needs_of_dataset(wildcards):
    """Return what it takes to fetch a dataset."""
    return needs.of_dataset(images_of(wildcards.dataset))


def needs_of_corruption(wildcards):
    """Return what it takes to draw a corruption."""
    spec = GRID.corruptions[wildcards.dataset, wildcards.corruption]
    return needs.of_corruption(spec, images_of(wildcards.dataset))


def experiments_by(script):
    """Return the pattern of the names of the experiments that a script does."""
    names = [name for name, entry in GRID.experiments.items() if entry.script == script]
    return "|".join(map(re.escape, names)) or "(?!)"  # which nothing matches


def data_of_experiment(wildcards):
    """Return the manifest of an experiment's clean data."""
    return manifest_of(GRID.experiments[wildcards.experiment].dataset, "none")


def arrays_of_experiment(wildcards):
    """Return the arrays that an experiment waits for but never reruns for."""
    return ancient(arrays_of(GRID.experiments[wildcards.experiment].dataset, "none"))


def file_of_experiment(wildcards):
    """Return the file that an experiment's specification names, if any."""
    return json.loads(GRID.experiments[wildcards.experiment].spec).get("file") or []


def results_of(study):
    """Return the results of a study's experiments; `all` stands for every study of the preset."""
    names = GRID.studies[study].experiments if study in GRID.studies else GRID.experiments
    return [f"<results>/theory/{name}/result.json" for name in names]


def sources_of(study):
    """Return what a study's figures are drawn from: its tables, or its results of theory."""
    tables = [f"<results>/tables/{study}/{table}.csv" for table in TABLES]
    return tables if cells_of(study) else results_of(study)


def summaries_of(study):
    """Return the summaries of a study's cells."""
    return [f"<results>/cells/{name}/summary.json" for name in cells_of(study)]


def curves_of(study):
    """Return the learning curves of a study's cells."""
    return [f"<results>/cells/{name}/curves.csv" for name in cells_of(study)]


def sources_of_tables(study):
    """Return what the tables of a study follow: the files of its cells.

    The tables of all cells follow those of the studies, of as many as have all cells between them,
    which says the same in ten names, not in ten thousand.
    """
    if study in GRID.studies:
        return summaries_of(study) + curves_of(study)
    covered, sources = set(), []
    for name, entry in GRID.studies.items():
        if not covered.issuperset(entry.cells):
            covered.update(entry.cells)
            sources += [f"<results>/tables/{name}/{table}.csv" for table in TABLES]
    return sources


def clean_manifests_of(study):
    """Return the manifests of the clean datasets that a study's cells are made from."""
    datasets = [GRID.studies[study].dataset] if study in GRID.studies else GRID.sampled
    return [manifest_of(dataset, "none") for dataset in datasets]


def lost_files():
    """Return deleted files that a plan would not miss, because nothing that must run asks for them.

    These are files of cells below finished tables, and arrays that an unfinished cell reads: it
    names their manifest alone, for eight arrays more would double the time to plan a large preset.
    """
    tables = [Path(RESULTS, "tables", "all", f"{table}.csv") for table in TABLES]
    lost = []
    if all(path.exists() for path in tables):
        lost += [path for path in summaries_of("all") + curves_of("all") if not is_there(path)]
    readers = {}
    for cell in GRID.cells.values():
        readers.setdefault((cell.dataset, cell.corruption), []).append(cell)
    for pair, cells in readers.items():
        arrays = [path for path in arrays_of(*pair) if not is_there(path)]
        deleted = [path for path in arrays if is_there(f"{os.path.dirname(path)}/manifest.json")]
        if deleted and not all(map(is_done, cells)):
            lost += deleted
    return lost


def is_there(path):
    """Return whether a file of the results, named as in the rules, is there."""
    return os.path.exists(path.replace("<results>", RESULTS))


def is_done(cell):
    """Return whether a cell was trained as the preset and the present code say."""
    return cell_state(cell, Path(RESULTS), train_code(cell.model)).state == "done"


def figures_of_all_studies():
    """Return every figure that the report shows."""
    drawn = [
        f"<results>/figures/{study.name}/{figure}.svg"
        for study in GRID.studies.values()
        for figure in study.figures
    ]
    return drawn + [f"<results>/figures/samples/{dataset}.svg" for dataset in GRID.sampled]


def records_of_report():
    """Return the records that tell the report at which commit its figures and tables were made."""
    tables = [f"<results>/tables/{study}/run.json" for study in GRID.tabulated()]
    figures = [f"{figure}.run.json" for figure in figures_of_all_studies()]
    theory = [path.replace("result.json", "run.json") for path in results_of("all")]
    return [*tables, "<results>/tables/claims.csv.run.json", *figures, *theory]


def announce():
    """Say what is about to run, and watch it from a thread of this process."""
    problem = missing_pango()
    if problem:
        print(f"note: no PDF in this run, the HTML report only: {problem}", file=sys.stderr)
    Monitor(GRID, Path(RESULTS), train_code).start()


onstart:
    announce()
