"""Solutions to chapter 4."""

import numpy as np


def truncated_gradient(W_h, h, dh, k):
    """Send each dh_t back on its own, k steps far."""
    dW_h = np.zeros_like(W_h)
    for t in range(len(dh)):
        d = dh[t]
        for s in range(t, max(t - k, -1), -1):
            dz = d * (h[s + 1] > 0)
            dW_h += h[s].T @ dz
            d = dz @ W_h.T
    return dW_h


def backward_through_time(params, h, g, dh):
    """The rectifier stops what comes from later, too; W_h was multiplied by h_{t-1}."""
    grads = {name: np.zeros_like(array) for name, array in params.items()}
    dg = np.empty_like(g)
    dz_next = np.zeros_like(dh[0])
    for t in reversed(range(len(g))):
        dz = (dh[t] + dz_next @ params["W_h"].T) * (h[t + 1] > 0)
        grads["W_h"] += h[t].T @ dz
        grads["W_g"] += g[t].T @ dz
        grads["b_h"] += dz.sum(axis=0)
        dg[t] = dz @ params["W_g"].T
        dz_next = dz
    return dg, grads


def lstm_forward(params, state_tm1, g):
    """Keep the gates: their derivatives are made of them."""
    h_tm1, c_tm1 = state_tm1
    z = h_tm1 @ params["W_h"] + g @ params["W_g"] + params["b"]
    z_i, z_f, z_o, z_u = np.split(z, 4, axis=1)
    i, f, o = (1 / (1 + np.exp(-z)) for z in (z_i, z_f, z_o))
    u = np.tanh(z_u)
    c = f * c_tm1 + i * u
    tanh_c = np.tanh(c)
    return (o * tanh_c, c), (params, h_tm1, c_tm1, g, i, f, o, u, tanh_c)


def lstm_backward(dstate, cache):
    """c reaches the loss by two ways: by h, and by what comes later."""
    params, h_tm1, c_tm1, g, i, f, o, u, tanh_c = cache
    dh, dc = dstate
    dc = dc + dh * o * (1 - tanh_c**2)
    dz_i = dc * u * i * (1 - i)
    dz_f = dc * c_tm1 * f * (1 - f)
    dz_o = dh * tanh_c * o * (1 - o)
    dz_u = dc * i * (1 - u**2)
    dz = np.concatenate([dz_i, dz_f, dz_o, dz_u], axis=1)
    grads = {"W_h": h_tm1.T @ dz, "W_g": g.T @ dz, "b": dz.sum(axis=0)}
    return ((dz @ params["W_h"].T, dc * f), dz @ params["W_g"].T), grads
