"""The baseline network: b_t, the return that h_t lets one expect (section 3.2).

It is linear, so it can take any real value, as a return can.
"""

import numpy as np

from ramnp.agent.layers import affine_forward, affine_weights_backward, init_weights


def init(rng, h_size, dtype=np.float32):
    """Draw W_b (h, 1), b_b (1,)."""
    return {
        "W_b": init_weights(rng, h_size, (h_size, 1), dtype, gain=0.1),
        "b_b": np.zeros(1, dtype),
    }


def forward(params, h):
    """Return the baseline (B,) for h (B, h)."""
    return affine_forward(h, params["W_b"], params["b_b"])[:, 0], (params, h)


def backward(dbaseline, cache):
    """Return dh (B, h) and the gradients, for dbaseline (B,)."""
    params, h = cache
    dW_b, db_b = affine_weights_backward(dbaseline[:, None], h)
    # dbaseline W_bᵀ, which BLAS computes far more slowly over its one column.
    dh = dbaseline[:, None] * params["W_b"][:, 0]
    return dh, {"W_b": dW_b, "b_b": db_b}
