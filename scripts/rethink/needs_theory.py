"""What the experiments of theory ask of a scheduler: see `rethink.needs`."""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rethink.experiments import (
    KINDS,
    Capacity,
    CriticalSamples,
    EasyHard,
)
from rethink.needs import (
    JOINT_SHARE,
    MB,
    PROCESS_MB,
    START_SECONDS,
    Images,
    Needs,
    is_perceptron,
    network_mb,
    stated,
    training,
)
from rethink.theory.kernel_memory import counted
from rethink.theory.kernel_spec import FILTERS, LEAVE_ONE_OUT_EXAMPLES, Spec
from rethink.training.limits import TOGETHER, WHITENED_BYTES

SMALL_PROCESS_MB = 80  # without torch
THEORY_DISK_MB = 100
USUAL_WIDTH = 512  # of the perceptrons in the catalog
WIDE_MB = 800  # of a process with torch and SciPy, and of their temporary arrays

COUNTED_MARGIN = 1.1  # what a kernel takes is counted, not measured
KERNEL_RATE = 5e11  # operations a second in float64, of a GPU or of 8 cores; assumed
CIFAR_PIXELS = 3072
# Measured on one core of 2.5 GHz.
EVALUATION_SECONDS = 120  # of Theorem 1's networks on 50,000 points of CIFAR-10, for each target
LINEAR_STEP_SECONDS = 1e-4  # of SGD on 16 images of CIFAR-10, rounded up
SENSITIVITY_SECONDS = 300  # of small networks on a thousand images
INFORMATION_STEP_SECONDS = 2e-3  # of ten networks
INFORMATION_LOOK_SECONDS = 0.5  # at the layers of ten networks


def of_experiment(script: str, experiment: str, images: Images | None) -> Needs:
    """Return what the experiment with this specification needs; None makes its data itself.

    What the experiment leaves out has the default that its command line gives it.
    """
    section = next(kind.section for kind in KINDS.values() if kind.script == script)
    usual = {
        name: field.default
        for name, field in section.model_fields.items()
        if not field.is_required()
    }
    spec = usual | json.loads(experiment)
    return _OF_SCRIPT[script](spec, images)


def _kernel(given: Mapping[str, Any], images: Images) -> Needs:
    spec = Spec.parse(given)
    # Unknown sets are as large as MNIST.
    train = min(images.train or 60_000, spec.train_examples or images.train or 60_000)
    test = min(images.test or 10_000, spec.test_examples or images.test or 10_000)
    pixels = images.side**2 * images.channels
    # The system is solved in float64 if it can be, at once or where float32 fails.
    first = "float32" if spec.precision == "float32" else "float64"
    size = counted(spec, train, test, pixels, first).total
    columns = counted(spec, train, test, pixels, "float64").factor
    leave_one_out = spec.leave_one_out or train <= LEAVE_ONE_OUT_EXAMPLES
    # Of one regularization: factor, inverse, kernel values twice.
    solved = train**3 / 3 * (1 + leave_one_out) + 4 * train * (train + test) * pixels
    other = train**3 / 3 if spec.extra_norms else 0
    if spec.features == "random_conv":
        filters = spec.features_arguments.get("filters", FILTERS)
        convolved = 2 * filters * 36 * images.channels * images.side**2 * (train + test)
        other += convolved + 8 * filters * (train + test) ** 2
    seconds = START_SECONDS + (len(spec.regularization) * solved + other) / KERNEL_RATE
    disk = columns / MB + THEORY_DISK_MB
    return stated(WIDE_MB + size / MB, disk, seconds, gpu=True, margin=COUNTED_MARGIN)


def _expressivity(spec: Mapping[str, Any], images: Images) -> Needs:
    # The images, those in their order, and those that are left.
    raw = images.raw if images.train is None else images.train * images.side**2 * images.channels
    each = EVALUATION_SECONDS * len(spec["targets"]) * max(1, len(spec["depths"]) / 4)
    seconds = sum(each * (size / 50_000) ** 2 for size in spec["sizes"])
    memory = SMALL_PROCESS_MB + 3 * raw / MB
    return stated(memory, THEORY_DISK_MB, START_SECONDS + seconds, gpu=False)


def _linear(spec: Mapping[str, Any], images: Images) -> Needs:
    pixels = images.side**2 * images.channels
    count = spec["train_examples"] + (images.test or WHITENED_BYTES // (8 * pixels))
    step = LINEAR_STEP_SECONDS * max(1, pixels * spec["batch_size"] / (16 * CIFAR_PIXELS))
    seconds = START_SECONDS + spec["steps"] * step
    # float64 thrice: the images, what is subtracted, what is left.
    memory = SMALL_PROCESS_MB + 3 * 8 * pixels * count / MB
    return stated(memory, THEORY_DISK_MB, seconds, gpu=False)


def _information(spec: Mapping[str, Any], _: Images | None) -> Needs:
    conditions = len(spec["activations"]) * len(spec["depths"]) * len(spec["labels"])
    tens = max(1, spec["replicates"] / 10)
    batches = sum(math.ceil(part * 4096 / spec["batch_size"]) for part in spec["train_fractions"])
    looks = spec["checkpoints"] * len(spec["train_fractions"]) * INFORMATION_LOOK_SECONDS
    each = spec["epochs"] * batches * INFORMATION_STEP_SECONDS + looks
    return stated(WIDE_MB, THEORY_DISK_MB, START_SECONDS + conditions * each * tens, gpu=False)


def _stability(spec: Mapping[str, Any], images: Images) -> Needs:
    limit = {"train_examples": spec["train_examples"]}
    trained = (spec["pairs"] + 1) * len(spec["corruptions"])
    once = {"evaluate_every": math.inf}  # at the end of training
    seconds = START_SECONDS + sum(
        training(name, crop, settings | limit | once, images, trained).seconds(spec["numerics"])
        for name, crop, settings in _models(spec)
    )
    return stated(_training_mb(spec, images), THEORY_DISK_MB, seconds, gpu=True)


def _memorization(spec: Mapping[str, Any], images: Images) -> Needs:
    asked = {
        "easy_hard": _asked(EasyHard, spec["easy_hard"]),
        "critical_samples": _asked(CriticalSamples, spec["critical_samples"]),
        "capacity": _asked(Capacity, spec["capacity"]),
    }
    seconds = START_SECONDS + (SENSITIVITY_SECONDS if spec["loss_sensitivity"] is not None else 0)
    for name, crop, settings in _models(spec):
        # An epoch with its evaluation.
        one = settings | {"epochs": 1, "evaluate_every": 1}
        epoch = training(name, crop, one, images).seconds(spec["numerics"])
        epochs = _epochs(settings["epochs"], images, **asked)
        seconds += epoch * epochs if epochs else 0
    more = 1.0
    if asked["easy_hard"]:
        more = 1 + JOINT_SHARE * (TOGETHER - 1)
    if asked["capacity"]:
        more = max(more, _widest(asked["capacity"]))
    memory = _training_mb(spec, images, more)
    if asked["critical_samples"]:
        memory += WIDE_MB  # for the search around the points
    return stated(memory, THEORY_DISK_MB, seconds, gpu=True)


def _asked(section: type, given: Mapping[str, Any] | None) -> Any:
    return None if given is None else section(**given)


def _widest(capacity: Capacity) -> float:
    return max(1.0, *(width / USUAL_WIDTH for width in capacity.widths))


def _epochs(
    usual: int,
    images: Images,
    easy_hard: EasyHard | None,
    critical_samples: CriticalSamples | None,
    capacity: Capacity | None,
) -> float:
    """Return for how many epochs a model is trained, or what else takes as long."""
    epochs = 0.0
    if easy_hard:
        epochs += len(easy_hard.corruptions) * easy_hard.runs
    if critical_samples:
        own = critical_samples
        # A point is moved by a gradient, as dear as an example of training, once an iteration.
        moved = own.points * own.iterations * (own.evaluations + 1) / (images.train or own.points)
        epochs += len(own.corruptions) * own.replicates * ((own.epochs or usual) + moved)
    if capacity:
        widths = [max(1.0, width / USUAL_WIDTH) for width in capacity.widths]
        runs = sum(widths) + len(capacity.sizes) * max(widths)
        each = capacity.replicates * (capacity.epochs or usual)
        epochs += len(capacity.corruptions) * each * runs
    return epochs


def _models(spec: Mapping[str, Any]) -> Iterator[tuple[str, int, dict]]:
    """Yield name, crop and settings of the models that an experiment trains."""
    for name, model in (spec["models"] or {}).items():
        yield name, spec["input"]["crop"], model["train"]


def _training_mb(spec: Mapping[str, Any], images: Images, more: float = 1.0) -> float:
    """Return the MB of a process that trains models in turn, perceptrons so many times as large."""
    largest = max(
        (
            network_mb(name, crop, images, settings["batch_size"])
            * (more if is_perceptron(name) else 1)
            + images.whitened(crop, spec.get("train_examples")) / MB
            for name, crop, settings in _models(spec)
        ),
        default=WIDE_MB - PROCESS_MB,
    )
    # The files, and what of them is corrupted or chosen.
    return PROCESS_MB + largest + 2 * images.raw / MB


_OF_SCRIPT: dict[str, Callable[[Mapping[str, Any], Any], Needs]] = {
    "kernel": _kernel,
    "expressivity": _expressivity,
    "linear": _linear,
    "stability": _stability,
    "information_plane": _information,
    "memorization": _memorization,
}
