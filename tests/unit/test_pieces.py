"""The pieces that an interrupted experiment has finished."""

import pytest
import torch

from rethink.pieces import Pieces
from rethink.provenance import Record

CPU = torch.device("cpu")
PIECE = {"numbers": [1, 0.1, None, float("nan")], "tensor": torch.arange(3.0), "name": "x"}


def record(spec="{}", code="c"):
    return Record("theory", "toy", spec, code)


def counted(calls):
    calls.append(1)
    return PIECE


def test_a_finished_piece_is_read_and_the_others_are_made(tmp_path):
    calls = []
    for _ in range(2):
        pieces = Pieces(tmp_path / "work", record(), CPU)
        found = pieces("one", lambda: counted(calls))
        assert str(found) == str(PIECE)
    pieces("another", lambda: counted(calls))
    assert len(calls) == 2
    pieces.clear()
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize(
    "other", [(record(spec="[]"), CPU), (record(code="d"), CPU), (record(), torch.device("cuda"))]
)
def test_pieces_of_another_experiment_are_removed(tmp_path, other):
    calls = []
    Pieces(tmp_path, record(), CPU)("one", lambda: counted(calls))
    Pieces(tmp_path, *other)("one", lambda: counted(calls))
    assert len(calls) == 2 and len(list(tmp_path.iterdir())) == 1


def test_a_damaged_piece_is_made_anew(tmp_path):
    calls = []
    for content in (b"", b"junk", None):
        Pieces(tmp_path, record(), CPU)("one", lambda: counted(calls))
        (path,) = tmp_path.glob("*/*.pt")
        path.write_bytes(path.read_bytes()[:-100] if content is None else content)
    assert str(Pieces(tmp_path, record(), CPU)("one", lambda: counted(calls))) == str(PIECE)
    assert len(calls) == 4


def test_what_a_piece_keeps_meanwhile_goes_with_it(tmp_path):
    pieces = Pieces(tmp_path, record(), CPU)
    scratch = pieces.scratch("one")
    scratch.mkdir(parents=True)
    pieces("one", lambda: PIECE)
    assert not scratch.exists()


def test_without_a_folder_nothing_is_kept():
    calls, pieces = [], Pieces(None, record(), CPU)
    assert pieces("one", lambda: counted(calls)) is pieces("one", lambda: counted(calls))
    assert len(calls) == 2 and pieces.scratch("one") is None
    pieces.clear()
