"""The convolutional baseline equals plain loops, and its gradient is proved."""

import numpy as np
import pytest

from ramnp.comparison import convolutional_network
from ramnp.proofs.complex_step import derivatives, failures
from tests.helpers import count_bytecodes, layout, order_one

B, HEIGHT, WIDTH, FILTERS, H = 4, 9, 7, 2, 5
# Overlapping patches; some pixels left over at the border; gaps between patches.
GRIDS = {(3, 2): (4, 3), (4, 2): (3, 2), (2, 3): (3, 2), (7, 5): (1, 1)}


def drawn(rng, size, stride):
    """Parameters, images and dh of order 1."""
    params = convolutional_network.init(rng, (HEIGHT, WIDTH), FILTERS, size, stride, H)
    images = rng.standard_normal((B, HEIGHT, WIDTH))
    return order_one(rng, params), images, rng.standard_normal((B, H))


@pytest.mark.parametrize("grid", GRIDS.items())
def test_forward_is_that_of_plain_loops(rng, grid):
    """Each image, place and filter by itself: f = Rect(w · patch + b), h on top."""
    (size, stride), shape = grid
    params, images, _ = drawn(rng, size, stride)
    assert convolutional_network.grid_shape((HEIGHT, WIDTH), size, stride) == shape
    h, _ = convolutional_network.forward(params, images, stride)
    assert h.shape == (B, H)
    for image, h_b in zip(images, h):
        f = []
        for row in range(shape[0]):
            for column in range(shape[1]):
                y, x = row * stride, column * stride
                patch = image[y : y + size, x : x + size]
                for w, b in zip(params["W_f"].T, params["b_f"]):
                    f.append(max((w.reshape(size, size) * patch).sum() + b, 0))
        expected = np.maximum(np.array(f) @ params["W_h"] + params["b_h"], 0)
        assert np.allclose(h_b, expected)
    assert 0 < (h == 0).mean() < 1  # the rectifier is at work


@pytest.mark.parametrize("size, stride", GRIDS)
def test_gradients(rng, size, stride):
    """dimages and all four gradients are the derivatives of a random projection."""
    params, images, dh = drawn(rng, size, stride)

    def loss(arrays):
        h, _ = convolutional_network.forward(arrays, arrays["images"], stride)
        return (dh * h).sum()

    _, cache = convolutional_network.forward(params, images, stride)
    (dimages,), grads = convolutional_network.backward(dh, cache)
    expected = derivatives(loss, params | {"images": images})
    assert not failures(grads | {"images": dimages}, expected)


def test_leaving_out_the_images_changes_no_gradient(rng):
    """with_inputs=False gives None for dimages and the same gradients."""
    params, images, dh = drawn(rng, 3, 2)
    _, cache = convolutional_network.forward(params, images, 2)
    _, expected = convolutional_network.backward(dh, cache)
    dimages, grads = convolutional_network.backward(dh, cache, with_inputs=False)
    assert dimages == ()
    assert grads.keys() == expected.keys()
    assert all(np.array_equal(grads[name], expected[name]) for name in grads)


def test_no_loop_over_images_places_or_filters(rng):
    """Python does as much for a large batch with many filters as for a small one."""

    def pass_through(count, filters, side):
        params = convolutional_network.init(rng, (side, side), filters, 3, 2, H)
        images = rng.random((count, side, side), np.float32)

        def both_ways():
            h, cache = convolutional_network.forward(params, images, 2)
            convolutional_network.backward(h, cache)

        return both_ways

    small, large = pass_through(1, 1, 5), pass_through(40, 8, 21)
    assert count_bytecodes(large) == count_bytecodes(small)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shapes_and_dtypes(rng, dtype):
    """The dtype chosen at init is that of everything, gradients included."""
    params = convolutional_network.init(rng, (HEIGHT, WIDTH), FILTERS, 3, 2, H, dtype)
    images = np.ones((B, HEIGHT, WIDTH), dtype)
    h, cache = convolutional_network.forward(params, images, 2)
    (dimages,), grads = convolutional_network.backward(h, cache)
    assert layout(params) == {
        "W_f": ((9, FILTERS), dtype),
        "b_f": ((FILTERS,), dtype),
        "W_h": ((4 * 3 * FILTERS, H), dtype),
        "b_h": ((H,), dtype),
    }
    assert layout(grads) == layout(params)
    assert layout({"h": h, "dimages": dimages}) == {
        "h": ((B, H), dtype),
        "dimages": ((B, HEIGHT, WIDTH), dtype),
    }
