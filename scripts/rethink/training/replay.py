"""A step of training as a CUDA graph: one launch in place of some hundred small ones.

A graph repeats what was launched while it was captured, at the same addresses: a batch is copied to
where the captured one lay, and what a step takes from Python, as its learning rate, is fixed.
"""

import logging
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

log = logging.getLogger(__name__)

# Does a step on images (K, B, H, W, C) and labels (K, B) with a learning rate.
Step = Callable[[Tensor, Tensor, float], None]


class Graph:
    """A CUDA graph that may be captured anew, in the same memory, on a stream of its own."""

    def __init__(self, generators: Sequence[torch.Generator]):
        self.generators, self.graph = generators, None
        self.stream, self.pool = torch.cuda.Stream(), torch.cuda.graph_pool_handle()

    def apart(self, work: Callable[[], None]) -> None:
        """Do some work on the stream that is captured: libraries make their handles for it."""
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            work()
        torch.cuda.current_stream().wait_stream(self.stream)

    def capture(self, work: Callable[[], None]) -> None:
        """Note what `work` launches, without doing it."""
        self.graph = graph = torch.cuda.CUDAGraph()
        for generator in self.generators:
            graph.register_generator_state(generator)

        def captured() -> None:
            # Not by `torch.cuda.graph`, which collects garbage and empties caches first. Another
            # thread may be reading the next images meanwhile.
            graph.capture_begin(pool=self.pool, capture_error_mode="thread_local")
            try:
                work()
            finally:
                graph.capture_end()

        self.apart(captured)

    def replay(self) -> None:
        """Do what was captured."""
        self.graph.replay()


class Replayed:
    """Steps on batches of one size, as graphs that are captured whenever the learning rate changes.

    The first step is done in the ordinary way, too: where the results differ in a bit, or where a
    capture fails, all steps are ordinary ones from then on.

    Parameters
    ----------
    step : does an ordinary step.
    seed : readies `generators` for the next step.
    changed : the tensors that a step changes, in place.
    generators : whose numbers a step draws on the device.
    """

    def __init__(
        self,
        step: Step,
        seed: Callable[[], None],
        changed: Sequence[Tensor],
        generators: Sequence[torch.Generator],
    ):
        self.step, self.seed, self.changed = step, seed, changed
        self.graph: Graph | None = Graph(generators)
        self.batch: tuple[Tensor, Tensor] | None = None
        self.learning_rate: float | None = None

    def __call__(self, images: Tensor, labels: Tensor, learning_rate: float) -> None:
        """Do a step."""
        if self.graph is None:
            self._ordinary(images, labels, learning_rate)
            return
        if self.batch is None:
            self.batch = images.clone(), labels.clone()
            self._first(learning_rate)
            return
        self.batch[0].copy_(images)
        self.batch[1].copy_(labels)
        if learning_rate != self.learning_rate and not self._captured(learning_rate):
            self._ordinary(images, labels, learning_rate)
            return
        self._replay()

    def _ordinary(self, images: Tensor, labels: Tensor, learning_rate: float) -> None:
        self.seed()
        self.step(images, labels, learning_rate)

    def _replay(self) -> None:
        self.seed()
        self.graph.replay()

    def _captured(self, learning_rate: float) -> bool:
        """Capture a step with this learning rate; return whether that was possible."""
        self.seed()
        try:
            self.graph.capture(lambda: self.step(*self.batch, learning_rate))
        except RuntimeError as error:
            self._give_up(f"cannot be captured ({str(error).splitlines()[0]})")
            return False
        self.learning_rate = learning_rate
        return True

    def _first(self, learning_rate: float) -> None:
        """Do the first step in both ways."""
        before = [tensor.clone() for tensor in self.changed]
        self.graph.apart(lambda: self._ordinary(*self.batch, learning_rate))
        expected = [tensor.clone() for tensor in self.changed]
        self._set(before)
        if self._captured(learning_rate):
            self._replay()
            if all(map(torch.equal, self.changed, expected)):
                log.info("steps are replayed as CUDA graphs")
                return
            self._give_up("has other results")
        self._set(expected)

    def _set(self, values: Sequence[Tensor]) -> None:
        for tensor, value in zip(self.changed, values, strict=True):
            tensor.copy_(value)

    def _give_up(self, reason: str) -> None:
        log.warning("no CUDA graphs from here on: a step as a graph %s", reason)
        self.graph = self.batch = None
