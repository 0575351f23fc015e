"""Steps replayed as graphs, with a stand-in for CUDA's own that works on the CPU."""

import importlib
import logging

import pytest
import torch
from tiny_cells import spec, write_data

from rethink.datasets.store import open_dataset
from rethink.training import numerics, replay
from rethink.training.data import load
from rethink.training.engine import Trainer

CPU = torch.device("cpu")
REGULARIZED = {"random_crop": True, "flip": True, "dropout": 0.5, "weight_decay": 1e-3}


class Graph:
    """Does on each replay what it was told at its capture, and nothing before."""

    captures: list["Graph"]
    fail_at: int | None
    harm: bool

    def __init__(self, generators):
        self.generators = generators

    def apart(self, work):
        work()

    def capture(self, work):
        self.captures.append(self)
        if len(self.captures) == self.fail_at:
            raise RuntimeError("operation not permitted when stream is capturing\nmore")
        self.work = work

    def replay(self):
        self.work()
        if self.harm:
            self.changed[0].add_(1e-3)


@pytest.fixture
def graph(monkeypatch):
    kind = type("Counted", (Graph,), {"captures": [], "fail_at": None, "harm": False})
    monkeypatch.setattr(replay, "Graph", kind)
    return kind


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("spots"), train=131, level=0.5)


def trainer(manifest, cell, replayed, replicates=(0,)):
    numerics.configure(cell["numerics"], 1)
    module = importlib.import_module(f"rethink.models.{cell['model']['module']}")
    run = Trainer(module.build, load(open_dataset(manifest), cell, CPU), cell, replicates, CPU)
    if replayed:
        run.replayed = run._replayed()
        run.replayed.graph.changed = run.optimizer.memory
    return run


def outcome(run):
    run.run(lambda: None, lambda: None)
    return run.histories, [tensor.clone() for tensor in run.optimizer.memory]


def same(one, other):
    return one[0] == other[0] and all(map(torch.equal, one[1], other[1]))


@pytest.mark.parametrize("model", ["mlp", "convex_mlp", "alexnet", "inception"])
@pytest.mark.parametrize("settings", [{}, REGULARIZED], ids=["plain", "regularized"])
def test_replayed_steps_are_ordinary_steps(manifest, graph, model, settings):
    cell = spec(model, epochs=3, learning_rate_decay=0.5, **settings)
    expected = outcome(trainer(manifest, cell, replayed=False))
    run = trainer(manifest, cell, replayed=True)
    assert same(outcome(run), expected)
    # One for each learning rate; the last batch of an epoch is smaller and no graph's.
    assert len(graph.captures) == 3
    assert run.replayed.graph is not None
    assert len(run.replayed.graph.generators) == len(run.dropouts)


def test_a_constant_learning_rate_needs_one_capture(manifest, graph):
    cell = spec(epochs=3, learning_rate_decay=1.0, replicates=2)
    expected = outcome(trainer(manifest, cell, False, [0, 1]))
    assert same(outcome(trainer(manifest, cell, True, [0, 1])), expected)
    assert len(graph.captures) == 1


def test_a_graph_with_other_results_is_not_used(manifest, graph, caplog):
    cell = spec(epochs=2)
    expected = outcome(trainer(manifest, cell, replayed=False))
    graph.harm = True
    run = trainer(manifest, cell, replayed=True)
    with caplog.at_level(logging.WARNING):
        assert same(outcome(run), expected)
    assert run.replayed.graph is None and len(graph.captures) == 1
    assert "no CUDA graphs from here on: a step as a graph has other results" in caplog.text


@pytest.mark.parametrize("fail_at", [1, 2])
def test_a_capture_that_fails_costs_nothing_but_the_graph(manifest, graph, caplog, fail_at):
    cell = spec(epochs=3, learning_rate_decay=0.5, dropout=0.5)
    expected = outcome(trainer(manifest, cell, replayed=False))
    graph.fail_at = fail_at
    run = trainer(manifest, cell, replayed=True)
    with caplog.at_level(logging.WARNING):
        assert same(outcome(run), expected)
    assert len(graph.captures) == fail_at
    assert "cannot be captured (operation not permitted when stream is capturing)" in caplog.text


def test_what_changes_from_step_to_step_is_not_replayed(manifest):
    def may(device="cuda", **settings):
        run = trainer(manifest, spec(**settings), replayed=False)
        run.device = torch.device(device)
        return run._may_replay()

    assert may() and may(optimizer="rmsprop")
    assert not may("cpu")
    assert not may(mixup=1.0)
    assert not may(optimizer="adam")


def test_torch_has_what_a_graph_takes():
    """Torch's own has the calls that `replay.Graph` makes; no test without a GPU can make them."""
    for name in ("capture_begin", "capture_end", "replay", "register_generator_state"):
        assert callable(getattr(torch.cuda.CUDAGraph, name))
    assert callable(torch.cuda.graph_pool_handle)
