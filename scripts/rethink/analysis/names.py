"""The order and the words in which models, conditions and outcomes appear to a reader."""

from rethink import corruption_names, regularizers
from rethink.datasets.catalog import KINDS as DATASETS
from rethink.models.catalog import MODELS


def dataset_title(name: str) -> str:
    """Return a dataset's short title; one outside the catalog is called by its name."""
    return DATASETS[name].title.partition(" (")[0] if name in DATASETS else name


def model_title(name: str) -> str:
    """Return a model's title; a model outside the catalog is called by its name."""
    return MODELS[name].title if name in MODELS else name


def network_title(model: str, regularizer: str) -> str:
    """Return a model's title with its regularizer, if any, e.g. ``MLP 1x512, dropout``."""
    if regularizer == "none":
        return model_title(model)
    return f"{model_title(model)}, {regularizer_title(regularizer)}"


def corruption_title(name: str) -> str:
    """Return a corruption's words, e.g. ``50 % random labels``."""
    return corruption_names.title(name)


def regularizer_title(name: str) -> str:
    """Return a regularizer's words, e.g. ``crop + weight decay``."""
    return regularizers.title(name)


def condition_title(corruption: str, regularizer: str) -> str:
    """Return what a network was trained on and with, e.g. ``random labels, weight decay``."""
    if regularizer == "none":
        return corruption_title(corruption)
    return f"{corruption_title(corruption)}, {regularizer_title(regularizer)}"


def row_title(corruption: str, regularizer: str) -> str:
    """Return a row's name as the paper's Table 1 has it: true labels go without saying."""
    if corruption != "none":
        return condition_title(corruption, regularizer)
    return "no regularizer" if regularizer == "none" else regularizer_title(regularizer)


def outcome(n: int, n_fitted: int, n_diverged: int) -> str:
    """Return how the replicates of a cell ended, e.g. ``fitted`` or ``1 of 3 fitted``."""
    if n_fitted == n:
        return "fitted"
    if n_diverged == n:
        return "diverged"
    ended = f"{n_fitted} of {n} fitted" if n_fitted else "not fitted"
    return ended + (f", {n_diverged} diverged" if n_diverged else "")


def model_order(name: str) -> tuple[int, str]:
    """Sort key: the catalog's order, which is the paper's; others follow by name."""
    known = list(MODELS)
    return (known.index(name) if name in known else len(known), name)


def corruption_order(name: str) -> tuple[int, float, str]:
    """Sort key: by kind as the names are declared, then by level."""
    kind, level, _ = corruption_names.parse(name)
    return (list(corruption_names.VARIANTS).index(kind), level or 0.0, name)


def regularizer_order(name: str) -> tuple[int, int, str]:
    """Sort key: none first, single ones before sums."""
    return (name != "none", name.count("+"), name)


def cell_order(name: str) -> tuple:
    """Sort key of a cell's name: dataset, model, corruption, regularizer."""
    dataset, model, corruption, regularizer = name.split("/")
    return (
        dataset,
        model_order(model),
        corruption_order(corruption),
        regularizer_order(regularizer),
    )
