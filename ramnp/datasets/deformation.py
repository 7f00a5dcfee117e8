"""Digits bent a little, anew each time: what another hand might have written.

Free-form deformation: a coarse grid of points over the image is displaced at random,
the pixels between them follow smoothly, and each takes what lies where it was sent.
Turning, stretching, slanting, shifting and bending are all in it.
"""

import functools

import numpy as np

GRID = 4  # points along each side


def deform(images, std, rng):
    """Return images (B, height, width) as float32, bent, of the same range.

    std is the standard deviation in pixels of a grid point's displacement along each
    axis. What comes from beyond the border is what lies at the border.
    """
    B, height, width = images.shape
    d = std * rng.standard_normal((2, B, GRID**2), np.float32)
    y, x = d @ _smoothing(height, width)  # (B, height * width) each
    y += np.repeat(np.arange(height, dtype=np.float32), width)
    x += np.tile(np.arange(width, dtype=np.float32), height)
    top, dy = _split(y, height)
    left, dx = _split(x, width)
    corner = top * width + left
    corner += np.arange(B)[:, None] * (height * width)
    right, below = min(width - 1, 1), min(height - 1, 1) * width
    flat = images.astype(np.float32).ravel()
    upper = _between(flat.take(corner), flat.take(corner + right), dx)
    corner += below
    lower = _between(flat.take(corner), flat.take(corner + right), dx)
    return _between(upper, lower, dy).reshape(images.shape)


def _split(place, size):
    """Return the pixel before each place, which has one after it, and the rest."""
    np.clip(place, 0, size - 1, out=place)
    before = np.minimum(place, max(size - 2, 0)).astype(np.intp)
    place -= before
    return before, place


def _between(a, b, fraction):
    """Interpolate linearly from a to b."""
    return a + fraction * (b - a)


@functools.lru_cache(maxsize=4)
def _smoothing(height, width):
    """Return the map (GRID², height · width) from grid points to pixels.

    Along each axis it is the polynomial through the grid points.
    """
    to_coefficients = np.linalg.inv(np.vander(np.linspace(0, 1, GRID)))
    rows, columns = (
        np.vander(np.linspace(0, 1, size), GRID) @ to_coefficients
        for size in (height, width)
    )
    return np.kron(rows, columns).T.astype(np.float32)
