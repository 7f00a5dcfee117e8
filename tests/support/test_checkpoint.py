"""Checkpoints: bit-identical round trips, crashes, and files that are refused."""

import copy
import errno
import functools
import hashlib
import io
import json
import math
import os
import random
import signal
import subprocess
import sys
import time
import tracemalloc
import warnings
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ramnp.support import checkpoint, files
from ramnp.support.errors import CheckpointError, UserError
from ramnp.support.files import remove_leftovers
from tests.fuzzing import WORDS, Choices
from tests.processes import ROOT

MIB = 1 << 20

ARRAYS = {"W": np.array([[1.5, -0.0, 3e-45]], np.float32), "n": np.array(7)}
META = {"state": 2**127 + 1}
DOCUMENT = {
    "version": 1,
    "arrays": {"W": ["<f4", [1, 3]], "n": ["<i8", []]},
    "meta": META,
}
MEMBERS = {name: array.tobytes() for name, array in ARRAYS.items()}


def seal(content: bytes) -> bytes:
    """Write the correct SHA-256 into a zip file's comment, as any author can."""
    content = content[:-71]
    return content + b"sha256:" + hashlib.sha256(content).hexdigest().encode()


def npy(dtype, shape, body, fortran=False) -> bytes:
    """Return a `.npy` file with any header and any bytes, by NumPy's own writer."""
    header = {"descr": dtype, "fortran_order": fortran, "shape": tuple(shape)}
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + body


def forge(members, method=zipfile.ZIP_STORED) -> bytes:
    """Return a sealed archive of (name, bytes) members, by Python's own writer."""
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w") as archive:
        warnings.filterwarnings("ignore", "Duplicate name")
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, method)
        archive.comment = bytes(71)
    return seal(file.getvalue())


def members_of(document, **changes):
    """Yield the members of ARRAYS under this document, with .npy files replaced."""
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    yield "checkpoint.npy", npy("|u1", [len(text)], text)
    for name, (dtype, shape) in DOCUMENT["arrays"].items():
        yield f"{name}.npy", changes.get(name, npy(dtype, shape, MEMBERS[name]))


def listing(**arrays):
    """Return DOCUMENT with other entries for some arrays."""
    return DOCUMENT | {"arrays": DOCUMENT["arrays"] | arrays}


def put(path, data: bytes) -> None:
    """Write the file in place, which is far faster for thousands of files."""
    path.touch()
    with open(path, "r+b", buffering=0) as file:
        file.write(data)
        file.truncate()


def refusal(path, data: bytes) -> str:
    """Return the one line with which `load` refuses a file of these bytes."""
    put(path, data)
    with pytest.raises(CheckpointError) as error:
        checkpoint.load(path)
    (line,) = str(error.value).splitlines()
    assert str(path) in line
    return line


def same(left, right):
    return (
        list(left) == list(right)
        and all(left[name].dtype == right[name].dtype for name in left)
        and all(left[name].shape == right[name].shape for name in left)
        and all(left[name].tobytes() == right[name].tobytes() for name in left)
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "checkpoint.npz"


@pytest.fixture
def good(path):
    """The bytes of a small checkpoint."""
    checkpoint.save(path, ARRAYS, META)
    return path.read_bytes()


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint8])
@pytest.mark.parametrize("shape", [(), (0,), (0, 5), (1,), (7,), (2, 3), (2, 1, 3)])
def test_arrays_come_back_bit_for_bit(path, dtype, shape):
    """Every dtype and shape, from any memory layout, into fresh writable memory."""
    rng = np.random.default_rng(0)
    x = (100 * rng.normal(size=shape)).astype(dtype)
    swapped = x.astype(x.dtype.newbyteorder(">"))
    arrays = {
        "x": x,
        "a/x.T-1": x.T,
        "strided": x[..., None][..., ::-1],
        "big": swapped,
    }
    before = copy.deepcopy(arrays)
    checkpoint.save(path, arrays, {})
    loaded, meta = checkpoint.load(path)
    assert meta == {}
    assert same(loaded, before | {"big": x})
    for array in loaded.values():
        assert array.flags.owndata
        assert array.flags.writeable
        assert array.flags.c_contiguous


def test_random_state_and_history_come_back(path):
    """128-bit states, floats and text are equal, and the same draws follow."""
    rng = np.random.default_rng(1)
    meta = {
        "rng": rng.bit_generator.state,
        "history": [{"error": 0.1 + 0.2, "tiny": 5e-324, "none": None, "yes": True}],
        "text": "σ = 0.15\n\x00",
    }
    checkpoint.save(path, {}, meta)
    arrays, loaded = checkpoint.load(path)
    assert arrays == {}
    assert loaded == meta
    other = np.random.default_rng()
    other.bit_generator.state = loaded["rng"]
    np.testing.assert_array_equal(other.random(5), rng.random(5))


def test_the_file_is_an_ordinary_npz(path, good):
    """NumPy opens it without pickle; Python's zipfile writes the same bytes."""
    with np.load(path, allow_pickle=False) as archive:
        assert archive.files == ["checkpoint", "W", "n"]
        assert same({name: archive[name] for name in ARRAYS}, ARRAYS)
        assert json.loads(archive["checkpoint"].tobytes()) == DOCUMENT
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
    assert forge(members_of(DOCUMENT)) == good


def test_equal_content_gives_equal_bytes(path, good):
    """At any time, under any name, and in every later version of the code."""
    checkpoint.save(path.with_name("other"), copy.deepcopy(ARRAYS), dict(META))
    assert path.with_name("other").read_bytes() == good
    assert good.endswith(
        b"2e803633084a4e93734121980f0341b49646fafa291a53918a7e2538118d2349"
    )


def test_every_flipped_bit_is_refused(path, good):
    """Including bits that NumPy ignores, and with the SHA-256 corrected."""
    for i in range(8 * len(good)):
        flipped = bytearray(good)
        flipped[i // 8] ^= 1 << i % 8
        refusal(path, flipped)
        if i < 8 * (len(good) - 71):
            refusal(path, seal(flipped))


def test_every_truncation_is_refused(path, good):
    """Cut anywhere, with or without a correct SHA-256; or with bytes added."""
    for size in range(len(good)):
        refusal(path, good[:size])
        if size < len(good) - 71:
            refusal(path, seal(good[:size] + bytes(71)))
    for added in (b"\0", good, bytes(100)):
        refusal(path, good + added)
        refusal(path, added + good)
        refusal(path, seal(good[:-71] + added + bytes(71)))


W, N = npy("<f4", [1, 3], MEMBERS["W"]), npy("<i8", [], MEMBERS["n"])
FIRST = next(members_of(DOCUMENT))
NAN = np.array([1, np.nan, 2], "<f4").tobytes()
INFINITY = np.array([-np.inf], "<f8").tobytes()
HUGE = 2**33  # float32 of this length are 32 GiB


@pytest.mark.parametrize(
    "members",
    [
        [],
        [FIRST],
        [("W.npy", W), ("n.npy", N)],
        [FIRST, ("W.npy", W)],
        [FIRST, ("n.npy", N)],
        [FIRST, ("n.npy", N), ("W.npy", W)],
        [("W.npy", W), FIRST, ("n.npy", N)],
        [FIRST, ("W.npy", W), ("n.npy", N), ("m.npy", N)],
        [FIRST, ("W.npy", W), ("n.npy", N), FIRST],
        [FIRST, FIRST, ("W.npy", W), ("n.npy", N)],
        [FIRST, ("W.npy", W), ("W.npy", W)],
        [FIRST, ("W.npy", W), ("m.npy", N)],
        [FIRST, ("W.npy", W), ("N.npy", N)],
        [FIRST, ("W.npy", W), ("n", N)],
        [FIRST, ("../W.npy", W), ("n.npy", N)],
        [FIRST, ("W.npy", W), ("n.npy", N), ("readme.txt", b"hello")],
        [FIRST, ("W.npy", b""), ("n.npy", N)],
        [("checkpoint.npy", b""), ("W.npy", W), ("n.npy", N)],
    ],
)
def test_other_members_are_refused(path, members):
    """Missing, repeated, renamed, reordered, added and empty members."""
    refusal(path, forge(members))


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_compressed_members_are_refused(path, method):
    """Even correct ones: nothing may inflate."""
    refusal(path, forge(members_of(DOCUMENT), method))


@pytest.mark.parametrize(
    "header",
    [
        ("<f8", [1, 3]),
        ("<i4", [1, 3]),
        (">f4", [1, 3]),
        ("<f4", [3, 1]),
        ("<f4", [3]),
        ("<f4", [1, 3, 1]),
        ("<f4", [1, 2]),
        ("<f4", [1, 4]),
        ("<f4", [1, 3], "fortran"),
        ("<f4", [1, HUGE]),
        ("|O", [1, 3]),
        ("|V4", [1, 3]),
        ([("x", "<f4")], [1, 3]),
    ],
)
def test_another_type_or_shape_in_the_header_is_refused(path, header):
    """The .npy header must agree with the JSON."""
    dtype, shape, *fortran = header
    w = npy(dtype, shape, MEMBERS["W"], bool(fortran))
    refusal(path, forge(members_of(DOCUMENT, W=w)))


@pytest.mark.parametrize(
    ("entry", "w"),
    [
        (["<f4", [1, 2]], npy("<f4", [1, 2], MEMBERS["W"])),
        (["<f4", [1, 4]], npy("<f4", [1, 4], MEMBERS["W"])),
        (["<f4", [-1, 3]], npy("<f4", [-1, 3], MEMBERS["W"])),
        ([">f4", [1, 3]], npy(">f4", [1, 3], MEMBERS["W"])),
        (["<i4", [1, 3]], npy("<i4", [1, 3], MEMBERS["W"])),
        (["|O", [1, 3]], npy("|O", [1, 3], MEMBERS["W"])),
        (["|b1", [12]], npy("|b1", [12], MEMBERS["W"])),
        (["<c8", [1]], npy("<c8", [1], bytes(8))),
        (["<f4", [1, 3.0]], W),
        (["<f4", [True, 3]], W),
        (["<f4", [1] * 9 + [3]], npy("<f4", [1] * 9 + [3], MEMBERS["W"])),
        (["<f4", [0, HUGE, HUGE, HUGE]], npy("<f4", [0, HUGE, HUGE, HUGE], b"")),
        (["<f4", [0, 10**30]], npy("<f4", [0, 10**30], b"")),
        (["<f4", {"0": 3}], W),
        (["<f4"], W),
        ("<f4", W),
        (None, W),
    ],
)
def test_impossible_arrays_are_refused(path, entry, w):
    """Even if the JSON and the .npy header agree."""
    refusal(path, forge(members_of(listing(W=entry), W=w)))


@pytest.mark.parametrize(
    "name", ["", "checkpoint", "a b", "../W", "/W", "é", "W" * 201]
)
def test_odd_names_are_refused(path, name):
    """Names are ASCII words, except the one that is taken."""
    document = DOCUMENT | {"arrays": {name: ["<i8", []]}}
    members = [next(members_of(document)), (f"{name}.npy", N)]
    refusal(path, forge(members))
    with pytest.raises(CheckpointError):
        checkpoint.save(path.with_name("other"), {name: ARRAYS["n"]}, {})
    assert not path.with_name("other").exists()


@pytest.mark.parametrize(("dtype", "body"), [("<f4", NAN), ("<f8", INFINITY)])
def test_numbers_that_are_not_finite_are_refused(path, dtype, body):
    """The line names the array with a NaN or an infinity."""
    shape = [len(body) // int(dtype[2])]
    w = npy(dtype, shape, body)
    line = refusal(path, forge(members_of(listing(W=[dtype, shape]), W=w)))
    assert "array W holds a NaN or an infinity" in line


MANY = {f"a{i}": ["|u1", [0]] for i in range(70_000)}


@pytest.mark.parametrize(
    "text",
    [
        b"{}",
        b"[]",
        b"1",
        b'"version"',
        b"\xff\xfe",
        b"{" * 10_000,
        b"[" * 100_000 + b"]" * 100_000,
        json.dumps(DOCUMENT).encode() + b" ",
        json.dumps(DOCUMENT | {"version": 0}).encode(),
        json.dumps(DOCUMENT | {"version": "1"}).encode(),
        json.dumps(DOCUMENT | {"version": None}).encode(),
        json.dumps(DOCUMENT | {"version": True}).encode(),
        json.dumps(DOCUMENT | {"version": 1.0}).encode(),
        json.dumps(DOCUMENT | {"meta": []}).encode(),
        json.dumps(DOCUMENT | {"arrays": []}).encode(),
        json.dumps(DOCUMENT | {"arrays": MANY}).encode(),
        json.dumps(DOCUMENT | {"more": 1}).encode(),
        json.dumps({"version": 1, "meta": {}}).encode(),
        json.dumps(DOCUMENT | {"meta": {"x": float("nan")}}).encode(),
        json.dumps(DOCUMENT | {"meta": {"x": float("-inf")}}).encode(),
        json.dumps(DOCUMENT).replace(str(2**127 + 1), "1e999").encode(),
        json.dumps(DOCUMENT).replace(str(2**127 + 1), "9" * 5000).encode(),
        json.dumps(DOCUMENT).replace('"meta": {', '"meta": {"state": 1, ').encode(),
        json.dumps(DOCUMENT).replace('"n": [', '"W": [').encode(),
    ],
)
def test_other_json_is_refused(path, text):
    """Another structure, NaN, repeated keys, deep nesting, another encoding."""
    refusal(path, forge(members_of(text)))


def test_a_newer_format_says_so(path):
    """With any content, the line says to update."""
    newer = {"version": checkpoint.FORMAT_VERSION + 1, "tensors": {}}
    line = refusal(path, forge(members_of(newer)))
    assert "newer than this ramnp reads: update ramnp" in line


def test_other_files_are_one_line(path, tmp_path):
    """A missing file, a folder, a pipe, an empty file, a text, a foreign .npz."""
    os.mkfifo(tmp_path / "pipe")
    for other in (tmp_path / "missing", tmp_path, tmp_path / "pipe"):
        with pytest.raises(CheckpointError, match="is missing or not a file"):
            checkpoint.load(other)
    np.savez(path, **ARRAYS)
    for data in (b"", b"hello", b"PK\3\4", path.read_bytes()):
        assert "it is not a ramnp checkpoint" in refusal(path, data)


def test_a_file_that_cannot_be_read_is_one_line(path, good, monkeypatch):
    """It contains the system's reason."""

    def broken(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(checkpoint, "open", broken, raising=False)
    with pytest.raises(CheckpointError, match="cannot read .*: Input/output error"):
        checkpoint.load(path)


def hostile_sizes():
    """Yield files that claim far more than they contain."""
    shape = [HUGE // 8, 8]
    w = npy("<f4", shape, MEMBERS["W"])
    yield "32 GiB in both headers", forge(members_of(listing(W=["<f4", shape]), W=w))
    yield "32 GiB in one header", forge(members_of(DOCUMENT, W=w))
    shape = [1 << 28]
    w = npy("<f4", shape, MEMBERS["W"])
    yield "just 1 GiB", forge(members_of(listing(W=["<f4", shape]), W=w))
    pair = {"a": ["<f4", [1 << 28]], "b": ["<f4", [-1 << 28]]}
    yield "1 GiB less 1 GiB", forge(members_of(DOCUMENT | {"arrays": pair}))
    many = {f"a{i}": ["<f4", [1 << 18]] for i in range(5000)}
    yield "5000 arrays of 1 MiB", forge(members_of(DOCUMENT | {"arrays": many}))
    w = npy("<f4", [1 << 22], bytes(16 * MIB))
    document = listing(W=["<f4", [1 << 22]])
    yield "16 MiB inflated", forge(members_of(document, W=w), zipfile.ZIP_DEFLATED)
    json_claim = bytearray(forge(members_of(DOCUMENT)))
    json_claim[18:26] = 2 * (2**32 - 1).to_bytes(4, "little")
    yield "4 GiB of JSON", seal(json_claim)
    long = DOCUMENT | {"meta": {"x": [0] * (2 * MIB)}}
    yield "6 MiB of JSON", forge(members_of(long))


def test_claims_are_refused_before_memory_is_taken(path):
    """Never more than the file's size plus 8 MiB."""
    for name, data in hostile_sizes():
        path.write_bytes(data)
        tracemalloc.start()
        with pytest.raises(CheckpointError):
            checkpoint.load(path)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < len(data) + 8 * MIB, name


@pytest.mark.slow
def test_the_memory_that_json_takes_is_bounded(path):
    """Even with 4 MiB of empty objects, the worst case for JSON of that size."""
    objects = DOCUMENT | {"meta": {"x": [{}] * (4 * MIB // 4 - 50)}}
    path.write_bytes(forge(members_of(objects)))
    tracemalloc.start()
    checkpoint.load(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100 * MIB


def test_a_file_beyond_the_bound_is_not_read(path, good):
    """More than 1 GiB is refused after the first bytes."""
    os.truncate(path, checkpoint._MAX_BYTES + 1)
    tracemalloc.start()
    with pytest.raises(CheckpointError, match="more than 1073741824 bytes"):
        checkpoint.load(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < MIB


@pytest.mark.parametrize(
    ("arrays", "meta"),
    [
        ({"W": np.array([1, np.nan])}, {}),
        ({"W": np.array([np.inf], np.float32)}, {}),
        ({"W": np.array([1j])}, {}),
        ({"W": np.array([None])}, {}),
        ({"W": np.zeros(3, [("x", "<f4")])}, {}),
        ({"W": np.array(["text"])}, {}),
        ({}, {"loss": float("nan")}),
        ({}, {"x": functools.reduce(lambda inner, _: [inner], range(100_000), 0)}),
        ({}, {"x": "x" * (4 * MIB)}),
        ({}, []),
    ],
)
def test_unloadable_content_is_not_saved(path, good, arrays, meta):
    """The previous checkpoint stays, and one line says what is wrong."""
    with pytest.raises(CheckpointError) as error:
        checkpoint.save(path, arrays, meta)
    (line,) = str(error.value).splitlines()
    assert str(path) in line
    assert path.read_bytes() == good


def edited_bytes(script: bytes) -> bytes:
    """Return the script itself, after a good start, or as edits of a good file."""
    choices, good = Choices(script), forge(members_of(DOCUMENT))
    kind = choices.byte() % 4
    if kind == 0:
        return script
    if kind == 1:
        return seal(good[:44] + script + bytes(71))
    for _ in range(kind):
        start = (256 * choices.byte() + choices.byte()) % len(good)
        replacement = choices.of([b"", good, bytes(choices.many(choices.byte))])
        good = good[:start] + replacement + good[start + choices.byte() % 8 :]
    return seal(good)


def forged_archive(script: bytes) -> bytes:
    """Return an archive whose headers fit its JSON, which may say anything."""
    choices = Choices(script)
    document = {"version": 1, "arrays": {}, "meta": {}}
    members = []
    for name in choices.many(
        lambda: choices.of(["W", "n", "a/b", "a b", "checkpoint"])
    ):
        dtype = choices.of(["<f4", "<f8", "<i8", "|u1", "<f4", ">f4", "|O"])
        shape = choices.many(lambda: choices.of([0, 1, 2, 3, 5, 2, -1, HUGE]))
        size = abs(math.prod(shape)) * np.dtype(dtype).itemsize
        body = choices.of([b"\0", b"?", b"\xff"]) * min(size, 1000)
        document["arrays"][name] = [dtype, shape]
        members.append((f"{name}.npy", npy(dtype, shape, body)))
    document["meta"]["x"] = choices.json()
    if choices.byte() % 4 == 1:
        document[choices.of(WORDS)] = choices.json()
    text = json.dumps(document if choices.byte() % 4 < 3 else choices.json()).encode()
    return forge([("checkpoint.npy", npy("|u1", [len(text)], text)), *members])


@pytest.mark.parametrize("build", [edited_bytes, forged_archive])
@pytest.mark.parametrize(
    "examples", [200, pytest.param(100_000, marks=pytest.mark.slow)]
)
def test_fuzzed_files(path, build, examples):
    """At most one kind of error, and `save` would write any accepted file."""

    @settings(max_examples=examples, deadline=None, database=None)
    @given(st.binary(max_size=200))
    def check(script):
        data = build(script)
        put(path, data)
        try:
            arrays, meta = checkpoint.load(path)
        except CheckpointError as error:
            assert len(str(error).splitlines()) == 1
        else:
            assert checkpoint._encode(arrays, meta) == data

    check()


class FailingDisk:
    """Records the system calls of a write and lets one of them fail."""

    def __init__(self, monkeypatch, fail_at=None):
        self.calls = []
        self.fail_at = fail_at
        monkeypatch.setattr(files, "open", self._open, raising=False)
        for name in ("fsync", "replace", "open"):
            monkeypatch.setattr(
                os, name, self._failing(f"os.{name}", getattr(os, name))
            )

    def _failing(self, name, call):
        def wrapper(*args):
            self.calls.append(name)
            if len(self.calls) == self.fail_at:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return call(*args)

        return wrapper

    def _open(self, *args):
        file = self._failing("open", io.FileIO)(*args)
        wrapped = io.BytesIO()
        wrapped.fileno, wrapped.close = file.fileno, file.close

        def write(data):
            half = len(data) // 2
            file.write(data[:half])
            self._failing("write", file.write)(data[half:])

        wrapped.write = write
        wrapped.flush = self._failing("flush", file.flush)
        return wrapped


def test_a_fault_at_any_point_of_a_save(path, good, monkeypatch):
    """The previous (or the whole new) checkpoint loads; no other file stays."""
    new = {"W": ARRAYS["W"] + 1, "n": ARRAYS["n"]}
    with monkeypatch.context() as patch:
        disk = FailingDisk(patch)
        checkpoint.save(path, new, META)
    assert disk.calls == [
        *["open", "write", "flush", "os.fsync"],
        *["os.replace", "os.open", "os.fsync"],
    ]
    for fail_at, call in enumerate(disk.calls, 1):
        path.write_bytes(good)
        with monkeypatch.context() as patch:
            FailingDisk(patch, fail_at)
            with pytest.raises(UserError) as error:
                checkpoint.save(path, new, META)
        (line,) = str(error.value).splitlines()
        assert f"cannot write {path}: Input/output error" in line
        arrays, meta = checkpoint.load(path)
        moved = fail_at > disk.calls.index("os.replace") + 1
        assert same(arrays, new if moved else ARRAYS), call
        assert meta == META
        assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("kills", [10, pytest.param(200, marks=pytest.mark.slow)])
def test_kill_9_while_saving(path, kills):
    """The file always loads undamaged, and at most the save in progress is lost."""
    # Forks a process for each kill, which saves the time to load NumPy.
    code = """
import os, sys
import numpy as np
from ramnp.support import checkpoint
from ramnp.support.files import RunLock, remove_leftovers
folder, path = sys.argv[1:]
for line in sys.stdin:
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        print("killed", flush=True)
        continue
    step = int(line)
    with RunLock(folder):
        remove_leftovers(folder)
        while True:
            step += 1
            checkpoint.save(path, {"W": np.full(50_000, step)}, {"step": step})
            print(os.getpid(), step, flush=True)
"""
    step = 0
    chance = random.Random(0)
    command = [sys.executable, "-c", code, path.parent, path]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, **pipes) as process:
        for _ in range(kills):
            print(step, file=process.stdin, flush=True)
            pid, told = map(int, process.stdout.readline().split())
            time.sleep(chance.uniform(0, 0.03))
            os.kill(pid, signal.SIGKILL)
            while (line := process.stdout.readline()) != "killed\n":
                told = int(line.split()[1])
            arrays, meta = checkpoint.load(path)
            assert told <= meta["step"] <= told + 1
            assert (arrays["W"] == meta["step"]).all()
            assert meta["step"] > step
            step = meta["step"]
    remove_leftovers(path.parent)
    assert sorted(os.listdir(path.parent)) == [".lock", path.name]
