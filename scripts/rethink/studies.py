"""The kinds of study: what each one draws, and the item of the paper that it answers to."""

from typing import NamedTuple

# The paper's tables, figures and other statements that can be re-run, in a reader's order.
PAPER_ITEMS = (
    *("Table 1", "Table 2", "Table 3", "Table 4"),
    *("Figure 1a", "Figure 1b", "Figure 1c", "Figure 2a", "Figure 2b"),
    *("Theorem 1", "Section 2.2", "Section 3.2", "Section 5"),
)


class StudyKind(NamedTuple):
    """A kind of study: its title, the figures that draw it, and the paper's items it answers to."""

    title: str
    figures: tuple[str, ...]
    paper_items: tuple[str, ...]


KINDS = {
    "learning_curves": StudyKind("Learning curves", ("learning_curves",), ("Figure 1a",)),
    "corruption_levels": StudyKind(
        "Between true and random labels", ("time_to_fit", "test_error"), ("Figure 1b", "Figure 1c")
    ),
    "table1": StudyKind("Explicit regularization", ("table1",), ("Table 1",)),
    "table2": StudyKind("Explicit regularization on ImageNet", ("table2",), ("Table 2",)),
    "figure2a": StudyKind(
        "Implicit regularization: early stopping on ImageNet", ("figure2a",), ("Figure 2a",)
    ),
    "table4": StudyKind("Random labels under regularizers", ("table4",), ("Table 4",)),
    "batch_norm": StudyKind(
        "Implicit regularization: BatchNorm and early stopping",
        ("batch_norm",),
        ("Figure 2b", "Section 3.2"),
    ),
    "rademacher": StudyKind("Rademacher complexity", ("rademacher",), ("Section 2.2",)),
    "grid": StudyKind("Grid", ("final_accuracy",), ()),
    "kernels": StudyKind(
        "Kernel interpolation", ("kernel_errors", "kernel_norms"), ("Table 3", "Section 5")
    ),
    "theorem1": StudyKind("Finite-sample expressivity", ("theorem1",), ("Theorem 1",)),
    "stability": StudyKind("Uniform stability", ("stability",), ("Section 2.2",)),
    "information_plane": StudyKind(
        "The information plane",
        ("information_plane", "information_epochs", "information_variants"),
        (),
    ),
    "memorization": StudyKind(
        "A closer look at memorization",
        ("easy_hard", "loss_sensitivity", "critical_samples", "capacity"),
        (),
    ),
    "noise_regularizers": StudyKind("Regularizers and memorization", ("noise_regularizers",), ()),
    "convex_networks": StudyKind("Input-output convex networks", ("convex_networks",), ()),
    "noise_grid": StudyKind("Does anything stop memorization?", ("noise_grid",), ()),
    "demo": StudyKind("The first author's demonstration", ("demo",), ()),
    "mixup": StudyKind("mixup", ("mixup",), ()),
    "complexity_measures": StudyKind(
        "Complexity measures", ("complexity_rankings", "complexity_levels"), ()
    ),
    "linear_models": StudyKind("Linear models", ("linear_models",), ("Section 5",)),
}
