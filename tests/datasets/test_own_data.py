"""A user's own .npz: converted exactly, or refused in one line and in bounded memory."""

import io
import os
import pickle
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ramnp.datasets.own_data import read_npz
from ramnp.support.errors import DataError

BYTES = np.random.default_rng(0).integers(0, 256, (6, 4, 3), np.uint8)
LABELS = np.arange(6)
STORED, DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED


@pytest.fixture
def path(tmp_path):
    return tmp_path / "own.npz"


def saved(path, images=BYTES, labels=LABELS):
    np.savez(path, images=images, labels=labels)
    return path


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_bytes_and_labels_come_back_as_they_are(path, save):
    save(path, images=BYTES, labels=LABELS, other="ignored")
    images, labels = read_npz(path)
    assert images.dtype == np.uint8
    assert np.array_equal(images, BYTES)
    assert np.array_equal(labels, LABELS)


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "f8"])
def test_floats_from_0_to_1_are_rounded_to_bytes(path, dtype):
    images, _ = read_npz(saved(path, (BYTES / 255).astype(dtype)))
    assert np.array_equal(images, BYTES)
    near = np.full((6, 4, 3), 99.6 / 255, dtype)
    assert (read_npz(saved(path, near))[0] == 100).all()


@pytest.mark.parametrize("dtype", ["i2", ">i8", "u4"])
def test_integers_from_0_to_255_are_bytes(path, dtype):
    assert np.array_equal(read_npz(saved(path, BYTES.astype(dtype)))[0], BYTES)


def test_bool_pixels_are_black_or_white(path):
    images, _ = read_npz(saved(path, BYTES > 99))
    assert np.array_equal(images, np.where(BYTES > 99, 255, 0))


def test_the_order_in_memory_does_not_matter(path):
    images, _ = read_npz(saved(path, np.asfortranarray(BYTES)))
    assert np.array_equal(images, BYTES)
    assert images.flags.c_contiguous


def with_value(value, dtype):
    images = (BYTES / 255).astype(dtype)
    images[3, 2, 1] = value
    return images


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (with_value(np.nan, "f4"), "NaN"),
        (with_value(np.inf, "f8"), r"\[0, 1\]"),
        (with_value(1.001, "f8"), r"\[0, 1\]"),
        (with_value(-0.001, "f4"), r"\[0, 1\]"),
        (BYTES.astype("f4"), r"\[0, 1\]"),
        (with_value(256, "i4"), "256"),
        (with_value(-1, "i4"), "-1"),
        ((BYTES > 99).astype("u1"), "bool"),
        (BYTES[0], "shape"),
        (BYTES[..., None], "shape"),
        (np.uint8(3), "shape"),
        (BYTES.astype(complex), "dtype"),
        (BYTES.astype(str), "dtype"),
        (BYTES.astype(object), "dtype|plain"),
    ],
)
def test_pixels_outside_their_range_or_of_another_kind_are_refused(
    path, images, message
):
    with pytest.raises(DataError, match=message):
        read_npz(saved(path, images))


@pytest.mark.parametrize(
    "labels",
    [LABELS / 1.0, LABELS > 2, LABELS.astype(str), LABELS[:, None], np.int64(3)],
    ids=["float", "bool", "text", "2-d", "0-d"],
)
def test_labels_that_are_no_list_of_integers_are_refused(path, labels):
    with pytest.raises(DataError, match="labels"):
        read_npz(saved(path, labels=labels))


@pytest.mark.parametrize("name", ["images", "labels"])
def test_a_missing_array_is_named(path, name):
    np.savez(path, **{"images": BYTES, "labels": LABELS, name + "s": LABELS})
    with zipfile.ZipFile(path) as archive:
        kept = {n: archive.read(n) for n in archive.namelist() if n != f"{name}.npy"}
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in kept.items():
            archive.writestr(member, content)
    with pytest.raises(DataError, match=f"one array named {name}"):
        read_npz(path)


def test_nothing_is_unpickled(path, tmp_path):
    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "pwned"),)

    saved(path, np.array([Hostile()], dtype=object))
    with pytest.raises(DataError):
        read_npz(path)
    path.write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(DataError):
        read_npz(path)
    assert not (tmp_path / "pwned").exists()


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "missing.npz"):
        with pytest.raises(DataError, match="no folder and no .npz"):
            read_npz(path)


def npy(shape, dtype="|u1", data=b""):
    file = io.BytesIO()
    description = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, description)
    return file.getvalue() + data


def archived(path, images, method=STORED, claimed=None):
    """An archive with the member `images`; its directory may claim another size."""
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("labels.npy", npy((1,), data=b"\1"))
        archive.writestr("images.npy", images)
    if claimed is not None:
        content = bytearray(path.read_bytes())
        entry = content.rindex(b"PK\1\2")
        content[entry + 20 : entry + 28] = struct.pack("<2I", *claimed)
        path.write_bytes(content)
    return path


BOMB = npy((1 << 10, 1 << 10, 1 << 10)) + bytes(64 << 20)
LONG_HEADER = b"\x93NUMPY\2\0" + struct.pack("<I", 400 << 20) + bytes(64 << 20)
CASES = {
    "32 GiB in the header": ("promises", npy((1 << 15, 1 << 10, 1 << 10))),
    "huge numbers in the header": ("promises", npy((10**30, 10**30, 10**30))),
    "negative sizes": ("damaged", npy((-1, -1, 4), data=b"1234")),
    "2 GiB in header and directory": (
        "claims 2147483776 bytes",
        npy((2, 1 << 10, 1 << 20)),
        STORED,
        (2**31 + 128, 2**31 + 128),
    ),
    "1 GiB inflated": (
        "claims 1073741952 bytes",
        BOMB,
        DEFLATED,
        (70_000, 2**30 + 128),
    ),
    "400 MiB in a few bytes": (
        "claims 419430528 bytes",
        npy((400, 1 << 10, 1 << 10)),
        DEFLATED,
        (100, (400 << 20) + 128),
    ),
    "a header of 400 MiB": ("not a plain array", LONG_HEADER, DEFLATED),
    "more data than claimed": ("damaged", BOMB, DEFLATED, (70_000, 1000)),
    "bzip2": ("never uses", npy((1, 2, 2), data=b"1234"), zipfile.ZIP_BZIP2),
    "lzma": ("never uses", npy((1, 2, 2), data=b"1234"), zipfile.ZIP_LZMA),
}


@pytest.mark.parametrize("case", CASES)
def test_false_claims_and_bombs_are_refused_before_memory_is_taken(path, case):
    message, *content = CASES[case]
    archived(path, *content)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=message):
            read_npz(path)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_every_cut_and_every_flipped_bit_of_the_arrays_is_refused(path):
    content = saved(path).read_bytes()
    for stop in range(len(content)):
        path.write_bytes(content[:stop])
        with pytest.raises(DataError):
            read_npz(path)
    start = content.index(BYTES.tobytes())
    for place in range(start, start + BYTES.size):
        damaged = bytearray(content)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(DataError, match="damaged"):
            read_npz(path)


def test_a_member_that_is_there_twice_is_refused(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("labels.npy", npy((1,), data=b"\1"))
        archive.writestr("images.npy", npy((1, 2, 2), data=b"1234"))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("images.npy", npy((1, 2, 2), data=b"1234"))
    with pytest.raises(DataError, match="one array named images"):
        read_npz(path)


def mutated(content):
    """The content with some bytes replaced, and cut somewhere."""
    changes = st.dictionaries(
        st.integers(0, len(content) - 1), st.integers(0, 255), max_size=4
    )

    def apply(changes, stop):
        result = bytearray(content)
        for place, value in changes.items():
            result[place] = value
        return bytes(result[:stop])

    end = st.one_of(st.just(len(content)), st.integers(0, len(content)))
    return st.builds(apply, changes, end)


def archive_of(header, data, method):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        size = struct.pack("<H", len(header))
        archive.writestr("images.npy", b"\x93NUMPY\1\0" + size + header + data)
        archive.writestr("labels.npy", npy((1,), data=b"\1"))
    return file.getvalue()


HEADER = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 2), }\n"
METHODS = st.sampled_from([STORED, DEFLATED])


def fuzz(folder, count):
    path = folder / "fuzzed.npz"
    whole = [saved(path).read_bytes()]
    np.savez_compressed(path, images=BYTES / 255, labels=LABELS)
    whole.append(path.read_bytes())

    @settings(max_examples=count, deadline=None, database=None)
    @given(
        st.one_of(
            st.binary(),
            *map(mutated, whole),
            st.builds(archive_of, mutated(HEADER), st.binary(max_size=64), METHODS),
            st.builds(
                archive_of,
                st.just(HEADER),
                st.binary(min_size=16, max_size=16),
                METHODS,
            ),
        )
    )
    def any_bytes_are_read_or_refused(content):
        path.write_bytes(content)
        try:
            images, labels = read_npz(path)
        except DataError as error:
            assert "\n" not in str(error)
        except OSError:
            pass  # mnist.load makes one line of it
        else:
            assert images.dtype == np.uint8 and images.ndim == 3
            assert labels.dtype.kind in "iu" and labels.ndim == 1

    any_bytes_are_read_or_refused()


def test_any_bytes_are_read_or_refused_in_one_line(tmp_path):
    fuzz(tmp_path, 300)


@pytest.mark.slow
def test_100_000_files_of_any_bytes_are_read_or_refused_in_one_line(tmp_path):
    fuzz(tmp_path, 100_000)
