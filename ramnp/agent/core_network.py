"""The core network f_h: what the agent remembers (3.1 C).

    h_t = Rect(Linear(h_{t-1}) + Linear(g_t)),  h_0 = 0

The state is a tuple of arrays whose first is h: (h,) here. The model looks no
further into it, so a core that remembers more is another file, not another model.
"""

import numpy as np

from ramnp.agent.layers import (
    affine_forward,
    affine_weights_backward,
    init_weights,
    relu_backward,
    relu_forward,
)


def init(rng, g_size, h_size, identity=False, dtype=np.float32):
    """Draw W_h (h, h), W_g (g, h), b_h (h,).

    identity: W_h starts as the identity, so that memories last from the start.
    """
    fan_in = h_size + g_size
    W_h = init_weights(rng, fan_in, (h_size, h_size), dtype)
    return {
        "W_h": np.eye(h_size, dtype=dtype) if identity else W_h,
        "W_g": init_weights(rng, fan_in, (g_size, h_size), dtype),
        "b_h": np.zeros(h_size, dtype),
    }


def initial_state(params, batch_size):
    """Return the state before the first glimpse, h_0 = 0."""
    b_h = params["b_h"]
    return (np.zeros((batch_size, len(b_h)), b_h.dtype),)


def forward(params, state_tm1, g):
    """Return the state (h,), h (B, h), after the glimpse g (B, g)."""
    (h_tm1,) = state_tm1
    z = affine_forward(g, params["W_g"], params["b_h"])
    z += h_tm1 @ params["W_h"]
    h = relu_forward(z)
    return (h,), (params, h_tm1, g, h)


def backward(dstate, cache):
    """Return (dstate_tm1, dg) and the gradients of one step, for dstate (dh,)."""
    (dh,) = dstate
    dz, dg, grads = backward_through_time(dh[None], [cache])
    dh_tm1 = dz[0] @ cache[0]["W_h"].T
    return ((dh_tm1,), dg), grads


def backward_through_time(dh, caches):
    """Return dz (T, B, h), dg (T · B, g) and the gradients, summed over T steps.

    dh (T, B, h) is what reaches each h_t from outside the recurrence. Only dh is
    recursive; once every dz is there, each gradient is one product over T · B rows.
    """
    params = caches[0][0]
    _, h_tm1, g, h = zip(*caches)
    dz = np.empty_like(dh)
    dz[-1] = relu_backward(dh[-1], h[-1])
    for t in reversed(range(len(dh) - 1)):
        dz[t] = relu_backward(dh[t] + dz[t + 1] @ params["W_h"].T, h[t])
    dz_rows = dz.reshape(-1, dz.shape[-1])
    grads = {"W_h": np.concatenate(h_tm1).T @ dz_rows}
    grads["W_g"], grads["b_h"] = affine_weights_backward(dz_rows, np.concatenate(g))
    return dz, dz_rows @ params["W_g"].T, grads
