"""The fully connected comparison network: two rectified layers, gradient proved."""

import numpy as np
import pytest

from ramnp.comparison import fully_connected_network
from tests.helpers import assert_contract, order_one

B, HEIGHT, WIDTH, H = 5, 3, 4, 6


def drawn(rng):
    """Parameters, images and dh of order 1."""
    params = fully_connected_network.init(rng, (HEIGHT, WIDTH), H)
    images = rng.standard_normal((B, HEIGHT, WIDTH))
    return order_one(rng, params), images, rng.standard_normal((B, H))


def test_forward_is_two_rectified_layers(rng):
    """Image by image: h_2 = Rect(Linear(Rect(Linear(x))))."""
    params, images, _ = drawn(rng)
    h, _ = fully_connected_network.forward(params, images)
    assert h.shape == (B, H)
    for image, h_2 in zip(images, h):
        h_1 = np.maximum(image.ravel() @ params["W_1"] + params["b_1"], 0)
        assert np.allclose(h_2, np.maximum(h_1 @ params["W_2"] + params["b_2"], 0))
        assert 0 < (h_1 == 0).mean() < 1  # the rectifier is at work
    assert 0 < (h == 0).mean() < 1


@pytest.mark.parametrize("channels", [(), (3,)])
def test_contract(rng, channels):
    """Shapes, dtypes, pure functions, and gradients by the complex step."""
    pixels = HEIGHT * WIDTH * (3 if channels else 1)
    shapes = {"W_1": (pixels, H), "b_1": (H,), "W_2": (H, H), "b_2": (H,)}
    assert_contract(
        rng,
        fully_connected_network,
        ((HEIGHT, WIDTH, *channels), H),
        shapes,
        {"images": (B, HEIGHT, WIDTH, *channels)},
        (B, H),
        skips=True,
    )
