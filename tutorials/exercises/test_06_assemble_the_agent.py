"""Checks the answers to tutorial 6."""

import dataclasses

import numpy as np
import pytest

from ramnp.agent import model
from ramnp.learning import reinforce
from ramnp.learning.config import Config
from ramnp.proofs import complex_step
from ramnp.proofs.complex_step import flat, nested

CONFIG = Config(
    num_glimpses=4,
    patch_size=3,
    num_scales=2,
    num_classes=5,
    hg_size=6,
    hl_size=7,
    g_size=8,
    h_size=9,
    location_std=0.2,
    first_glimpse="center",
)


@pytest.fixture
def params(rng):
    """An agent of order 1, {"network.name": array}."""
    drawn = flat(model.init(rng, CONFIG, np.float64))
    return {name: rng.standard_normal(a.shape) / 2 for name, a in drawn.items()}


def hybrid_gradient(params, images, labels, locations, R, advantage):
    """The package's gradients, {"network.name": array}."""
    trajectory = model.replay(nested(params), images, locations, CONFIG)
    _, cache = reinforce.hybrid_loss_forward(
        trajectory, labels, R, advantage, CONFIG, CONFIG.location_std
    )
    upstream = reinforce.hybrid_loss_backward(cache)
    return flat(model.backward(*upstream, trajectory, CONFIG))


def test_1_gradient_of_halves(answers, params, rng):
    """Two halves make the whole, of an odd number of rows too."""
    for B in (6, 7):
        images, labels = rng.random((B, 11, 12)), rng.integers(5, size=B)
        locations = rng.uniform(-1, 1, size=(4, B, 2))
        R, advantage = rng.standard_normal((2, 3, B))

        def gradient_of(
            rows,
            images=images,
            labels=labels,
            locations=locations,
            R=R,
            advantage=advantage,
        ):
            return hybrid_gradient(
                params,
                images[rows],
                labels[rows],
                locations[:, rows],
                R[:, rows],
                advantage[:, rows],
            )

        found = answers.gradient_of_halves(gradient_of, B)
        expected = gradient_of(slice(0, B))
        assert complex_step.failures(found, expected, coordinate=1e-8) == {}


def test_2_rollout(answers, params, rng):
    """With the same noise it looks where the package's agent looks."""
    image = rng.random((11, 12))
    seeds = [np.random.default_rng(8) for _ in range(2)]
    locations, logits = answers.rollout(params, image, seeds[0], CONFIG)
    expected = model.rollout(nested(params), image[None], seeds[1], CONFIG)
    assert np.allclose(locations, expected.locations[:, 0], rtol=1e-10)
    assert np.allclose(logits, expected.logits[:, 0], rtol=1e-10)
    longer = dataclasses.replace(CONFIG, location_std=0.4)
    wider, _ = answers.rollout(params, image, np.random.default_rng(8), longer)
    step, wide_step = locations[1], wider[1]
    mu = expected.mu[0, 0]
    assert np.allclose(wide_step - mu, 2 * (step - mu), rtol=1e-8)


def test_3_gradient(answers, params, rng):
    """Every gradient of the whole agent is the package's."""
    image, label = rng.random((11, 12)), 3
    locations = rng.uniform(-1, 1, size=(4, 2))
    R, advantage = rng.standard_normal((2, 3))
    found = answers.gradient(params, image, label, locations, R, advantage, CONFIG)
    expected = hybrid_gradient(
        params,
        image[None],
        np.array([label]),
        locations[:, None],
        R[:, None],
        advantage[:, None],
    )
    found = {name: found[name] for name in expected}
    assert complex_step.failures(found, expected, coordinate=1e-8) == {}
