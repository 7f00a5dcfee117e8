"""docs/watch.html is what python -m ramnp.watch writes."""

from pathlib import Path

import numpy as np
import pytest

from ramnp import load
from ramnp.datasets import mnist, scenes
from ramnp.figures import page
from tests.figures.test_page import data_of, images_of

ROOT = Path(__file__).parents[2]


def test_the_page_in_docs_is_what_the_command_writes():
    """All but the scenes: script, style, weights. Small enough to be mailed."""
    text = (ROOT / "docs" / "watch.html").read_text("utf-8")
    assert len(text.encode()) <= 2_500_000
    data = data_of(text)
    images, digits = (images_of(data[key]) for key in ("scenes", "digits"))
    labels = np.array(data["scenes"]["labels"])
    floats = images * np.float32(1 / 255)
    agent = load("cluttered")
    assert page.fill(agent, "cluttered", floats, labels, digits, range(10)) == text
    with np.load(ROOT / "tutorials" / "digits.npz") as own:
        test_images = own["x_test"]
    np.testing.assert_array_equal(digits, test_images[: len(digits)])


def test_the_scenes_in_docs_are_the_test_scenes():
    """The first of them; needs MNIST in data/."""
    if not mnist_is_here():
        pytest.skip("MNIST is not in data/")
    data = data_of((ROOT / "docs" / "watch.html").read_text("utf-8"))
    config = load("cluttered").config
    digits = mnist.load(ROOT / "data", progress=False)
    images, labels = scenes.frozen_chunk(digits.test, "test", 0, config)
    stored = images_of(data["scenes"])
    np.testing.assert_array_equal(np.rint(255 * images[: len(stored)]), stored)
    assert labels[: len(stored)].tolist() == data["scenes"]["labels"]


def mnist_is_here():
    """Tell whether all four files lie in data/, plain or compressed."""
    found = {path.name.removesuffix(".gz") for path in (ROOT / "data").iterdir()}
    return mnist.SHA256.keys() <= found
