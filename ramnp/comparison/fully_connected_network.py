"""The fully connected comparison network: two rectified layers over the image (4.1).

h_1 = Rect(Linear(x)),  h_2 = Rect(Linear(h_1))
"""

import math

import numpy as np

from ramnp.agent.layers import (
    affine_backward,
    affine_forward,
    affine_weights_backward,
    init_array,
    relu_backward,
    relu_forward,
)


def shapes(image_shape: tuple[int, ...], h_size: int) -> dict:
    """Return {name: shape} of both layers, for images of any shape."""
    return {
        "W_1": (math.prod(image_shape), h_size),
        "b_1": (h_size,),
        "W_2": (h_size, h_size),
        "b_2": (h_size,),
    }


def init(
    rng: np.random.Generator,
    image_shape: tuple[int, ...],
    h_size: int,
    dtype: type = np.float32,
) -> dict:
    """Return parameters of the shapes above."""
    sizes = shapes(image_shape, h_size)
    return {name: init_array(rng, shape, dtype) for name, shape in sizes.items()}


def forward(params: dict, images: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return h_2 (B, h) and the cache, for images (B, height, width) or (..., C)."""
    x = images.reshape(len(images), -1)
    h_1 = relu_forward(affine_forward(x, params["W_1"], params["b_1"]))
    h_2 = relu_forward(affine_forward(h_1, params["W_2"], params["b_2"]))
    return h_2, (params, images, h_1, h_2)


def backward(
    dh: np.ndarray, cache: tuple, with_inputs: bool = True
) -> tuple[tuple, dict]:
    """Return (dimages,) and the gradients, for dh (B, h).

    Nothing trains below the image: with_inputs=False returns () in its place.
    """
    params, images, h_1, h_2 = cache
    x = images.reshape(len(images), -1)
    grads = {}
    dz_2 = relu_backward(dh, h_2)
    dh_1, grads["W_2"], grads["b_2"] = affine_backward(dz_2, h_1, params["W_2"])
    dz_1 = relu_backward(dh_1, h_1)
    grads["W_1"], grads["b_1"] = affine_weights_backward(dz_1, x)
    if not with_inputs:
        return (), grads
    return ((dz_1 @ params["W_1"].T).reshape(images.shape),), grads
