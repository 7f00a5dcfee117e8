"""IDX files: what is read is what was written, and nothing else gets in."""

import gzip
import hashlib
import os
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ramnp.datasets.idx import content_limit, idx_bytes, read_idx
from ramnp.support.errors import DataError
from tests.helpers import mutated

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 4, 3), np.uint8)
LABELS = np.arange(7, dtype=np.uint8)


def header(*shape):
    return struct.pack(f">4B{len(shape)}I", 0, 0, 8, len(shape), *shape)


def write(path, content):
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.fixture(params=["digits", "digits.gz"])
def path(request, tmp_path):
    return tmp_path / request.param


@pytest.mark.parametrize("array", [IMAGES, LABELS], ids=["images", "labels"])
def test_what_is_read_is_what_was_written(path, array):
    content = header(*array.shape) + array.tobytes()
    assert idx_bytes(array) == content
    found, sha256 = read_idx(write(path, content), array.ndim)
    assert found.dtype == np.uint8
    assert np.array_equal(found, array)
    assert sha256 == hashlib.sha256(content).hexdigest()


def test_a_file_cut_anywhere_or_with_a_byte_more_is_refused(path):
    content = idx_bytes(IMAGES)
    for stop in range(len(content)):
        with pytest.raises(DataError, match="digits"):
            read_idx(write(path, content[:stop]), 3)
    with pytest.raises(DataError) as error:
        read_idx(write(path, content + b"\0"), 3)
    assert str(error.value) == (
        f"{path} is damaged: its header promises {IMAGES.size} bytes, but more follow; "
        "replace it"
    )
    path = path.with_suffix(".gz")
    with pytest.raises(DataError, match=f" but {IMAGES.size - 1} follow; replace it$"):
        read_idx(write(path, content[:-1]), 3)
    path.write_bytes(b"no gzip")
    with pytest.raises(DataError) as error:
        read_idx(path, 3)
    assert str(error.value) == f"{path} is not a whole gzip file: replace it"


def test_a_gzip_stream_cut_or_changed_anywhere_is_refused(tmp_path):
    path = tmp_path / "digits.gz"
    content = gzip.compress(idx_bytes(IMAGES), mtime=0)
    for stop in range(len(content)):
        path.write_bytes(content[:stop])
        with pytest.raises(DataError):
            read_idx(path, 3)
    for place in range(len(content)):
        path.write_bytes(
            content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :]
        )
        try:
            found, _ = read_idx(path, 3)
        except DataError:
            continue
        assert np.array_equal(found, IMAGES)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0\x08",
        b"<html>503 Service Unavailable</html>",
        idx_bytes(LABELS),
        b"\0\0\x0d" + idx_bytes(IMAGES)[3:],
        struct.pack(">4B3I", 0, 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1),
    ],
    ids=["empty", "short", "html", "labels", "float", "2**96 bytes"],
)
def test_what_is_no_idx_file_of_bytes_is_refused(path, content):
    with pytest.raises(
        DataError, match="digits.* in 3 dimensions: replace it$|promises"
    ):
        read_idx(write(path, content), 3)


def test_a_folder_or_a_pipe_in_place_of_the_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(DataError, match="not a file"):
            read_idx(path, 3)


def packed_zeros(mebibytes):
    return gzip.compress(bytes(mebibytes << 20), 9)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plain", header(1 << 15, 1 << 10, 1 << 10) + bytes(100)),
        ("tiny.gz", gzip.compress(header(400, 1 << 10, 1 << 10) + bytes(100))),
        (
            "bomb.gz",
            gzip.compress(header(1 << 15, 1 << 10, 1 << 10)) + packed_zeros(64) * 40,
        ),
    ],
    ids=["32 GiB claimed", "400 MiB claimed", "2.5 GiB inflated"],
)
def test_no_memory_is_taken_for_bytes_that_are_not_there_or_too_many(
    tmp_path, name, content
):
    path = tmp_path / name
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="promises .* larger than 640 MiB$"):
            read_idx(path, 3)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_a_compressed_file_is_limited_by_what_deflate_can_hold_and_by_a_ceiling():
    assert content_limit(1000, compressed=False) == 1000
    assert content_limit(10**12, compressed=False) == 10**12
    assert content_limit(1000, compressed=True) == 1_032_000
    assert content_limit(10**12, compressed=True) == 640 << 20
    assert len(packed_zeros(1)) * 1032 > 1 << 20


def fuzz(folder, count):
    whole = idx_bytes(IMAGES)

    @settings(max_examples=count, deadline=None, database=None)
    @given(
        st.one_of(st.binary(), mutated(whole), mutated(gzip.compress(whole))),
        st.sampled_from(["fuzzed", "fuzzed.gz"]),
        st.sampled_from([1, 3]),
    )
    def any_bytes_are_read_or_refused(content, name, ndim):
        path = folder / name
        path.write_bytes(content)
        try:
            array, _ = read_idx(path, ndim)
        except DataError as error:
            assert "\n" not in str(error)
        else:
            assert array.ndim == ndim and array.dtype == np.uint8

    any_bytes_are_read_or_refused()


def test_any_bytes_are_read_or_refused_in_one_line(tmp_path):
    fuzz(tmp_path, 300)


@pytest.mark.slow
def test_100_000_files_of_any_bytes_are_read_or_refused_in_one_line(tmp_path):
    fuzz(tmp_path, 100_000)
