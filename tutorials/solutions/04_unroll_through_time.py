"""Solutions to chapter 4."""

import numpy as np


def truncated_gradient(W_h, h, dh, most):
    """Send each dh_t back on its own, over a few steps."""
    dW_h = np.zeros_like(W_h)
    for t in range(len(dh)):
        dh_s = dh[t]
        for s in range(t, max(t - most, -1), -1):
            dz = dh_s * (h[s + 1] > 0)
            dW_h += h[s].T @ dz
            dh_s = dz @ W_h.T
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
    """Keep the outputs: all derivatives are made of them."""
    h_tm1, cell_tm1 = state_tm1
    z = h_tm1 @ params["W_h"] + g @ params["W_g"] + params["b_h"]
    *gates, z_new = np.split(z, 4, axis=1)
    take, forget, out = (1 / (1 + np.exp(-z)) for z in gates)
    new = np.tanh(z_new)
    cell = forget * cell_tm1 + take * new
    squashed = np.tanh(cell)
    cache = params, h_tm1, cell_tm1, g, take, forget, out, new, squashed
    return (out * squashed, cell), cache


def lstm_backward(dstate, cache):
    """The cell reaches the loss in two ways: through h, and through the next cell."""
    params, h_tm1, cell_tm1, g, take, forget, out, new, squashed = cache
    dh, dcell = dstate
    dcell = dcell + dh * out * (1 - squashed**2)
    dz_in = dcell * new * take * (1 - take)
    dz_forget = dcell * cell_tm1 * forget * (1 - forget)
    dz_out = dh * squashed * out * (1 - out)
    dz_new = dcell * take * (1 - new**2)
    dz = np.concatenate([dz_in, dz_forget, dz_out, dz_new], axis=1)
    grads = {"W_h": h_tm1.T @ dz, "W_g": g.T @ dz, "b_h": dz.sum(axis=0)}
    return ((dz @ params["W_h"].T, dcell * forget), dz @ params["W_g"].T), grads
