"""A user's own images and labels: archives, tables, IDX files, folders of pictures.

Each reader returns Parts, and raises DataError for input that it cannot interpret.
Nothing is unpickled or run, and sizes are checked before memory is allocated.
"""

import math
import re
import warnings
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ramnp.datasets import pictures
from ramnp.datasets.idx import content_limit, find_idx, read_idx
from ramnp.support.errors import DataError, brief

ACCEPTED = (
    "an .npz, a .csv, a folder with one folder of pictures for each class, or a folder "
    "of IDX files"
)
_ADVICE = "write it again with numpy.savez(path, images=images, labels=labels)"
_PARTS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("valid", "validation", "val", "dev"), "valid"),
    **dict.fromkeys(("test", "testing", "t10k"), "test"),
}
_IMAGES = ("images", "image", "x", "data", "pixels")
_LABELS = ("labels", "label", "y", "targets", "target", "classes", "class")
# The names that numpy.savez gives to arrays without one.
_POSITIONAL = {"arr_0": ("train", "images"), "arr_1": ("train", "labels")}


class Parts(NamedTuple):
    """The unchecked content of a source."""

    examples: dict  # {"train": (images, labels)}, and "valid" and "test" if given
    names: dict | None = None  # {label: name of the class}, where the source has names
    notes: tuple = ()
    sums: dict | None = None  # {name: SHA-256} of IDX files


def read(path: Path, size: tuple[int, int] | None = None, channels: int = 1) -> Parts:
    """Return the Parts of a file or folder; size and channels as in read_pictures."""
    if path.suffix.lower() == ".npz":
        return _read_npz(path)
    if path.suffix.lower() in (".csv", ".tsv"):
        return _names_beside(path, _read_csvs({"train": path}))
    if idx := find_idx(path):
        return _names_beside(path, _read_idx(path, idx))
    if path.is_dir():
        tables = sorted(path.glob("*.csv"))
        parts = {part: table for table in tables if (part := _part(table.stem))}
        if "train" in parts:
            if others := [t.name for t in tables if t not in parts.values()]:
                raise DataError(
                    f"{path} has several tables of one split, or of none: leave out "
                    f"{', '.join(others)}"
                )
            return _names_beside(path, _read_csvs(parts))
        return _read_folders(path, size, channels)
    raise DataError(f"{path} can't be used as data: give {ACCEPTED}")


def _part(name):
    """Return "train", "valid" or "test" if a word of the name says so, else None."""
    words = re.split(r"[^a-z0-9]+", name.lower())
    return next((_PARTS[word] for word in words if word in _PARTS), None)


def _names_beside(path, parts):
    """Add the names of the classes, one per line in classes.txt beside the data."""
    folder = path if path.is_dir() else path.parent
    file = folder / "classes.txt"
    if not file.is_file():
        return parts
    lines = file.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    return parts._replace(names=dict(enumerate(map(str.strip, lines))))


def _read_idx(path, files):
    """Return the Parts of a set of IDX files, {MNIST's name of the file: path}."""
    content, sums = {}, {}
    for part in ("train", "t10k"):
        for what, ndim in (("images", 3), ("labels", 1)):
            name = f"{part}-{what}-idx{ndim}-ubyte"
            if name not in files:
                raise DataError(f"{path} lacks the file {name}: add it")
            array, sums[name] = read_idx(files[name], ndim)
            content.setdefault(_PARTS[part], []).append(array)
    name = files["train-images-idx3-ubyte"].name
    if not name.startswith("emnist"):
        return Parts(content, sums=sums)
    for pair in content.values():
        pair[0] = pair[0].swapaxes(1, 2)
    note = "EMNIST is published with rows and columns exchanged: put upright"
    return Parts(content, _emnist_names(files, name), (note,), sums)


def _emnist_names(files, name):
    """Return {label: character} from EMNIST's mapping file, or None without it."""
    mapping = files["train-images-idx3-ubyte"].with_name(
        f"{name.partition('-train')[0]}-mapping.txt"
    )
    if not mapping.is_file():
        return None
    rows = re.findall(
        r"^(\d+) (\d+)", mapping.read_text(errors="replace"), re.MULTILINE
    )
    return {int(label): chr(int(code)) for label, code in rows}


def _read_folders(folder, size, channels):
    """Return the Parts of a folder of folders of pictures, one for each class.

    The class folders may be inside folders train, test and, optionally, valid.
    """
    folders = _subfolders(folder)
    splits = [each for each in folders if each.name.lower() in _PARTS]
    parts = {_PARTS[each.name.lower()]: each for each in splits}
    if "train" in parts and (splits == folders or _subfolders(parts["train"])):
        if len(parts) < len(splits):
            raise DataError(
                f"{folder} has two folders of one split among "
                f"{', '.join(each.name for each in splits)}: keep one of each"
            )
        classes = [(part, each) for part in parts for each in _subfolders(parts[part])]
    else:
        classes = [("train", each) for each in folders]
    paths, labels = [], []
    for part, each in classes:
        found = [f for f in _files(each) if f.suffix.lower() in pictures.SUFFIXES]
        paths += found
        labels += [(part, each.name)] * len(found)
    if not paths:
        raise DataError(f"{folder} holds no data that can be read: give {ACCEPTED}")
    if len(classes) == 1 and _subfolders(classes[0][1]):
        raise DataError(
            f"{folder} has one folder alone, which would be one class: did you mean "
            f"{classes[0][1]}?"
        )
    images, notes = pictures.read_pictures(paths, size, channels)
    if num_others := len(_files(folder)) - len(paths):
        notes.append(
            f"{num_others} files in {folder} are left out: pictures are "
            f"{' '.join(sorted(pictures.SUFFIXES))}, in a folder for each class"
        )
    examples = {}
    for part in dict(labels):
        index = [i for i, label in enumerate(labels) if label[0] == part]
        examples[part] = images[index], [labels[i][1] for i in index]
    return Parts(examples, notes=tuple(notes))


def _subfolders(folder):
    return sorted(p for p in folder.iterdir() if p.is_dir() and not _is_hidden(p.name))


def _files(folder):
    """Return all files in a folder and its subfolders, in order, but the hidden ones."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(map(_is_hidden, path.relative_to(folder).parts))
    ]


def _is_hidden(name):
    """Return whether a name is that of a file or folder that systems add."""
    return name.startswith(".") or name == "__MACOSX"


def _read_csvs(tables):
    """Return the Parts of tables, {part: path}."""
    return Parts({part: _read_csv(path) for part, path in tables.items()})


def _read_csv(path):
    """Return pixels (N, height * width) and labels of a table with one image per row."""
    try:
        with warnings.catch_warnings(action="ignore", category=UserWarning):
            # Of a table without rows, NumPy only warns, as of an empty line.
            warnings.filterwarnings("error", "loadtxt: input contained no data")
            return _parse_csv(path)
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not encoded in UTF-8: save it so") from error
    except (ValueError, UserWarning, IndexError) as error:
        raise DataError(
            f"{path}: {error}; give one image in each row: its class and its pixels"
        ) from error


def _parse_csv(path):
    with open(path, encoding="utf-8-sig") as file:
        first_line = file.readline(1 << 24)
    delimiter = max(",;\t", key=first_line.count)
    header = [name.strip(" \"'\n").lower() for name in first_line.split(delimiter)]
    if len(header) < 3:
        raise ValueError(f"{len(header)} columns, but one is needed for each pixel")
    with open(path, encoding="utf-8-sig") as file:
        plain = (row for row in file if row.strip() and '"' not in row)
        lengths = {row.count(delimiter) + 1 for row in plain}
    if len(lengths) > 1:
        raise ValueError(f"rows of {min(lengths)} to {max(lengths)} columns")
    has_header = not all(map(_is_number, header[1:-1]))
    options = {
        "delimiter": delimiter,
        "skiprows": int(has_header),
        "quotechar": '"',
        "comments": None,
        "encoding": "utf-8-sig",
    }
    columns = [*range(len(header))]
    if has_header and header[0] in ("", "id", "index", "unnamed: 0"):
        columns = columns[1:]
    label = next((i for i in columns if header[i] in _LABELS), None)
    if label is None:
        ends = columns[0], columns[-1]
        pair = np.loadtxt(path, str, usecols=ends, ndmin=2, **options).T
        label = ends[_label_of(*pair)]
    labels = np.loadtxt(path, str, usecols=label, ndmin=1, **options)
    columns.remove(label)
    pixels = np.loadtxt(path, np.float32, usecols=columns, ndmin=2, **options)
    if pixels.max(initial=0) > 1 and (pixels == pixels.round()).all():
        pixels = pixels.astype(np.int64)
    return pixels, labels.astype(np.float64) if all(map(_is_number, labels)) else labels


def _label_of(*columns):
    """Return 0 or 1, the index of the column of labels among two.

    Labels are names or whole numbers, more than one and far fewer than pixel values.
    """
    counts = []
    for column in columns:
        values = {*column}
        numbers = all(map(_is_number, values))
        whole = not numbers or all(float(value).is_integer() for value in values)
        counts.append(len(values) if whole and len(values) > 1 else math.inf)
    few, many = sorted(counts)
    if 2 * few > many or few == math.inf:
        raise ValueError(
            "neither the first nor the last column is surely that of the classes, so "
            'write a header with "label" above it; leave out a table without classes'
        )
    return counts.index(few)


def _is_number(text):
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _read_npz(path):
    """Return the Parts of an archive, by the names of its arrays."""
    roles, found = {}, {}
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
            for member in members:
                if role := _role(member.removesuffix(".npy").lower()):
                    roles.setdefault(role, []).append(member)
            for role, candidates in roles.items():
                if len(candidates) > 1:
                    raise DataError(
                        f"{path} holds several arrays of {role[0]} {role[1]}: "
                        f"{brief(', '.join(candidates))}; keep one"
                    )
                found[role] = _read_array(archive, candidates[0], path)
    except (DataError, OSError):
        raise
    except Exception as error:
        # Zipfile, zlib and NumPy's header parser have a dozen exceptions for bad bytes.
        raise DataError(
            f"{path} is damaged or not an .npz archive: {_ADVICE}"
        ) from error
    class_names = found.pop(("", "names"), ())
    parts = {part for part, _ in found}
    if "train" not in parts or len(found) != 2 * len(parts):
        names = brief(", ".join(member.removesuffix(".npy") for member in members))
        raise DataError(
            f"{path} must hold images and labels, or x_train, y_train, x_test and "
            f"y_test, but holds {names or 'nothing'}: {_ADVICE}"
        )
    examples = {p: (found[p, "images"], found[p, "labels"]) for p in parts}
    return Parts(examples, dict(enumerate(map(str, np.ravel(class_names)))))


def _role(name):
    """Return ("train", "images") or the like for the name of an array, or None."""
    if name in _POSITIONAL:
        return _POSITIONAL[name]
    words = name.split("_")
    if words[-1] == "names":
        return "", "names"
    for what, known in (("images", _IMAGES), ("labels", _LABELS)):
        if any(word in known for word in words):
            return _part(name) or "train", what
    return None


def _read_array(archive, member, path):
    name = member.removesuffix(".npy")
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
        # NumPy writes version 1 for plain arrays; its header is at most 64 KiB long.
        if np.lib.format.read_magic(file) != (1, 0):
            raise DataError(f"{path}: {name} is not a plain array")
        shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
        if dtype.kind not in "biufUS":
            raise DataError(
                f"{path}: {name} has the dtype {dtype}: save numbers, or names as text, "
                "all images of one size (numpy.stack), or give a folder of pictures"
            )
        size = math.prod(shape) * dtype.itemsize
        if min(shape, default=0) < 0 or file.tell() + size != info.file_size:
            raise DataError(
                f"{path}: {name} is damaged: its header states {size} bytes, the "
                "archive holds another number"
            )
        data = file.read(size)
    return np.frombuffer(data, dtype).reshape(
        shape, order="F" if fortran_order else "C"
    )
