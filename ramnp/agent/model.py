"""The agent: T glimpses forward, and backpropagation through time (figure 1 C).

rollout draws the locations, replay takes them as an argument; they share everything
else. The rows of an array are B images times M rollouts, rollout by rollout: row n
looks at image n mod B. Arrays over time are time-major. A config is any object with the
fields of ramnp.Config.
"""

from typing import Any, NamedTuple

import numpy as np

from ramnp.agent import (
    action_network,
    baseline_network,
    core_network,
    glimpse_network,
    glimpse_sensor,
    location_network,
)

# Choices of config.core and config.sensor: modules with the functions of these.
CORES = {"rectified": core_network}
SENSORS = {"pyramid": glimpse_sensor}


class Trajectory(NamedTuple):
    """One rollout of N rows over T glimpses, with T - 1 choices of a location."""

    locations: np.ndarray  # (T, N, 2) as (x, y)
    logits: np.ndarray  # (T, N, classes)
    mu: np.ndarray  # (T - 1, N, 2), mean of the policy for locations[1:]
    baseline: np.ndarray  # (T - 1, N), before each choice
    caches: dict


def shapes(config: Any) -> dict:
    """Return {network: {name: shape}} of all parameters of an agent."""
    return {
        "glimpse": glimpse_network.shapes(*_glimpse_sizes(config)),
        "core": CORES[config.core].shapes(config.g_size, config.h_size),
        "location": location_network.shapes(config.h_size, config.locator_hidden_size),
        "action": action_network.shapes(config.h_size, config.num_classes),
        "baseline": baseline_network.shapes(config.h_size),
    }


def init(rng: np.random.Generator, config: Any, dtype: type = np.float32) -> dict:
    """Return the initial parameters of every network: {network: {name: array}}."""
    g, h = config.g_size, config.h_size
    return {
        "glimpse": glimpse_network.init(rng, *_glimpse_sizes(config), dtype),
        "core": CORES[config.core].init(rng, g, h, config.identity_recurrence, dtype),
        "location": location_network.init(rng, h, config.locator_hidden_size, dtype),
        "action": action_network.init(rng, h, config.num_classes, dtype),
        "baseline": baseline_network.init(rng, h, dtype),
    }


def _glimpse_sizes(config: Any) -> tuple[int, int, int, int]:
    sensor = SENSORS[config.sensor]
    rho_size = sensor.rho_size(config.patch_size, config.num_scales) * config.channels
    return rho_size, config.hg_size, config.hl_size, config.g_size


def rollout(
    params: dict,
    images: np.ndarray,
    rng: np.random.Generator | None,
    config: Any,
    location_std: float | None = None,
    num_rollouts: int = 1,
) -> Trajectory:
    """Return the Trajectory of T glimpses at locations drawn from the policy.

    images (B, height, width) or (B, height, width, 3). The first location is uniform in
    the image, its centre, or drawn around that, as config.first_glimpse says; the
    random policy draws all others uniformly. location_std defaults to config's. If rng
    is None, nothing is drawn: each location is the policy's mean, the first the centre.
    """
    std = config.location_std if location_std is None else location_std
    shape = (num_rollouts * len(images), 2)

    def locate(t, mu):
        if t > 0 and config.policy == "learned":
            return mu if rng is None else location_network.sample(mu, std, rng)
        centre = np.zeros(shape, images.dtype)
        if rng is None or (t == 0 and config.first_glimpse == "center"):
            return centre
        if t == 0 and config.first_glimpse == "near-center":
            return location_network.sample(centre, std, rng)
        return 2 * rng.random(shape, images.dtype) - 1

    return _unroll(params, images, config, locate)


def replay(
    params: dict, images: np.ndarray, locations: np.ndarray, config: Any
) -> Trajectory:
    """Return the Trajectory of T glimpses at given locations (T, N, 2)."""
    return _unroll(params, images, config, lambda t, mu: locations[t])


def _unroll(params, images, config, locate):
    """Return the Trajectory of T glimpses at l_t = locate(t, mean of the policy)."""
    sensor, core = SENSORS[config.sensor], CORES[config.core]
    pyramid = sensor.prepare(
        images,
        config.patch_size,
        config.num_scales,
        config.scale_factor,
        config.background,
    )
    T = config.num_glimpses
    locations, hs, mus = [], [], []
    caches = {"glimpse": [], "core": [], "location": []}
    state = mu_t = None
    for t in range(T):
        l_t = locate(t, mu_t)
        rho_t = sensor.forward(pyramid, l_t)
        g_t, cache = glimpse_network.forward(params["glimpse"], rho_t, l_t)
        caches["glimpse"].append(cache)
        if state is None:
            state = core.initial_state(params["core"], len(l_t))
        state, cache = core.forward(params["core"], state, g_t)
        caches["core"].append(cache)
        h_t = state[0]
        locations.append(l_t)
        hs.append(h_t)
        # No location follows the last glimpse; with T = 1, the network gets no rows.
        if t < T - 1 or T == 1:
            choosing = h_t if T > 1 else h_t[:0]
            mu_t, cache = location_network.forward(
                params["location"], choosing, config.locator_bound
            )
            caches["location"].append(cache)
            mus.append(mu_t)

    # No step depends on a class or a baseline: one call each for all steps.
    N = len(h_t)
    h = np.concatenate(hs)
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


def backward(
    dlogits: np.ndarray,
    dmu: np.ndarray,
    dbaseline: np.ndarray,
    trajectory: Trajectory,
    config: Any,
) -> dict:
    """Return the gradients {network: {name: array}} of the parameters.

    dlogits (T, N, classes), dmu (T - 1, N, 2), dbaseline (T - 1, N). No gradient
    flows through a location. dmu reaches core and glimpse network only with
    policy_into_core, dbaseline only with baseline_into_core.
    """
    T, N, num_classes = dlogits.shape
    caches = trajectory.caches
    grads = {}
    (dh,), grads["action"] = action_network.backward(
        dlogits.reshape(T * N, num_classes), caches["action"]
    )
    dh = dh.reshape(T, N, -1)
    (dh_b,), grads["baseline"] = baseline_network.backward(
        dbaseline.ravel(), caches["baseline"]
    )
    if config.baseline_into_core:
        dh[:-1] += dh_b.reshape(dh[:-1].shape)
    (dh_l,), grads["location"] = location_network.backward(
        dmu.reshape(-1, 2), _join(caches["location"])
    )
    if config.policy_into_core:
        dh[:-1] += dh_l.reshape(dh[:-1].shape)
    core = CORES[config.core]
    (dg,), grads["core"] = core.backward_through_time(dh, caches["core"])
    _, grads["glimpse"] = glimpse_network.backward(
        dg, _join(caches["glimpse"]), with_inputs=False
    )
    return grads


def _join(caches):
    """Return T caches of B rows as one of T · B rows; values without rows are shared."""
    return tuple(
        np.concatenate(values) if isinstance(values[0], np.ndarray) else values[0]
        for values in zip(*caches)
    )
