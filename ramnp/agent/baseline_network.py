"""The baseline network: b_t, the predicted return given h_t (section 3.2).

It is linear, so it can take any real value, as a return can.
"""

import numpy as np

from ramnp.agent.layers import affine_forward, affine_weights_backward, init_array


def shapes(h_size: int) -> dict:
    """Return {name: shape} of the linear map to b."""
    return {"W_b": (h_size, 1), "b_b": (1,)}


def init(rng: np.random.Generator, h_size: int, dtype: type = np.float32) -> dict:
    """Return parameters of the shapes above."""
    return {
        name: init_array(rng, shape, dtype, gain=0.1)
        for name, shape in shapes(h_size).items()
    }


def forward(params: dict, h: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return the baseline (B,) and the cache, for h (B, h)."""
    return affine_forward(h, params["W_b"], params["b_b"])[:, 0], (params, h)


def backward(dbaseline: np.ndarray, cache: tuple) -> tuple[tuple, dict]:
    """Return (dh,), dh (B, h), and the gradients, for dbaseline (B,)."""
    params, h = cache
    dW_b, db_b = affine_weights_backward(dbaseline[:, None], h)
    # dbaseline W_bᵀ as an outer product: BLAS is slow over a single column.
    dh = dbaseline[:, None] * params["W_b"][:, 0]
    return (dh,), {"W_b": dW_b, "b_b": db_b}
