"""Exact gradients of expectations over where an agent looks.

The agent looks through a smooth sensor, so what it earns is a smooth function of its
locations, and the expectation over Gaussian locations is a sum: Gauss and Hermite's
quadrature. The complex step differentiates that sum by moving its nodes with the
policy's mean, l = mu + sigma z, so neither log pi nor any backward pass has a part in it.
"""

import contextlib
import dataclasses
import math
from typing import NamedTuple

import numpy as np

from ramnp.agent import glimpse_sensor, model
from ramnp.learning import reinforce
from ramnp.learning.config import Config
from ramnp.proofs import complex_step
from ramnp.proofs.complex_step import flat, nested
from ramnp.proofs.replacing import replaced

# How far a unit stands from the kink of its rectifier. Eight standard deviations of the
# policy do not carry it across, so the agent is smooth wherever it may look.
MARGIN = 4.0

DEFAULTS = {
    "locator_hidden_size": 3,
    "locator_tanh": True,
    "policy_into_core": True,
    "classify_every_step": True,
    "reward": "log-probability",
    "first_glimpse": "center",
    "patch_size": 2,
    "hg_size": 3,
    "hl_size": 2,
    "g_size": 4,
    "h_size": 5,
    "num_classes": 3,
}


class Problem(NamedTuple):
    """A small agent before two images, which only the smooth sensor can read."""

    config: Config
    params: dict
    images: np.ndarray  # (2, 4, cells): see smooth_glimpse
    labels: np.ndarray


def prepare_smooth(images, *_):
    """Stand in for glimpse_sensor.prepare."""
    return images


def smooth_glimpse(images, l):
    """Stand in for glimpse_sensor.forward: rho = a sin(k_x x + k_y y + c) per cell.

    images (B, 4, cells) hold k_x, k_y, c and a.
    """
    every_row = np.tile(images, (len(l) // len(images), 1, 1))
    kx, ky, c, a = every_row.swapaxes(0, 1)
    return a * np.sin(kx * l[:, :1] + ky * l[:, 1:] + c)


@contextlib.contextmanager
def smooth_sensor():
    """Let every agent look through the smooth sensor."""
    with (
        replaced(glimpse_sensor.prepare, prepare_smooth),
        replaced(glimpse_sensor.forward, smooth_glimpse),
    ):
        yield


def make_problem(mean, std, num_choices=1, **settings):
    """Return an agent whose first choice of a location has the given mean.

    The last unit of each rectified layer is off, all others are on.
    """
    config = Config(
        num_glimpses=num_choices + 1, location_std=std, **DEFAULTS | settings
    )
    rng = np.random.default_rng(9)
    p = flat(model.init(rng, config, np.float64))
    for array in p.values():
        array[...] = rng.standard_normal(array.shape) / math.sqrt(len(array))
    p["core.W_h"] *= 0.5
    p["action.W_a"] *= 2
    p["location.W_mu"] *= 0.25
    images = rng.standard_normal((2, 4, config.patch_size**2))

    def units(size):
        return np.array([MARGIN] * (size - 1) + [-MARGIN])

    def settle(bias, *inputs):
        """Set a bias so that its units stand off their kinks; return the units."""
        z = sum((x @ p[weights]).mean(axis=0) for x, weights in inputs)
        p[bias][...] = units(len(z)) - z
        return np.maximum(units(len(z)), 0)[None]

    l = np.tile(mean, (2, 1))
    hg = settle("glimpse.b_hg", (smooth_glimpse(images, l), "glimpse.W_hg"))
    hl = settle("glimpse.b_hl", (l, "glimpse.W_hl"))
    g = settle("glimpse.b_g", (np.concatenate([hg, hl], axis=1), "glimpse.W_g"))
    h = np.maximum(units(config.h_size), 0)[None]
    settle("core.b_h", (h, "core.W_h"), (g, "core.W_g"))
    if config.locator_hidden_size:
        settle("location.b_hidden", (h, "location.W_hidden"))
    p["action.b_a"][...] = -(h @ p["action.W_a"])[0]

    linear = dataclasses.replace(config, locator_tanh=False)
    first = np.zeros((config.num_glimpses, 2, 2))
    with smooth_sensor():
        mu = model.replay(nested(p), images, first, linear).mu[0]
    target = np.arctanh(mean) if config.locator_tanh else np.array(mean)
    p["location.b_mu"] += target - mu.mean(axis=0)
    return Problem(config, nested(p), images, np.array([0, 2]))


@smooth_sensor()
def expected_return(problem, num_nodes):
    """Return the gradient of E[R], {name: array}: what REINFORCE estimates.

    It is the policy's alone: what turns glimpses into a reward stands fixed.
    """
    fixed = _complex(problem.params)

    def loss(arrays):
        locations, weights = nodes(problem, nested(arrays), num_nodes)
        return (weights * _log_p(problem, fixed, locations)).sum()

    return complex_step.derivatives(loss, flat(problem.params))


@smooth_sensor()
def cross_entropy_of_what_was_seen(problem, num_nodes):
    """Return E[gradient of the cross-entropy with the locations held]."""
    locations, weights = nodes(problem, problem.params, num_nodes)

    def loss(arrays):
        return -(weights * _log_p(problem, nested(arrays), locations)).sum()

    return complex_step.derivatives(loss, flat(problem.params))


@smooth_sensor()
def expected_cross_entropy(problem, num_nodes):
    """Return the gradient of E[cross-entropy], by every way that leads there."""

    def loss(arrays):
        params = nested(arrays)
        locations, weights = nodes(problem, params, num_nodes)
        return -(weights * _log_p(problem, params, locations)).sum()

    return complex_step.derivatives(loss, flat(problem.params))


class _Recital:
    """A generator whose normal numbers are the nodes of the quadrature."""

    def __init__(self, z):
        self._z = iter(z)

    def standard_normal(self, shape, dtype):
        return next(self._z).reshape(shape)


def nodes(problem, params, num_nodes):
    """Return locations (T, N, 2) of every combination of nodes, and weights (N,)."""
    x, w = np.polynomial.hermite_e.hermegauss(num_nodes)
    num_choices = problem.config.num_glimpses - 1
    axes = 2 * num_choices
    z = np.stack(np.meshgrid(*[x] * axes), axis=-1).reshape(-1, num_choices, 2)
    weights = (
        np.stack(np.meshgrid(*[w / w.sum()] * axes)).reshape(axes, -1).prod(axis=0)
    )
    B = len(problem.images)
    trajectory = model.rollout(
        params,
        problem.images,
        _Recital(np.repeat(z, B, axis=0).swapaxes(0, 1)),
        problem.config,
        num_rollouts=len(z),
    )
    return trajectory.locations, np.repeat(weights, B) / B


def _log_p(problem, params, locations):
    """Return the log-probabilities (N,) of the right class, summed over steps."""
    trajectory = model.replay(params, problem.images, locations, problem.config)
    labels = np.tile(problem.labels, locations.shape[1] // len(problem.labels))
    return reinforce.log_probability_reward(trajectory.logits, labels).sum(axis=0)


def _complex(params):
    return nested({name: a.astype(complex) for name, a in flat(params).items()})
