"""The convolutional comparison network equals plain loops; its gradient is proved."""

import numpy as np
import pytest

from ramnp.comparison import convolutional_network
from tests.helpers import assert_contract, count_bytecodes, order_one

B, HEIGHT, WIDTH, FILTERS, H = 4, 9, 7, 2, 5
# Overlapping patches; some pixels left over at the border; gaps between patches.
GRIDS = {(3, 2): (4, 3), (4, 2): (3, 2), (2, 3): (3, 2), (7, 5): (1, 1)}


def drawn(rng, size, stride):
    """Parameters of one layer of filters, images and dh of order 1."""
    sizes = (HEIGHT, WIDTH), 1, FILTERS, size, stride, H
    params = convolutional_network.init(rng, *sizes)
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
        ((HEIGHT, WIDTH, *channels), 1, FILTERS, size, stride, H),
        shapes,
        {"images": (B, HEIGHT, WIDTH, *channels)},
        (B, H),
        (stride,),
        skips=True,
    )


def test_contract_of_three_layers(rng):
    """Each further layer has a channel per filter of the one below."""
    shapes = {
        "W_f": (4 * 3, FILTERS),
        "b_f": (FILTERS,),
        "W_f2": (4 * FILTERS, FILTERS),
        "b_f2": (FILTERS,),
        "W_f3": (4 * FILTERS, FILTERS),
        "b_f3": (FILTERS,),
        "W_h": (6 * 4 * FILTERS, H),  # 9 x 7 places, less one per layer
        "b_h": (H,),
    }
    assert_contract(
        rng,
        convolutional_network,
        ((HEIGHT, WIDTH, 3), 3, FILTERS, 2, 1, H),
        shapes,
        {"images": (B, HEIGHT, WIDTH, 3)},
        (B, H),
        (1,),
        skips=True,
    )


def test_each_layer_of_filters_is_the_first_of_the_grid_below(rng):
    """Two layers are one layer over what the first one yields."""
    sizes = FILTERS, 3, 2, H
    images = rng.standard_normal((B, 15, 11))
    params = convolutional_network.init(rng, (15, 11), 2, *sizes, np.float64)
    params = order_one(rng, params)
    places = np.prod(convolutional_network.grid_shape((15, 11), 3, 2)) * FILTERS
    # The identity as the map to h shows the filters' values themselves.
    first = {name: params[name] for name in ("W_f", "b_f")}
    first |= {"W_h": np.eye(places), "b_h": np.zeros(places)}
    f, _ = convolutional_network.forward(first, images, 2)
    upper = {name: params[name] for name in ("W_h", "b_h")}
    upper = {"W_f": params["W_f2"], "b_f": params["b_f2"]} | upper
    expected, _ = convolutional_network.forward(upper, f.reshape(B, 7, 5, FILTERS), 2)
    h, _ = convolutional_network.forward(params, images, 2)
    assert np.allclose(h, expected)
    assert 0 < (h == 0).mean() < 1


def test_no_loop_over_images_places_or_filters(rng):
    """Python does as much for a large batch with many filters as for a small one."""

    def pass_through(count, filters, side):
        params = convolutional_network.init(rng, (side, side), 2, filters, 2, 2, H)
        images = rng.random((count, side, side), np.float32)

        def both_ways():
            h, cache = convolutional_network.forward(params, images, 2)
            convolutional_network.backward(h, cache)

        return both_ways

    small, large = pass_through(1, 1, 5), pass_through(40, 8, 21)
    assert count_bytecodes(large) == count_bytecodes(small)
