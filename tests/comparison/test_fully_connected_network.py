"""The fully connected baseline is two rectified layers, and its gradient is proved."""

import numpy as np
import pytest

from ramnp.comparison import fully_connected_network
from ramnp.proofs.complex_step import derivatives, failures
from tests.helpers import layout, order_one

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


def test_gradients(rng):
    """dimages and all four gradients are the derivatives of a random projection."""
    params, images, dh = drawn(rng)

    def loss(arrays):
        h, _ = fully_connected_network.forward(arrays, arrays["images"])
        return (dh * h).sum()

    _, cache = fully_connected_network.forward(params, images)
    (dimages,), grads = fully_connected_network.backward(dh, cache)
    expected = derivatives(loss, params | {"images": images})
    assert not failures(grads | {"images": dimages}, expected)


def test_leaving_out_the_images_changes_no_gradient(rng):
    """with_inputs=False gives None for dimages and the same gradients."""
    params, images, dh = drawn(rng)
    _, cache = fully_connected_network.forward(params, images)
    _, expected = fully_connected_network.backward(dh, cache)
    dimages, grads = fully_connected_network.backward(dh, cache, with_inputs=False)
    assert dimages == ()
    assert grads.keys() == expected.keys()
    assert all(np.array_equal(grads[name], expected[name]) for name in grads)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shapes_and_dtypes(rng, dtype):
    """The dtype chosen at init is that of everything, gradients included."""
    params = fully_connected_network.init(rng, (HEIGHT, WIDTH), H, dtype)
    images = np.ones((B, HEIGHT, WIDTH), dtype)
    h, cache = fully_connected_network.forward(params, images)
    (dimages,), grads = fully_connected_network.backward(h, cache)
    assert layout(params) == {
        "W_1": ((HEIGHT * WIDTH, H), dtype),
        "b_1": ((H,), dtype),
        "W_2": ((H, H), dtype),
        "b_2": ((H,), dtype),
    }
    assert layout(grads) == layout(params)
    assert layout({"h": h, "dimages": dimages}) == {
        "h": ((B, H), dtype),
        "dimages": ((B, HEIGHT, WIDTH), dtype),
    }
