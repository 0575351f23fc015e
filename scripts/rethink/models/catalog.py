"""The models by name: where each is built, and the schedule that it was published with.

A new architecture is one module with a `build` function and one entry here. The entries are
resolved into every cell's specification, so that the training code never reads this file.
"""

from typing import Any, NamedTuple


class ModelEntry(NamedTuple):
    """An architecture with its published optimizer schedule.

    `weight_decay` is the coefficient that the regularizer of that name switches on, and
    `weight_decay_parameters` the patterns of the parameter names that it acts on. The paper gives
    neither; README and report list them among the deviations.
    """

    title: str
    module: str
    arguments: dict[str, Any]
    learning_rate: float
    weight_decay: float
    weight_decay_parameters: tuple[str, ...]
    paper_parameters: int | None
    megaflops: float


MODELS = {
    "inception": ModelEntry(
        "Inception", "inception", {"batch_norm": True}, 0.1, 4e-5, ("*.weight",), 1_649_402, 1221.3
    ),
    "inception_no_bn": ModelEntry(
        "Inception w/o BatchNorm",
        "inception",
        {"batch_norm": False},
        0.1,
        4e-5,
        ("*.weight",),
        1_649_402,
        1221.3,
    ),
    "alexnet": ModelEntry(
        "Alexnet", "alexnet", {}, 0.01, 4e-3, ("fc1.weight", "fc2.weight"), 1_387_786, 143.2
    ),
    "mlp_3x512": ModelEntry(
        "MLP 3x512", "mlp", {"hidden": [512, 512, 512]}, 0.01, 1e-4, ("*.weight",), 1_735_178, 7.99
    ),
    "mlp_1x512": ModelEntry(
        "MLP 1x512", "mlp", {"hidden": [512]}, 0.01, 1e-4, ("*.weight",), 1_209_866, 4.85
    ),
    # For ImageNet at 299 pixels; the learning rate is that of the TensorFlow Inception package.
    "inception_v3": ModelEntry(
        "Inception v3",
        "inception_v3",
        {"auxiliary_weight": 0.4},
        0.045,
        4e-5,
        ("*.conv.weight", "*fc.weight"),
        None,
        34_275.0,
    ),
}
