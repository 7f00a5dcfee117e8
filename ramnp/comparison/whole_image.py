"""The comparison networks as models: they see the whole image at once (section 4.1).

They have the functions of agent/model.py, so training and evaluation treat them
alike. Their trajectory has one step, no location and no choice: its hybrid loss is
the cross-entropy alone.
"""

from typing import Any

import numpy as np

from ramnp.agent import action_network
from ramnp.agent.model import Trajectory
from ramnp.comparison import convolutional_network, fully_connected_network
from ramnp.support.errors import UserError


def shapes(config: Any) -> dict:
    """Return {network: {name: shape}} of all parameters."""
    network, sizes = _network(config)
    return {
        config.model: network.shapes(*sizes),
        "action": action_network.shapes(config.fc_size, config.num_classes),
    }


def init(rng: np.random.Generator, config: Any, dtype: type = np.float32) -> dict:
    """Return the initial parameters of both networks: {network: {name: array}}."""
    network, sizes = _network(config)
    return {
        config.model: network.init(rng, *sizes, dtype),
        "action": action_network.init(rng, config.fc_size, config.num_classes, dtype),
    }


def _network(config):
    """Return the network that config.model names, and its sizes."""
    if config.model == "fc":
        return fully_connected_network, (config.input_shape, config.fc_size)
    return convolutional_network, (
        config.input_shape,
        config.num_filter_layers,
        config.num_filters,
        config.filter_size,
        config.filter_stride,
        config.fc_size,
    )


def rollout(
    params: dict,
    images: np.ndarray,
    rng: np.random.Generator | None,
    config: Any,
    location_std: float | None = None,
    num_rollouts: int = 1,
) -> Trajectory:
    """Return the Trajectory of classifying images (B, height, width) or (..., 3).

    Nothing is drawn, so all rollouts agree. Raises UserError unless the images have
    the shape that the parameters are for.
    """
    if images.shape[1:] != config.input_shape:
        sizes = images.shape[1:], config.input_shape
        given, taken = (" x ".join(map(str, size)) for size in sizes)
        raise UserError(f"images of {given} pixels: this model takes {taken}")
    network, _ = _network(config)
    images = np.concatenate([images] * num_rollouts)
    N = len(images)
    options = {"stride": config.filter_stride} if config.model == "conv" else {}
    caches = {}
    h, caches[config.model] = network.forward(params[config.model], images, **options)
    logits, caches["action"] = action_network.forward(params["action"], h)
    return Trajectory(
        locations=np.empty((0, N, 2), h.dtype),
        logits=logits[None],
        mu=np.empty((0, N, 2), h.dtype),
        baseline=np.empty((0, N), h.dtype),
        caches=caches,
    )


def backward(
    dlogits: np.ndarray,
    dmu: np.ndarray,
    dbaseline: np.ndarray,
    trajectory: Trajectory,
    config: Any,
) -> dict:
    """Return the gradients {network: {name: array}}, for dlogits (1, N, classes)."""
    network, _ = _network(config)
    caches = trajectory.caches
    (dh,), action = action_network.backward(dlogits[0], caches["action"])
    _, grads = network.backward(dh, caches[config.model], with_inputs=False)
    return {config.model: grads, "action": action}
