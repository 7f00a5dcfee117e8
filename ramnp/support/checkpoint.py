"""Checkpoints: one file with all arrays and numbers that a run needs to resume.

The file is an uncompressed `.npz` without pickles, which `np.load` and `unzip` open:

    checkpoint.npy      JSON as uint8: format version, name, dtype and shape of each
                        array, and any other values of the run (meta)
    <name>.npy          the arrays, in that order
    zip directory       its comment, the last bytes of the file, is the SHA-256 of all
                        bytes before it

Equal content gives equal bytes. The reader encodes the content of a file again and
accepts the file only if the bytes are equal: it trusts no header.
"""

import hashlib
import io
import json
import os
import re
import struct
import zipfile

import numpy as np

from ramnp.support.errors import CheckpointError
from ramnp.support.files import write_atomically

FORMAT_VERSION = 1

_DOCUMENT = "checkpoint"
_DTYPES = ("<f2", "<f4", "<f8", "<i8", "|u1")
_NAME = re.compile(r"\w[\w./-]{0,199}", re.ASCII)
_START = re.compile(rb"PK\x03\x04.{26}checkpoint\.npy", re.DOTALL)
_MAX_BYTES = 1 << 30
_MAX_DOCUMENT_BYTES = 4 << 20
_MAX_AXES = 8
_SEAL_BYTES = len("sha256:") + 64


def save(path, arrays: dict[str, np.ndarray], meta: dict) -> None:
    """Write `arrays` and the JSON-serialisable `meta`; equal content gives equal bytes.

    Raises CheckpointError for content that `load` would refuse, such as a NaN, before
    it replaces a good file; raises UserError if the file cannot be written.
    """
    try:
        data = _encode(arrays, meta)
        _decode(data)
    except (ValueError, RecursionError) as error:
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
            if os.fstat(file.fileno()).st_size > _MAX_BYTES:
                raise ValueError(f"it has more than {_MAX_BYTES} bytes")
            return _decode(file.read())
    except OSError as error:
        raise CheckpointError(
            f"cannot read {path}: {error.strerror}; check that you may read it"
        ) from error
    except ValueError as error:
        raise CheckpointError(
            f"{path} cannot be used: {error}; use another checkpoint or start a new run"
        ) from error


def _encode(arrays, meta) -> bytes:
    """Return the bytes of the file."""
    arrays = {
        name: np.asarray(array, array.dtype.newbyteorder("<"), order="C")
        for name, array in arrays.items()
    }
    entries = {name: [a.dtype.str, list(a.shape)] for name, a in arrays.items()}
    document = {"version": FORMAT_VERSION, "arrays": entries, "meta": meta}
    text = json.dumps(document, allow_nan=False).encode("ascii")
    members = {_DOCUMENT: np.frombuffer(text, np.uint8)} | arrays
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in members.items():
            body = _npy_header(array.dtype.str, array.shape) + array.tobytes()
            info = zipfile.ZipInfo(f"{name}.npy")
            info.create_system = 3  # Unix, also on Windows: equal bytes everywhere
            archive.writestr(info, body)
        archive.comment = bytes(_SEAL_BYTES)
    content = file.getvalue()[:-_SEAL_BYTES]
    return content + _seal(content)


def _check(arrays, meta):
    """Raise ValueError for content that no checkpoint may have."""
    for name, array in arrays.items():
        if (
            name == _DOCUMENT
            or not _NAME.fullmatch(name)
            or array.dtype.str not in _DTYPES
            or array.ndim > _MAX_AXES
        ):
            raise ValueError(
                f"it cannot hold an array {name[:80]!r} of type {array.dtype} "
                f"with {array.ndim} axes"
            )
        if not np.isfinite(array).all():
            raise ValueError(f"array {name} holds a NaN or an infinity")
    if type(meta) is not dict:
        raise ValueError("its meta is not an object")


def _decode(data):
    """Return the arrays and meta in a file's bytes; a ValueError says what is wrong."""
    if not _START.match(data):
        raise ValueError("it is not a ramnp checkpoint, or its start is damaged")
    if data[-_SEAL_BYTES:] != _seal(data[:-_SEAL_BYTES]):
        raise ValueError("it is damaged (its SHA-256 differs from the one at its end)")
    try:
        arrays, meta = _content(data)
        _check(arrays, meta)
        same = _encode(arrays, meta) == data
    except ValueError:
        raise
    # zipfile, json and NumPy raise a dozen kinds of exceptions for damaged content.
    except Exception as error:
        raise ValueError("its content is not that of a checkpoint") from error
    if not same:
        raise ValueError("its headers do not match the arrays that its JSON lists")
    return arrays, meta


def _content(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > len(data):
            raise ValueError("members claim more bytes than the file has")
        if members[0].file_size > _MAX_DOCUMENT_BYTES + 128:
            raise ValueError("too much JSON")
        document = json.loads(archive.read(members[0]).partition(b"\n")[2])
        if document["version"] > FORMAT_VERSION:
            raise ValueError("its format is newer than this ramnp reads: update ramnp")
        arrays = {}
        for name, (dtype, shape) in document["arrays"].items():
            body = archive.read(f"{name}.npy")[len(_npy_header(dtype, tuple(shape))) :]
            arrays[name] = np.frombuffer(body, dtype).reshape(shape).copy()
        return arrays, document["meta"]


def _npy_header(dtype, shape) -> bytes:
    """Return the `.npy` header before an array's bytes.

    NumPy's own writer has changed its padding between versions.
    """
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    text += " " * (-(10 + len(text) + 1) % 64) + "\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text.encode("ascii")


def _seal(content) -> bytes:
    """Return the comment of a zip file: the SHA-256 of the bytes before it."""
    return b"sha256:" + hashlib.sha256(content).hexdigest().encode("ascii")
