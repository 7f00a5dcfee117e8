"""The agent: T glimpses forward, and the way back through time (figure 1 C).

rollout draws the locations, replay takes them; everything else they share. The rows
of an array are B images times M rollouts, rollout by rollout: row n looks at image
n mod B. Arrays over time are time-major.
"""

from typing import NamedTuple

import numpy as np

from ramnp.agent import (
    action_network,
    baseline_network,
    core_network,
    glimpse_network,
    glimpse_sensor,
    location_network,
)


class Trajectory(NamedTuple):
    """What an agent did: N rows, T glimpses, hence T - 1 choices of a location."""

    locations: np.ndarray  # (T, N, 2) as (x, y)
    logits: np.ndarray  # (T, N, classes)
    mu: np.ndarray  # (T - 1, N, 2), the policy's mean for locations[1:]
    baseline: np.ndarray  # (T - 1, N), before each choice
    caches: dict


def init(rng, config, dtype=np.float32):
    """Draw the parameters of every network: {network: {name: array}}."""
    rho_size = config.num_scales * config.patch_size**2
    return {
        "glimpse": glimpse_network.init(
            rng, rho_size, config.hg_size, config.hl_size, config.g_size, dtype
        ),
        "core": core_network.init(
            rng, config.g_size, config.h_size, config.identity_recurrence, dtype
        ),
        "location": location_network.init(
            rng, config.h_size, config.locator_hidden_size, dtype
        ),
        "action": action_network.init(rng, config.h_size, config.num_classes, dtype),
        "baseline": baseline_network.init(rng, config.h_size, dtype),
    }


def num_parameters(config):
    """Return how many weights and biases `init` draws, without drawing them."""
    rho = config.num_scales * config.patch_size**2
    hg, hl, g, h = config.hg_size, config.hl_size, config.g_size, config.h_size
    hidden = config.locator_hidden_size
    return (
        (rho + 1) * hg
        + (2 + 1) * hl
        + (hg + hl + 1) * g
        + (h + g + 1) * h
        + (h + 1) * hidden
        + ((hidden or h) + 1) * 2
        + (h + 1) * config.num_classes
        + (h + 1)
    )


def rollout(params, images, rng, config, location_std=None, num_rollouts=1):
    """Look at images (B, height, width) T times, each location drawn from the policy.

    location_std None is the configured one. The random policy draws every location
    uniformly; the first one is the centre if configured so. rng None draws nothing:
    each location is the policy's mean, the first the centre, and so are all of the
    random policy.
    """
    std = config.location_std if location_std is None else location_std
    shape = (num_rollouts * len(images), 2)

    def locate(t, mu):
        if t > 0 and config.policy == "learned":
            return mu if rng is None else location_network.sample(mu, std, rng)
        if rng is None or (t == 0 and config.first_glimpse == "center"):
            return np.zeros(shape, images.dtype)
        return 2 * rng.random(shape, images.dtype) - 1

    return _unroll(params, images, config, locate)


def replay(params, images, locations, config):
    """Look at images (B, height, width) at given locations (T, N, 2)."""
    return _unroll(params, images, config, lambda t, mu: locations[t])


def _unroll(params, images, config, locate):
    pyramid = glimpse_sensor.prepare(
        images,
        config.patch_size,
        config.num_scales,
        config.scale_factor,
        config.background,
    )
    locations, hs, mus = [], [], []
    caches = {"glimpse": [], "core": [], "location": []}
    state = mu_t = None
    for t in range(config.num_glimpses):
        l_t = locate(t, mu_t)
        rho_t = glimpse_sensor.forward(pyramid, l_t)
        g_t, cache = glimpse_network.forward(params["glimpse"], rho_t, l_t)
        caches["glimpse"].append(cache)
        if state is None:
            state = core_network.initial_state(params["core"], len(l_t))
        state, cache = core_network.forward(params["core"], state, g_t)
        caches["core"].append(cache)
        locations.append(l_t)
        hs.append(state[0])
        if t < config.num_glimpses - 1:
            mu_t, cache = location_network.forward(
                params["location"], state[0], config.locator_tanh
            )
            caches["location"].append(cache)
            mus.append(mu_t)

    # Nothing waits for a class or a baseline, so all steps make one call.
    T, N = len(hs), len(hs[0])
    h = np.concatenate(hs)
    if T == 1:  # no choice is made: the location network gets no rows
        mu_t, cache = location_network.forward(
            params["location"], h[:0], config.locator_tanh
        )
        caches["location"].append(cache)
        mus.append(mu_t)
    logits, caches["action"] = action_network.forward(params["action"], h)
    baseline, caches["baseline"] = baseline_network.forward(
        params["baseline"], h[: (T - 1) * N]
    )
    return Trajectory(
        locations=np.concatenate(locations).reshape(T, N, 2),
        logits=logits.reshape(T, N, -1),
        mu=np.concatenate(mus).reshape(T - 1, N, 2),
        baseline=baseline.reshape(T - 1, N),
        caches=caches,
    )


def backward(dlogits, dmu, dbaseline, trajectory, config):
    """Return the gradients, {network: {name: array}}, of the parameters.

    dlogits (T, N, classes), dmu (T - 1, N, 2), dbaseline (T - 1, N). No gradient
    flows through a location. dmu reaches the core and the glimpse network only with
    policy_into_core, dbaseline only with baseline_into_core.
    """
    T, N, num_classes = dlogits.shape
    caches = trajectory.caches
    grads = {}
    dh, grads["action"] = action_network.backward(
        dlogits.reshape(T * N, num_classes), caches["action"]
    )
    dh = dh.reshape(T, N, -1)
    dh_b, grads["baseline"] = baseline_network.backward(
        dbaseline.ravel(), caches["baseline"]
    )
    if config.baseline_into_core:
        dh[:-1] += dh_b.reshape(dh[:-1].shape)
    dh_l, grads["location"] = location_network.backward(
        dmu.reshape(-1, 2), _join(caches["location"])
    )
    if config.policy_into_core:
        dh[:-1] += dh_l.reshape(dh[:-1].shape)
    _, dg, grads["core"] = core_network.backward_through_time(dh, caches["core"])
    _, grads["glimpse"] = glimpse_network.backward(
        dg, _join(caches["glimpse"]), with_inputs=False
    )
    return grads


def _join(caches):
    """Turn T caches of B rows into one of T · B rows; what has no rows is shared."""
    return tuple(
        np.concatenate(values) if isinstance(values[0], np.ndarray) else values[0]
        for values in zip(*caches)
    )
