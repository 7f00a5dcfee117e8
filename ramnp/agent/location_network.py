"""The location network f_l: where to look next, a Gaussian around a mean (3.1 A).

    μ_t = Linear(h_t),   l_{t+1} ~ N(μ_t, σ² I)

Two options, both off in the paper: a hidden rectified layer before the linear map,
and a tanh that keeps the mean (never the sample) inside the image.
"""

import math

import numpy as np

from ramnp.agent.layers import (
    affine_backward,
    affine_forward,
    init_weights,
    relu_backward,
    relu_forward,
)


def init(rng, h_size, hidden_size=0, dtype=np.float32):
    """Draw W_mu (h, 2) or, with a hidden layer, W_hidden (h, hidden) and W_mu."""
    params = {}
    if hidden_size:
        params["W_hidden"] = init_weights(rng, h_size, (h_size, hidden_size), dtype)
        params["b_hidden"] = np.zeros(hidden_size, dtype)
    fan_in = hidden_size or h_size
    # A small gain: the first looks fall near the centre, far from tanh's flat ends.
    params["W_mu"] = init_weights(rng, fan_in, (fan_in, 2), dtype, gain=0.1)
    params["b_mu"] = np.zeros(2, dtype)
    return params


def forward(params, h, tanh=False):
    """Return the mean mu (B, 2) as (x, y), for h (B, h)."""
    hidden = h
    if "W_hidden" in params:
        z = affine_forward(h, params["W_hidden"], params["b_hidden"])
        hidden = relu_forward(z)
    mu = affine_forward(hidden, params["W_mu"], params["b_mu"])
    if tanh:
        mu = np.tanh(mu)
    return mu, (params, h, hidden, mu, tanh)


def backward(dmu, cache):
    """Return dh (B, h) and the gradients, for dmu (B, 2)."""
    params, h, hidden, mu, tanh = cache
    grads = {}
    if tanh:
        dmu = dmu * (1 - mu * mu)
    dhidden, grads["W_mu"], grads["b_mu"] = affine_backward(dmu, hidden, params["W_mu"])
    if "W_hidden" not in params:
        return dhidden, grads
    dz = relu_backward(dhidden, hidden)
    dh, grads["W_hidden"], grads["b_hidden"] = affine_backward(
        dz, h, params["W_hidden"]
    )
    return dh, grads


def sample(mu, location_std, rng):
    """Draw l ~ N(mu, location_std² I), unclipped: the score is of what was drawn."""
    return mu + location_std * rng.standard_normal(mu.shape, mu.dtype)


def log_pi(l, mu, location_std):
    """Return log N(l; mu, location_std² I), shape (B,), for l and mu (B, 2)."""
    z = (l - mu) / location_std
    return -0.5 * (z * z).sum(axis=-1) - math.log(2 * math.pi * location_std**2)


def score(l, mu, location_std):
    """Return the derivative of log_pi by mu, (l - mu) / σ², shape (B, 2)."""
    return (l - mu) / location_std**2
