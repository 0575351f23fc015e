"""What a job asks of a scheduler: memory, disk and time, from what it is about to do.

Memory is what was measured of processes on the CPU (`peak_memory_mb` of their ``run.json``), in
parts that add up: the process, the network at work, the images. A job that has a GPU keeps the
latter two there, and CUDA's libraries in memory instead. Time is arithmetic over a rate that is
assumed, for one GPU; without one a cell of a convolutional network takes a hundred times as long.
Rather too little time than far too much, with which a job waits long: one that runs out of it, or
of memory, is submitted again, asks for more and goes on from its checkpoint.
"""

import functools
import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from rethink.corruption_names import LABEL_KINDS, parse
from rethink.datasets.catalog import KINDS
from rethink.models.catalog import MODELS
from rethink.training.limits import WHITENED_BYTES, evaluation_batch

MB = 2**20  # as in run.json and SLURM's --mem

MEMORY_MARGIN = 1.25
PROCESS_MB = 330  # torch, numpy and this library
# Of a process that uses a GPU, at least. Assumed: people report 1.1 to 1.9 GB (pytorch#12873).
GPU_PROCESS_MB = 2000
JOINT_SHARE = 0.2  # of a perceptron's memory, for each replicate beside the first

TIME_MARGIN = 2
LONGEST = 360  # minutes: four cells in a submission ask for a day, the limit of many partitions
SHORTEST = 10
START_SECONDS = 60  # to load torch and CUDA, and to read the data
STEP_SECONDS = 0.005  # to start the operations of a step, each some 10 microseconds
# Operations a second that a network keeps up. Assumed: a fifth of what one of the slower GPUs of a
# data centre (V100, A100) has at most.
RATES = {"fp32": 3e12, "tf32": 1e13, "bf16": 1e13}

CELL_DISK_MB = 1000  # curves, and two checkpoints: 330 MB each for Inception v3
# Both go through the images block by block; an image folder is decoded by several processes.
FETCH_MB, DECODING_MB, CORRUPT_MB = 500, 2000, 500
FETCH_SECONDS, CORRUPT_SECONDS = 600, 300
LABELS_DISK_MB = 10


class Needs(NamedTuple):
    """Memory (MB of 2**20 bytes), disk (MB) and time (minutes) of a job's first attempt."""

    mem_mb: int
    disk_mb: int
    runtime: int

    def on(self, attempt: int) -> "Needs":
        """Return what the job asks for when it is tried for the `attempt`-th time, from 1."""
        memory = round(self.mem_mb * (1 + attempt) / 2)
        return self._replace(mem_mb=memory, runtime=self.runtime * attempt)


class Images(NamedTuple):
    """What is known of a dataset before it is there; `train` and `test` are None for a folder."""

    train: int | None
    test: int | None
    side: int
    channels: int

    @property
    def raw(self) -> int:
        """The bytes of all images as uint8.

        Of unknown ones as many are assumed as are kept whitened.
        """
        if self.train is None or self.test is None:
            return WHITENED_BYTES // 4
        return (self.train + self.test) * self.side**2 * self.channels

    def whitened(self, crop: int, limit: int | None = None) -> int:
        """Return the bytes of the images that training keeps as float32, `limit` for training."""
        if self.train is None or self.test is None:
            return WHITENED_BYTES
        counts = (min(self.train, limit or self.train), self.test)
        sizes = (4 * crop**2 * self.channels * count for count in counts)
        return sum(size for size in sizes if size <= WHITENED_BYTES)


class Work(NamedTuple):
    """Operations of a network and the steps they take; None where nobody knows how many."""

    flop: float | None
    steps: int = 0

    def seconds(self, numerics: str, processes: int = 1) -> float:
        """Return the seconds that a GPU is assumed to take."""
        if self.flop is None:
            return math.inf
        return self.flop / RATES[numerics] / processes + self.steps * STEP_SECONDS


def stated(
    memory_mb: float, disk_mb: float, seconds: float, gpu: bool, margin: float = MEMORY_MARGIN
) -> Needs:
    """Return needs in round numbers, margins added; no job asks for more than `LONGEST`."""
    memory = max(memory_mb * margin, GPU_PROCESS_MB if gpu else 0)
    minutes = min(seconds * TIME_MARGIN / 60, LONGEST)
    return Needs(
        math.ceil(memory / 100) * 100,
        math.ceil(disk_mb / 100) * 100,
        max(SHORTEST, math.ceil(minutes / 5) * 5),
    )


@functools.cache
def images_of(dataset: str) -> Images:
    """Return what is known of the images of a dataset, given its specification."""
    spec = json.loads(dataset)
    kind = KINDS[spec["kind"]]
    side = spec.get("image_size") or kind.side
    return Images(kind.train, kind.test, side, kind.channels)


def of_dataset(images: Images) -> Needs:
    """Return what it takes to fetch a dataset: its arrays, and the archive that they come from."""
    unknown = images.train is None
    memory = DECODING_MB if unknown else FETCH_MB
    return stated(memory, 2 * images.raw / MB, math.inf if unknown else FETCH_SECONDS, gpu=False)


def of_corruption(corruption: str, images: Images) -> Needs:
    """Return what it takes to draw the corruption with this specification."""
    kind = parse(json.loads(corruption)["corruption"]).kind
    disk = LABELS_DISK_MB if kind in LABEL_KINDS else images.raw / MB
    seconds = math.inf if images.train is None else CORRUPT_SECONDS
    return stated(CORRUPT_MB, disk, seconds, gpu=False)


@functools.cache
def of_cell(cell: str, images: Images) -> Needs:
    """Return what it takes to train the cell with this specification, all replicates of it.

    One process may be without a GPU, of several each has one.
    """
    spec = json.loads(cell)
    model, settings, crop = spec["model"]["name"], spec["train"], spec["input"]["crop"]
    processes, replicates = spec.get("processes", 1), spec["replicates"]
    if processes > 1:
        memory = processes * GPU_PROCESS_MB
    else:
        network = network_mb(model, crop, images, settings["batch_size"])
        if is_perceptron(model):  # They train their replicates together.
            network *= 1 + JOINT_SHARE * (replicates - 1)
        memory = PROCESS_MB + network + images.whitened(crop, settings["train_examples"]) / MB
    memory += images.raw / MB
    work = training(model, crop, settings, images, replicates)
    seconds = START_SECONDS + work.seconds(spec["numerics"], processes)
    return stated(memory, CELL_DISK_MB, seconds, gpu=True)


def is_perceptron(model: str) -> bool:
    """Return whether a model is one of hidden layers of some width."""
    return "hidden" in MODELS[model].arguments


def network_mb(model: str, crop: int, images: Images, batch_size: int) -> float:
    """Return the MB that a network at work takes, in batches of the evaluation or of training."""
    entry = MODELS[model]
    most = evaluation_batch(crop**2 * images.channels)
    if images.train is not None and images.test is not None:
        most = min(most, max(images.train, images.test))
    batch = max(batch_size, most)
    return entry.megabytes * (crop / entry.side) ** 2 * batch / 1000


def training(
    model: str,
    crop: int,
    settings: Mapping[str, Any],
    images: Images,
    replicates: int = 1,
) -> Work:
    """Return the work to train a network with evaluations: a pass forward is a third of a step's."""
    if images.train is None or images.test is None:
        return Work(None)
    entry, epochs = MODELS[model], settings["epochs"] * replicates
    image = entry.megaflops * 1e6 * (crop / entry.side) ** 2
    examples = min(images.train, settings["train_examples"] or images.train)
    evaluated = (examples + images.test) / 3 / settings["evaluate_every"]
    steps = epochs * math.ceil(examples / settings["batch_size"])
    return Work(image * epochs * (examples + evaluated), steps)
