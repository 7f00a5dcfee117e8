"""Exercises to chapter 8: replace each `raise` by your answer."""


def scales_needed(side, patch):
    """Return (central, anywhere): the fewest patches whose widest covers the whole image.

    central: seen from its centre; anywhere: from any place in it, corners included. The
    image has side × side pixels; patch is even, and each patch is twice as wide as the
    last.
    """
    raise NotImplementedError("exercise 8.1")


def sums(image):
    """Return a table (height + 1, width + 1); table[i, j] is the sum of image[:i, :j]."""
    raise NotImplementedError("exercise 8.2")


def glimpse(table, left, top, patch, scales, factor):
    """Return rho (scales, patch, patch), patch even, from the table of `sums` alone.

    Patch 0 starts at pixel (left, top), which may lie outside the image. A cell of
    patch j is the mean over factor^j × factor^j pixels, black beyond the border; all
    patches share their centre. No loop but the one over scales: four look-ups a cell.
    """
    raise NotImplementedError("exercise 8.2")


def look(params, images, locations, config):
    """Return logits (T, B, classes) and mu (T, B, 2) of an agent with a context network.

    Besides the networks of model.init, params has "context": W_c (cells², h), b_c (h,),
    W_0 (h, 2), b_0 (2,). It sees a thumbnail of each square image: cells × cells means
    over equal squares of pixels, row by row in one vector:
        h_0 = Rect(thumbnail W_c + b_c),  mu[0] = tanh(h_0 W_0 + b_0)
    h_0 is the memory before the first glimpse. mu[t] is the policy's mean for
    locations[t], for t > 0 the location network's (linear), from the memory after the
    glimpse at locations[t - 1]. Complex params pass through. Take the parts from
    ramnp.agent: glimpse_sensor, glimpse_network, core_network, ...
    """
    raise NotImplementedError("exercise 8.3")


def gradients(params, images, locations, dlogits, dmu, config):
    """Return {network: {name: array}} without "baseline", for the outputs' gradients.

    dmu goes into the location network and into W_0 and b_0, and no further.
    """
    raise NotImplementedError("exercise 8.3")
