"""REINFORCE on average, against the exact gradient of what it estimates.

The agent looks through a smooth sensor, so what it earns is a smooth function of where
it looks, and the expectation over Gaussian locations is a sum: Gauss and Hermite's
quadrature. The complex step differentiates that sum by moving the nodes with the
policy's mean, l = mu(theta) + sigma z, so neither log pi nor any backward pass has a
part in it.
"""

import contextlib
import dataclasses
import math
from typing import NamedTuple

import numpy as np

from ramnp import model, reinforce
from ramnp.config import Config
from ramnp.networks import glimpse_sensor
from ramnp.proofs import complex_step
from ramnp.proofs.complex_step import flat, nested
from ramnp.proofs.replacing import replaced

# How far every unit stands from the kink of its rectifier: more than eight standard
# deviations of the policy move it, so that the agent is smooth wherever it looks.
MARGIN = 4.0


class Problem(NamedTuple):
    """A small agent before two images, each given by its smooth sensor's waves."""

    config: Config
    params: dict
    images: np.ndarray
    labels: np.ndarray


def prepare_smooth(images, *_):
    """In place of glimpse_sensor.prepare."""
    return images


def smooth_glimpse(images, l):
    """In place of glimpse_sensor.forward: rho_c = a_c sin(k_c . l + phase_c).

    images (B, 4, cells): the two wave numbers, phase and amplitude of each cell.
    """
    kx, ky, phase, amplitude = np.tile(images, (len(l) // len(images), 1, 1)).swapaxes(
        0, 1
    )
    return amplitude * np.sin(kx * l[:, :1] + ky * l[:, 1:] + phase)


@contextlib.contextmanager
def smooth_sensor():
    """Let every agent look through the smooth sensor."""
    with (
        replaced(glimpse_sensor.prepare, prepare_smooth),
        replaced(glimpse_sensor.forward, smooth_glimpse),
    ):
        yield


def make_problem(mean, std, num_choices=1, seed=9, **settings):
    """Return an agent that first chooses a location around `mean`.

    The last unit of each layer is off, the others on, wherever the agent looks.
    """
    sizes = {"patch_size": 2, "hg_size": 3, "hl_size": 2, "g_size": 4, "h_size": 5}
    options = {
        "locator_hidden_size": 3,
        "locator_tanh": True,
        "policy_into_core": True,
        "classify_every_step": True,
        "reward": "log-probability",
    }
    config = Config(
        **sizes | options | settings,
        num_classes=3,
        num_glimpses=num_choices + 1,
        first_glimpse="center",
        location_std=std,
    )
    rng = np.random.default_rng(seed)
    p = flat(model.init(rng, config, np.float64))
    for array in p.values():
        array[...] = rng.standard_normal(array.shape) / math.sqrt(len(array))
    p["core.W_h"] *= 0.5
    p["action.W_a"] *= 2
    images = rng.standard_normal((2, 4, config.patch_size**2))

    def settle(bias, *terms):
        """Set a bias so that each unit stands off its kink; return the units."""
        z = sum((x @ p[weights]).mean(axis=0) for x, weights in terms)
        off_kink = np.full(z.shape, MARGIN)
        off_kink[-1] = -MARGIN
        p[bias][...] = off_kink - z
        return np.maximum(off_kink, 0)[None]

    l = np.tile(mean, (2, 1))
    hg = settle("glimpse.b_hg", (smooth_glimpse(images, l), "glimpse.W_hg"))
    hl = settle("glimpse.b_hl", (l, "glimpse.W_hl"))
    g = settle("glimpse.b_g", (np.concatenate([hg, hl], axis=1), "glimpse.W_g"))
    h = np.maximum([[MARGIN] * (config.h_size - 1) + [0]], 0)
    settle("core.b_h", (h, "core.W_h"), (g, "core.W_g"))
    if config.locator_hidden_size:
        settle("location.b_hidden", (h, "location.W_hidden"))
    p["action.b_a"][...] = -(h @ p["action.W_a"])[0]

    params = nested(p)
    p["location.b_mu"][...] = 0
    with smooth_sensor():
        first = np.zeros((config.num_glimpses, 2, 2))
        mu = model.replay(params, images, first, config).mu[0]
    before_tanh = np.arctanh if config.locator_tanh else np.asarray
    ...
