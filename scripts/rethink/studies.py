"""The kinds of study: what each one draws, and the item of the paper that it answers to."""

from typing import NamedTuple


class StudyKind(NamedTuple):
    """A kind of study: its title, the figures that draw it, and the paper's item if it has one."""

    title: str
    figures: tuple[str, ...]
    paper_item: str | None


KINDS = {
    "learning_curves": StudyKind("Learning curves", ("learning_curves",), "Figure 1a"),
    "corruption_levels": StudyKind(
        "Between true and random labels", ("time_to_fit", "test_error"), "Figures 1b and 1c"
    ),
    "table1": StudyKind("Explicit regularization", ("table1",), "Table 1"),
    "table2": StudyKind("Explicit regularization on ImageNet", ("table2",), "Table 2"),
    "figure2a": StudyKind(
        "Implicit regularization: early stopping on ImageNet", ("figure2a",), "Figure 2a"
    ),
    "table4": StudyKind("Random labels under regularizers", ("table4",), "Table 4"),
    "batch_norm": StudyKind(
        "Implicit regularization: BatchNorm and early stopping", ("batch_norm",), "Figure 2b"
    ),
    "rademacher": StudyKind("Rademacher complexity", ("rademacher",), "Section 2.2"),
    "grid": StudyKind("Grid", ("final_accuracy",), None),
    "kernels": StudyKind(
        "Kernel interpolation", ("kernel_errors", "kernel_norms"), "Table 3 and Section 5"
    ),
    "theorem1": StudyKind("Finite-sample expressivity", ("theorem1",), "Theorem 1"),
    "stability": StudyKind("Uniform stability", ("stability",), "Section 2.2"),
    "information_plane": StudyKind(
        "The information plane",
        ("information_plane", "information_epochs", "information_variants"),
        None,
    ),
    "memorization": StudyKind(
        "A closer look at memorization",
        ("easy_hard", "loss_sensitivity", "critical_samples", "capacity"),
        None,
    ),
    "noise_regularizers": StudyKind("Regularizers and memorization", ("noise_regularizers",), None),
    "linear_models": StudyKind("Linear models", ("linear_models",), "Section 5"),
}
