"""Files, seeds, clocks: what everything else stands on."""

import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rethink.clocks import reveal_restored
from rethink.files import atomic_path, canonical_json, read_json, write_json
from rethink.seeds import generator, stream_seed

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), json_values))
def test_canonical_json_does_not_depend_on_order(value):
    backwards = dict(reversed(list(value.items())))
    assert canonical_json(value) == canonical_json(backwards)


def test_a_file_is_whole_or_absent(tmp_path):
    path = tmp_path / "deep" / "result.json"
    write_json(path, {"a": 1})
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert read_json(path) == {"a": 1}
    assert [p.name for p in path.parent.iterdir()] == ["result.json"]


def test_streams_are_told_apart_by_every_part_and_their_order():
    assert stream_seed(0, "a", "b") == stream_seed(0, "a", "b")
    seeds = {
        stream_seed(*parts) for parts in [(0, "a", "b"), (0, "b", "a"), (1, "a", "b"), ("0ab",)]
    }
    assert len(seeds) == 4


def test_a_stream_gives_the_same_numbers_on_every_machine():
    assert stream_seed(0, "cifar10", "labels") == 5824082166730497724
    assert generator(0, "cifar10", "labels").integers(0, 1000, 5).tolist() == [
        994,
        664,
        278,
        866,
        73,
    ]


def test_a_restored_file_is_revealed_and_nothing_else(tmp_path):
    old, new = tmp_path / "old.csv", tmp_path / "new.csv"
    for path in (old, new):
        path.write_text("x")
    os.utime(old, (time.time() - 3600,) * 2)
    before = new.stat().st_mtime_ns
    assert reveal_restored([tmp_path]) == [old]
    assert new.stat().st_mtime_ns == before
    assert time.time() - old.stat().st_mtime < 60
    assert reveal_restored([tmp_path]) == []


def test_a_moved_tree_keeps_its_order(tmp_path):
    for age, name in ((7200, "input"), (3600, "output")):
        (tmp_path / name).write_text("x")
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    reveal_restored([tmp_path])
    assert (tmp_path / "input").stat().st_mtime_ns <= (tmp_path / "output").stat().st_mtime_ns
