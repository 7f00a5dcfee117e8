"""The action network f_a: which class it is, a linear softmax of h_t (3.1 D)."""

import numpy as np

from ramnp.agent.layers import affine_backward, affine_forward, init_weights


def init(rng, h_size, num_classes, dtype=np.float32):
    """Draw W_a (h, classes), b_a (classes,)."""
    return {
        "W_a": init_weights(rng, h_size, (h_size, num_classes), dtype, gain=1.0),
        "b_a": np.zeros(num_classes, dtype),
    }


def forward(params, h):
    """Return the logits (B, classes) for h (B, h)."""
    return affine_forward(h, params["W_a"], params["b_a"]), (params, h)


def backward(dlogits, cache):
    """Return dh (B, h) and the gradients, for dlogits (B, classes)."""
    params, h = cache
    dh, dW_a, db_a = affine_backward(dlogits, h, params["W_a"])
    return dh, {"W_a": dW_a, "b_a": db_a}
