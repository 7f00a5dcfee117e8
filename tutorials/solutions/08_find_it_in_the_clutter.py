"""Solutions to chapter 8."""

import math

import numpy as np

from ramnp.agent import (
    action_network,
    core_network,
    glimpse_network,
    glimpse_sensor,
    layers,
    location_network,
)


def scales_needed(side, patch):
    """From a corner, half of the widest patch has to span the whole side."""
    doublings = math.ceil(math.log2(max(side / patch, 1)))
    return 1 + doublings, 1 + math.ceil(math.log2(max(2 * side / patch, 1)))


def sums(image):
    """Add up along both axes, after a row and a column of zeros."""
    return np.pad(image, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)


def glimpse(table, left, top, patch, scales, factor):
    """A sum over a rectangle is four entries; beyond the border nothing is added."""
    height, width = np.array(table.shape) - 1
    rho = []
    for j in range(scales):
        cell = factor**j
        shift = patch * (cell - 1) // 2
        x = (left - shift + cell * np.arange(patch + 1)).clip(0, width)
        y = (top - shift + cell * np.arange(patch + 1)).clip(0, height)
        corners = table[np.ix_(y, x)]
        rho.append(np.diff(np.diff(corners, axis=0), axis=1) / cell**2)
    return np.stack(rho)


def look(params, images, locations, config):
    """Glance, then look as the agent does."""
    (logits, mu), _ = _forward(params, images, locations, config)
    return logits, mu


def gradients(params, images, locations, dlogits, dmu, config):
    """Backpropagate through time, down to h_0, and from there through the glance."""
    (_, mu), caches = _forward(params, images, locations, config)
    c, h_0, cores, glimpses, actions, locators = caches
    T, B, classes = dlogits.shape
    grads = {"context": {}}
    (dh,), grads["action"] = action_network.backward(
        dlogits.reshape(T * B, classes), actions
    )
    _, grads["location"] = location_network.backward(dmu[1:].reshape(-1, 2), locators)
    dh = dh.reshape(T, B, -1)
    (dg,), grads["core"] = core_network.backward_through_time(dh, cores)
    dh_tm1 = 0.0
    for dh_t, cache in zip(dh[::-1], cores[::-1]):
        ((dh_tm1,), _), _ = core_network.backward((dh_t + dh_tm1,), cache)
    _, grads["glimpse"] = glimpse_network.backward(dg, glimpses, with_inputs=False)
    dh_0 = layers.relu_backward(dh_tm1, h_0)
    context = grads["context"]
    context["W_c"], context["b_c"] = layers.affine_weights_backward(dh_0, c)
    dz_0 = dmu[0] * (1 - mu[0] ** 2)
    context["W_0"], context["b_0"] = layers.affine_weights_backward(dz_0, h_0)
    return grads


def _forward(params, images, locations, config):
    p = params["context"]
    B, height, width = images.shape
    s = math.isqrt(len(p["W_c"]))
    c = (
        images.reshape(B, s, height // s, s, width // s)
        .mean(axis=(2, 4))
        .reshape(B, -1)
    )
    h_0 = layers.relu_forward(layers.affine_forward(c, p["W_c"], p["b_c"]))
    mu_0 = np.tanh(layers.affine_forward(h_0, p["W_0"], p["b_0"]))

    T = len(locations)
    pyramid = glimpse_sensor.prepare(images, config.patch_size, config.num_scales)
    l = locations.reshape(T * B, 2)
    rho = np.concatenate([glimpse_sensor.forward(pyramid, l_t) for l_t in locations])
    g, glimpses = glimpse_network.forward(params["glimpse"], rho, l)
    state, cores, hs = (h_0,), [], []
    for g_t in g.reshape(T, B, -1):
        state, cache = core_network.forward(params["core"], state, g_t)
        cores.append(cache)
        hs.append(state[0])
    h = np.concatenate(hs)
    logits, actions = action_network.forward(params["action"], h)
    mu, locators = location_network.forward(params["location"], h[: (T - 1) * B])
    mu = np.concatenate([mu_0[None], mu.reshape(T - 1, B, 2)])
    caches = c, h_0, cores, glimpses, actions, locators
    return (logits.reshape(T, B, -1), mu), caches
