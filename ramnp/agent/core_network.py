"""The core network f_h: what the agent remembers (3.1 C).

    h_t = Rect(Linear(h_{t-1}) + Linear(g_t)),  h_0 = 0

The state is a tuple of arrays whose first is h: here (h,). The model never looks at
the rest, so a core with more memory is another file with the functions of this one.
"""

import numpy as np

from ramnp.agent.layers import (
    affine_backward,
    affine_forward,
    init_array,
    relu_backward,
    relu_forward,
)


def shapes(g_size: int, h_size: int) -> dict:
    """Return {name: shape} of the two linear maps, which share one bias."""
    return {"W_h": (h_size, h_size), "W_g": (g_size, h_size), "b_h": (h_size,)}


def init(
    rng: np.random.Generator,
    g_size: int,
    h_size: int,
    identity: bool = False,
    dtype: type = np.float32,
) -> dict:
    """Return parameters of the shapes above.

    identity: W_h starts as the identity, so that memories last from the start.
    """
    params = {
        name: init_array(rng, shape, dtype, fan_in=h_size + g_size)
        for name, shape in shapes(g_size, h_size).items()
    }
    return params | {"W_h": np.eye(h_size, dtype=dtype)} if identity else params


def initial_state(params: dict, batch_size: int) -> tuple:
    """Return the state before the first glimpse, h_0 = 0."""
    b_h = params["b_h"]
    return (np.zeros((batch_size, len(b_h)), b_h.dtype),)


def forward(params: dict, state_tm1: tuple, g: np.ndarray) -> tuple[tuple, tuple]:
    """Return the state (h,), h (B, h), and the cache, for the glimpse g (B, g)."""
    (h_tm1,) = state_tm1
    z = affine_forward(g, params["W_g"], params["b_h"])
    z += h_tm1 @ params["W_h"]
    h = relu_forward(z)
    return (h,), (params, h_tm1, g, h)


def backward(dstate: tuple, cache: tuple) -> tuple[tuple, dict]:
    """Return (dstate_tm1, dg) and the gradients of one step, for dstate (dh,)."""
    (dh,) = dstate
    params, h_tm1, g, h = cache
    dz = relu_backward(dh, h)
    grads = {"W_h": h_tm1.T @ dz}
    dg, grads["W_g"], grads["b_h"] = affine_backward(dz, g, params["W_g"])
    return ((dz @ params["W_h"].T,), dg), grads


def backward_through_time(dh: np.ndarray, caches: list[tuple]) -> tuple[tuple, dict]:
    """Return (dg,), dg (T · B, g), and the gradients, summed over T steps.

    dh (T, B, h) is what reaches each h_t from outside the recurrence. Only dz is
    recursive,

        dz_t = (dh_t + dz_{t+1} W_hᵀ) ⊙ [h_t > 0]

    and with every dz_t known, each gradient is one product over T · B rows.
    """
    params = caches[0][0]
    _, h_tm1, g, h = zip(*caches)
    dz = np.empty_like(dh)
    dz[-1] = relu_backward(dh[-1], h[-1])
    for t in reversed(range(len(dh) - 1)):
        dz[t] = relu_backward(dh[t] + dz[t + 1] @ params["W_h"].T, h[t])
    dz = dz.reshape(-1, dz.shape[-1])
    grads = {"W_h": np.concatenate(h_tm1).T @ dz}
    dg, grads["W_g"], grads["b_h"] = affine_backward(
        dz, np.concatenate(g), params["W_g"]
    )
    return (dg,), grads
