"""The digits: MNIST, fetched once and verified, or a user's own data."""

import hashlib
from os.path import realpath
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ramnp.datasets.download import fetch
from ramnp.datasets.idx import read_idx
from ramnp.datasets.own_data import read_npz
from ramnp.support.errors import DataError

DEFAULT_FOLDER = "data"

# Of the plain IDX files, train and test, images and labels.
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


class Split(NamedTuple):
    """`images` (N, height, width) and `labels` (N,), both uint8."""

    images: np.ndarray
    labels: np.ndarray


class Digits(NamedTuple):
    """Three splits of one size of image, and the SHA-256 of all that is in them."""

    train: Split
    valid: Split
    test: Split
    sha256: str


def load(data=None, progress: bool = True, num_classes: int = 10) -> Digits:
    """Reads MNIST or the user's own data, whole and checked, or raises DataError.

    `data` is one of
    - None: MNIST in the folder `data`. What is missing is fetched into it.
    - a folder with the four IDX files, plain or `.gz`. If the SHA-256 of one is
      MNIST's, or one is missing, all must be MNIST (so that a damaged file is refused,
      and the missing ones are fetched); if none is, they are the user's own. The
      folder `data` is MNIST's alone.
    - a new or empty folder: MNIST is fetched into it.
    - an `.npz` file with `images` and `labels` (see `own_data.read_npz`).

    The last sixth of the training files is for validation: of MNIST's 60,000 digits
    10,000. An `.npz` is cut in order into 5/7, 1/7 and 1/7. Labels must be less than
    `num_classes` (256 at most). Progress goes to stderr, and bars only to a terminal.
    """
    path = Path(DEFAULT_FOLDER if data is None else data)
    try:
        if path.is_dir() or not path.exists() and path.suffix != ".npz":
            files = _read_folder(path, progress)
            train, test = (_check(*pair, num_classes, path) for pair in files)
            train, valid = _cut(train, len(train.labels) // 6)
        else:
            train = _check(*read_npz(path), num_classes, path)
            held_out = len(train.labels) // 7
            train, test = _cut(train, held_out)
            train, valid = _cut(train, held_out)
    except OSError as error:
        raise DataError(
            f"cannot read {error.filename or path}: {error.strerror or error}; "
            "check the path and its permissions"
        ) from error
    if train.images.shape[1:] != test.images.shape[1:]:
        raise DataError(
            f"{path}: the training images are {train.images.shape[1:]}, the test "
            f"images {test.images.shape[1:]} pixels: give all the same size"
        )
    if not len(valid.labels):
        raise DataError(
            f"{path} holds too few examples to leave some for validation: give at "
            "least 7 in an .npz, 6 for training in IDX files"
        )
    return Digits(train, valid, test, _digest(train, valid, test))


def _read_folder(folder, progress):
    """Images and labels for training, then for the test."""
    found = {name: _find(folder, name) for name in SHA256}
    missing = {name: SHA256[name] for name in SHA256 if not found[name]}
    is_default = realpath(folder) == realpath(DEFAULT_FOLDER)
    if len(missing) == len(SHA256) and not is_default and _has_files(folder):
        raise DataError(
            f"{folder} holds other files, but none of {', '.join(SHA256)}: name an "
            "empty or new folder to have MNIST fetched into it"
        )
    content = {name: _read(path) for name, path in found.items() if path}
    foreign = [name for name, (_, sha256) in content.items() if sha256 != SHA256[name]]
    is_own = not is_default and len(foreign) == len(SHA256)
    if foreign and not is_own:
        raise DataError(
            f"{found[foreign[0]]} is not MNIST's (wrong SHA-256): delete it to have it "
            "fetched; if it is your own, give all four files, none of them MNIST's, in "
            f"a folder other than {DEFAULT_FOLDER}, or give an .npz"
        )
    if missing:
        fetch(folder, missing, progress)
        content |= {name: _read(folder / name) for name in missing}
    train_images, train_labels, test_images, test_labels = (
        content[name][0] for name in SHA256
    )
    return (train_images, train_labels), (test_images, test_labels)


def _find(folder, name):
    for path in (folder / name, folder / f"{name}.gz"):
        if path.exists():
            return path


def _has_files(folder) -> bool:
    return folder.exists() and any(
        not path.name.startswith(".") for path in folder.iterdir()
    )


def _read(path):
    return read_idx(path, ndim=3 if "idx3" in path.name else 1)


def _check(images, labels, num_classes, path) -> Split:
    if len(images) != len(labels):
        raise DataError(
            f"{path} holds {len(images)} images, but {len(labels)} labels: give one "
            "label for each image"
        )
    if not images.size:
        raise DataError(f"{path} holds no pixels: images {images.shape} are empty")
    if labels.min() < 0:
        raise DataError(f"{path}: labels go down to {labels.min()}: start them at 0")
    if labels.max() >= num_classes:
        raise DataError(
            f"{path}: labels go up to {labels.max()}, but the model has {num_classes} "
            f"classes: labels must be 0 to {num_classes - 1}"
        )
    return Split(images, labels.astype(np.uint8))


def _cut(split, count) -> tuple[Split, Split]:
    """The split without its last `count` examples, and these."""
    stop = len(split.labels) - count
    return (
        Split(split.images[:stop], split.labels[:stop]),
        Split(split.images[stop:], split.labels[stop:]),
    )


def _digest(*splits) -> str:
    sha256 = hashlib.sha256()
    for split in splits:
        for array in split:
            sha256.update(repr(array.shape).encode())
            sha256.update(array)
    return sha256.hexdigest()
