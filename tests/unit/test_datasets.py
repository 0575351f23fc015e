import gzip
import hashlib
import http.server
import importlib
import io
import json
import os
import pickle
import struct
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import numpy as np
import pytest

from rethink.datasets import archives, cifar, digits, imagefolder, mnist
from rethink.datasets.catalog import KINDS
from rethink.datasets.store import open_dataset
from rethink.datasets.writer import Dataset, label_dtype, write_dataset
from rethink.errors import RethinkError
from rethink.files import sha256_file
from rethink.provenance import Record

SCRIPTS = Path(__file__).parents[2] / "scripts"


def write(dataset: Dataset, out: Path, name: str = "toy") -> Path:
    write_dataset(dataset, name, out, Record("data", name, "{}", "code"))
    return out / "manifest.json"


def toy(rng, train=12, test=6, classes=3, shape=(4, 5, 3)) -> Dataset:
    return Dataset(
        title="Toy",
        class_names=[f"class {i}" for i in range(classes)],
        train_images=rng.integers(0, 256, (train, *shape), np.uint8),
        train_labels=rng.integers(0, classes, train),
        test_images=rng.integers(0, 256, (test, *shape), np.uint8),
        test_labels=rng.integers(0, classes, test),
        source=lambda: {"name": "toy"},
    )


@pytest.fixture
def rng():
    return np.random.default_rng(0)


# ---- store and writer


def test_what_is_written_is_what_is_opened(tmp_path, rng):
    dataset = toy(rng)
    manifest = write(dataset, tmp_path / "toy")
    arrays = open_dataset(manifest, verify=True)
    np.testing.assert_array_equal(arrays.train_images, dataset.train_images)
    np.testing.assert_array_equal(arrays.test_labels, dataset.test_labels)
    assert isinstance(arrays.train_images, np.memmap)
    assert arrays.train_images.dtype == arrays.train_labels.dtype == np.uint8
    assert (arrays.name, arrays.corruption, arrays.classes) == ("toy", "none", 3)
    assert arrays.image_shape == (4, 5, 3)
    assert arrays.train_hit is None
    assert {p.name for p in manifest.parent.iterdir()} == {
        *(f"{s}_{k}.npy" for s in ("train", "test") for k in ("images", "labels")),
        "run.json",
        "manifest.json",
    }


def test_same_content_gives_the_same_manifest(tmp_path):
    one = write(toy(np.random.default_rng(1)), tmp_path / "one")
    two = write(toy(np.random.default_rng(1)), tmp_path / "elsewhere" / "two")
    assert one.read_bytes() == two.read_bytes()


def test_labels_take_two_bytes_beyond_256_classes():
    assert label_dtype(256) == np.uint8
    assert label_dtype(257) == np.uint16


def test_a_failure_leaves_nothing_behind(tmp_path, rng):
    class Breaking:
        shape = (4, 4, 5, 3)

        def __iter__(self):
            yield np.zeros((2, 4, 5, 3), np.uint8)
            raise RethinkError("broken")

    good = toy(rng)
    broken = Dataset(**{**vars(good), "test_images": Breaking(), "test_labels": np.zeros(4)})
    with pytest.raises(RethinkError, match="broken"):
        write(broken, tmp_path / "toy")
    assert list(tmp_path.iterdir()) == []

    manifest = write(good, tmp_path / "toy")
    with pytest.raises(RethinkError, match="broken"):
        write(broken, tmp_path / "toy")
    open_dataset(manifest, verify=True)  # the older result is whole


def test_a_failure_of_the_record_takes_the_arrays_with_it(tmp_path, rng, monkeypatch):
    """Also where they have replaced an older result: its manifest would not be true of them."""
    write(toy(rng), tmp_path / "older")

    def full(*_, **__):
        raise OSError("full")

    monkeypatch.setattr(Record, "write", full)
    for name in ("older", "new"):
        with pytest.raises(RethinkError, match=rf"cannot make .*{name}: full"):
            write(toy(rng), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_damaged_arrays_are_named(tmp_path, rng):
    manifest = write(toy(rng), tmp_path / "toy")
    path = manifest.parent / "test_images.npy"
    whole = path.read_bytes()

    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    open_dataset(manifest)
    with pytest.raises(RethinkError, match="test_images.npy is damaged"):
        open_dataset(manifest, verify=True)
    path.write_bytes(whole[:-1])
    with pytest.raises(RethinkError, match="test_images.npy is missing or damaged"):
        open_dataset(manifest)
    np.save(path, np.zeros((6, 4, 5, 1), np.uint8))
    with pytest.raises(RethinkError, match=r"test_images.npy holds uint8 6x4x5x1, but .*6x4x5x3"):
        open_dataset(manifest)
    path.unlink()
    with pytest.raises(RethinkError, match="test_images.npy is missing"):
        open_dataset(manifest)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"schema": 99, "kind": "data"}'])
def test_a_foreign_manifest_is_refused(tmp_path, content):
    path = tmp_path / "manifest.json"
    path.write_text(content)
    with pytest.raises(RethinkError, match="manifest"):
        open_dataset(path)


def test_a_missing_manifest_is_named(tmp_path):
    with pytest.raises(RethinkError, match="manifest.json does not exist"):
        open_dataset(tmp_path / "manifest.json")


# ---- digits


def test_digits_are_split_by_class(tmp_path):
    dataset = digits.load({"name": "digits", "kind": "digits", "seed": 0}, tmp_path)
    assert dataset.train_images.shape == (1438, 8, 8, 1)
    assert dataset.test_images.shape == (359, 8, 8, 1)
    assert dataset.train_images.dtype == np.uint8
    assert (dataset.train_images.min(), dataset.train_images.max()) == (0, 255)
    assert set(np.unique(dataset.train_images)) <= {round(v * 255 / 16) for v in range(17)}
    total = np.bincount(dataset.train_labels) + np.bincount(dataset.test_labels)
    np.testing.assert_array_equal(np.bincount(dataset.test_labels), np.round(total * 0.2))


def test_the_digits_split_is_the_published_one():
    """Results are only comparable while nobody changes it."""
    from sklearn.datasets import load_digits

    train, test = digits.split(load_digits().target)
    assert sorted([*train, *test]) == list(range(1797))
    digest = hashlib.sha256(test.astype("<i8").tobytes()).hexdigest()
    assert digest[:16] == "50b54f90e84d1194"


# ---- MNIST


def idx(array: np.ndarray) -> bytes:
    return (
        b"\0\0\x08"
        + bytes([array.ndim])
        + struct.pack(f">{array.ndim}I", *array.shape)
        + (array.astype(np.uint8).tobytes())
    )


def mnist_contents(rng, train=20, test=10) -> dict[str, bytes]:
    return {
        "train-images-idx3-ubyte.gz": idx(rng.integers(0, 256, (train, 28, 28))),
        "train-labels-idx1-ubyte.gz": idx(rng.integers(0, 10, train)),
        "t10k-images-idx3-ubyte.gz": idx(rng.integers(0, 256, (test, 28, 28))),
        "t10k-labels-idx1-ubyte.gz": idx(rng.integers(0, 10, test)),
    }


def mnist_spec(folder: Path, contents: dict[str, bytes], level: int = 9) -> dict:
    folder.mkdir(exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(gzip.compress(content, level))
    pins = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    return {"name": "mnist", "kind": "mnist", "folder": str(folder), "sha256": pins}


def test_mnist_is_read_whatever_packed_it(tmp_path, rng):
    contents = mnist_contents(rng)
    one = mnist.load(mnist_spec(tmp_path / "one", contents, level=1), tmp_path)
    spec = mnist_spec(tmp_path / "two", contents, level=9)
    two = mnist.load({**spec, "folder": None, "mirror": (tmp_path / "two").as_uri()}, tmp_path)
    assert one.train_images.shape == (20, 28, 28, 1)
    assert one.test_labels.shape == (10,)
    assert one.train_images.tobytes() == contents["train-images-idx3-ubyte.gz"][16:]
    assert one.test_labels.tobytes() == contents["t10k-labels-idx1-ubyte.gz"][8:]
    assert write(one, tmp_path / "a").read_bytes() == write(two, tmp_path / "b").read_bytes()


def test_mnist_files_that_are_not_the_published_ones_are_refused(tmp_path, rng):
    spec = mnist_spec(tmp_path / "m", mnist_contents(rng))
    with pytest.raises(RethinkError, match="train-images-idx3-ubyte.gz is not the expected file"):
        mnist.load({**spec, "sha256": None}, tmp_path)
    for sha256 in ("0" * 64, {"train.gz": "0" * 64}):
        with pytest.raises(RethinkError, match="MNIST has four files"):
            mnist.load({**spec, "sha256": sha256}, tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train-images-idx3-ubyte.gz", idx(np.zeros((20, 28, 27))), "instead of"),
        ("train-images-idx3-ubyte.gz", idx(np.zeros((20, 28, 28)))[:-1], "its header says"),
        ("train-images-idx3-ubyte.gz", b"\0\0\x08\x03\0\0", "ends within its header"),
        ("train-images-idx3-ubyte.gz", b"\0\0\x0d\x01" + bytes(8), "not an IDX file of unsigned"),
        ("train-images-idx3-ubyte.gz", b"", "not an IDX file"),
        (
            "train-images-idx3-ubyte.gz",
            b"\0\0\x08\x03" + struct.pack(">3I", 2**31, 2**31, 2**31),
            "its header says",
        ),
        ("t10k-labels-idx1-ubyte.gz", idx(np.zeros(9)), "one label for each image"),
        ("t10k-labels-idx1-ubyte.gz", idx(np.full(10, 10)), "holds label 10"),
    ],
)
def test_mnist_files_of_another_form_are_refused(tmp_path, rng, name, content, message):
    spec = mnist_spec(tmp_path / "m", {**mnist_contents(rng), name: content})
    with pytest.raises(RethinkError, match=message) as caught:
        mnist.load(spec, tmp_path)
    assert name in str(caught.value)


def test_a_truncated_gzip_file_is_refused(tmp_path, rng):
    spec = mnist_spec(tmp_path / "m", mnist_contents(rng))
    path = tmp_path / "m" / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(RethinkError, match="t10k-images-idx3-ubyte.gz is truncated or damaged"):
        mnist.load(spec, tmp_path)


def test_a_gzip_bomb_is_refused(tmp_path):
    path = tmp_path / "zeros.gz"
    path.write_bytes(gzip.compress(bytes(10_000)))
    with pytest.raises(RethinkError, match="unpacks to more than the 999 bytes"):
        archives.read_gzip(path, 999)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(RethinkError, match=r"train-images-idx3-ubyte.gz does not exist; put"):
        mnist.load({"name": "mnist", "kind": "mnist", "folder": str(tmp_path)}, tmp_path)


# ---- CIFAR


def python2_pickle(value) -> bytes:
    """Pickle as Python 2's cPickle wrote the official archives: protocol 2, str as bytes."""
    return b"\x80\x02" + _python2(value) + b"."


def _python2(value) -> bytes:
    if isinstance(value, bytes):
        if len(value) < 256:
            return b"U" + bytes([len(value)]) + value
        return b"T" + struct.pack("<i", len(value)) + value
    if isinstance(value, bool):
        return b"I01\n" if value else b"I00\n"
    if value is None:
        return b"N"
    if isinstance(value, int):
        return b"J" + struct.pack("<i", value)
    if isinstance(value, list):
        return b"](" + b"".join(map(_python2, value)) + b"e"
    if isinstance(value, tuple):
        return b"(" + b"".join(map(_python2, value)) + b"t"
    if isinstance(value, dict):
        return b"}(" + b"".join(_python2(x) for item in value.items() for x in item) + b"u"
    dtype = b"cnumpy\ndtype\n" + _python2((value.dtype.str[1:].encode(), 0, 1)) + b"R"
    dtype += _python2((3, b"|", None, None, None, -1, -1, 0)) + b"b"
    fortran = not value.flags.c_contiguous
    state = b"(K\x01" + _python2(value.shape) + dtype + _python2(fortran)
    state += _python2(value.tobytes("F" if fortran else "C")) + b"t"
    start = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n" + _python2((0,))
    return start + _python2(b"b") + b"\x87R" + state + b"b"


def cifar_members(rng, kind="cifar10", rows=4) -> dict[str, dict]:
    layout = cifar.LAYOUTS[kind]
    members = {}
    for name in (*layout.train, layout.test):
        members[name] = {
            b"batch_label": name.encode(),
            layout.labels.encode(): rng.integers(0, layout.classes, rows).tolist(),
            b"data": rng.integers(0, 256, (rows, 3072), np.uint8),
            b"filenames": [b"image.png"] * rows,
        }
    names = [f"name {i}".encode() for i in range(layout.classes)]
    members[layout.meta] = {layout.label_names.encode(): names}
    return members


def tar_gz(path: Path, contents: dict[str, bytes], extra: tuple[tarfile.TarInfo, ...] = ()) -> str:
    """Write the archive and return its sha256."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in extra:
            archive.addfile(member, io.BytesIO(bytes(member.size)))
    return sha256_file(path)


def cifar_spec(folder: Path, members: dict, kind="cifar10", extra=(), dump=python2_pickle) -> dict:
    """Write the archive; a member is pickled unless it is bytes already."""
    layout = cifar.LAYOUTS[kind]
    contents = {
        f"{layout.folder}/{name}": value if isinstance(value, bytes) else dump(value)
        for name, value in members.items()
    }
    sha256 = tar_gz(folder / layout.archive, contents, extra)
    return {"name": kind, "kind": kind, "folder": str(folder), "mirror": None, "sha256": sha256}


@pytest.mark.parametrize("kind", ["cifar10", "cifar100"])
def test_cifar_is_read_from_the_official_layout(tmp_path, rng, kind):
    members, layout = cifar_members(rng, kind), cifar.LAYOUTS[kind]
    dataset = cifar.load(cifar_spec(tmp_path, members, kind), tmp_path / "cache")
    rows = np.concatenate([members[name][b"data"] for name in layout.train])
    assert dataset.train_images.shape == (4 * len(layout.train), 32, 32, 3)
    # a row is the red plane, then green, then blue, each in C order
    assert dataset.train_images[3, 5, 7, 1] == rows[3, 1024 + 5 * 32 + 7]
    expected = rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(dataset.train_images, expected)
    labels = np.concatenate([members[name][layout.labels.encode()] for name in layout.train])
    np.testing.assert_array_equal(dataset.train_labels, labels)
    np.testing.assert_array_equal(dataset.test_labels, members[layout.test][layout.labels.encode()])
    assert dataset.class_names == [f"name {i}" for i in range(layout.classes)]
    assert open_dataset(write(dataset, tmp_path / "out"), verify=True).name == "toy"
    assert not (tmp_path / "cache").exists()


def test_cifar_batches_may_be_stored_column_by_column(tmp_path, rng):
    members = cifar_members(rng)
    expected = members["test_batch"][b"data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    members["test_batch"][b"data"] = np.asfortranarray(members["test_batch"][b"data"])
    dataset = cifar.load(cifar_spec(tmp_path, members), tmp_path)
    np.testing.assert_array_equal(dataset.test_images, expected)


@pytest.mark.parametrize("protocol", [2, 4])
def test_cifar_pickled_by_python_3_is_read_too(tmp_path, rng, protocol):
    members = cifar_members(rng)
    spec = cifar_spec(tmp_path, members, dump=lambda value: pickle.dumps(value, protocol))
    dataset = cifar.load(spec, tmp_path)
    assert dataset.test_images[0, 0, 0, 0] == members["test_batch"][b"data"][0, 0]


def test_the_python_2_pickles_of_these_tests_are_what_numpy_reads(rng):
    batch = cifar_members(rng)["test_batch"]
    loaded = pickle.loads(python2_pickle(batch), encoding="bytes")
    np.testing.assert_array_equal(loaded.pop(b"data"), batch.pop(b"data"))
    assert loaded == batch


def test_an_altered_or_truncated_archive_is_refused(tmp_path, rng):
    spec = cifar_spec(tmp_path, cifar_members(rng))
    with pytest.raises(RethinkError, match="cifar-10-python.tar.gz is truncated or not the exp"):
        cifar.load({**spec, "sha256": None}, tmp_path)
    path = tmp_path / "cifar-10-python.tar.gz"
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(RethinkError, match="is truncated or not the expected archive"):
        cifar.load(spec, tmp_path)
    with pytest.raises(RethinkError, match="is truncated or damaged"):
        cifar.load({**spec, "sha256": sha256_file(path)}, tmp_path)
    path.write_bytes(b"no archive")
    with pytest.raises(RethinkError, match="is truncated or damaged"):
        cifar.load({**spec, "sha256": sha256_file(path)}, tmp_path)


def hostile(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", size: int = 0):
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size = kind, target, size
    return member


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        (hostile("../../outside"), "leads outside"),
        (hostile("/etc/outside"), "leads outside"),
        (hostile("cifar-10-batches-py/link", tarfile.SYMTYPE, "/etc/passwd"), "link or a device"),
        (hostile("cifar-10-batches-py/hard", tarfile.LNKTYPE, "x"), "link or a device"),
        (hostile("cifar-10-batches-py/null", tarfile.CHRTYPE), "link or a device"),
        (hostile("cifar-10-batches-py/pipe", tarfile.FIFOTYPE), "link or a device"),
        (hostile("cifar-10-batches-py/test_batch", size=3), "occurs twice"),
    ],
)
def test_a_hostile_member_is_refused(tmp_path, rng, member, reason):
    spec = cifar_spec(tmp_path, cifar_members(rng), extra=(member,))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(RethinkError, match=reason) as caught:
        cifar.load(spec, tmp_path)
    assert "cifar-10-python.tar.gz is refused" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_huge_member_is_refused(tmp_path, rng, monkeypatch):
    monkeypatch.setattr(archives, "MEMBER_LIMIT", 10_000)
    spec = cifar_spec(tmp_path, cifar_members(rng))
    with pytest.raises(RethinkError, match=r"data_batch_1' has \d+ bytes"):
        cifar.load(spec, tmp_path)


class Attack:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_a_pickle_that_runs_code_is_refused(tmp_path, rng):
    members = cifar_members(rng)
    members["data_batch_2"] = pickle.dumps({b"data": Attack(tmp_path / "owned")}, 2)
    with pytest.raises(RethinkError, match=r"'cifar-10-batches-py/data_batch_2' in .*posix.mkdir"):
        cifar.load(cifar_spec(tmp_path, members), tmp_path)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    "content", [b"", b"\x80\x02", b"nonsense", pickle.dumps([1]), pickle.dumps({3: 4}), b"c"]
)
def test_a_pickle_of_something_else_is_refused(tmp_path, rng, content):
    spec = cifar_spec(tmp_path, {**cifar_members(rng), "data_batch_5": content})
    with pytest.raises(RethinkError, match="cifar-10-batches-py/data_batch_5"):
        cifar.load(spec, tmp_path)


def changed(**entries):
    return lambda batch: {**batch, **{key.encode(): value for key, value in entries.items()}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (changed(data=np.zeros((4, 3071), np.uint8)), "has shape"),
        (changed(data=np.zeros((0, 3072), np.uint8)), "has shape"),
        (changed(data=np.zeros(12288, np.uint8)), "has shape"),
        (changed(data=np.zeros((4, 3072), np.int8)), "unsigned bytes"),
        (changed(data=np.zeros((4, 3072), np.float64)), "unsigned bytes"),
        (changed(data=[0]), "'data' is not an array"),
        (changed(labels=[0, 1, 2]), "not a list of 4 labels"),
        (changed(labels=[0, 1, 2, 10]), "holds 10, which is not an integer in 0..9"),
        (changed(labels=[0, 1, 2, -1]), "holds -1"),
        (changed(labels=[0, 1, 2, b"3"]), "holds b'3'"),
        (changed(labels=b"0123"), "not a list of 4 labels"),
        (lambda batch: {b"data": batch[b"data"]}, "has no 'labels'"),
        (lambda batch: {b"labels": batch[b"labels"]}, "has no 'data'"),
    ],
)
def test_a_batch_of_another_form_is_refused(tmp_path, rng, change, message):
    members = cifar_members(rng)
    members["data_batch_3"] = change(members["data_batch_3"])
    with pytest.raises(RethinkError, match=message) as caught:
        cifar.load(cifar_spec(tmp_path, members), tmp_path)
    assert "data_batch_3" in str(caught.value)


def test_an_array_that_holds_too_few_bytes_is_refused(tmp_path, rng):
    members = cifar_members(rng)
    content = python2_pickle(members["data_batch_3"])
    shape = _python2((4, 3072))
    assert content.count(shape) == 1
    members["data_batch_3"] = content.replace(shape, _python2((5, 3072)))
    with pytest.raises(RethinkError, match="does not hold as many bytes as its shape says"):
        cifar.load(cifar_spec(tmp_path, members), tmp_path)


def test_a_missing_batch_is_named(tmp_path, rng):
    members = cifar_members(rng)
    del members["data_batch_4"]
    with pytest.raises(RethinkError, match="lacks 'cifar-10-batches-py/data_batch_4'"):
        cifar.load(cifar_spec(tmp_path, members), tmp_path)


@pytest.mark.parametrize("names", [[b"one"], [b"same"] * 10, None, b"names", [3] * 10, [b"\xff"]])
def test_wrong_class_names_are_refused(tmp_path, rng, names):
    members = {**cifar_members(rng), "batches.meta": {b"label_names": names}}
    with pytest.raises(RethinkError, match=r"batches.meta.*'label_names'"):
        cifar.load(cifar_spec(tmp_path, members), tmp_path)


# ---- downloads


class Server(http.server.ThreadingHTTPServer):
    """Serves one file under any name; the first `bad` answers are cut in the middle."""

    def __init__(self, content: bytes, bad: int, truthful: bool = True):
        self.content, self.bad, self.truthful, self.requests = content, bad, truthful, 0
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/mirror"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.requests += 1
        content = server.content
        cut = content[: len(content) // 2] if server.requests <= server.bad else content
        self.send_response(200)
        # a truthful server announces the whole length, so that the client sees the cut
        self.send_header("Content-Length", str(len(content if server.truthful else cut)))
        self.end_headers()
        self.wfile.write(cut)

    def log_message(self, *_):
        pass


@pytest.fixture
def serve(monkeypatch):
    monkeypatch.setattr("pooch.core.time.sleep", lambda _: None)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    servers = []

    def start(content: bytes, bad: int, truthful: bool = True) -> Server:
        server = Server(content, bad, truthful)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("truthful", [True, False])
def test_a_cut_download_is_tried_again_and_kept(tmp_path, rng, serve, truthful):
    spec = cifar_spec(tmp_path, cifar_members(rng))
    content = (tmp_path / "cifar-10-python.tar.gz").read_bytes()
    server = serve(content, bad=1, truthful=truthful)
    remote = {**spec, "folder": None, "mirror": server.url}
    cache = tmp_path / "cache"
    fetched = write(cifar.load(remote, cache), tmp_path / "fetched")
    assert server.requests == 2
    local = write(cifar.load(spec, cache), tmp_path / "local")
    assert fetched.read_bytes() == local.read_bytes()
    assert [p.name for p in cache.rglob("*") if p.is_file()] == ["cifar-10-python.tar.gz"]

    cifar.load(remote, cache)
    assert server.requests == 2
    (kept,) = cache.rglob("*.tar.gz")
    kept.write_bytes(content[:100])
    cifar.load(remote, cache)
    assert server.requests == 3


def test_a_download_that_is_never_whole_leaves_nothing_behind(tmp_path, rng, serve):
    spec = cifar_spec(tmp_path, cifar_members(rng))
    content = (tmp_path / "cifar-10-python.tar.gz").read_bytes()
    cache = tmp_path / "cache"
    for truthful, reason in ((True, "the connection broke off"), (False, "its sha256 is not")):
        server = serve(content, bad=99, truthful=truthful)
        with pytest.raises(RethinkError, match=f"cannot download cifar-10-python.*{reason}"):
            cifar.load({**spec, "folder": None, "mirror": server.url}, cache)
        assert server.requests == 1 + archives.RETRIES
        assert not cache.exists() or list(cache.iterdir()) == []


def test_a_mirror_that_is_not_there_is_one_sentence(tmp_path, serve):
    server = serve(b"", 0)
    url = server.url
    server.shutdown()
    server.server_close()
    with pytest.raises(RethinkError) as caught:
        cifar.load({"name": "cifar10", "kind": "cifar10", "mirror": url}, tmp_path)
    message = str(caught.value)
    assert f"{url}/cifar-10-python.tar.gz: no connection" in message
    assert "\n" not in message


@pytest.mark.parametrize("mirror", ["ftp://host/x", "/a/path", "file://host/x", "mirror"])
def test_a_mirror_that_is_no_base_url_is_refused(tmp_path, mirror):
    with pytest.raises(RethinkError, match="must be a base URL"):
        cifar.load({"name": "cifar10", "kind": "cifar10", "mirror": mirror}, tmp_path)


def test_the_cache_folder_can_be_named(monkeypatch, tmp_path):
    monkeypatch.setenv("RETHINK_CACHE", str(tmp_path))
    assert archives.cache_folder() == tmp_path
    monkeypatch.delenv("RETHINK_CACHE")
    assert archives.cache_folder() == Path.home() / ".cache" / "rethink"


# ---- image folder


def image(path: Path, array: np.ndarray, **options) -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)


@pytest.fixture
def tree(tmp_path, rng):
    root = tmp_path / "images"
    for split, count in (("train", 3), ("test", 2)):
        for name in ("zebra", "ant"):
            for i in range(count):
                array = rng.integers(0, 256, (6, 9, 3), np.uint8)
                image(root / split / name / f"{i}.png", array)
    return root


def folder_spec(root: Path, image_size: int | None = None) -> dict:
    return {"name": "mine", "kind": "imagefolder", "folder": str(root), "image_size": image_size}


def read_folder(root: Path, image_size: int | None = None) -> Dataset:
    dataset = imagefolder.load(folder_spec(root, image_size), root)
    for split in ("train", "test"):
        blocks = list(getattr(dataset, f"{split}_images"))
        dataset = Dataset(**{**vars(dataset), f"{split}_images": np.concatenate(blocks)})
    return dataset


def test_an_image_folder_is_read_in_sorted_order(tree, tmp_path):
    from PIL import Image

    (tree / "train" / ".hidden").mkdir()
    (tree / "train" / "ant" / ".DS_Store").write_bytes(b"no image")
    dataset = read_folder(tree)
    assert dataset.class_names == ["ant", "zebra"]
    assert dataset.train_images.shape == (6, 6, 9, 3)
    np.testing.assert_array_equal(dataset.train_labels, [0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(
        dataset.train_images[4], np.asarray(Image.open(tree / "train" / "zebra" / "1.png"))
    )
    manifest = write(imagefolder.load(folder_spec(tree), tree), tmp_path / "out", "mine")
    assert open_dataset(manifest, verify=True).image_shape == (6, 9, 3)
    assert json.loads(manifest.read_text())["source"]["files"] == 10


def test_the_place_of_an_image_folder_is_not_its_identity(tree, tmp_path):
    one = write(imagefolder.load(folder_spec(tree), tree), tmp_path / "one").read_bytes()
    tree.rename(tmp_path / "moved")
    (tmp_path / "moved" / "test").rename(tmp_path / "moved" / "val")
    spec = folder_spec(tmp_path / "moved")
    assert write(imagefolder.load(spec, tree), tmp_path / "two").read_bytes() == one
    path = tmp_path / "moved" / "val" / "ant" / "0.png"
    path.rename(path.with_name("1a.png"))
    assert write(imagefolder.load(spec, tree), tmp_path / "three").read_bytes() != one


def test_blocks_come_in_order(tree, monkeypatch):
    whole = read_folder(tree).train_images
    monkeypatch.setattr(imagefolder, "BLOCK_BYTES", 6 * 9 * 3)
    images = imagefolder.load(folder_spec(tree), tree).train_images
    for _ in range(2):
        blocks = list(images)
        assert [len(block) for block in blocks] == [1] * 6
        np.testing.assert_array_equal(np.concatenate(blocks), whole)
        assert images.digests == [sha256_file(images.root / name) for name in images.names]


def test_images_are_resized_and_cropped_to_a_square(tree):
    array = np.zeros((40, 20, 3), np.uint8)
    array[10:30] = 200  # the central square
    image(tree / "train" / "ant" / "0.png", array)
    dataset = read_folder(tree, image_size=10)
    assert dataset.train_images.shape == (6, 10, 10, 3)
    assert (dataset.train_images[0, 1:-1] == 200).all()


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "CMYK"])
def test_every_kind_of_image_becomes_rgb(tree, mode):
    from PIL import Image

    path = tree / "train" / "ant" / "0.png"
    Image.open(path).convert(mode).save(path, "TIFF")
    assert read_folder(tree).train_images.shape == (6, 6, 9, 3)


def test_mistakes_in_an_image_folder_are_one_sentence(tree, tmp_path):
    def refused(message):
        with pytest.raises(RethinkError, match=message) as caught:
            read_folder(tree)
        assert "\n" not in str(caught.value)

    path = tree / "test" / "zebra" / "1.png"
    whole = path.read_bytes()
    path.write_bytes(whole[:60])
    refused(r"zebra/1.png cannot be read as an image")
    path.write_bytes(b"text")
    refused(r"zebra/1.png cannot be read as an image: unknown format")
    image(path, np.zeros((9, 6, 3), np.uint8))
    refused(r"zebra/1.png is 6x9 while the first training image is 9x6; give 'image_size'")
    path.unlink()
    (tree / "test" / "zebra" / "0.png").unlink()
    refused(r"class folder .*test/zebra holds no images")
    (tree / "test" / "zebra").rmdir()
    refused(r"class folder 'zebra' is in .*train but not in .*test")
    (tree / "test" / "zebu").mkdir()
    (tree / "test" / "ant").rename(tree / "test" / "bee")
    refused(r"class folder 'ant' is in .*train but not in .*test")
    (tree / "test").rename(tmp_path / "away")
    refused(r"images has no folder test/ or val/")
    (tree / "test").mkdir()
    refused(r"test has no class folders")


def test_an_unreadable_image_leaves_nothing_behind(tree, tmp_path):
    (tree / "test" / "zebra" / "1.png").write_bytes(b"text")
    with pytest.raises(RethinkError, match="unknown format"):
        write(imagefolder.load(folder_spec(tree), tree), tmp_path / "out")
    assert not (tmp_path / "out").exists()


# ---- the command line


def fetch(spec: dict, places: dict, out: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, SCRIPTS / "fetch.py", "--spec", json.dumps(spec), "--code", "c"]
    return subprocess.run(
        [*command, "--places", json.dumps(places), "--out", out],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_fetch_writes_a_dataset_or_one_sentence(tmp_path, rng):
    written = cifar_spec(tmp_path, cifar_members(rng, "cifar100"), "cifar100")
    spec = {"name": "mine", "kind": "cifar100", "module": "cifar", "sha256": written["sha256"]}
    places = {"folder": str(tmp_path)}
    out = tmp_path / "data" / "mine"
    done = fetch(spec, places, out)
    assert done.returncode == 0, done.stderr
    assert open_dataset(out / "manifest.json", verify=True).classes == 100
    record = json.loads((out / "run.json").read_text())
    assert (record["kind"], record["name"], record["digests"]["code"]) == ("data", "mine", "c")
    assert json.loads(record["spec"]) == spec

    failed = fetch({**spec, "sha256": None}, places, tmp_path / "other")
    assert failed.returncode == 1
    assert failed.stderr.startswith("error: ")
    assert failed.stderr.count("\n") == 1
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_kind_in_the_catalog_has_a_loader(kind):
    assert callable(importlib.import_module(f"rethink.datasets.{kind.module}").load)
