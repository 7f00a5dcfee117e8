"""Solutions to chapter 3."""

import numpy as np

from ramnp.agent import layers


def num_parameters(rho_size, hg_size, hl_size, g_size):
    """Count the inputs and one bias for each unit."""
    from_pair = (hg_size + hl_size + 1) * g_size
    return (rho_size + 1) * hg_size + (2 + 1) * hl_size + from_pair


def biases_at(params, l):
    """At a fixed location, the branch *where* is a constant and joins the bias."""
    hl = np.maximum(l @ params["W_hl"] + params["b_hl"], 0)
    U = params["W_g"][len(params["b_hg"]) :]
    return params["b_hg"], params["b_g"] + hl @ U


def multiply_forward(params, rho, l):
    """Keep both factors: each is the other's derivative."""
    p = params
    hg = layers.relu_forward(layers.affine_forward(rho, p["W_hg"], p["b_hg"]))
    hl = layers.relu_forward(layers.affine_forward(l, p["W_hl"], p["b_hl"]))
    what = layers.affine_forward(hg, p["V"], p["b_V"])
    where = layers.affine_forward(hl, p["U"], p["b_U"])
    g = layers.relu_forward(what * where)
    return g, (params, rho, l, hg, hl, what, where, g)


def multiply_backward(dg, cache):
    """Read multiply_forward upwards."""
    p, rho, l, hg, hl, what, where, g = cache
    grads = {}
    dz = layers.relu_backward(dg, g)
    dhl, grads["U"], grads["b_U"] = layers.affine_backward(dz * what, hl, p["U"])
    dhg, grads["V"], grads["b_V"] = layers.affine_backward(dz * where, hg, p["V"])
    dz_l, dz_g = layers.relu_backward(dhl, hl), layers.relu_backward(dhg, hg)
    dl, grads["W_hl"], grads["b_hl"] = layers.affine_backward(dz_l, l, p["W_hl"])
    drho, grads["W_hg"], grads["b_hg"] = layers.affine_backward(dz_g, rho, p["W_hg"])
    return (drho, dl), grads
