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


class Digits(NamedTuple):
    """Three splits with images of one size, and what is known about all of them."""

    train: Split
    valid: Split
    test: Split
    sha256: str  # of all images and labels
    class_names: tuple = ()
    notes: tuple = ()  # lines for the user: what was done to the images, what is odd
    path: str | None = None  # where they are, absolute; None for MNIST's default folder


def cut(split, count):
    """Return the split without its last `count` examples, and these."""
    stop = len(split.labels) - count
    return (
        Split(split.images[:stop], split.labels[:stop]),
        Split(split.images[stop:], split.labels[stop:]),
    )


def stratified(split, fraction):
    """Return what is left and one in `fraction` examples, drawn from all classes alike.

    Examples are shuffled, then put class by class, and every so many is held out; one
    of each class always stays. Both parts come in random order.
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
    return (
        Split(split.images[kept], split.labels[kept]),
        Split(split.images[held_out], split.labels[held_out]),
    )


def digest(*splits):
    """Return the SHA-256 of all shapes, images and labels."""
    sha256 = hashlib.sha256()
    for split in splits:
        for array in split:
            sha256.update(repr(array.shape).encode())
            sha256.update(array)
    return sha256.hexdigest()
