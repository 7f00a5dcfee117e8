"""Splits: fixed, stratified by class, without losing an image."""

import numpy as np
import pytest

from ramnp.datasets.splits import Split, cut, digest, stratified


def split_of(labels):
    """A split whose images tell which example they are."""
    images = np.arange(len(labels), dtype=np.uint8)[:, None, None]
    return Split(images, np.array(labels, np.uint8))


@pytest.mark.parametrize("shuffled", [False, True], ids=["by class", "shuffled"])
def test_every_class_is_held_out_in_proportion(rng, shuffled):
    """Files sorted by class, as most are, give the same as shuffled ones."""
    labels = np.repeat([0, 1, 2], [70, 35, 105])
    if shuffled:
        rng.shuffle(labels)
    kept, held_out = stratified(split_of(labels), 7)
    assert np.bincount(kept.labels).tolist() == [60, 30, 90]
    assert np.bincount(held_out.labels).tolist() == [10, 5, 15]
    together = np.concatenate([kept.images, held_out.images]).ravel()
    assert sorted(together) == list(range(210))
    for part in (kept, held_out):
        assert np.array_equal(part.labels, labels[part.images.ravel()])
        assert (np.diff(part.labels.astype(int)) < 0).any()  # in random order


@pytest.mark.parametrize("count", [1, 2, 7, 15, 20])
def test_one_of_each_class_always_stays(count):
    """Rare classes are for training; the number held out is the same."""
    labels = [*range(5), *[9] * count]
    kept, held_out = stratified(split_of(labels), 3)
    assert {*kept.labels} == {*labels}
    assert len(held_out.labels) == min(len(labels) // 3, count - 1)


def test_the_same_examples_give_the_same_split():
    """There is nothing in it but the examples."""
    first, second = (stratified(split_of([0, 1] * 30), 7) for _ in "12")
    assert digest(*first) == digest(*second)


def test_cut_takes_the_last():
    """In order, as MNIST."""
    kept, last = cut(split_of([0, 1, 2, 3, 4]), 2)
    assert kept.labels.tolist() == [0, 1, 2] and last.labels.tolist() == [3, 4]
    assert len(cut(last, 0)[1].labels) == 0


def test_the_digest_names_images_labels_and_shapes():
    """Any change of any of them gives another."""
    images, labels = (
        np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
        np.zeros(2, np.uint8),
    )
    sums = {
        digest(Split(images, labels)),
        digest(Split(images ^ 1, labels)),
        digest(Split(images, labels + np.uint8(1))),
        digest(Split(images.reshape(2, 4, 3), labels)),
    }
    assert len(sums) == 4
    assert digest(Split(images, labels)) in sums
