"""The action network f_a: which class it is, a linear softmax of h_t (3.1 D)."""

import numpy as np

from ramnp.agent.layers import affine_backward, affine_forward, init_array


def shapes(h_size: int, num_classes: int) -> dict:
    """Return {name: shape} of the linear map to the logits."""
    return {"W_a": (h_size, num_classes), "b_a": (num_classes,)}


def init(
    rng: np.random.Generator, h_size: int, num_classes: int, dtype: type = np.float32
) -> dict:
    """Return parameters of the shapes above."""
    return {
        name: init_array(rng, shape, dtype, gain=1.0)
        for name, shape in shapes(h_size, num_classes).items()
    }


def forward(params: dict, h: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return the logits (B, classes) and the cache, for h (B, h)."""
    return affine_forward(h, params["W_a"], params["b_a"]), (params, h)


def backward(dlogits: np.ndarray, cache: tuple) -> tuple[tuple, dict]:
    """Return (dh,), dh (B, h), and the gradients, for dlogits (B, classes)."""
    params, h = cache
    dh, dW_a, db_a = affine_backward(dlogits, h, params["W_a"])
    return (dh,), {"W_a": dW_a, "b_a": db_a}
