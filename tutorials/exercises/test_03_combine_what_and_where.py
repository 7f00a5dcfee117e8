"""Checks the answers to chapter 3."""

import numpy as np

from ramnp.agent import glimpse_network
from ramnp.proofs import complex_step

HINTS = {
    1: (
        "three affine maps: from rho, from l, from the pair.",
        "a map from a to b numbers has a · b weights and b biases.",
    ),
    2: (
        "at a fixed l, all that the branch *where* contributes is a constant.",
        "W_g is V above U, and h_l U joins the bias b_g; the bias of h_g stays.",
    ),
    3: (
        "keep both factors: each one is the derivative by the other.",
        (
            "below the rectifier dz goes to both: d(what) = dz · where, d(where) = dz · "
            "what."
        ),
        (
            "from there on, it is chapter 3's backward pass: two affine maps, two "
            "rectifiers, two affine maps."
        ),
    ),
}


def test_1_num_parameters(answers, check, rng):
    """It counts what the package draws."""
    for sizes in ((4, 5, 6, 7), (432, 128, 128, 256)):
        params = glimpse_network.init(rng, *sizes)
        expected = sum(array.size for array in params.values())
        check(f"the number for sizes {sizes}", answers.num_parameters(*sizes), expected)


def test_2_biases_at(answers, check, rng):
    """At that location, the two-layer network is the glimpse network."""
    params = glimpse_network.init(rng, 4, 5, 6, 7, float)
    params = {name: rng.standard_normal(a.shape) for name, a in params.items()}
    rho, l = rng.standard_normal((8, 4)), rng.uniform(-1, 1, size=2)
    expected, _ = glimpse_network.forward(params, rho, np.tile(l, (8, 1)))
    first, second = answers.biases_at(params, l)
    hg = np.maximum(rho @ params["W_hg"] + first, 0)
    g = np.maximum(hg @ params["W_g"][:5] + second, 0)
    check("g with your biases", g, expected)


def test_3_multiply(answers, check, rng):
    """Forward is the formula, backward the complex step's derivative."""
    shapes = {
        "W_hg": (4, 5),
        "b_hg": (5,),
        "W_hl": (2, 6),
        "b_hl": (6,),
        "V": (5, 7),
        "b_V": (7,),
        "U": (6, 7),
        "b_U": (7,),
    }
    params = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    rho, l = rng.standard_normal((3, 4)), rng.standard_normal((3, 2))
    g, cache = answers.multiply_forward(params, rho, l)
    hg = np.maximum(rho @ params["W_hg"] + params["b_hg"], 0)
    hl = np.maximum(l @ params["W_hl"] + params["b_hl"], 0)
    z = (hg @ params["V"] + params["b_V"]) * (hl @ params["U"] + params["b_U"])
    check("g", g, np.maximum(z, 0))

    dg = rng.standard_normal(g.shape)

    def loss(a):
        return (dg * answers.multiply_forward(a, a["rho"], a["l"])[0]).sum()

    exact = complex_step.derivatives(loss, params | {"rho": rho, "l": l})
    (drho, dl), grads = answers.multiply_backward(dg, cache)
    found = {**grads, "rho": drho, "l": dl}
    check.all({name: found.get(name) for name in exact}, exact)
