"""Checks the answers to chapter 1."""

import numpy as np

from ramnp.agent import glimpse_sensor
from ramnp.proofs import complex_step

HINTS = {
    1: (
        "where is the window's centre, in pixels?",
        "pixel p of an image of `size` pixels lies at l = 2 p / size - 1.",
    ),
    2: (
        "patch j starts patch (2^j - 1) / 2 pixels further left and higher.",
        (
            "pad by the width of the widest patch on every side; a patch farther out sees "
            "only black, so clip left and top there."
        ),
        "reshape (patch, cell, patch, cell) and take the mean over axes 1 and 3.",
    ),
    3: (
        (
            "floor of the real part gives the left of the four pixels; the rest is a share "
            "in 0..1."
        ),
        (
            "the value is linear in each share, so its slope to the right is a difference "
            "of neighbours, weighted by the share downwards."
        ),
        "a point moves by width / 2 pixels per unit of l_x, and all cells move together.",
    ),
}


def test_1_location_of_window(answers, check):
    """The sensor puts a patch at that location exactly on the window."""
    for left, top, width, height, patch in (
        (10, 10, 28, 28, 8),
        (0, 20, 28, 28, 7),
        (-3, 40, 60, 50, 12),
    ):
        l = answers.location_of_window(left, top, width, height, patch)
        check("l", l, [(2 * left + patch) / width - 1, (2 * top + patch) / height - 1])
        found = glimpse_sensor.first_pixel(
            np.array([l], float), np.array([width, height]), patch
        )
        check("first pixel of the window", found[0], [left, top])


def test_2_glimpse(answers, check, rng):
    """It sees what the package's sensor sees, beyond the corners too."""
    images = rng.random((1, 20, 30))
    pyramid = glimpse_sensor.prepare(images, patch_size=6, num_scales=3)
    for l in rng.uniform(-1.6, 1.6, size=(60, 1, 2)):
        ((left, top),) = glimpse_sensor.first_pixel(l, np.array([30, 20]), 6)
        rho = answers.glimpse(images[0], left, top, 6, 3)
        expected = glimpse_sensor.forward(pyramid, l).reshape(3, 6, 6)
        check(f"rho for left {left}, top {top}", rho, expected)


def test_3_smooth_sensor(answers, check, rng):
    """On whole pixels it is the sharp sensor; its derivative is the complex step's."""
    image = rng.random((9, 12))
    on_pixels = np.array([9.5 / 6 - 1, 4.5 / 4.5 - 1])
    values, _ = answers.smooth_forward(image, on_pixels, 5)
    check("patch on whole pixels", values, image[2:7, 7:12])
    beyond, _ = answers.smooth_forward(image, np.array([3.0, 0.0]), 5)
    check("patch beyond the border", beyond, np.zeros((5, 5)))

    for l in rng.uniform(-1.2, 1.2, size=(20, 2)):
        _, cache = answers.smooth_forward(image, l, 5)
        dpatch = rng.standard_normal((5, 5))

        def loss(a, dpatch=dpatch):
            return (dpatch * answers.smooth_forward(image, a["l"], 5)[0]).sum()

        exact = complex_step.derivatives(loss, {"l": l})
        check("dl", answers.smooth_backward(dpatch, cache), exact["l"])
