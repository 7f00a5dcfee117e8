"""Checks the answers to chapter 6."""

import dataclasses

import numpy as np
import pytest

from ramnp.agent import model
from ramnp.learning import reinforce
from ramnp.learning.config import Config
from ramnp.proofs.complex_step import flat, nested

HINTS = {
    1: (
        "the gradient of a mean over rows is the mean of the rows' gradients.",
        "weigh each half by its number of rows.",
    ),
    2: (
        "the chapter's `look` does everything but draw the locations.",
        "draw after each glimpse but the last: T - 1 times.",
    ),
    3: (
        "write the forward pass first, and keep every rho, h_g, h_l, g and h.",
        (
            "the policy's and the baseline's gradients stay in their own networks: only "
            "the class sends something into h_T."
        ),
        "then chapter 4's recursion over h, and chapter 3's backward pass in each step.",
    ),
}

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


def test_1_gradient_of_halves(answers, check, params, rng):
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
        check.all(found, expected)


def test_2_rollout(answers, check, params, rng):
    """With the same noise it looks where the package's agent looks."""
    image = rng.random((11, 12))
    seeds = [np.random.default_rng(8) for _ in range(2)]
    locations, logits = answers.rollout(params, image, seeds[0], CONFIG)
    expected = model.rollout(nested(params), image[None], seeds[1], CONFIG)
    check("locations", locations, expected.locations[:, 0])
    check("logits", logits, expected.logits[:, 0])
    longer = dataclasses.replace(CONFIG, location_std=0.4)
    wider, _ = answers.rollout(params, image, np.random.default_rng(8), longer)
    step, wide_step = locations[1], wider[1]
    mu = expected.mu[0, 0]
    check("the first step with twice the σ", wide_step - mu, 2 * (step - mu), rtol=1e-8)


def test_3_gradient(answers, check, params, rng):
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
    check.all({name: found.get(name) for name in expected}, expected)
