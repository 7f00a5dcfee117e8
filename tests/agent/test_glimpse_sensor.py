"""The glimpse sensor equals a slow one that cuts each cell out of the image by itself.

The slow one works on an image whose pixels are all repeated 2 x 2, so that halves of
pixels are whole, and finds its place by exact fractions.
"""

import itertools
import math
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ramnp.agent import glimpse_sensor
from tests.helpers import count_bytecodes

# (patch, scales, factor): odd and even, every parity of patch times factor.
RETINAS = [
    (1, 3, 2),
    (2, 3, 3),
    (3, 3, 2),
    (4, 3, 2),
    (4, 2, 1),
    (5, 2, 4),
    (3, 2, 3),
    (7, 2, 3),
    (8, 1, 2),
    (9, 2, 2),
]
SHAPES = [(6, 9), (7, 4)]  # (height, width), each once odd and once even
# Exact in binary, so that ties between two places are ties in both sensors.
GRID = [-2.5, -1.0, -0.875, -0.5, -0.125, 0.0, 0.375, 0.75, 1.0, 1.25]
BACKGROUND = 0.25


def glimpses(images, l, retina, background=BACKGROUND):
    """Look at images (B, height, width) at l (N, 2): (N, k, patch, patch)."""
    patch, scales, factor = retina
    pyramid = glimpse_sensor.prepare(images, patch, scales, factor, background)
    rho = glimpse_sensor.forward(pyramid, l)
    assert rho.shape == (len(l), scales * patch**2)
    return rho.reshape(len(l), scales, patch, patch)


def slow_glimpse(image, l, retina, background=BACKGROUND):
    """Cut the glimpse at one l = (x, y) cell by cell: (k, patch, patch)."""
    patch, scales, factor = retina
    height, width = image.shape
    middle_x = 2 * slow_first_pixel(l[0], width, patch) + patch
    middle_y = 2 * slow_first_pixel(l[1], height, patch) + patch
    margin = 4 * max(image.shape) + patch * factor ** (scales - 1)
    doubled = np.pad(
        image.repeat(2, axis=0).repeat(2, axis=1), margin, constant_values=background
    )
    glimpse = np.empty((scales, patch, patch))
    for scale in range(scales):
        cell = 2 * factor**scale
        left = margin + middle_x - patch * cell // 2
        top = margin + middle_y - patch * cell // 2
        for row, column in np.ndindex(patch, patch):
            y, x = top + row * cell, left + column * cell
            glimpse[scale, row, column] = doubled[y : y + cell, x : x + cell].mean()
    return glimpse


def slow_first_pixel(l, size, patch):
    """Return the pixel whose patch has its middle nearest to l, ties outwards."""
    wanted = (Fraction(l) + 1) * size / 2
    side = math.copysign(1, l)

    def preference(first):
        middle = first + Fraction(patch, 2)
        outwards = (middle - Fraction(size, 2)) * side
        return abs(middle - wanted), -outwards

    return min(range(-3 * size - patch, 4 * size), key=preference)


@pytest.mark.parametrize("retina", RETINAS)
def test_equals_the_slow_sensor_on_a_grid(rng, retina):
    """Same glimpse at every place: inside, on the border, in corners, beyond."""
    l = np.array(list(itertools.product(GRID, GRID[::2])) + [(-1, -1), (1, 1)])
    for shape in SHAPES:
        image = rng.random(shape)
        fast = glimpses(image[None], l, retina)
        slow = np.array([slow_glimpse(image, l_n, retina) for l_n in l])
        assert np.allclose(fast, slow, rtol=0, atol=1e-12)


def test_equals_the_slow_sensor_at_the_far_end_of_a_long_image(rng):
    """A place is found hundreds of pixels from the middle, too."""
    image, l = rng.random((3, 500)), np.array([[-0.875, 0.5], [0.625, 0], [0.9375, -1]])
    for retina in RETINAS[2:4]:
        slow = np.array([slow_glimpse(image, l_n, retina) for l_n in l])
        assert np.allclose(glimpses(image[None], l, retina), slow, rtol=0, atol=1e-12)


def test_by_default_one_scale_on_black_then_twice_as_wide(rng):
    """All three say the same: one scale, a factor of 2, a background of 0."""
    image, l = rng.random((6, 9)), np.array([[0.9, -1.2]])
    for scales in ((), (3,)):
        spelled_out = (*(scales or (1,)), 2)
        pyramid = glimpse_sensor.prepare(image[None], 4, *scales)
        expected = slow_glimpse(image, l[0], (4, *spelled_out), 0).ravel()
        assert np.allclose(glimpse_sensor.forward(pyramid, l)[0], expected)
        assert np.allclose(
            glimpse_sensor.plain_glimpse(image, l[0], 4, *scales), expected
        )
        found = glimpse_sensor.windows(l, image.shape, 4, *scales)
        wanted = glimpse_sensor.windows(l, image.shape, 4, *spelled_out)
        assert np.array_equal(found, wanted)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(
    patch=st.integers(1, 9),
    scales=st.integers(1, 3),
    factor=st.integers(1, 4),
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    x=st.floats(-2.5, 2.5, width=16),
    y=st.floats(-2.5, 2.5, width=16),
)
def test_equals_the_slow_sensor_anywhere(patch, scales, factor, height, width, x, y):
    """Any patch, any factor, any image, also one smaller than the patch."""
    image = np.random.default_rng(height * 13 + width).random((height, width))
    retina = patch, scales, factor
    fast = glimpses(image[None], np.array([[x, y]]), retina)
    assert np.allclose(fast[0], slow_glimpse(image, (x, y), retina), atol=1e-12)


@pytest.mark.parametrize("retina", RETINAS)
@pytest.mark.parametrize("axis", [0, 1])
def test_flipping_image_and_location_flips_the_glimpse(rng, retina, axis):
    """No side is favoured: left and right, top and bottom are mirror images."""
    l = np.array(list(itertools.product(GRID, GRID)))
    flipped = l.copy()
    flipped[:, axis] *= -1
    for shape in SHAPES:
        image = rng.random((1, *shape))
        seen = glimpses(image, l, retina)
        mirrored = glimpses(np.flip(image, 2 - axis), flipped, retina)
        assert np.allclose(seen, np.flip(mirrored, 3 - axis), rtol=0, atol=1e-12)


def test_transposing_image_and_location_transposes_the_glimpse(rng):
    """x and y are treated alike."""
    image, l = rng.random((1, 6, 9)), rng.uniform(-1.5, 1.5, (50, 2))
    for retina in RETINAS:
        seen = glimpses(image, l, retina)
        turned = glimpses(image.swapaxes(1, 2), l[:, ::-1], retina)
        assert np.allclose(seen, turned.swapaxes(2, 3), rtol=0, atol=1e-12)


@pytest.mark.parametrize("patch, size", [(8, 28), (12, 60), (7, 9)])
def test_at_the_centre_lies_the_exact_centre_crop(rng, patch, size):
    """At l = 0, a patch of the image's parity is the crop that shares its centre."""
    image = rng.random((1, size, size))
    first = (size - patch) // 2
    crop = image[0, first : first + patch, first : first + patch]
    assert np.array_equal(glimpses(image, np.zeros((1, 2)), (patch, 1, 2))[0, 0], crop)


def test_single_bright_pixel_is_found_by_its_x_and_y():
    """On an image 5 high and 9 wide, pixel (row 1, column 7) is at its own (x, y)."""
    image = np.zeros((1, 5, 9))
    image[0, 1, 7] = 1
    middle = np.array([[2 * 7.5 / 9 - 1, 2 * 1.5 / 5 - 1]])
    seen = glimpses(image, middle, (3, 1, 2), background=0)[0, 0]
    assert seen.tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]
    right_of_it = middle + [[2 / 9, 0]]
    seen = glimpses(image, right_of_it, (3, 1, 2), background=0)[0, 0]
    assert seen.tolist() == [[0, 0, 0], [1, 0, 0], [0, 0, 0]]
    below_it = middle + [[0, 2 / 5]]
    seen = glimpses(image, below_it, (3, 1, 2), background=0)[0, 0]
    assert seen.tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize("background", [0.0, 0.25, 1.0])
def test_blank_image_looks_the_same_everywhere(background):
    """Beyond the border lies the background: no frame gives the border away."""
    image = np.full((1, 7, 10), background)
    l = np.array(list(itertools.product(GRID, GRID)))
    for retina in RETINAS:
        assert np.allclose(glimpses(image, l, retina, background), background)


def test_each_coarse_cell_is_the_mean_of_its_pixels(rng):
    """Scale 2^i, not 2 i: cells of 1, 2, 4 pixels a side, all around one centre."""
    image = rng.random((1, 16, 16))
    seen = glimpses(image, np.zeros((1, 2)), (4, 3, 2))[0]
    for scale, cell in enumerate([1, 2, 4]):
        first = 8 - 2 * cell
        crop = image[0, first : 16 - first, first : 16 - first]
        means = crop.reshape(4, cell, 4, cell).mean(axis=(1, 3))
        assert np.allclose(seen[scale], means, rtol=0, atol=1e-15)


@pytest.mark.parametrize("count", [5, 2 * glimpse_sensor.IN_CACHE + 1])
def test_a_batch_equals_a_loop_over_its_images(rng, count):
    """Each image is looked at, at its own location: one call equals single calls."""
    images, l = rng.random((count, 9, 12)), rng.uniform(-1.5, 1.5, (count, 2))
    for retina in RETINAS:
        loop = [glimpses(images[[n]], l[[n]], retina)[0] for n in range(count)]
        assert np.array_equal(glimpses(images, l, retina), np.array(loop))


def test_permuting_the_batch_permutes_the_glimpses(rng):
    """Which row an image stands in does not matter."""
    images, l, order = (
        rng.random((5, 9, 12)),
        rng.uniform(-1, 1, (5, 2)),
        [3, 0, 4, 2, 1],
    )
    seen = glimpses(images, l, (4, 3, 2))
    assert np.array_equal(glimpses(images[order], l[order], (4, 3, 2)), seen[order])


def test_row_n_looks_at_image_n_mod_B(rng):
    """With several rollouts, the images come again in the same order."""
    images, l = rng.random((3, 9, 12)), rng.uniform(-1, 1, (12, 2))
    seen = glimpses(images, l, (4, 3, 2))
    for n in range(12):
        expected = glimpses(images[[n % 3]], l[[n]], (4, 3, 2))[0]
        assert np.array_equal(seen[n], expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_glimpses_keep_the_dtype_of_the_images(rng, dtype):
    """No scale widens it, also with a background, an odd patch and factor 3."""
    images = rng.random((3, 9, 12)).astype(dtype)
    l = rng.uniform(-1, 1, (3, 2)).astype(dtype)
    for retina in RETINAS:
        seen = glimpses(images, l, retina)
        assert seen.dtype == dtype
        wide = glimpses(images.astype(float), l.astype(float), retina)
        assert np.allclose(seen, wide, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_locations_that_are_no_place_show_the_background(rng, dtype):
    """Huge, infinite and NaN locations neither crash nor warn nor read elsewhere."""
    images = rng.random((1, 9, 12)).astype(dtype)
    for x in (1e3, -1e3, 1e9, -1e30, np.inf, -np.inf, np.nan):
        l = np.array([[x, 0], [0, x], [x, x]], dtype)
        assert np.all(glimpses(images, l, (4, 3, 2)) == dtype(BACKGROUND))


def test_images_smaller_than_the_patch_are_seen_whole(rng):
    """A 2 x 3 image lies in the middle of an 8 x 8 glimpse, background around it."""
    image = rng.random((1, 2, 3))
    seen = glimpses(image, np.zeros((1, 2)), (8, 1, 2))[0, 0]
    expected = np.full((8, 8), BACKGROUND)
    expected[3:5, 2:5] = image[0]
    assert np.array_equal(seen, expected)


def test_sensor_leaves_its_inputs_as_they_are(rng):
    """Neither images nor locations are written over."""
    images, l = rng.random((3, 9, 12)), rng.uniform(-1, 1, (3, 2))
    images.flags.writeable = l.flags.writeable = False
    glimpses(images, l, (3, 3, 2))


@pytest.mark.parametrize("retina", RETINAS)
def test_each_channel_of_a_colour_image_is_seen_as_a_grey_image(rng, retina):
    """A cell's channels stand side by side in ρ; the plain sensor gives the same."""
    patch, scales, factor = retina
    images, l = rng.random((5, 6, 9, 3)), rng.uniform(-1.5, 1.5, (10, 2))
    pyramid = glimpse_sensor.prepare(images, patch, scales, factor, BACKGROUND)
    rho = glimpse_sensor.forward(pyramid, l)
    assert rho.shape == (10, 3 * glimpse_sensor.rho_size(patch, scales))
    cells = rho.reshape(10, scales, patch, patch, 3)
    for c in range(3):
        assert np.array_equal(cells[..., c], glimpses(images[..., c], l, retina))
    for n in range(10):
        plain = glimpse_sensor.plain_glimpse(images[n % 5], l[n], *retina, BACKGROUND)
        assert np.allclose(plain, rho[n], rtol=0, atol=1e-12)


def memory_of_a_glimpse(size, patch, scales):
    """Return the bytes that one call needs at its peak, the pyramid left out."""
    pyramid = glimpse_sensor.prepare(np.zeros((20, size, size)), patch, scales)
    l = np.zeros((20, 2))
    glimpse_sensor.forward(pyramid, l)
    tracemalloc.start()
    try:
        glimpse_sensor.forward(pyramid, l)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_work_per_glimpse_does_not_grow_with_the_image_or_the_width():
    """A glimpse handles as many values at any image; twice the scales, at most twice."""
    at_28 = memory_of_a_glimpse(28, 12, 2)
    assert memory_of_a_glimpse(128, 12, 2) == pytest.approx(at_28, rel=0.01)
    assert memory_of_a_glimpse(28, 12, 4) < 2.1 * at_28


@pytest.mark.parametrize("retina", [(8, 1, 2), (12, 4, 2), (7, 3, 3)])
def test_no_python_loop_over_the_batch(retina):
    """Python executes as much for all images that share the cache as for 2 of them."""

    def look(count):
        glimpses(np.zeros((count, 20, 20)), np.zeros((3 * count, 2)), retina)

    look(2)
    most = glimpse_sensor.IN_CACHE
    assert most >= 32
    assert count_bytecodes(lambda: look(most)) == count_bytecodes(lambda: look(2))


@pytest.mark.parametrize("retina", RETINAS)
def test_windows_are_what_the_sensor_sees(rng, retina):
    """Each scale is the mean over exactly the window that is told for it."""
    patch, scales, factor = retina
    height, width = 8, 11
    image, l = rng.random((1, height, width)), rng.uniform(-1.3, 1.3, (20, 2))
    edges = glimpse_sensor.windows(l, (height, width), patch, scales, factor)
    assert edges.shape == (20, scales, 4)
    margin = patch * factor**scales + 2 * width
    doubled = np.pad(
        image[0].repeat(2, axis=0).repeat(2, axis=1), 2 * margin, constant_values=0.25
    )
    seen = glimpses(image, l, retina)
    for n, scale in np.ndindex(20, scales):
        left, top, right, bottom = edges[n, scale]
        assert right - left == bottom - top == patch * factor**scale
        x0, y0, x1, y1 = (2 * (edges[n, scale] + margin)).astype(int)
        assert seen[n, scale].mean() == pytest.approx(doubled[y0:y1, x0:x1].mean())
