"""The convolutional comparison network: filters over the image, then a layer (4.1).

    f = Rect(Conv(x)),  h = Rect(Linear(f))

A convolution is the same linear map at every place of a grid: one row per patch,
times one column per filter. Patches lie within the image. The paper has one layer of
filters; each further one sees the grid below it as an image with a channel per filter.
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
    num_layers: int,
    num_filters: int,
    filter_size: int,
    stride: int,
    h_size: int,
) -> dict:
    """Return {name: shape}: filter² · channels to filters, places · filters to h.

    image_shape is (height, width) or, in colour, (height, width, C).
    """
    found: dict = {}
    for layer in range(1, num_layers + 1):
        W, b = _names(layer)
        found[W] = (filter_size**2 * math.prod(image_shape[2:]), num_filters)
        found[b] = (num_filters,)
        image_shape = (*grid_shape(image_shape, filter_size, stride), num_filters)
    return found | {"W_h": (math.prod(image_shape), h_size), "b_h": (h_size,)}


def _names(layer):
    """Return the names of the weights and biases of a layer of filters, from 1 on."""
    number = layer if layer > 1 else ""
    return f"W_f{number}", f"b_f{number}"


def init(
    rng: np.random.Generator,
    image_shape: tuple[int, ...],
    num_layers: int,
    num_filters: int,
    filter_size: int,
    stride: int,
    h_size: int,
    dtype: type = np.float32,
) -> dict:
    """Return parameters of the shapes above."""
    sizes = shapes(image_shape, num_layers, num_filters, filter_size, stride, h_size)
    return {name: init_array(rng, shape, dtype) for name, shape in sizes.items()}


def forward(params: dict, images: np.ndarray, stride: int) -> tuple[np.ndarray, tuple]:
    """Return h (B, h) and the cache, for images (B, height, width) or (..., C)."""
    f, layers = images, []
    for layer in range(1, len(params) // 2):
        W, b = (params[name] for name in _names(layer))
        f, cache = _layer_forward(f, W, b, stride)
        layers.append(cache)
    x = f.reshape(len(images), -1)
    h = relu_forward(affine_forward(x, params["W_h"], params["b_h"]))
    return h, (params, layers, x, h)


def backward(
    dh: np.ndarray, cache: tuple, with_inputs: bool = True
) -> tuple[tuple, dict]:
    """Return (dimages,) and the gradients, for dh (B, h).

    Nothing trains below the image: with_inputs=False returns () in its place.
    """
    params, layers, x, h = cache
    grads = {}
    dz_h = relu_backward(dh, h)
    df, grads["W_h"], grads["b_h"] = affine_backward(dz_h, x, params["W_h"])
    for layer in reversed(range(1, len(layers) + 1)):
        W, b = _names(layer)
        df, grads[W], grads[b] = _layer_backward(
            df, layers[layer - 1], with_inputs or layer > 1
        )
    return ((df,) if with_inputs else ()), grads


def _layer_forward(x, W, b, stride):
    """Return f (B, rows, columns, filters) and the cache, for x (B, height, width, ...)."""
    channels = x.shape[3:]
    size = _filter_size(len(W), channels)
    axes = tuple(range(1, x.ndim))
    windows = sliding_window_view(x, (size, size, *channels), axes)
    windows = windows[:, ::stride, ::stride]
    patches = windows.reshape(-1, len(W))
    f = relu_forward(affine_forward(patches, W, b))
    f = f.reshape(*windows.shape[:3], -1)
    return f, (x.shape, W, stride, patches, f)


def _layer_backward(df, cache, with_inputs):
    """Return dx (or None), dW and db, for df of as many values as f."""
    x_shape, W, stride, patches, f = cache
    dz = relu_backward(df.reshape(f.shape), f).reshape(len(patches), -1)
    dW, db = affine_weights_backward(dz, patches)
    dx = _patches_backward(dz @ W.T, x_shape, stride) if with_inputs else None
    return dx, dW, db


def _patches_backward(dpatches, x_shape, stride):
    """Return dx: each row of dpatches added to the pixels of its patch."""
    channels = x_shape[3:]
    size = _filter_size(dpatches.shape[1], channels)
    rows, columns = grid_shape(x_shape[1:], size, stride)
    dpatches = dpatches.reshape(-1, rows, columns, size, size, *channels)
    dx = np.zeros(x_shape, dpatches.dtype)
    # Patches overlap, but no two have the same pixel at the same offset.
    for y in range(size):
        for x in range(size):
            pixels = dx[:, y:, x:]
            pixels[:, : rows * stride : stride, : columns * stride : stride] += (
                dpatches[:, :, :, y, x]
            )
    return dx


def _filter_size(num_inputs, channels):
    """Return the side of a filter with this many inputs over all channels."""
    return math.isqrt(num_inputs // math.prod(channels))
