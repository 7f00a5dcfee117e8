"""Training, validation and test: three splits of a set of labelled images."""

import hashlib
from typing import NamedTuple

import numpy as np

SEED = 2014  # of the shuffle; the same files give the same splits


class Split(NamedTuple):
    """Images (N, height, width) or (N, height, width, 3) as uint8, and labels (N,).

    Labels are uint8, or uint16 if there are more than 256 classes.
    """

    images: np.ndarray
    labels: np.ndarray

    def take(self, index: np.ndarray | slice) -> "Split":
        """Return the examples at these places."""
        return Split(self.images[index], self.labels[index])


class Digits(NamedTuple):
    """Three splits with images of one size, and their description."""

    train: Split
    valid: Split
    test: Split
    sha256: str  # of all images and labels
    class_names: tuple = ()
    notes: tuple = ()  # messages to the user: changes to the images, doubts about them
    path: str | None = None  # absolute; None for MNIST's default folder


def cut(split: Split, count: int) -> tuple[Split, Split]:
    """Return the split without its last `count` examples, and those examples."""
    stop = len(split.labels) - count
    return split.take(slice(stop)), split.take(slice(stop, None))


def stratified(split: Split, fraction: int) -> tuple[Split, Split]:
    """Return the kept examples, and one in `fraction` held out of each class.

    Examples are shuffled, sorted by class, and held out at regular intervals; at least
    one of each class is kept. Both parts are in random order.
    """
    rng = np.random.default_rng(SEED)
    order = rng.permutation(len(split.labels))
    order = order[np.argsort(split.labels[order], kind="stable")]
    _, first = np.unique(split.labels[order], return_index=True)
    candidates = np.delete(order, first)
    count = min(len(order) // fraction, len(candidates))
    places = np.arange(count) * len(candidates) // max(count, 1)
    held_out = rng.permutation(candidates[places])
    kept = rng.permutation(np.setdiff1d(order, held_out))
    return split.take(kept), split.take(held_out)


def digest(*splits: Split) -> str:
    """Return the SHA-256 of all shapes, images and labels."""
    sha256 = hashlib.sha256()
    for split in splits:
        for array in split:
            sha256.update(repr(array.shape).encode())
            sha256.update(array)
    return sha256.hexdigest()
