"""Checks the answers to tutorial 1."""

import numpy as np

from ramnp.agent import glimpse_sensor
from ramnp.proofs import complex_step


def test_1_location_of_window(answers):
    """The sensor puts a patch at that location exactly on the window."""
    for left, top, width, height, patch in (
        (10, 10, 28, 28, 8),
        (0, 20, 28, 28, 7),
        (-3, 40, 60, 50, 12),
    ):
        l = answers.location_of_window(left, top, width, height, patch)
        found = glimpse_sensor.first_pixel(
            np.array([l], float), np.array([width, height]), patch
        )
        assert found.tolist() == [[left, top]]


def test_2_glimpse(answers, rng):
    """It sees what the package's sensor sees, beyond the corners too."""
    images = rng.random((1, 20, 30))
    pyramid = glimpse_sensor.prepare(images, patch_size=6, num_scales=3)
    for l in rng.uniform(-1.6, 1.6, size=(60, 1, 2)):
        ((left, top),) = glimpse_sensor.first_pixel(l, np.array([30, 20]), 6)
        rho = answers.glimpse(images[0], left, top, 6, 3)
        expected = glimpse_sensor.forward(pyramid, l).reshape(3, 6, 6)
        assert np.allclose(rho, expected, rtol=1e-12, atol=1e-14)


def test_3_smooth_sensor(answers, rng):
    """On whole pixels it is the sharp sensor; its derivative is the complex step's."""
    image = rng.random((9, 12))
    on_pixels = np.array([9.5 / 6 - 1, 4.5 / 4.5 - 1])
    values, _ = answers.smooth_forward(image, on_pixels, 5)
    assert np.allclose(values, image[2:7, 7:12], atol=1e-12)
    beyond, _ = answers.smooth_forward(image, np.array([3.0, 0.0]), 5)
    assert not beyond.any()

    for l in rng.uniform(-1.2, 1.2, size=(20, 2)):
        values, cache = answers.smooth_forward(image, l, 5)
        assert values.shape == (5, 5)
        dpatch = rng.standard_normal((5, 5))

        def loss(a, dpatch=dpatch):
            return (dpatch * answers.smooth_forward(image, a["l"], 5)[0]).sum()

        exact = complex_step.derivatives(loss, {"l": l})
        by_hand = {"l": answers.smooth_backward(dpatch, cache)}
        assert complex_step.failures(by_hand, exact) == {}
