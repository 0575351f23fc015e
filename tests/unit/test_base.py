"""Files, seeds, clocks: what everything else stands on."""

import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rethink.clocks import reveal_restored
from rethink.files import atomic_path, canonical_json, read_json, sha256_file, write_json
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


def results_with(folder, content):
    """Write an input and a result whose record names the input's content."""
    table, record = folder / "table.csv", folder / "report.html.run.json"
    table.write_text(content)
    write_json(record, {"digests": {"inputs": {str(table): sha256_file(table)}}})
    return table


def put_back(path, content):
    path.write_text(content)
    os.utime(path, (time.time() - 3600,) * 2)


def test_a_file_restored_with_an_old_time_becomes_new(tmp_path):
    table = results_with(tmp_path, "1\n")
    put_back(table, "2\n")
    assert reveal_restored(tmp_path) == [table]
    assert time.time() - table.stat().st_mtime < 60
    assert reveal_restored(tmp_path) == []


def test_a_moved_tree_keeps_its_times(tmp_path):
    table = results_with(tmp_path, "1\n")
    put_back(table, "1\n")
    before = table.stat().st_mtime_ns
    assert reveal_restored(tmp_path) == []
    assert table.stat().st_mtime_ns == before
