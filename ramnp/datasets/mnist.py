"""The images of a run: MNIST, fetched once and verified, or a user's own."""

import difflib
import math
import os
import re
from collections.abc import Sequence
from os.path import realpath
from pathlib import Path

import numpy as np

from ramnp.datasets import own_data, pictures
from ramnp.datasets.download import fetch
from ramnp.datasets.idx import find_idx
from ramnp.datasets.images import (
    as_images,
    as_labels,
    differences,
    doubts,
    in_channels,
    in_colour,
    to_bytes,
)
from ramnp.datasets.splits import Digits, Split, cut, digest, stratified
from ramnp.support.errors import DataError, UserError, brief

__all__ = ["Digits", "Split", "default_folder", "is_mnist", "load"]

# Of the IDX files, uncompressed.
SHA256 = {
    "train-images-idx3-ubyte": (
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
    ),
    "train-labels-idx1-ubyte": (
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
    ),
    "t10k-images-idx3-ubyte": (
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
    ),
    "t10k-labels-idx1-ubyte": (
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
    ),
}
# Of MNIST's three splits, as Digits.sha256.
DIGEST = "215c290c2666b55a9fdeec0c7823f21a3806109dc56d9cd2e23ae1f9f82849eb"
# 7,000 digits of MNIST that come with the project: in a checkout, or in the wheel.
_PACKAGE = Path(__file__).parents[1]
DIGITS = _PACKAGE.parent / "tutorials" / "digits.npz"
if not DIGITS.is_file():
    DIGITS = _PACKAGE / "digits.npz"
RARE = 5  # training images: a class with fewer is hardly learned


def is_mnist(sha256: str | None) -> bool:
    """Return whether the SHA-256 of Digits is that of MNIST itself."""
    return sha256 == DIGEST


def default_folder() -> Path:
    """Return the folder of MNIST, the only one into which files are downloaded.

    It is $RAMNP_DATA, else `data` in a checkout of the project, else the user's cache.
    """
    if folder := os.environ.get("RAMNP_DATA"):
        return Path(folder)
    here = Path("data")
    if (here / "trained").is_dir() or find_idx(here):
        return here
    import pooch  # takes 0.2 s, needed only here

    return Path(pooch.os_cache("ramnp"))


def load(
    data: str | Path | None = None,
    progress: bool = True,
    *,
    size: tuple[int, int] | None = None,
    invert: bool = False,
    channels: int = 1,
    class_names: Sequence[str] | None = None,
    sha256: str | None = None,
) -> Digits:
    """Return the Digits of MNIST or of a user's own data, or raise DataError.

    `data` is None for MNIST, "digits" for the 7,000 digits of it that come with the
    project, or the path of a user's own (see docs/OWN_DATA.md). size, (height, width),
    resizes images; invert turns dark ink on white to white on black; channels is 1 for
    grey or 3 for colour. Classes are the labels of the training images, in order, or
    `class_names`, to which labels must then belong. sha256 is that of the Digits of an
    earlier run, which may have been split in order.

    Test and validation images are those that the data names. If it names none, a
    seventh of all images is held out for each, or a sixth of the training images for
    validation, at random and in proportion from every class. MNIST is cut in order,
    50,000 + 10,000 + 10,000. Progress is shown on stderr.
    """
    if str(data) == "digits" and not Path("digits").exists():
        data = DIGITS
    folder = default_folder() if data is None else Path(data)
    is_default = data is None or realpath(folder) == realpath(default_folder())
    path = None if is_default else os.path.abspath(folder)
    try:
        if is_default:
            _complete(folder, progress)
        elif not exists(folder):
            raise DataError(_does_not_exist(folder))
        parts = own_data.read(folder, size, channels)
    except OSError as error:
        raise DataError(
            f"cannot read {error.filename or folder}: {error.strerror or error}; "
            "check the path and its permissions"
        ) from error
    _check_sums(folder, parts.sums, is_default)
    try:
        examples, notes = _checked(parts, size, invert, channels)
        if digits := _in_order(examples, sha256 or DIGEST):
            return digits._replace(path=path)
        notes += tuple(_doubts(examples, invert))
        examples, names = _with_classes(examples, parts.names, class_names)
        digits = _split(examples, names, notes)
    except UserError as error:
        raise DataError(f"{folder}: {error}") from error
    return digits._replace(path=path)


def exists(path: Path) -> bool:
    """Return whether a path names data: a file, a folder, or a set of IDX files."""
    return path.exists() or bool(path.parent.is_dir() and find_idx(path))


def _complete(folder, progress):
    """Download the missing files of MNIST into its folder."""
    found = find_idx(folder) if folder.is_dir() else {}
    missing = {name: SHA256[name] for name in SHA256 if name not in found}
    if missing:
        fetch(folder, missing, progress)


def _does_not_exist(path):
    parent = path.parent if path.parent.is_dir() else Path()
    near = difflib.get_close_matches(path.name, os.listdir(parent), 1)
    hint = f"did you mean {parent / near[0]}?" if near else "check the path"
    return (
        f"the data {path} does not exist: {hint} (MNIST needs no --data; to keep it in "
        "another folder, set RAMNP_DATA)"
    )


def _check_sums(folder, sums, is_default):
    """Refuse IDX files of which some, but not all, are MNIST's: they are damaged."""
    foreign = [name for name, sha256 in (sums or {}).items() if sha256 != SHA256[name]]
    if foreign and (is_default or len(foreign) < len(sums)):
        path = find_idx(folder)[foreign[0]]
        raise DataError(
            f"{path} is not MNIST's (wrong SHA-256): delete it to have it fetched again "
            f"into {default_folder()}; keep your own data in a separate folder, without "
            "MNIST's files"
        )


def _checked(parts, size, invert, channels):
    """Return {part: (images as bytes, labels)}, all of one size, and notes."""
    notes, examples, colourful = list(parts.notes), {}, False
    for part, (images, labels) in parts.examples.items():
        images, labels = as_images(images, channels=None), as_labels(labels)
        colourful = colourful or in_colour(images)
        images = to_bytes(in_channels(images, channels))
        if len(images) != len(labels):
            raise DataError(
                f"{len(images)} images, but {len(labels)} labels: give one label for "
                "each image"
            )
        if not images.size:
            raise DataError(f"no pixels: images of shape {images.shape} are empty")
        if size and images.shape[1:3] != tuple(size):
            notes.append(
                "{} images of {} x {} pixels are resized to {} x {}".format(
                    part, *images.shape[1:3], *size
                )
            )
            images = pictures.resize(images, size)
        examples[part] = (~images if invert else images), labels
    if colourful and channels == 1:
        notes.append(f"images in colour {pictures.TURNED_GREY}")
    if not colourful and channels == 3:
        notes.append(
            "the images are grey, so their channels are equal: --channels 1 trains faster"
        )
    shapes = {images.shape[1:3] for images, _ in examples.values()}
    if len(shapes) > 1:
        listed = " and ".join("{} x {}".format(*shape) for shape in sorted(shapes))
        raise DataError(
            f"training and test images of {listed} pixels: give all the same size, or "
            "choose one by --size H W"
        )
    return examples, tuple(notes)


def _doubts(examples, inverted):
    """Return warnings about the images; raise DataError if they can't be right."""
    training, _ = examples["train"]
    found = doubts(training, inverted)
    for part, (images, _) in examples.items():
        try:
            found += [
                f"{part} images: {word}" for word in differences(images, training)
            ]
        except DataError as error:
            raise DataError(f"{part} images: {error}") from error
    return found


def _in_order(examples, sha256):
    """Return the Digits cut in order, labels unchanged, if they have this SHA-256.

    MNIST is cut in order, and so was all data in earlier versions, whose runs resume
    on the same splits.
    """
    if not all(_are_bytes(labels) for _, labels in examples.values()):
        return None
    splits = {
        part: Split(images, labels.astype(np.uint8))
        for part, (images, labels) in examples.items()
    }
    train, test = splits["train"], splits.get("test")
    count = len(train.labels) // (7 if test is None else 6)
    if test is None:
        train, test = cut(train, count)
    train, valid = cut(train, count)
    if digest(train, valid, test) != sha256:
        return None
    highest = max(int(split.labels.max()) for split in (train, valid, test))
    return Digits(train, valid, test, sha256, tuple(map(str, range(highest + 1))))


def _are_bytes(labels):
    whole = labels.dtype.kind in "iu"
    return whole and labels.min(initial=0) >= 0 and labels.max(initial=0) < 256


def _with_classes(examples, names, class_names=None):
    """Return {part: Split}, labels numbered from 0, and the names of the classes."""
    names = names or {}

    def named(values):
        return tuple(brief(names.get(value) or value) for value in values)

    if class_names is None:
        _, labels = examples["train"]
        class_names = named(sorted(np.unique(labels).tolist(), key=_order))
    if len(class_names) < 2 or len({*class_names}) < len(class_names):
        raise DataError(
            f"the names of the classes are {', '.join(class_names[:20]) or 'missing'}: "
            "give two or more that differ"
        )
    index = {name: i for i, name in enumerate(class_names)}
    splits = {}
    for part, (images, labels) in examples.items():
        values, numbers = np.unique(labels, return_inverse=True)
        part_names = named(values.tolist())
        if unknown := [name for name in part_names if name not in index]:
            raise DataError(
                f"{part} images of class {unknown[0]}, which is not one of the classes "
                f"to learn ({', '.join(class_names[:20])}): add training images of it, "
                "or leave it out"
            )
        dtype = np.uint8 if len(class_names) <= 256 else np.uint16
        to_index = np.array([index[name] for name in part_names], dtype)
        splits[part] = Split(images, to_index[numbers])
    return splits, class_names


def _order(value):
    """Return the key by which classes are sorted: digits in a name count as a number."""
    if not isinstance(value, str):
        return value
    words = filter(None, re.split(r"(\d+)", value))
    return [(int(word), "") if word.isdecimal() else (math.inf, word) for word in words]


def _split(splits, class_names, notes):
    """Return the Digits of {part: Split}; parts that are not given are drawn."""
    train, test = splits["train"], splits.get("test")
    if test is None:
        train, test = stratified(train, 7)
    valid = splits.get("valid")
    if valid is None:
        train, valid = stratified(train, 6)
    if not min(len(split.labels) for split in (train, valid, test)):
        raise DataError(
            "too few examples to leave some for validation and test: give at least 7, "
            "and several of each class"
        )
    counts = np.bincount(train.labels, minlength=len(class_names))
    if rare := [
        f"{class_names[i]} ({counts[i]})" for i in np.flatnonzero(counts < RARE)
    ]:
        notes += (
            f"classes with hardly any training images: {', '.join(rare[:20])}; give more",
        )
    sha256 = digest(train, valid, test)
    return Digits(train, valid, test, sha256, class_names, notes)
