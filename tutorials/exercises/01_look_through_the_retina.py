"""Exercises to chapter 1: replace each `raise` by your answer."""


def location_of_window(left, top, width, height, patch):
    """Return l = (x, y) at which a patch covers pixels left .. left + patch - 1.

    Likewise from top; the image has width × height pixels.
    """
    raise NotImplementedError("exercise 1.1")


def glimpse(image, left, top, patch, scales):
    """Return rho (scales, patch, patch) of one image (height, width), patch even.

    left and top: the first pixel of patch 0, which may lie outside the image. No loop
    but the one over scales: pad the image with black, cut, reshape, take means.
    """
    raise NotImplementedError("exercise 1.2")


def smooth_forward(image, l, patch):
    """Return patch (patch, patch) at l = (x, y), interpolated, and a cache.

    Cell (r, c) is the image at the point (x_c, y_r), in pixels
        x_c = (1 + l_x) W / 2 + c - (patch - 1) / 2 - 1 / 2
    (and y_r likewise, with H), where pixel (i, j) sits at x = j, y = i. Between pixels,
    interpolate linearly in x and in y; outside the image there is black. For complex l,
    the real part decides between which pixels a point lies.
    """
    raise NotImplementedError("exercise 1.3")


def smooth_backward(dpatch, cache):
    """Return dl (2,) for dpatch (patch, patch)."""
    raise NotImplementedError("exercise 1.3")
