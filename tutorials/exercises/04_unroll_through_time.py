"""Exercises to chapter 4: replace each `raise` by your answer."""

import numpy as np


def truncated_gradient(W_h, h, dh, most):
    """Return dW_h where each dh_t contributes at the steps t, t - 1, ..., `most` in all.

    h (T + 1, B, units) starts with h_0, dh (T, B, units) holds what reaches h_1 .. h_T
    from above. If most is 1, each dh_t contributes at step t alone; if it is T, nothing
    is cut.
    """
    raise NotImplementedError("exercise 4.1")


def backward_through_time(params, h, g, dh):
    """Return dg (T, B, g) and the gradients of params: not yet, it is wrong.

    h (T + 1, B, units) starts with h_0; g (T, B, g); dh (T, B, units) reaches h_1 .. h_T
    from above. Exercise 4.2: remove the line `raise ...`. The rest runs, but is wrong in
    two places. Find them.
    """
    raise NotImplementedError("exercise 4.2")
    grads = {name: np.zeros_like(array) for name, array in params.items()}
    dg = np.empty_like(g)
    dz_next = np.zeros_like(dh[0])
    for t in reversed(range(len(g))):
        dz = dh[t] * (h[t + 1] > 0) + dz_next @ params["W_h"].T
        grads["W_h"] += h[t + 1].T @ dz
        grads["W_g"] += g[t].T @ dz
        grads["b_h"] += dz.sum(axis=0)
        dg[t] = dz @ params["W_g"].T
        dz_next = dz
    return dg, grads


def lstm_forward(params, state_tm1, g):
    """Return the state (h, cell) after the glimpse g (B, g), and a cache.

    params: W_h (units, 4 units), W_g (g, 4 units), b_h (4 units,). Cut
    z = h_tm1 W_h + g W_g + b_h into four parts: z_in, z_forget, z_out, z_new. With
    logistic(z) = 1 / (1 + exp(-z)):
        cell = logistic(z_forget) cell_tm1 + logistic(z_in) tanh(z_new)
        h = logistic(z_out) tanh(cell)
    """
    raise NotImplementedError("exercise 4.3")


def lstm_backward(dstate, cache):
    """Return (dstate_tm1, dg) and the gradients, for dstate (dh, dcell)."""
    raise NotImplementedError("exercise 4.3")
