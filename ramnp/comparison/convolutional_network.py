"""The convolutional comparison network: filters over the image, then a layer (4.1).

    f = Rect(Conv(x)),  h = Rect(Linear(f))

A convolution is the same linear map at every place of a grid: one row per patch,
times one column per filter. Patches lie within the image.
"""

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ramnp.agent.layers import (
    affine_backward,
    affine_forward,
    affine_weights_backward,
    init_array,
    relu_backward,
    relu_forward,
)


def grid_shape(image_shape: tuple[int, ...], filter_size: int, stride: int) -> tuple:
    """Return (rows, columns), the numbers of places at which a filter is applied."""
    return tuple((side - filter_size) // stride + 1 for side in image_shape[:2])


def shapes(
    image_shape: tuple[int, ...],
    num_filters: int,
    filter_size: int,
    stride: int,
    h_size: int,
) -> dict:
    """Return {name: shape}: filter² pixels to filters, places · filters to h.

    image_shape is (height, width) or, in colour, (height, width, C).
    """
    places = math.prod(grid_shape(image_shape, filter_size, stride))
    return {
        "W_f": (filter_size**2 * math.prod(image_shape[2:]), num_filters),
        "b_f": (num_filters,),
        "W_h": (places * num_filters, h_size),
        "b_h": (h_size,),
    }


def init(
    rng: np.random.Generator,
    image_shape: tuple[int, ...],
    num_filters: int,
    filter_size: int,
    stride: int,
    h_size: int,
    dtype: type = np.float32,
) -> dict:
    """Return parameters of the shapes above."""
    sizes = shapes(image_shape, num_filters, filter_size, stride, h_size)
    return {name: init_array(rng, shape, dtype) for name, shape in sizes.items()}


def forward(params: dict, images: np.ndarray, stride: int) -> tuple[np.ndarray, tuple]:
    """Return h (B, h) and the cache, for images (B, height, width) or (..., C)."""
    channels = images.shape[3:]
    size = _filter_size(len(params["W_f"]), channels)
    axes = tuple(range(1, images.ndim))
    windows = sliding_window_view(images, (size, size, *channels), axes)
    patches = windows[:, ::stride, ::stride].reshape(-1, len(params["W_f"]))
    f = relu_forward(affine_forward(patches, params["W_f"], params["b_f"]))
    f = f.reshape(len(images), -1)
    h = relu_forward(affine_forward(f, params["W_h"], params["b_h"]))
    return h, (params, images.shape, stride, patches, f, h)


def backward(
    dh: np.ndarray, cache: tuple, with_inputs: bool = True
) -> tuple[tuple, dict]:
    """Return (dimages,) and the gradients, for dh (B, h).

    Nothing trains below the image: with_inputs=False returns () in its place.
    """
    params, image_shape, stride, patches, f, h = cache
    grads = {}
    dz_h = relu_backward(dh, h)
    df, grads["W_h"], grads["b_h"] = affine_backward(dz_h, f, params["W_h"])
    dz_f = relu_backward(df, f).reshape(len(patches), -1)
    grads["W_f"], grads["b_f"] = affine_weights_backward(dz_f, patches)
    if not with_inputs:
        return (), grads
    return (_patches_backward(dz_f @ params["W_f"].T, image_shape, stride),), grads


def _patches_backward(dpatches, image_shape, stride):
    """Return dimages: each row of dpatches added to the pixels of its patch."""
    channels = image_shape[3:]
    size = _filter_size(dpatches.shape[1], channels)
    rows, columns = grid_shape(image_shape[1:], size, stride)
    dpatches = dpatches.reshape(-1, rows, columns, size, size, *channels)
    dimages = np.zeros(image_shape, dpatches.dtype)
    # Patches overlap, but no two have the same pixel at the same offset.
    for y in range(size):
        for x in range(size):
            pixels = dimages[:, y:, x:]
            pixels[:, : rows * stride : stride, : columns * stride : stride] += (
                dpatches[:, :, :, y, x]
            )
    return dimages


def _filter_size(num_inputs, channels):
    """Return the side of a filter with this many inputs over all channels."""
    return math.isqrt(num_inputs // math.prod(channels))
