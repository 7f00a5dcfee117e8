"""The glimpse network f_g: what was seen, and where, in one vector (3.1 B).

    h_g = Rect(Linear(ρ)),  h_l = Rect(Linear(l)),  g = Rect(Linear(h_g) + Linear(h_l))

The sum of the last two linear maps is one map of the pair (h_g, h_l), with one bias.
"""

import numpy as np

from ramnp.agent.layers import (
    affine_backward,
    affine_forward,
    affine_weights_backward,
    init_array,
    relu_backward,
    relu_forward,
)


def shapes(rho_size: int, hg_size: int, hl_size: int, g_size: int) -> dict:
    """Return {name: shape} of the maps from ρ, from l, and from the pair."""
    return {
        "W_hg": (rho_size, hg_size),
        "b_hg": (hg_size,),
        "W_hl": (2, hl_size),
        "b_hl": (hl_size,),
        "W_g": (hg_size + hl_size, g_size),
        "b_g": (g_size,),
    }


def init(
    rng: np.random.Generator,
    rho_size: int,
    hg_size: int,
    hl_size: int,
    g_size: int,
    dtype: type = np.float32,
) -> dict:
    """Return parameters of the shapes above, drawn for rectified units."""
    sizes = shapes(rho_size, hg_size, hl_size, g_size)
    return {name: init_array(rng, shape, dtype) for name, shape in sizes.items()}


def forward(params: dict, rho: np.ndarray, l: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return g (B, g) and the cache, for rho (B, ρ) and l (B, 2)."""
    z_hg = affine_forward(rho, params["W_hg"], params["b_hg"])
    z_hl = affine_forward(l, params["W_hl"], params["b_hl"])
    pair = relu_forward(np.concatenate([z_hg, z_hl], axis=1))
    g = relu_forward(affine_forward(pair, params["W_g"], params["b_g"]))
    return g, (params, rho, l, pair, g)


def backward(
    dg: np.ndarray, cache: tuple, with_inputs: bool = True
) -> tuple[tuple, dict]:
    """Return (drho, dl) and the gradients, for dg (B, g).

    Nothing trains below ρ and l (the image is given, the location is a sample), so
    the agent skips their gradients: with_inputs=False returns () in their place.
    """
    params, rho, l, pair, g = cache
    hg_size = len(params["b_hg"])
    grads = {}
    dz_g = relu_backward(dg, g)
    dpair, grads["W_g"], grads["b_g"] = affine_backward(dz_g, pair, params["W_g"])
    dz = relu_backward(dpair, pair)
    dz_hg, dz_hl = dz[:, :hg_size], dz[:, hg_size:]
    grads["W_hl"], grads["b_hl"] = affine_weights_backward(dz_hl, l)
    grads["W_hg"], grads["b_hg"] = affine_weights_backward(dz_hg, rho)
    if not with_inputs:
        return (), grads
    return (dz_hg @ params["W_hg"].T, dz_hl @ params["W_hl"].T), grads
