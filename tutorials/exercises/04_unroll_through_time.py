"""Exercises to chapter 4: replace each `raise` by your answer."""

import numpy as np


def truncated_gradient(W_h, h, dh, k):
    """Return dW_h where each dh_t goes back over at most k steps, k >= 1.

    h (T + 1, B, n) starts with h_0, dh (T, B, n) holds what reaches h_1 .. h_T from
    above. With k = 1 each dh_t teaches step t alone, with k = T nothing is cut.
    """
    raise NotImplementedError("exercise 4.1")


def backward_through_time(params, h, g, dh):
    """Return dg (T, B, g) and the gradients of params, or it should.

    h (T + 1, B, n) starts with h_0; g (T, B, g); dh (T, B, n) reaches h_1 .. h_T from
    above. Exercise 4.2: without its first line it runs, but it is wrong in two places.
    Take that line out, and find them.
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
    """Return the state (h, c) after the glimpse g (B, g), and a cache.

    params: W_h (n, 4n), W_g (g, 4n), b (4n,), each in four parts, i, f, o, u. With s
    the logistic function, z = h_tm1 W_h + g W_g + b, cut into four:
        c = s(z_f) c_tm1 + s(z_i) tanh(z_u),  h = s(z_o) tanh(c)
    """
    raise NotImplementedError("exercise 4.3")


def lstm_backward(dstate, cache):
    """Return (dstate_tm1, dg) and the gradients, for dstate (dh, dc)."""
    raise NotImplementedError("exercise 4.3")
