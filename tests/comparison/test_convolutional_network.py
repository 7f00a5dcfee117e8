"""The convolutional comparison network equals plain loops; its gradient is proved."""

import numpy as np
import pytest

from ramnp.comparison import convolutional_network
from tests.helpers import assert_contract, count_bytecodes, order_one

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


@pytest.mark.parametrize("channels", [(), (3,)])
@pytest.mark.parametrize("size, stride", GRIDS)
def test_contract(rng, size, stride, channels):
    """Shapes, dtypes, pure functions, and gradients by the complex step."""
    rows, columns = ((side - size) // stride + 1 for side in (HEIGHT, WIDTH))
    shapes = {
        "W_f": (size**2 * (3 if channels else 1), FILTERS),
        "b_f": (FILTERS,),
        "W_h": (rows * columns * FILTERS, H),
        "b_h": (H,),
    }
    assert_contract(
        rng,
        convolutional_network,
        ((HEIGHT, WIDTH, *channels), FILTERS, size, stride, H),
        shapes,
        {"images": (B, HEIGHT, WIDTH, *channels)},
        (B, H),
        (stride,),
        skips=True,
    )


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
