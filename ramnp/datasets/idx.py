"""IDX, the file format of MNIST: a short header followed by one array of bytes."""

import glob
import gzip
import hashlib
import math
import re
import zlib
from pathlib import Path

import numpy as np

from ramnp.support.errors import DataError

_MAX_INFLATED = 640 << 20  # the largest file of EMNIST has 547 MB
_DEFLATE_RATIO = 1032  # the largest number of bytes that one deflated byte can hold
# As published: with a dot, as train-images.idx3-ubyte, or with a set's name in front.
_NAME = re.compile(
    r"(?P<set>.*?)-?(?P<part>train|t10k|test)-(?P<what>images|labels)"
    r"[-.]idx(?P<ndim>[13])-ubyte(\.gz)?"
)


def find_idx(path: Path) -> dict[str, Path]:
    """Return {MNIST's name of the file: path} of the IDX files of one set.

    path is their folder, or one with a folder `raw` or `NAME/raw`, or the folder and the
    start of the names of one set of several, as EMNIST/emnist-letters. Returns {} if
    there are none. Of a plain and a packed file, the plain one is used.
    """
    folder, prefix = (path, "") if path.is_dir() else (path.parent, path.name)
    sets: dict = {}
    for place in (folder, folder / "raw", *folder.glob("*/raw")):
        for file in sorted(place.glob(f"{glob.escape(prefix)}*-ubyte*")):
            if match := _NAME.fullmatch(file.name):
                part = "train" if match["part"] == "train" else "t10k"
                name = f"{part}-{match['what']}-idx{match['ndim']}-ubyte"
                sets.setdefault((place, match["set"]), {}).setdefault(name, file)
    if len(sets) > 1:
        names = ", ".join(sorted(str(place / name) for place, name in sets))
        raise DataError(f"{path} holds several sets of IDX files: name one of {names}")
    return next(iter(sets.values()), {})


def read_idx(path: Path, ndim: int) -> tuple[np.ndarray, str]:
    """Return the uint8 array in an IDX file, plain or `.gz`, and its SHA-256.

        0, 0, 8, ndim | ndim sizes, 4 bytes each, big-endian | the array, row by row

    The SHA-256 is that of the uncompressed file. Raises DataError unless the file has
    exactly the length that its header states; the size is checked before allocating.
    """
    if not path.is_file():
        raise DataError(f"{path} is not a file: remove it, or name another folder")
    compressed = path.suffix == ".gz"
    limit = content_limit(path.stat().st_size, compressed)
    try:
        with gzip.open(path) if compressed else open(path, "rb") as file:
            header = file.read(4 + 4 * ndim)
            if header[:4] != bytes([0, 0, 8, ndim]) or len(header) < 4 + 4 * ndim:
                raise DataError(
                    f"{path} is not an IDX file of bytes in {ndim} dimensions: "
                    "replace it"
                )
            shape = tuple(np.frombuffer(header, ">u4", ndim, offset=4).tolist())
            size = math.prod(shape)
            if len(header) + size > limit:
                raise DataError(
                    f"{path} is cut short or too large to be inflated: its header "
                    f"promises {size} bytes; give it whole, and without .gz if it is "
                    f"larger than {_MAX_INFLATED >> 20} MiB"
                )
            body = file.read(size + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path} is not a whole gzip file: replace it") from error
    if len(body) != size:
        found = "more" if len(body) > size else len(body)
        raise DataError(
            f"{path} is damaged: its header promises {size} bytes, but {found} follow; "
            "replace it"
        )
    sha256 = hashlib.sha256(header)
    sha256.update(body)
    return np.frombuffer(body, np.uint8).reshape(shape), sha256.hexdigest()


def idx_bytes(array: np.ndarray) -> bytes:
    """Return a uint8 array as an IDX file; `read_idx` is the inverse."""
    sizes = np.array(array.shape, ">u4").tobytes()
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def content_limit(stored_bytes: int, compressed: bool) -> int:
    """Return the largest number of bytes to read from a file of `stored_bytes`."""
    if compressed:
        return min(_MAX_INFLATED, _DEFLATE_RATIO * stored_bytes)
    return stored_bytes
