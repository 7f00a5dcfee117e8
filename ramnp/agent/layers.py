"""Affine map, rectifier and softmax cross-entropy, each beside its derivative.

B is the number of rows: images, or images times steps. Every function is pure and
keeps the dtype of its input, complex128 included: branches depend on the real part
alone, as the complex step requires.
"""

import functools
import math

import numpy as np

RECTIFIER_GAIN = math.sqrt(2)
# One row of zeros per width and dtype. It is only read.
_zeros = functools.lru_cache(np.zeros)


def init_array(
    rng: np.random.Generator,
    shape: tuple,
    dtype: type,
    gain: float = RECTIFIER_GAIN,
    fan_in: int | None = None,
) -> np.ndarray:
    """Return W ~ N(0, gain² / fan_in) for shape (in, out), zeros for a bias (out,).

    The gain √2 keeps the scale of rectified units. fan_in defaults to the first side
    of W; it is larger if another map adds to the same units.
    """
    if len(shape) == 1:
        return np.zeros(shape, dtype)
    std = gain / math.sqrt(fan_in or shape[0])
    return (rng.standard_normal(shape) * std).astype(dtype)


def affine_forward(x: np.ndarray, W: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return y = x W + b (B, out), for x (B, in), W (in, out), b (out,)."""
    y = x @ W
    y += b
    return y


def affine_backward(
    dy: np.ndarray, x: np.ndarray, W: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return dx (B, in), dW (in, out), db (out,) for dy (B, out)."""
    return dy @ W.T, *affine_weights_backward(dy, x)


def affine_weights_backward(
    dy: np.ndarray, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return dW and db alone, for maps whose input needs no gradient."""
    return x.T @ dy, dy.sum(axis=0)


def relu_forward(x: np.ndarray) -> np.ndarray:
    """Return y = max(x, 0), elementwise, for x (..., units)."""
    # NumPy orders complex numbers by their real part first. Comparing with a row of
    # zeros is twice as fast as comparing with a single zero.
    return np.maximum(x, _zeros(x.shape[-1], x.dtype))


def relu_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return dx: dy where the output y was positive, else 0."""
    return dy * (y > 0)


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Return log p_c = z_c - log Σ_j exp z_j, for logits z (..., classes)."""
    shifted = logits - logits.real.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def cross_entropy_forward(
    logits: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return -log p(label), shape (...), and log_p, for logits (..., classes)."""
    log_p = log_softmax(logits)
    return -np.take_along_axis(log_p, labels[..., None], axis=-1)[..., 0], log_p


def cross_entropy_backward(
    dloss: np.ndarray, log_p: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """Return dlogits (..., classes) = dloss (p - onehot(label)) for dloss (...)."""
    dlogits = np.exp(log_p)
    index = labels[..., None]
    p_label = np.take_along_axis(dlogits, index, axis=-1)
    np.put_along_axis(dlogits, index, p_label - 1, axis=-1)
    dlogits *= dloss[..., None]
    return dlogits
