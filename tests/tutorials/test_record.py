"""The film of chapter 9: how it is recorded, and what lies in its file."""

import numpy as np

from ramnp.datasets import mnist
from ramnp.datasets.mnist import Split
from ramnp.learning.recipes import make_config
from tutorials import build, record

NAMES = {"step", "sampled_error", "deterministic_error", "locations"}


def test_it_records_the_named_steps_and_each_epoch():
    """Steps 0 and 1 and the end of the epoch: errors in percent, 100 paths each."""
    digits = mnist.load(build.HERE / "digits.npz")
    digits = digits._replace(train=Split(*(array[:120] for array in digits.train)))
    test = Split(*(array[:120] for array in digits.test))
    sizes = dict.fromkeys(("hg_size", "hl_size", "g_size", "h_size"), 4)
    changes = sizes | {"batch_size": 40, "num_shards": 1, "epochs": 1}
    config = make_config("cluttered", "quick", **changes)
    *_, found = record.record(digits, test, config, first=(0, 1))
    assert found.keys() == NAMES
    assert found["step"].tolist() == [0, 1, 3]
    assert found["locations"].shape == (3, 100, 8, 2)
    for name in ("sampled_error", "deterministic_error"):
        assert found[name].min() >= 0 and found[name].max() <= 100


def test_the_film_in_git_is_such_a_record():
    """Small, of 100 scenes, from before the first step on, and the agent learns."""
    path = build.HERE / "path.npz"
    with np.load(path, allow_pickle=False) as film:
        assert set(film) == NAMES
        count = len(film["step"])
        assert film["step"][0] == 0 and (np.diff(film["step"]) > 0).all()
        assert film["locations"].shape == (count, 100, 8, 2)
        assert film["sampled_error"][-1] < film["sampled_error"][0] / 2
    assert path.stat().st_size < 200_000
