"""Exercises to chapter 3: replace each `raise` by your answer."""


def num_parameters(rho_size, hg_size, hl_size, g_size):
    """Return the number of weights and biases of the glimpse network."""
    raise NotImplementedError("exercise 3.1")


def biases_at(params, l):
    """Return two biases, of h_g and of g, with which, at the fixed location l (2,),

    g = Rect(Rect(rho W_hg + first) V + second) for every rho, where V is the part of
    W_g that belongs to h_g.
    """
    raise NotImplementedError("exercise 3.2")


def multiply_forward(params, rho, l):
    """Return g (B, g) and a cache, where the two branches are multiplied, elementwise:

    h_g = Rect(rho W_hg + b_hg), h_l = Rect(l W_hl + b_hl),
    g = Rect((h_g V + b_V) * (h_l U + b_U)).

    params: W_hg, b_hg, W_hl, b_hl, V (hg, g), b_V (g,), U (hl, g), b_U (g,). Complex
    params pass through: let layers.relu_forward decide which units are on.
    """
    raise NotImplementedError("exercise 3.3")


def multiply_backward(dg, cache):
    """Return (drho, dl) and {name: gradient of params}, for dg (B, g)."""
    raise NotImplementedError("exercise 3.3")
