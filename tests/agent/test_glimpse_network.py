"""The glimpse network is the paper's formula, and its gradient is proved."""

import numpy as np

from ramnp.agent import glimpse_network
from tests.helpers import assert_contract, order_one

B, RHO, HG, HL, G = 5, 6, 4, 3, 7


def drawn(rng):
    """Parameters, ρ, l and dg of order 1."""
    params = order_one(rng, glimpse_network.init(rng, RHO, HG, HL, G))
    return params, *(rng.standard_normal((B, size)) for size in (RHO, 2, G))


def test_forward_is_the_papers_formula(rng):
    """g = Rect(Linear(h_g) + Linear(h_l)): two linear maps, then their sum."""
    params, rho, l, _ = drawn(rng)
    hg = np.maximum(rho @ params["W_hg"] + params["b_hg"], 0)
    hl = np.maximum(l @ params["W_hl"] + params["b_hl"], 0)
    from_hg, from_hl = params["W_g"][:HG], params["W_g"][HG:]
    expected = np.maximum(hg @ from_hg + hl @ from_hl + params["b_g"], 0)
    g, _ = glimpse_network.forward(params, rho, l)
    assert g.shape == (B, G)
    assert np.allclose(g, expected)
    assert 0 < (g == 0).mean() < 1  # the rectifier is at work


def test_contract(rng):
    """Shapes, dtypes, pure functions, and gradients by the complex step."""
    shapes = {
        "W_hg": (RHO, HG),
        "b_hg": (HG,),
        "W_hl": (2, HL),
        "b_hl": (HL,),
        "W_g": (HG + HL, G),
        "b_g": (G,),
    }
    inputs = {"rho": (B, RHO), "l": (B, 2)}
    sizes = RHO, HG, HL, G
    assert_contract(rng, glimpse_network, sizes, shapes, inputs, (B, G), skips=True)
