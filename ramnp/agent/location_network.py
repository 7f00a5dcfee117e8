"""The location network f_l: where to look next, a Gaussian around a mean (3.1 A).

    μ_t = Linear(h_t),   l_{t+1} ~ N(μ_t, σ² I)

Two options: a hidden rectified layer before the linear map, and a bound that keeps the
mean (never the sample) inside the image.
"""

import math

import numpy as np

from ramnp.agent.layers import (
    affine_backward,
    affine_forward,
    init_array,
    relu_backward,
    relu_forward,
)

# A small gain: the first means are near the centre, far from the flat ends of a bound.
_GAINS = {"W_mu": (0.1,)}


def hard_tanh(x: np.ndarray) -> np.ndarray:
    """Return x where it lies in (-1, 1), else the nearer of -1 and 1."""
    return np.where(np.abs(x.real) < 1, x, np.sign(x.real))


# Choices of config.locator_bound: the mean as a function of the linear map, and its
# derivative as a function of the mean.
BOUNDS: dict = {
    "none": (lambda x: x, lambda mu: 1),
    "tanh": (np.tanh, lambda mu: 1 - mu * mu),
    "hard-tanh": (hard_tanh, lambda mu: np.abs(mu.real) < 1),
}


def shapes(h_size: int, hidden_size: int = 0) -> dict:
    """Return {name: shape}; without a hidden layer, W_mu maps h itself."""
    hidden = {"W_hidden": (h_size, hidden_size), "b_hidden": (hidden_size,)}
    mean = {"W_mu": (hidden_size or h_size, 2), "b_mu": (2,)}
    return hidden | mean if hidden_size else mean


def init(
    rng: np.random.Generator,
    h_size: int,
    hidden_size: int = 0,
    dtype: type = np.float32,
) -> dict:
    """Return parameters of the shapes above."""
    return {
        name: init_array(rng, shape, dtype, *_GAINS.get(name, ()))
        for name, shape in shapes(h_size, hidden_size).items()
    }


def forward(
    params: dict, h: np.ndarray, bound: str = "none"
) -> tuple[np.ndarray, tuple]:
    """Return the mean mu (B, 2) as (x, y) and the cache, for h (B, h)."""
    hidden = h
    if "W_hidden" in params:
        z = affine_forward(h, params["W_hidden"], params["b_hidden"])
        hidden = relu_forward(z)
    function, _ = BOUNDS[bound]
    mu = function(affine_forward(hidden, params["W_mu"], params["b_mu"]))
    return mu, (params, h, hidden, mu, bound)


def backward(dmu: np.ndarray, cache: tuple) -> tuple[tuple, dict]:
    """Return (dh,), dh (B, h), and the gradients, for dmu (B, 2)."""
    params, h, hidden, mu, bound = cache
    grads = {}
    _, derivative = BOUNDS[bound]
    dmu = dmu * derivative(mu)
    dhidden, grads["W_mu"], grads["b_mu"] = affine_backward(dmu, hidden, params["W_mu"])
    if "W_hidden" not in params:
        return (dhidden,), grads
    dz = relu_backward(dhidden, hidden)
    dh, grads["W_hidden"], grads["b_hidden"] = affine_backward(
        dz, h, params["W_hidden"]
    )
    return (dh,), grads


def sample(mu: np.ndarray, location_std: float, rng: np.random.Generator) -> np.ndarray:
    """Return l ~ N(mu, location_std² I), not clipped: clipping would bias the score."""
    return mu + location_std * rng.standard_normal(mu.shape, mu.dtype)


def log_pi(l: np.ndarray, mu: np.ndarray, location_std: float) -> np.ndarray:
    """Return log N(l; mu, location_std² I), shape (B,), for l and mu (B, 2)."""
    z = (l - mu) / location_std
    return -0.5 * (z * z).sum(axis=-1) - math.log(2 * math.pi * location_std**2)


def score(l: np.ndarray, mu: np.ndarray, location_std: float) -> np.ndarray:
    """Return the derivative of log_pi by mu, (l - mu) / σ², shape (B, 2)."""
    return (l - mu) / location_std**2
