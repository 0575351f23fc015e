"""mixup: who is blended with whom, the loss, and training that can be interrupted."""

import importlib

import numpy as np
import pytest
import torch
from tiny_cells import spec, write_data

from rethink.datasets.store import open_dataset
from rethink.training import engine, numerics
from rethink.training.checkpoint import Stopped
from rethink.training.data import load
from rethink.training.engine import Targets, Trainer
from rethink.training.mixup import Pairs, blend, permuted

CPU = torch.device("cpu")
SIZES = [7] * 400 + [3]


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("noisy"), train=75, level=0.5)


def trainer(manifest, cell, replicates=(0,)):
    numerics.configure(cell["numerics"], 1)
    module = importlib.import_module(f"rethink.models.{cell['model']['module']}")
    return Trainer(module.build, load(open_dataset(manifest), cell, CPU), cell, replicates, CPU)


def trained(manifest, cell, replicates=(0,)):
    run = trainer(manifest, cell, replicates)
    run.run(lambda: None, lambda: None)
    return run


def pairs(alpha=8.0, replicates=(0, 1), epoch=1, rank=0):
    return Pairs(alpha, 0, replicates, epoch, SIZES, CPU, rank)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 8.0, 32.0])
def test_shares_are_of_the_beta_distribution(alpha):
    shares = torch.cat([pairs(alpha, epoch=epoch).shares for epoch in (1, 2)]).flatten().double()
    variance = 1 / (4 * (2 * alpha + 1))
    error = (variance / len(shares)) ** 0.5
    assert shares.mean().item() == pytest.approx(0.5, abs=4 * error)
    assert shares.var().item() == pytest.approx(variance, rel=0.15)
    assert shares.min() >= 0 and shares.max() <= 1


def test_partners_are_a_permutation_of_each_batch_drawn_anew():
    drawn = pairs()
    for step in (0, 17, 400):
        partners, shares = drawn.of(step)
        assert partners.sort().values.tolist() == [list(range(SIZES[step]))] * 2
        assert shares.shape == (2, 1) and shares[0] != shares[1]
    assert not torch.equal(drawn.of(0)[0], drawn.of(1)[0])
    assert not torch.equal(drawn.partners[0], pairs(epoch=2).partners[0])


def test_each_replicate_draws_the_same_alone_and_processes_share_the_proportion():
    together, alone, other = pairs(), pairs(replicates=[1]), pairs(rank=1)
    assert torch.equal(together.shares[1:], alone.shares)
    assert torch.equal(together.of(5)[0][1:], alone.of(5)[0])
    assert torch.equal(together.shares, other.shares)
    assert any(not torch.equal(together.of(s)[0], other.of(s)[0]) for s in range(3))


def test_the_loss_is_that_of_the_blended_label():
    """Cross-entropy is linear in the label: the blend of losses is the loss on the blend."""
    logits, share = torch.randn(2, 7, 5), torch.tensor([[0.3], [0.9]])
    labels, others = torch.randint(5, (2, 2, 7))
    losses = Targets(labels, 0.0, others, share).losses(logits)
    soft = blend(*(torch.eye(5)[given] for given in (labels, others)), share)
    expected = -(soft * logits.log_softmax(-1)).sum(-1)
    torch.testing.assert_close(losses, expected)
    hits = Targets(labels, 0.0, others, share).hits(logits)
    predicted = logits.argmax(-1, keepdim=True)
    torch.testing.assert_close(hits, soft.gather(-1, predicted).squeeze(-1))


def test_a_blend_takes_each_replicates_own_partner():
    images = torch.arange(12.0).view(2, 3, 2, 1, 1)
    places = torch.tensor([[1, 2, 0], [0, 2, 1]])
    mixed = blend(images, permuted(images, places), torch.tensor([[1.0], [0.25]]))
    assert torch.equal(mixed[0], images[0])
    assert mixed[1, 1].flatten().tolist() == [0.25 * 8 + 0.75 * 10, 0.25 * 9 + 0.75 * 11]


class Undivided(Pairs):
    """Pairs in which every example keeps the whole share."""

    def of(self, step):
        partners, share = super().of(step)
        return partners, torch.ones_like(share)


@pytest.mark.parametrize("model", ["mlp", "alexnet"])
def test_with_whole_shares_it_is_plain_training_to_the_bit(noisy, monkeypatch, model):
    settings = {"epochs": 1, "dropout": 0.5, "random_crop": True, "label_smoothing": 0.1}
    plain = trained(noisy, spec(model, **settings))
    mixed = trained(noisy, spec(model, mixup=1.0, **settings))
    assert mixed.histories != plain.histories
    monkeypatch.setattr(engine, "Pairs", Undivided)
    assert trained(noisy, spec(model, mixup=1.0, **settings)).histories == plain.histories


def test_replicates_together_equal_each_alone(noisy):
    cell = spec(replicates=3, epochs=3, mixup=0.4, dropout=0.5, random_crop=True)
    together = trained(noisy, cell, [0, 1, 2]).histories
    assert [trained(noisy, cell, [r]).histories[0] for r in range(3)] == together
    assert together[0].rows[0]["train_loss"] != together[1].rows[0]["train_loss"]


def test_a_run_stopped_within_an_epoch_goes_on_to_the_same_bits(noisy):
    cell = spec(epochs=3, batch_size=8, mixup=2.0, random_crop=True)
    whole = trained(noisy, cell)
    first = trainer(noisy, cell)

    def stop():
        if (first.epoch, first.step) == (2, 4):
            raise Stopped(15)

    with pytest.raises(Stopped):
        first.run(stop, lambda: None)
    second = trainer(noisy, cell)
    second.load(first.state())
    second.run(lambda: None, lambda: None)
    assert second.histories == whole.histories
    for ours, theirs in zip(second.optimizer.memory, whole.optimizer.memory, strict=True):
        assert torch.equal(ours, theirs)


def test_accuracy_on_blends_is_that_of_both_labels(noisy):
    """With equal shares nothing is more than half right, unless both labels agree."""
    cell = spec(epochs=30, mixup=1e6, learning_rate=0.05)
    row = trained(noisy, cell).histories[0].rows[-1]
    assert row["online_accuracy"] < row["train_accuracy"]
    assert np.isfinite(row["online_loss"])
