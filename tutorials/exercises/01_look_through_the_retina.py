"""Exercises to chapter 1: replace each `raise` by your answer."""


def location_of_window(left, top, width, height, patch):
    """Return l = (l_x, l_y) at which a patch covers pixels left .. left + patch - 1.

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
    """Return patch (patch, patch) at l = (l_x, l_y), interpolated, and a cache.

    Cell (row, column) is the image at the point (down, right), in pixels
        right = (1 + l_x) * width / 2 + column - (patch - 1) / 2 - 1 / 2
    (and down likewise), where image[i, j] sits at down = i, right = j. Between pixels,
    interpolate linearly along both axes; outside the image there is black. For complex
    l, the real part decides between which pixels a point lies.
    """
    raise NotImplementedError("exercise 1.3")


def smooth_backward(dpatch, cache):
    """Return dl (2,) for dpatch (patch, patch)."""
    raise NotImplementedError("exercise 1.3")
