"""Checkpoints: one file with all arrays and numbers that a run needs to resume.

The file is an uncompressed `.npz` without pickles, which `np.load` and `unzip` open:

    checkpoint.npy      JSON as uint8: format version, name, dtype and shape of each
                        array, and any other values of the run (meta)
    <name>.npy          the arrays, in that order
    zip directory       its comment, the last bytes of the file, is the SHA-256 of all
                        bytes before it

Only the JSON is parsed. The JSON and the arrays' bytes determine every other byte of
the file: the reader computes these bytes and compares, instead of trusting headers.
"""

import hashlib
import io
import json
import math
import os
import re
import struct
import zlib

import numpy as np

from ramnp.support.errors import CheckpointError
from ramnp.support.files import write_atomically

FORMAT_VERSION = 1

_DOCUMENT = "checkpoint"
_DTYPES = ("<f2", "<f4", "<f8", "<i8", "|u1")
_NAME = re.compile(r"\w[\w./-]{0,199}", re.ASCII)
_MAX_BYTES = 1 << 30
_MAX_DOCUMENT_BYTES = 4 << 20
_MAX_DEPTH = 32
_MAX_ARRAYS = 10_000
_MAX_AXES = 8

_LOCAL_HEADER_BYTES = 30
_COMMENT_BYTES = len("sha256:") + 64


def save(path, arrays: dict[str, np.ndarray], meta: dict) -> None:
    """Write `arrays` and the JSON-serialisable `meta`; equal content gives equal bytes.

    Raises CheckpointError for content that `load` would refuse, such as a NaN, before
    it replaces a good file; raises UserError if the file cannot be written.
    """
    try:
        data = _encode(arrays, meta)
        _decode(io.BytesIO(data), len(data))
    except ValueError as error:
        raise CheckpointError(f"{path} was not written: {error}") from error
    write_atomically(path, data)


def load(path) -> tuple[dict[str, np.ndarray], dict]:
    """Return the arrays, bit for bit, and the meta that were given to `save`.

    Raises only CheckpointError, for any file that `save` did not write. The memory used
    is proportional to the size of the file, not to the sizes it claims.
    """
    if not os.path.isfile(path):
        raise CheckpointError(f"{path} is missing or not a file: check the path")
    try:
        with open(path, "rb") as file:
            return _decode(file, os.fstat(file.fileno()).st_size)
    except OSError as error:
        raise CheckpointError(
            f"cannot read {path}: {error.strerror}; check that you may read it"
        ) from error
    except ValueError as error:
        raise CheckpointError(
            f"{path} cannot be used: {error}; use another checkpoint or start a new run"
        ) from error


def _encode(arrays, meta) -> bytes:
    arrays = {
        name: np.asarray(array, array.dtype.newbyteorder("<"), order="C")
        for name, array in arrays.items()
    }
    entries = {name: [a.dtype.str, list(a.shape)] for name, a in arrays.items()}
    document = np.frombuffer(_document(entries, meta), np.uint8)
    members = [(_DOCUMENT, document), *arrays.items()]
    heads, tail = _frame(members)
    bodies = [array.tobytes() for _, array in members]
    data = b"".join(b for pair in zip(heads, bodies) for b in pair) + tail
    return data + _comment(io.BytesIO(data), len(data))


def _decode(file, size):
    """Invert `_encode`; a ValueError says what is wrong."""
    start = file.read(_LOCAL_HEADER_BYTES + len(_DOCUMENT))
    if not (start.startswith(b"PK\3\4") and start.endswith(_DOCUMENT.encode())):
        raise ValueError("it is not a ramnp checkpoint, or its start is damaged")
    if size > _MAX_BYTES:
        raise ValueError(f"it has more than {_MAX_BYTES} bytes")
    if _comment(file, size - _COMMENT_BYTES) != file.read(_COMMENT_BYTES + 1):
        raise ValueError("it is damaged (its SHA-256 differs from the one at its end)")

    (document_bytes,) = struct.unpack_from("<L", start, 22)
    document_bytes -= len(_npy_header(np.empty(1, np.uint8)))
    if not 0 < document_bytes <= _MAX_DOCUMENT_BYTES:
        raise ValueError(f"its JSON is empty or over {_MAX_DOCUMENT_BYTES} bytes")
    file.seek(0)
    document = np.zeros(document_bytes, np.uint8)
    heads = [_read_member(file, _DOCUMENT, document)]
    entries, meta = _parse(document.tobytes())
    shapes = {name: _checked_shape(name, entry) for name, entry in entries.items()}
    sizes = [dtype.itemsize * math.prod(shape) for dtype, shape in shapes.values()]
    if sum(sizes) > size:
        raise ValueError("its arrays claim more bytes than it has")
    arrays = {name: np.empty(shape, dtype) for name, (dtype, shape) in shapes.items()}
    heads += [_read_member(file, name, array) for name, array in arrays.items()]
    frame = _frame([(_DOCUMENT, document), *arrays.items()])
    tail = file.read(len(frame[1]) + _COMMENT_BYTES + 1)[:-_COMMENT_BYTES]
    if (heads, tail) != frame:
        raise ValueError("its headers do not match the arrays that its JSON lists")
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ValueError(f"array {name} holds a NaN or an infinity")
    return arrays, meta


def _read_member(file, name, array) -> bytes:
    """Fill `array` from the file; return the bytes before it."""
    head = file.read(_LOCAL_HEADER_BYTES + len(f"{name}.npy") + len(_npy_header(array)))
    file.readinto(array.reshape(-1).view(np.uint8))
    return head


def _document(entries, meta) -> bytes:
    document = {"version": FORMAT_VERSION, "arrays": entries, "meta": meta}
    return json.dumps(document, allow_nan=False).encode("ascii")


def _parse(text: bytes):
    """Return {name: [dtype, shape], ...}, unchecked, and meta."""
    try:
        document = json.loads(text.decode("ascii"))
        shallow = _depth(document) <= _MAX_DEPTH
    except (ValueError, RecursionError) as error:
        raise ValueError("its JSON is malformed") from error
    match document:
        case {"version": int(version)} if version > FORMAT_VERSION:
            raise ValueError("its format is newer than this ramnp reads: update ramnp")
        case {"arrays": dict(entries), "meta": dict(meta)} if (
            shallow
            and len(entries) <= _MAX_ARRAYS
            # Bytes differ by another version, more or repeated keys, 1e999, NaN.
            and _document(entries, meta) == text
        ):
            return entries, meta
    raise ValueError("its JSON is not that of a checkpoint")


def _depth(value) -> int:
    if not isinstance(value, dict | list):
        return 0
    children = value.values() if isinstance(value, dict) else value
    return 1 + max(map(_depth, children), default=0)


def _checked_shape(name, entry):
    """Return the (dtype, shape) of an array; NumPy itself refuses overlong axes."""
    match entry:
        case [str(dtype), list(shape)] if (
            _NAME.fullmatch(name)
            and name != _DOCUMENT
            and dtype in _DTYPES
            and len(shape) <= _MAX_AXES
            and all(type(n) is int and n >= 0 for n in shape)
        ):
            return np.dtype(dtype), tuple(shape)
    text = json.dumps([name, entry])[:80]
    raise ValueError(f"a checkpoint cannot hold an array like {text}")


def _frame(members):
    """Return all bytes of the zip file except the arrays' own.

    These are the bytes before each array, and those between the last array and the
    comment. Nothing is compressed; optional fields and times are not used.
    """
    heads, directory, offset = [], b"", 0
    for name, array in members:
        filename = f"{name}.npy".encode("ascii")
        npy_header = _npy_header(array)
        size = len(npy_header) + array.nbytes
        crc = zlib.crc32(array, zlib.crc32(npy_header))
        sizes = crc, size, size, len(filename), 0
        # Zip 2.0, no flags, stored, midnight of 1980-01-01; made by Unix, mode 0600.
        fields = struct.pack("<5H3L2H", 20, 0, 0, 0, 0x21, *sizes)
        heads.append(b"PK\3\4" + fields + filename + npy_header)
        directory += b"PK\1\2" + struct.pack("<H", 0x314) + fields
        directory += struct.pack("<3H2L", 0, 0, 0, 0o600 << 16, offset) + filename
        offset += len(heads[-1]) + array.nbytes
    sizes = len(members), len(members), len(directory), offset, _COMMENT_BYTES
    return heads, directory + b"PK\5\6" + struct.pack("<4H2LH", 0, 0, *sizes)


def _npy_header(array) -> bytes:
    """Return the `.npy` header of an array.

    NumPy's own writer has changed its padding between versions.
    """
    text = (
        f"{{'descr': '{array.dtype.str}', 'fortran_order': False, "
        f"'shape': {array.shape}, }}"
    )
    text += " " * (-(10 + len(text) + 1) % 64) + "\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text.encode("ascii")


def _comment(file, size) -> bytes:
    """Return the comment of a zip file: the SHA-256 of its first `size` bytes."""
    digest = hashlib.sha256()
    file.seek(0)
    for start in range(0, size, 1 << 20):
        digest.update(file.read(min(1 << 20, size - start)))
    return b"sha256:" + digest.hexdigest().encode("ascii")
