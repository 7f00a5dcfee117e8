"""The glimpse network is the paper's formula, and its gradient is proved."""

import numpy as np
import pytest

from ramnp.agent import glimpse_network
from ramnp.proofs.complex_step import derivatives, failures
from tests.helpers import layout, order_one

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


def test_gradients(rng):
    """drho, dl and all six gradients are the derivatives of a random projection."""
    params, rho, l, dg = drawn(rng)

    def loss(arrays):
        g, _ = glimpse_network.forward(arrays, arrays["rho"], arrays["l"])
        return (dg * g).sum()

    _, cache = glimpse_network.forward(params, rho, l)
    (drho, dl), grads = glimpse_network.backward(dg, cache)
    expected = derivatives(loss, params | {"rho": rho, "l": l})
    assert not failures(grads | {"rho": drho, "l": dl}, expected)


def test_leaving_out_the_inputs_changes_no_gradient(rng):
    """with_inputs=False gives None for (drho, dl) and the same gradients."""
    params, rho, l, dg = drawn(rng)
    _, cache = glimpse_network.forward(params, rho, l)
    _, expected = glimpse_network.backward(dg, cache)
    dinputs, grads = glimpse_network.backward(dg, cache, with_inputs=False)
    assert dinputs == ()
    assert grads.keys() == expected.keys()
    assert all(np.array_equal(grads[name], expected[name]) for name in grads)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shapes_and_dtypes(rng, dtype):
    """The dtype chosen at init is that of everything, gradients included."""
    params = glimpse_network.init(rng, RHO, HG, HL, G, dtype)
    rho, l = np.ones((B, RHO), dtype), np.ones((B, 2), dtype)
    g, cache = glimpse_network.forward(params, rho, l)
    (drho, dl), grads = glimpse_network.backward(g, cache)
    assert layout(params) == {
        "W_hg": ((RHO, HG), dtype),
        "b_hg": ((HG,), dtype),
        "W_hl": ((2, HL), dtype),
        "b_hl": ((HL,), dtype),
        "W_g": ((HG + HL, G), dtype),
        "b_g": ((G,), dtype),
    }
    assert layout(grads) == layout(params)
    assert layout({"g": g, "drho": drho, "dl": dl}) == {
        "g": ((B, G), dtype),
        "drho": ((B, RHO), dtype),
        "dl": ((B, 2), dtype),
    }
