"""The convolutional baseline: filters over the whole image, then one layer (4.1).

    f = Rect(Conv(x)),  h = Rect(Linear(f))

A convolution is the same linear map at every place of a grid: the patches of all
places, a row each, times the filters, a column each. Patches lie within the image.
"""

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ramnp.agent.layers import (
    affine_backward,
    affine_forward,
    affine_weights_backward,
    init_weights,
    relu_backward,
    relu_forward,
)


def grid_shape(image_shape, filter_size, stride):
    """Return (rows, columns), the places at which a filter is applied."""
    return tuple((side - filter_size) // stride + 1 for side in image_shape)


def init(rng, image_shape, num_filters, filter_size, stride, h_size, dtype=np.float32):
    """Draw W_f (filter², filters), b_f (filters,), W_h (places · filters, h), b_h."""
    f_size = math.prod(grid_shape(image_shape, filter_size, stride)) * num_filters
    W_f_shape = filter_size**2, num_filters
    return {
        "W_f": init_weights(rng, filter_size**2, W_f_shape, dtype),
        "b_f": np.zeros(num_filters, dtype),
        "W_h": init_weights(rng, f_size, (f_size, h_size), dtype),
        "b_h": np.zeros(h_size, dtype),
    }


def forward(params, images, stride):
    """Return h (B, h) for images (B, height, width)."""
    size = math.isqrt(len(params["W_f"]))
    windows = sliding_window_view(images, (size, size), (1, 2))
    patches = windows[:, ::stride, ::stride].reshape(-1, size * size)
    f = relu_forward(affine_forward(patches, params["W_f"], params["b_f"]))
    f = f.reshape(len(images), -1)
    h = relu_forward(affine_forward(f, params["W_h"], params["b_h"]))
    return h, (params, images.shape, stride, patches, f, h)


def backward(dh, cache, with_inputs=True):
    """Return dimages and the gradients, for dh (B, h).

    Nothing learns below the image, so the baseline leaves dimages out:
    with_inputs=False gives None.
    """
    params, image_shape, stride, patches, f, h = cache
    grads = {}
    dz_h = relu_backward(dh, h)
    df, grads["W_h"], grads["b_h"] = affine_backward(dz_h, f, params["W_h"])
    dz_f = relu_backward(df, f).reshape(len(patches), -1)
    grads["W_f"], grads["b_f"] = affine_weights_backward(dz_f, patches)
    if not with_inputs:
        return None, grads
    return _put_back(dz_f @ params["W_f"].T, image_shape, stride), grads


def _put_back(dpatches, image_shape, stride):
    """Add each row of dpatches to the pixels that its patch was taken from."""
    size = math.isqrt(dpatches.shape[1])
    rows, columns = grid_shape(image_shape[1:], size, stride)
    dpatches = dpatches.reshape(-1, rows, columns, size, size)
    dimages = np.zeros(image_shape, dpatches.dtype)
    # Patches overlap, but at the same pixel of a patch no two of them do.
    for y in range(size):
        for x in range(size):
            pixels = dimages[:, y:, x:]
            pixels[:, : rows * stride : stride, : columns * stride : stride] += (
                dpatches[..., y, x]
            )
    return dimages
