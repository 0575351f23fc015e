"""The models by name: where each is built, and the schedule that it was published with.

A new architecture is one module with a `build` function and one entry here. The entries are
resolved into every cell's specification, so that the training code never reads this file.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple


class ModelEntry(NamedTuple):
    """An architecture with its published optimizer schedule.

    `weight_decay` is the coefficient that the regularizer of that name switches on, and
    `weight_decay_parameters` the patterns of the parameter names that it acts on. The paper gives
    neither; README and report list them among the deviations. `schedule` holds further training
    settings, where the published schedule is not the paper's.

    `megaflops` are taken to train on one image of `side` pixels. `megabytes` were measured on such
    images, see `rethink.needs`: the peak of a process on the CPU that trains one replicate in
    batches of 128 and evaluates it on 1,000 images at a time, less what any process and the images
    take. (Inception v3: from batches of 16 and 64, in proportion.)
    """

    title: str
    module: str
    arguments: dict[str, Any]
    learning_rate: float
    weight_decay: float
    weight_decay_parameters: tuple[str, ...]
    paper_parameters: int | None
    megaflops: float
    megabytes: int
    side: int
    schedule: Mapping[str, Any] = MappingProxyType({})


# Of the convex networks with batch normalization; the publication's own code never appeared, and a
# re-implementation that two of its authors supervised has Adam.
ADAM = {"optimizer": "adam"}
# Of the first author's demonstration: 300 epochs, the rate divided by ten after half and three
# quarters of them.
DEMO = {"learning_rate_decay": 1.0, "learning_rate_drops": [150, 225], "epochs": 300}

MODELS = {
    "inception": ModelEntry(
        "Inception",
        "inception",
        {"batch_norm": True},
        0.1,
        4e-5,
        ("*.weight",),
        1_649_402,
        1221.3,
        2622,
        28,
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
        1945,
        28,
    ),
    "alexnet": ModelEntry(
        "Alexnet",
        "alexnet",
        {},
        0.01,
        4e-3,
        ("fc1.weight", "fc2.weight"),
        1_387_786,
        143.2,
        1089,
        28,
    ),
    "mlp_3x512": ModelEntry(
        "MLP 3x512",
        "mlp",
        {"hidden": [512, 512, 512]},
        0.01,
        1e-4,
        ("*.weight",),
        1_735_178,
        7.99,
        302,
        28,
    ),
    "mlp_1x512": ModelEntry(
        "MLP 1x512", "mlp", {"hidden": [512]}, 0.01, 1e-4, ("*.weight",), 1_209_866, 4.85, 305, 28
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
        123_000,
        299,
    ),
    # Sivaprasad et al. 2021. Without normalization the weights
    # start so that a layer passes on its inputs' mean, or as usual: then the deep one hardly moves.
    "convex_mlp_1x512": ModelEntry(
        "Convex MLP 1x512",
        "convex_mlp",
        {"hidden": [512]},
        0.01,
        1e-4,
        ("*.weight",),
        None,
        4.85,
        297,
        28,
    ),
    "convex_mlp_3x512": ModelEntry(
        "Convex MLP 3x512",
        "convex_mlp",
        {"hidden": [512, 512, 512]},
        0.01,
        1e-4,
        ("*.weight",),
        None,
        7.99,
        315,
        28,
    ),
    "convex_mlp_3x512_usual": ModelEntry(
        "Convex MLP 3x512, usual start",
        "convex_mlp",
        {"hidden": [512, 512, 512], "initialization": "fan_in_uniform"},
        0.01,
        1e-4,
        ("*.weight",),
        None,
        7.99,
        315,
        28,
    ),
    "convex_mlp_3x512_bn": ModelEntry(
        "Convex MLP 3x512, BatchNorm",
        "convex_mlp",
        {
            "hidden": [512, 512, 512],
            "batch_norm": True,
            "initialization": "fan_in_uniform",
        },
        0.001,
        1e-4,
        ("*.weight",),
        None,
        7.99,
        293,
        28,
        ADAM,
    ),
    "convex_allcnn": ModelEntry(
        "Convex All-CNN",
        "convex_allcnn",
        {},
        0.001,
        1e-3,
        ("*.weight",),
        None,
        1287.6,
        3085,
        28,
        ADAM,
    ),
    "convex_densenet": ModelEntry(
        "Convex DenseNet",
        "convex_densenet",
        {},
        0.001,
        1e-4,
        ("*.weight",),
        None,
        1298.6,
        5964,
        28,
        ADAM,
    ),
    # The first author's repository fitting-random-labels, on whole images of 32 pixels.
    "wrn_28_1": ModelEntry(
        "WRN-28-1", "wide_resnet", {}, 0.1, 1e-4, ("*",), None, 328.9, 1178, 32, DEMO
    ),
    "mlp_1x512_demo": ModelEntry(
        "MLP 1x512 without biases",
        "mlp",
        {"hidden": [512], "bias": False, "initialization": "fan_in_uniform"},
        0.01,
        1e-4,
        ("*",),
        None,
        6.32,
        310,
        32,
        DEMO,
    ),
}
