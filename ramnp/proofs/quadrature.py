"""Exact gradients of expectations over the agent's locations.

The agent looks through a smooth sensor, which makes its reward a smooth function of
its locations. The expectation over Gaussian locations is a sum: Gauss-Hermite
quadrature. The complex step differentiates this sum by moving its nodes with the mean
of the policy, l = mu + sigma z. Neither log pi nor any backward pass takes part.
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

# Distance of each unit from the kink of its rectifier. Eight standard deviations of the
# policy move no unit across, which makes the agent smooth wherever it may look.
MARGIN = 4.0

SETTINGS = {
    "locator_hidden_size": 3,
    "locator_bound": "tanh",
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
LINEAR_MEAN = {"locator_hidden_size": 0, "locator_bound": "none"}


class Case(NamedTuple):
    """Mean and standard deviation of a policy, and the number of nodes it needs."""

    mean: tuple
    std: float
    num_nodes: int  # per dimension; one more changes nothing
    num_choices: int = 1
    settings: dict = SETTINGS


class Problem(NamedTuple):
    """A small agent and two images that only the smooth sensor can read."""

    config: Config
    params: dict
    images: np.ndarray  # (2, 4, cells): see smooth_glimpse
    labels: np.ndarray


def prepare_smooth(images, *_):
    """Take the place of glimpse_sensor.prepare."""
    return images


def smooth_glimpse(images, l):
    """Take the place of glimpse_sensor.forward: rho = a sin(k_x x + k_y y + c).

    images (B, 4, cells) hold k_x, k_y, c and a of each cell.
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


def make_problem(case):
    """Return an agent whose first location has the mean of a case.

    The last unit of each rectified layer is off, all others are on.
    """
    config = Config(
        num_glimpses=case.num_choices + 1, location_std=case.std, **case.settings
    )
    rng = np.random.default_rng(9)
    p = flat(model.init(rng, config, np.float64))
    for array in p.values():
        array[...] = rng.standard_normal(array.shape) / math.sqrt(len(array))
    p["core.W_h"] *= 0.5
    p["action.W_a"] *= 2
    p["location.W_mu"] *= 0.25
    images = rng.standard_normal((2, 4, config.patch_size**2))

    def settle(bias, *inputs):
        """Set a bias that keeps its units off their kinks; return the units."""
        z = sum((x @ p[weights]).mean(axis=0) for x, weights in inputs)
        target = np.array([MARGIN] * (len(z) - 1) + [-MARGIN])
        p[bias][...] = target - z
        return np.maximum(target, 0)[None]

    l = np.tile(case.mean, (2, 1))
    hg = settle("glimpse.b_hg", (smooth_glimpse(images, l), "glimpse.W_hg"))
    hl = settle("glimpse.b_hl", (l, "glimpse.W_hl"))
    g = settle("glimpse.b_g", (np.concatenate([hg, hl], axis=1), "glimpse.W_g"))
    h = settle("core.b_h", (g, "core.W_g"))
    settle("core.b_h", (h, "core.W_h"), (g, "core.W_g"))
    if config.locator_hidden_size:
        settle("location.b_hidden", (h, "location.W_hidden"))
    p["action.b_a"][...] = -(h @ p["action.W_a"])[0]

    linear = dataclasses.replace(config, locator_bound="none")
    first = np.zeros((config.num_glimpses, 2, 2))
    with smooth_sensor():
        mu = model.replay(nested(p), images, first, linear).mu[0]
    bounded = config.locator_bound == "tanh"
    target = np.arctanh(case.mean) if bounded else np.array(case.mean)
    p["location.b_mu"] += target - mu.mean(axis=0)
    return Problem(config, nested(p), images, np.array([0, 2]))


@smooth_sensor()
def expected_log_p(problem, num_nodes, by_looking=True, by_seeing=True):
    """Return the gradient of E[log p(right class), summed over steps], {name: array}.

    by_looking: through the choice of locations, all that REINFORCE estimates.
    by_seeing: through the networks that classify, at fixed locations.
    """
    params = flat(problem.params)
    fixed = nested({name: array.astype(complex) for name, array in params.items()})

    def expectation(arrays):
        moved = nested(arrays)
        locations, weights = nodes(problem, moved if by_looking else fixed, num_nodes)
        trajectory = model.replay(
            moved if by_seeing else fixed, problem.images, locations, problem.config
        )
        labels = np.tile(problem.labels, len(weights) // len(problem.labels))
        log_p = reinforce.log_probability_reward(trajectory.logits, labels)
        return (weights * log_p.sum(axis=0)).sum()

    return complex_step.derivatives(expectation, params)


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

    def combinations(values):
        axes = 2 * num_choices
        return np.stack(np.meshgrid(*[values] * axes), axis=-1).reshape(-1, axes)

    z = combinations(x).reshape(-1, num_choices, 2)
    weights = combinations(w / w.sum()).prod(axis=1)
    B = len(problem.images)
    rng = _Recital(np.repeat(z, B, axis=0).swapaxes(0, 1))
    trajectory = model.rollout(
        params, problem.images, rng, problem.config, num_rollouts=len(z)
    )
    return trajectory.locations, np.repeat(weights, B) / B
