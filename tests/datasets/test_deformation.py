"""Digits are deformed by a smooth displacement of a coarse grid."""

import numpy as np
import pytest
from scipy.interpolate import RectBivariateSpline
from scipy.ndimage import map_coordinates

from ramnp.datasets.deformation import GRID, deform


def bent_one_by_one(images, std, rng):
    """The readable form: for each image, SciPy's spline through the grid and gather."""
    B, height, width = images.shape
    d = std * rng.standard_normal((2, B, GRID, GRID), np.float32)
    grid = np.linspace(0, 1, GRID)
    pixels = np.linspace(0, 1, height), np.linspace(0, 1, width)
    bent = []
    for image, dy, dx in zip(images, *d):
        y, x = (
            RectBivariateSpline(grid, grid, each, s=0)(*pixels) for each in (dy, dx)
        )
        rows, columns = np.indices(image.shape)
        places = [rows + y, columns + x]
        bent.append(
            map_coordinates(image.astype(float), places, order=1, mode="nearest")
        )
    return np.array(bent)


@pytest.mark.parametrize("shape", [(28, 28), (20, 31), (2, 3), (5, 1), (1, 1)])
@pytest.mark.parametrize("std", [0.3, 1.5, 40.0])
def test_it_is_the_readable_form(shape, std):
    """Smoothing by one product and gathering by index give what SciPy gives."""
    images = np.random.default_rng(0).integers(0, 256, (6, *shape), np.uint8)
    fast = deform(images, std, np.random.default_rng(1))
    slow = bent_one_by_one(images, std, np.random.default_rng(1))
    assert fast.dtype == np.float32 and fast.shape == images.shape
    # A place that float32 rounds moves by some 1e-5 pixels.
    np.testing.assert_allclose(fast, slow, atol=0.02 * max(1, std))


def test_no_displacement_changes_nothing(rng):
    """With a standard deviation of 0 each pixel is exactly its own."""
    images = rng.integers(0, 256, (5, 28, 28), np.uint8)
    assert np.array_equal(deform(images, 0.0, rng), images)


def test_the_channels_of_a_colour_image_move_together(rng):
    """Each as if it were alone, by the same displacements."""
    images = rng.integers(0, 256, (5, 12, 9, 3), np.uint8)
    deformed = deform(images, 1.5, np.random.default_rng(1))
    for c in range(3):
        alone = deform(images[..., c], 1.5, np.random.default_rng(1))
        assert np.array_equal(deformed[..., c], alone)


def test_a_grid_point_moves_by_the_standard_deviation():
    """On a ramp, a pixel's value tells how far it was sent."""
    ramp = np.tile(np.arange(50, 150, dtype=np.uint8), (4000, 2, 1))
    column = 33  # a grid point, as 0, 66 and 99 are
    moved = deform(ramp, 3.0, np.random.default_rng(2))[:, 0, column] - 83.0
    assert moved.std() == pytest.approx(3, rel=0.05)
    assert abs(moved.mean()) < 0.2


def test_each_image_is_bent_its_own_way_and_anew(rng):
    """Equal images come out different, at each call."""
    images = np.repeat(rng.integers(0, 256, (1, 28, 28), np.uint8), 3, axis=0)
    first, second = deform(images, 1.0, rng), deform(images, 1.0, rng)
    everything = [*first, *second]
    for i, one in enumerate(everything):
        assert not any(np.array_equal(one, other) for other in everything[:i])


def test_values_stay_within_those_of_the_image(rng):
    """Between pixels lies nothing brighter or darker; what is read is only read."""
    images = rng.integers(40, 200, (50, 28, 28), np.uint8)
    images.flags.writeable = False
    bent = deform(images, 5.0, rng)
    assert images.min() <= bent.min() and bent.max() <= images.max()
