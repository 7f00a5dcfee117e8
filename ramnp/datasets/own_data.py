"""A user's own images and labels, from an `.npz` archive that nobody vouches for."""

import math
import zipfile
from pathlib import Path

import numpy as np

from ramnp.datasets.idx import content_limit
from ramnp.support.errors import DataError


def read_npz(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Returns `images` (N, height, width) as uint8 and `labels` (N,) as integers.

    Images may be integers from 0 to 255, bool (True becomes 255), or floats from 0 to 1
    (rounded to the nearest of 256 levels). Raises DataError for anything else. Nothing
    is unpickled, and no memory is taken for bytes that the archive can't hold.
    """
    if not path.is_file():
        raise DataError(
            f"{path} is no folder and no .npz file: check what --data names"
        )
    images, labels = _read_arrays(path, ("images", "labels"))
    if images.ndim != 3 or labels.ndim != 1:
        raise DataError(
            f"{path}: images {images.shape} and labels {labels.shape} must have "
            "the shapes (N, height, width) and (N,)"
        )
    if labels.dtype.kind not in "iu":
        raise DataError(f"{path}: labels are {labels.dtype}, but must be integers")
    return _to_bytes(images, path), labels


def _read_arrays(path, names) -> list[np.ndarray]:
    try:
        with zipfile.ZipFile(path) as archive:
            return [_read_array(archive, name, path) for name in names]
    except (DataError, OSError):
        raise
    except Exception as error:
        # Zipfile, zlib and NumPy's header parser have a dozen exceptions for bad bytes.
        raise DataError(
            f"{path} is damaged or not an .npz archive: write it again with "
            "numpy.savez(path, images=images, labels=labels)"
        ) from error


def _read_array(archive, name, path) -> np.ndarray:
    member = f"{name}.npy"
    if archive.namelist().count(member) != 1:
        raise DataError(
            f"{path} must hold one array named {name}: write it again with "
            "numpy.savez(path, images=images, labels=labels)"
        )
    info = archive.getinfo(member)
    compressed = info.compress_type != zipfile.ZIP_STORED
    if compressed and info.compress_type != zipfile.ZIP_DEFLATED:
        raise DataError(f"{path}: {name} is compressed in a way that NumPy never uses")
    limit = content_limit(path.stat().st_size, compressed)
    if info.file_size > limit:
        raise DataError(
            f"{path}: {name} claims {info.file_size} bytes, more than the {limit} that "
            "may be read here; if they are real, write it again with numpy.savez"
        )
    with archive.open(info) as file:
        # Version 1 is what NumPy writes for plain arrays; its header is at most 64 KiB.
        if np.lib.format.read_magic(file) != (1, 0):
            raise DataError(f"{path}: {name} is not a plain array")
        shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
        if dtype.kind not in "biuf" or dtype.itemsize > 8:
            raise DataError(
                f"{path}: {name} has the dtype {dtype}, but must hold bool, integers "
                "or floats"
            )
        size = math.prod(shape) * dtype.itemsize
        if min(shape, default=0) < 0 or file.tell() + size != info.file_size:
            raise DataError(
                f"{path}: {name} is damaged: its header promises {size} bytes, "
                "the archive holds others"
            )
        data = file.read(size)
    return np.frombuffer(data, dtype).reshape(shape, order="CF"[fortran_order])


def _to_bytes(images, path) -> np.ndarray:
    if images.size == 0:
        return images.astype(np.uint8)
    if images.dtype == bool:
        return np.multiply(images, 255, dtype=np.uint8, order="C")
    with np.errstate(invalid="ignore"):
        low, high = images.min(), images.max()
    if images.dtype.kind == "f":
        if np.isnan(low):
            raise DataError(f"{path}: images hold NaN pixels: replace them")
        if low < 0 or high > 1:
            raise DataError(
                f"{path}: float pixels must lie in [0, 1], but go from {low} to {high}"
            )
        images = np.rint(255 * images)
    elif low < 0 or high > 255:
        raise DataError(
            f"{path}: pixels must lie in 0..255, but go from {low} to {high}"
        )
    elif high == 1:
        raise DataError(
            f"{path}: integer pixels are 0 and 1 only, almost black on the scale "
            "0..255: give bool or float images instead"
        )
    return np.ascontiguousarray(images, np.uint8)
