"""The fully connected comparison network: two rectified layers, gradient proved."""

import numpy as np

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


def test_contract(rng):
    """Shapes, dtypes, pure functions, and gradients by the complex step."""
    pixels = HEIGHT * WIDTH
    shapes = {"W_1": (pixels, H), "b_1": (H,), "W_2": (H, H), "b_2": (H,)}
    assert_contract(
        rng,
        fully_connected_network,
        ((HEIGHT, WIDTH), H),
        shapes,
        {"images": (B, HEIGHT, WIDTH)},
        (B, H),
        skips=True,
    )
