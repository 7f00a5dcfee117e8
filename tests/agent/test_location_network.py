"""The location network: mean, sample, log-probability and score of a Gaussian."""

import numpy as np
import pytest
from scipy.stats import norm

from ramnp.agent import location_network
from ramnp.proofs.complex_step import derivatives, failures
from tests.helpers import assert_contract, order_one

B, H, HIDDEN = 5, 6, 4
BOUNDS = {
    "none": lambda x: x,
    "tanh": np.tanh,
    "hard-tanh": lambda x: np.clip(x, -1, 1),
}
OPTIONS = [(hidden_size, bound) for hidden_size in (0, HIDDEN) for bound in BOUNDS]


def test_every_bound_is_tested():
    """No other can be chosen."""
    assert location_network.BOUNDS.keys() == BOUNDS.keys()


@pytest.mark.parametrize("hidden_size, bound", OPTIONS)
def test_mean_is_the_formula(rng, hidden_size, bound):
    """μ is linear in h; the options put a rectified layer before it, a bound after."""
    params = order_one(rng, location_network.init(rng, H, hidden_size))
    h = rng.standard_normal((B, H))
    expected = h
    if hidden_size:
        expected = np.maximum(h @ params["W_hidden"] + params["b_hidden"], 0)
    expected = expected @ params["W_mu"] + params["b_mu"]
    assert np.abs(expected).max() > 1  # the bound matters
    mu, _ = location_network.forward(params, h, bound)
    assert mu.shape == (B, 2)
    assert np.allclose(mu, BOUNDS[bound](expected))
    unbounded, _ = location_network.forward(params, h)
    assert np.allclose(unbounded, expected)


def test_no_gradient_passes_a_mean_at_the_border():
    """A hard tanh is flat there, and a straight line up to it."""
    params = {"W_mu": np.eye(2), "b_mu": np.zeros(2)}
    h = np.array([[0.99, -0.99], [1.0, -1.0], [3.0, -3.0]])
    mu, cache = location_network.forward(params, h, "hard-tanh")
    assert np.array_equal(mu, [[0.99, -0.99], [1, -1], [1, -1]])
    (dh,), _ = location_network.backward(np.full((3, 2), 5.0), cache)
    assert np.array_equal(dh, [[5, 5], [0, 0], [0, 0]])


@pytest.mark.parametrize("hidden_size, bound", OPTIONS)
def test_contract(rng, hidden_size, bound):
    """Shapes, dtypes, pure functions, and gradients by the complex step."""
    hidden = {"W_hidden": (H, HIDDEN), "b_hidden": (HIDDEN,)} if hidden_size else {}
    assert_contract(
        rng,
        location_network,
        (H, hidden_size),
        hidden | {"W_mu": (hidden_size or H, 2), "b_mu": (2,)},
        {"h": (B, H)},
        (B, 2),
        (bound,),
        gains={"W_mu": 0.1},  # the first looks fall near the centre
        scales={"W_mu": 0.25},  # where tanh is flat, 1 - μ² has few digits
    )


def test_location_std_is_a_standard_deviation_in_units_of_l(rng):
    """Samples lie σ, not σ², around the mean, and x and y are independent."""
    mu = np.tile([0.4, -0.3], (100_000, 1))
    l = location_network.sample(mu, 0.3, rng)
    assert np.allclose(l.mean(axis=0), [0.4, -0.3], atol=0.005)
    assert np.allclose(np.cov(l.T), [[0.09, 0], [0, 0.09]], atol=0.002)


@pytest.mark.parametrize("mean", [0.0, 0.5, 0.9])
def test_mean_score_is_zero_up_to_the_border(rng, mean):
    """The score is of the raw Gaussian sample, neither clipped nor squashed.

    Were it of the clipped sample, its mean at 0.9 would be -1.0; squashed, -6.7.
    """
    mu = np.full((200_000, 2), mean)
    l = location_network.sample(mu, 0.17, rng)
    assert mean < 0.9 or (l > 1).mean() > 0.2
    standard_error = 1 / 0.17 / np.sqrt(mu.size)
    assert abs(location_network.score(l, mu, 0.17).mean()) < 4 * standard_error


@pytest.mark.parametrize("location_std", [0.01, 0.2, 3.0])
def test_log_pi_is_the_log_of_the_density(rng, location_std):
    """It is that of two independent Gaussians, finite at 7 σ and at small σ."""
    mu = rng.standard_normal((B, 2))
    for distance in (0.0, 0.5, -7.0, 40.0):
        l = mu + distance * location_std
        log_pi = location_network.log_pi(l, mu, location_std)
        assert log_pi.shape == (B,)
        assert np.allclose(log_pi, norm.logpdf(l, mu, location_std).sum(axis=1))


@pytest.mark.parametrize("location_std", [0.01, 0.2, 3.0])
def test_score_is_the_derivative_of_log_pi_by_the_mean(rng, location_std):
    """score = (l - μ) / σ² exactly, with l held fixed."""
    l, mu = rng.standard_normal((2, B, 2))

    def loss(arrays):
        return location_network.log_pi(l, arrays["mu"], location_std).sum()

    score = location_network.score(l, mu, location_std)
    assert np.array_equal(score, (l - mu) / location_std**2)
    assert not failures({"mu": score}, derivatives(loss, {"mu": mu}))


def test_sampling_draws_from_the_generator_given():
    """The same generator state gives the same sample, another state another."""
    mu = np.zeros((B, 2))
    first, again, other = (
        location_network.sample(mu, 0.2, np.random.default_rng(seed))
        for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.any(first == other)
