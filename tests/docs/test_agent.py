"""docs/agent.gif: four digits, found after a wrong first guess, in a small file."""

import runpy
from pathlib import Path

import numpy as np
from PIL import Image

from ramnp.learning.predictor import Seen

SCRIPT = Path(__file__).parents[2] / "docs" / "agent.py"


def test_scenes_are_those_where_looking_helped():
    """Wrong after the first glimpse, right and sure after the last; each digit once."""
    #         digit, first guess, last guess, how sure of it
    scenes = [
        (0, 0, 0, 1.0),
        (1, 2, 1, 0.99),
        (1, 2, 1, 0.99),
        (2, 1, 1, 0.99),
        (5, 1, 5, 0.6),
        (4, 1, 4, 0.99),
        (3, 1, 3, 0.99),
        (0, 1, 0, 0.99),
        (2, 1, 2, 0.99),
    ]
    labels, first, last, sure = map(np.array, zip(*scenes))
    steps = np.zeros((len(scenes), 2, 10))
    rows = np.arange(len(scenes))
    steps[rows, 0, first] = 1
    steps[rows, 1, last] = sure
    seen = Seen(last, steps[:, 1], np.zeros((len(scenes), 2, 2)), steps)
    chosen = runpy.run_path(SCRIPT)["choose"](labels, seen)
    assert [*chosen] == [1, 5, 6, 7]


def test_the_committed_one_is_small_and_fine():
    """At most 600 kB; a frame per glimpse; fine enough for a README on any screen."""
    path = SCRIPT.with_suffix(".gif")
    assert path.stat().st_size <= 600_000
    with Image.open(path) as gif:
        assert gif.n_frames == 8
        assert gif.width >= 2 * 700
