"""tutorials/ram.py: the whole agent in one file computes what the package computes."""

import ast
from pathlib import Path

import numpy as np
import pytest

from ramnp.agent import glimpse_sensor, model
from ramnp.learning import reinforce
from ramnp.learning.config import Config
from tutorials import ram

SOURCE = Path(ram.__file__)
C = {"T": 4, "patch": 4, "scales": 2, "C": 5, "size": 8, "first": "random"}
CONFIG = Config(
    num_glimpses=4,
    patch_size=4,
    num_scales=2,
    num_classes=5,
    hg_size=4,
    hl_size=4,
    g_size=8,
    h_size=8,
    classify_every_step=True,
)
STD = 0.4


def as_package(p):
    """Return matrices with their biases in the last row as the package's tree."""
    n = C["size"]
    return {
        "glimpse": {
            "W_hg": p["what"][:-1],
            "b_hg": p["what"][-1],
            "W_hl": p["where"][:-1],
            "b_hl": p["where"][-1],
            "W_g": p["glimpse"][:-1],
            "b_g": p["glimpse"][-1],
        },
        "core": {
            "W_g": p["core"][:n],
            "W_h": p["core"][n:-1],
            "b_h": p["core"][-1],
        },
        "location": {"W_mu": p["mu"][:-1], "b_mu": p["mu"][-1]},
        "action": {"W_a": p["class"][:-1], "b_a": p["class"][-1]},
        "baseline": {"W_b": p["b"][:-1], "b_b": p["b"][-1]},
    }


def test_it_is_short_and_needs_numpy_alone():
    """At most 150 lines, as promised, and no import but sys and NumPy."""
    text = SOURCE.read_text("utf-8")
    assert len(text.splitlines()) <= 150
    found = [node for node in ast.walk(ast.parse(text)) if hasattr(node, "names")]
    assert [name.name for node in found for name in node.names] == ["sys", "numpy"]


def test_glimpse_is_the_package_s_sensor():
    """Every scale, at locations far beyond the corners and at ties of rounding."""
    rng = np.random.default_rng(0)
    for side, patch, scales in ((28, 8, 1), (24, 8, 1), (60, 12, 3), (20, 4, 2)):
        images = rng.random((50, side, side))
        l = 1.5 * rng.standard_normal((50, 2))
        l[:20] = rng.integers(-side, side, size=(20, 2)) / side  # whole, half pixels
        pyramid = glimpse_sensor.prepare(images, patch, scales)
        expected = glimpse_sensor.forward(pyramid, l)
        assert np.allclose(ram.glimpse(images, l, patch, scales), expected, atol=1e-14)


@pytest.mark.parametrize("first", ["random", "center"])
def test_gradient_is_the_package_s(first):
    """Outputs and every gradient of the hybrid loss agree to rounding, in float64."""
    rng = np.random.default_rng(1)
    c = C | {"first": first}
    drawn = ram.init(rng, c)
    p = {name: rng.standard_normal(W.shape) / 2 for name, W in drawn.items()}
    images, labels = rng.random((6, 20, 20)), rng.integers(5, size=6)
    k = ram.look(p, images, STD, rng, c)
    assert (k["l"][0] == 0).all() == (first == "center")

    trajectory = model.replay(as_package(p), images, k["l"], CONFIG)
    assert np.allclose(k["y"], trajectory.logits, rtol=1e-11)
    assert np.allclose(k["mu"][1:], trajectory.mu, rtol=1e-11)
    assert np.allclose(k["b"][:-1, :, 0], trajectory.baseline, rtol=1e-11)

    reward = reinforce.rewards(trajectory.logits, labels, "final")
    R = reinforce.returns_to_go(reward, 1.0)
    R = R + rng.standard_normal(R.shape[1])  # nothing may cancel
    advantage = R - trajectory.baseline
    _, cache = reinforce.hybrid_loss_forward(
        trajectory, labels, R, advantage, CONFIG, STD
    )
    upstream = reinforce.hybrid_loss_backward(cache)
    expected = model.backward(*upstream, trajectory, CONFIG)
    found = as_package(ram.gradient(p, k, labels, R[0], STD, c))
    for network, arrays in expected.items():
        assert arrays.keys() == found[network].keys()
        for name, array in arrays.items():
            error = np.abs(found[network][name] - array).max()
            assert 0 < np.abs(array).max(), name
            assert error < 1e-12 * np.abs(array).max(), name


def test_it_learns_to_follow_the_sign(capsys):
    """In a second: always right, where random glimpses are right half of the time."""
    rng = np.random.default_rng(0)
    p = ram.train(ram.SIGN, *ram.signs(rng, 2000), rng)
    scenes, upright = ram.signs(rng, 2000)
    answers = ram.look(p, scenes, 0.1, rng, ram.SIGN)["y"][-1].argmax(axis=1)
    assert np.mean(answers != upright) < 0.01
    assert capsys.readouterr().out.count("% of the batch right") == 10


@pytest.mark.slow
def test_it_learns_mnist(capsys, monkeypatch):
    """All of MNIST, in two to three minutes of one core: an error of at most 4 %."""
    monkeypatch.chdir(SOURCE.parents[1])
    if not Path("data/train-images-idx3-ubyte").exists():
        pytest.skip("MNIST is not in data/")
    rng = np.random.default_rng(0)
    p = ram.train(ram.MNIST, *ram.mnist("train"), rng)
    images, labels = ram.mnist("t10k")
    answers = ram.look(p, images, 0.05, rng, ram.MNIST)["y"][-1].argmax(axis=1)
    assert 100 * np.mean(answers != labels) <= 4
