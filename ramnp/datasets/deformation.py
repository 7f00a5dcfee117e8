"""Augmentation by random smooth deformation of the images.

Free-form deformation: random displacements of a coarse grid of points over the image
are interpolated smoothly to all pixels, and each pixel takes the value of the image at
its displaced place. This covers rotation, scaling, shear, translation and bending.
"""

import functools
import math

import numpy as np

GRID = 4  # points along each side


def deform(images: np.ndarray, std: float, rng: np.random.Generator) -> np.ndarray:
    """Return deformed images (B, height, width, ...) as float32, in the same range.

    std is the standard deviation in pixels of a grid point's displacement along each
    axis. Edge pixels are repeated outward.
    """
    B, height, width = images.shape[:3]
    displacement = std * rng.standard_normal((2, B, GRID**2), np.float32)
    y, x = displacement @ _smoothing(height, width)  # (B, height * width) each
    y += np.repeat(np.arange(height, dtype=np.float32), width)
    x += np.tile(np.arange(width, dtype=np.float32), height)
    top, dy = _split(y, height)
    left, dx = _split(x, width)
    corner = top * width + left
    corner += np.arange(B)[:, None] * (height * width)
    right, below = min(width - 1, 1), min(height - 1, 1) * width
    channels = math.prod(images.shape[3:])
    pixels = images.astype(np.float32).reshape(B * height * width, channels)
    dy, dx = dy[..., None], dx[..., None]
    upper = _between(pixels.take(corner, 0), pixels.take(corner + right, 0), dx)
    corner += below
    lower = _between(pixels.take(corner, 0), pixels.take(corner + right, 0), dx)
    return _between(upper, lower, dy).reshape(images.shape)


def _split(place, size):
    """Return the last pixel before each place, never the last of all, and the fraction."""
    np.clip(place, 0, size - 1, out=place)
    before = np.minimum(place, max(size - 2, 0)).astype(np.intp)
    place -= before
    return before, place


def _between(a, b, fraction):
    """Return the linear interpolation from a to b."""
    return a + fraction * (b - a)


@functools.lru_cache(maxsize=4)
def _smoothing(height, width):
    """Return the map (GRID², height · width) from grid points to pixels.

    Along each axis it evaluates the polynomial through the grid points.
    """
    to_coefficients = np.linalg.inv(np.vander(np.linspace(0, 1, GRID)))
    rows, columns = (
        np.vander(np.linspace(0, 1, size), GRID) @ to_coefficients
        for size in (height, width)
    )
    return np.kron(rows, columns).T.astype(np.float32)
