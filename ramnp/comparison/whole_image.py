"""The paper's baselines, which see the whole image at once (section 4.1).

They have the functions of model.py, so whatever trains or tests the agent does the
same with them. What a baseline returns is a trajectory of one step, without a
location and without a choice: its hybrid loss is the cross-entropy alone.
"""

import math

import numpy as np

from ramnp.agent import action_network
from ramnp.agent.model import Trajectory
from ramnp.comparison import convolutional_network, fully_connected_network
from ramnp.support.errors import UserError


def init(rng, config, dtype=np.float32):
    """Draw the parameters of both networks: {network: {name: array}}."""
    shape, h_size = config.scene_shape, config.fc_size
    if config.model == "fc":
        network = fully_connected_network.init(rng, shape, h_size, dtype)
    else:
        filters = config.num_filters, config.filter_size, config.filter_stride
        network = convolutional_network.init(rng, shape, *filters, h_size, dtype)
    return {
        config.model: network,
        "action": action_network.init(rng, h_size, config.num_classes, dtype),
    }


def num_parameters(config):
    """Return how many weights and biases `init` draws, without drawing them."""
    h = config.fc_size
    action = (h + 1) * config.num_classes
    if config.model == "fc":
        return (math.prod(config.scene_shape) + 1) * h + (h + 1) * h + action
    size, filters = config.filter_size, config.num_filters
    places = math.prod(
        convolutional_network.grid_shape(config.scene_shape, size, config.filter_stride)
    )
    return (size**2 + 1) * filters + (places * filters + 1) * h + action


def rollout(params, images, rng, config, location_std=None, num_rollouts=1):
    """Classify images (B, height, width); nothing is drawn, so all rollouts agree.

    Raises UserError if the images are not of the size that the parameters are for.
    """
    if images.shape[1:] != config.scene_shape:
        raise UserError(
            "images of {} x {} pixels: this model takes {} x {}".format(
                *images.shape[1:], *config.scene_shape
            )
        )
    images = np.tile(images, (num_rollouts, 1, 1))
    N = len(images)
    caches = {}
    if config.model == "fc":
        h, caches["fc"] = fully_connected_network.forward(params["fc"], images)
    else:
        h, caches["conv"] = convolutional_network.forward(
            params["conv"], images, config.filter_stride
        )
    logits, caches["action"] = action_network.forward(params["action"], h)
    return Trajectory(
        locations=np.empty((0, N, 2), h.dtype),
        logits=logits[None],
        mu=np.empty((0, N, 2), h.dtype),
        baseline=np.empty((0, N), h.dtype),
        caches=caches,
    )


def backward(dlogits, dmu, dbaseline, trajectory, config):
    """Return the gradients, {network: {name: array}}, for dlogits (1, N, classes)."""
    caches = trajectory.caches
    grads = {}
    dh, grads["action"] = action_network.backward(dlogits[0], caches["action"])
    network = fully_connected_network if config.model == "fc" else convolutional_network
    _, grads[config.model] = network.backward(
        dh, caches[config.model], with_inputs=False
    )
    return grads
