"""Exercises to chapter 8: replace each `raise` by your answer."""


def scales_needed(side, patch):
    """Return (k, k'), the fewest patches whose widest covers the whole image.

    k from its centre, k' from anywhere in it, corners included. The image has
    side × side pixels; patch is even, and each patch is twice as wide as the last.
    """
    raise NotImplementedError("exercise 8.1")


def sums(image):
    """Return S (height + 1, width + 1), where S[r, c] is the sum of image[:r, :c]."""
    raise NotImplementedError("exercise 8.2")


def glimpse(S, left, top, patch, scales, factor):
    """Return rho (scales, patch, patch), patch even, from the table of sums alone.

    Patch 0 starts at pixel (left, top), which may lie outside the image. A cell of
    patch j is the mean over factor^j × factor^j pixels, black beyond the border; all
    patches share their centre. No loop but the one over scales: four look-ups a cell.
    """
    raise NotImplementedError("exercise 8.2")


def look(params, images, locations, config):
    """Return logits (T, B, classes) and mu (T, B, 2) of an agent with a context network.

    Besides the networks of model.init, params has "context": W_c (s², h), b_c (h,),
    W_0 (h, 2), b_0 (2,). It sees a thumbnail of the images (B, n s, n s), s × s means
    over squares of n × n pixels, row by row in one vector c:
        h_0 = Rect(c W_c + b_c),  mu[0] = tanh(h_0 W_0 + b_0)
    h_0 is the memory before the first glimpse. mu[t] is the policy's mean for
    locations[t], for t > 0 the location network's, from the memory after glimpse t.
    Complex params pass through. Take the parts from ramnp.agent.
    """
    raise NotImplementedError("exercise 8.3")


def gradients(params, images, locations, dlogits, dmu, config):
    """Return {network: {name: array}} without "baseline", for the outputs' gradients.

    dmu goes into the location network and into W_0 and b_0, and no further.
    """
    raise NotImplementedError("exercise 8.3")
