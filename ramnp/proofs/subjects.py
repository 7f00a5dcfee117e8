"""What is proved: small problems at a random point, each a scalar loss of its arrays.

Where a function has many outputs, the loss is their sum with random weights, which
are then the gradients that come from above. All dimensions of a problem differ.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ramnp.agent import (
    action_network,
    baseline_network,
    core_network,
    glimpse_network,
    layers,
    location_network,
    model,
)
from ramnp.comparison import convolutional_network, fully_connected_network
from ramnp.learning import reinforce
from ramnp.learning.config import Config
from ramnp.proofs.complex_step import flat, nested

NETWORKS_BELOW = ("glimpse", "core")


class Subject(NamedTuple):
    """A loss, the point at which it is differentiated, its gradients by hand."""

    arrays: dict  # {name: float64 array}
    loss: Callable  # {name: array} -> scalar, for the dtype of the arrays
    gradients: Callable  # () -> {name: array}


def draw(make_subject, seed, attempt=0):
    """Return a subject at the point that belongs to a seed."""
    return make_subject(np.random.default_rng([seed, attempt]))


def affine(rng):
    arrays = _normal(rng, {"x": (3, 4), "W": (4, 5), "b": (5,)})
    dy = rng.standard_normal((3, 5))

    def loss(a):
        return (dy * layers.affine_forward(a["x"], a["W"], a["b"])).sum()

    def gradients():
        return dict(zip("xWb", layers.affine_backward(dy, arrays["x"], arrays["W"])))

    return Subject(arrays, loss, gradients)


def relu(rng):
    arrays = _normal(rng, {"x": (6, 7)})
    dy = rng.standard_normal((6, 7))

    def loss(a):
        return (dy * layers.relu_forward(a["x"])).sum()

    def gradients():
        y = layers.relu_forward(arrays["x"])
        return {"x": layers.relu_backward(dy, y)}

    return Subject(arrays, loss, gradients)


def softmax_cross_entropy(rng):
    arrays = _normal(rng, {"logits": (3, 4, 5)})
    labels = rng.integers(5, size=(3, 4))
    dloss = rng.standard_normal((3, 4))

    def loss(a):
        return (dloss * layers.cross_entropy_forward(a["logits"], labels)[0]).sum()

    def gradients():
        _, log_p = layers.cross_entropy_forward(arrays["logits"], labels)
        return {"logits": layers.cross_entropy_backward(dloss, log_p, labels)}

    return Subject(arrays, loss, gradients)


def log_policy(rng):
    arrays = _normal(rng, {"mu": (3, 2)})
    l = arrays["mu"] + 0.3 * rng.standard_normal((3, 2))
    dlog_pi = rng.standard_normal(3)

    def loss(a):
        return (dlog_pi * location_network.log_pi(l, a["mu"], 0.3)).sum()

    def gradients():
        return {"mu": dlog_pi[:, None] * location_network.score(l, arrays["mu"], 0.3)}

    return Subject(arrays, loss, gradients)


def glimpse(rng):
    params = glimpse_network.init(rng, rho_size=4, hg_size=5, hl_size=6, g_size=7)
    inputs = {"rho": (3, 4), "l": (3, 2)}
    return _network(
        rng, params, inputs, glimpse_network.forward, glimpse_network.backward
    )


def core(rng):
    def forward(params, h_tm1, g):
        state, cache = core_network.forward(params, (h_tm1,), g)
        return state[0], cache

    def backward(dh, cache):
        ((dh_tm1,), dg), grads = core_network.backward((dh,), cache)
        return (dh_tm1, dg), grads

    params = core_network.init(rng, g_size=4, h_size=5)
    return _network(rng, params, {"h_tm1": (3, 5), "g": (3, 4)}, forward, backward)


def core_through_time(rng):
    T, B, g_size, h_size = 4, 3, 6, 5

    def forward(params, g):
        state = core_network.initial_state(params, B)
        h, caches = [], []
        for g_t in g:
            state, cache = core_network.forward(params, state, g_t)
            h.append(state[0])
            caches.append(cache)
        return np.stack(h), caches

    def backward(dh, caches):
        (dg,), grads = core_network.backward_through_time(dh, caches)
        return (dg.reshape(T, B, g_size),), grads

    params = core_network.init(rng, g_size, h_size)
    return _network(rng, params, {"g": (T, B, g_size)}, forward, backward)


def location(rng, hidden_size=0, tanh=False):
    def forward(params, h):
        return location_network.forward(params, h, tanh)

    params = location_network.init(rng, 4, hidden_size)
    return _network(rng, params, {"h": (3, 4)}, forward, location_network.backward)


def action(rng):
    params = action_network.init(rng, h_size=4, num_classes=5)
    return _network(
        rng, params, {"h": (3, 4)}, action_network.forward, action_network.backward
    )


def baseline(rng):
    params = baseline_network.init(rng, h_size=4)
    return _network(
        rng, params, {"h": (3, 4)}, baseline_network.forward, baseline_network.backward
    )


def fully_connected(rng):
    params = fully_connected_network.init(rng, (4, 5), h_size=6)
    return _network(
        rng,
        params,
        {"images": (3, 4, 5)},
        fully_connected_network.forward,
        fully_connected_network.backward,
    )


def convolutional(rng):
    def forward(params, images):
        return convolutional_network.forward(params, images, stride=2)

    params = convolutional_network.init(
        rng, (7, 5), num_filters=4, filter_size=3, stride=2, h_size=6
    )
    return _network(
        rng, params, {"images": (3, 7, 5)}, forward, convolutional_network.backward
    )


def small_config(**settings):
    """Return settings of an agent whose dimensions all differ."""
    sizes = {
        "num_glimpses": 4,
        "hg_size": 7,
        "hl_size": 9,
        "g_size": 6,
        "h_size": 5,
        "num_classes": 10,
        "patch_size": 2,
        "num_scales": 2,
        "location_std": 0.2,
    }
    return Config(**sizes | settings)


class Episode(NamedTuple):
    """What one rollout fixes: where the agent looked and what it was paid."""

    params: dict
    images: np.ndarray
    labels: np.ndarray  # (N,)
    locations: np.ndarray
    R: np.ndarray
    advantage: np.ndarray


def episode(rng, config):
    """Draw an agent, a batch of images, and let it look at them."""
    params = nested(_of_order_one(rng, flat(model.init(rng, config))))
    images = rng.random((12, 13, 14))
    labels = np.tile(rng.integers(config.num_classes, size=12), config.num_rollouts)
    trajectory = model.rollout(
        params, images, rng, config, num_rollouts=config.num_rollouts
    )
    signal = reinforce.learning_signal(trajectory, labels, config, config.location_std)
    return Episode(
        params,
        images,
        labels,
        trajectory.locations,
        signal.R,
        signal.advantage,
    )


def hybrid_terms(params, drawn, config):
    """Return the losses of an agent that looks where it looked, and their cache."""
    trajectory = model.replay(params, drawn.images, drawn.locations, config)
    losses, cache = reinforce.hybrid_loss_forward(
        trajectory,
        drawn.labels,
        drawn.R,
        drawn.advantage,
        config,
        config.location_std,
    )
    return losses, cache, trajectory


def episode_gradients(drawn, config):
    """Return the gradients by hand of the hybrid loss, as a tree."""
    _, cache, trajectory = hybrid_terms(drawn.params, drawn, config)
    return model.backward(*reinforce.hybrid_loss_backward(cache), trajectory, config)


def hybrid_loss(rng, **settings):
    config = small_config(**settings)
    drawn = episode(rng, config)
    arrays = flat(drawn.params)
    at_rest, _, _ = hybrid_terms(drawn.params, drawn, config)
    below = [name for name in arrays if name.startswith(NETWORKS_BELOW)]

    def loss(a):
        moved, _, _ = hybrid_terms(nested(a), drawn, config)
        # A coordinate below a path that is cut does not move the term above it. What
        # does not move is left out: a difference would lose digits to it.
        cut = any((a[name] != arrays[name]).any() for name in below)
        change = moved.cross_entropy - at_rest.cross_entropy
        if config.policy_into_core or not cut:
            change += moved.policy - at_rest.policy
        if config.baseline_into_core or not cut:
            change += moved.baseline - at_rest.baseline
        return change

    return Subject(arrays, loss, lambda: flat(episode_gradients(drawn, config)))


def model_through_time(rng):
    """The model alone, every path open, under random gradients from above."""
    config = small_config(
        locator_hidden_size=11,
        locator_tanh=True,
        policy_into_core=True,
        baseline_into_core=True,
    )
    drawn = episode(rng, config)
    arrays = flat(drawn.params)

    def replay(params):
        return model.replay(params, drawn.images, drawn.locations, config)

    trajectory = replay(drawn.params)
    upstream = [rng.standard_normal(y.shape) for y in trajectory[1:4]]

    def loss(a):
        return sum((dy * y).sum() for dy, y in zip(upstream, replay(nested(a))[1:4]))

    def gradients():
        return flat(model.backward(*upstream, replay(drawn.params), config))

    return Subject(arrays, loss, gradients)


LAYERS = {
    "affine": affine,
    "relu": relu,
    "softmax cross-entropy": softmax_cross_entropy,
    "log policy": log_policy,
}

NETWORKS = {
    "glimpse": glimpse,
    "core": core,
    "core through time": core_through_time,
    "location": location,
    "location, hidden": lambda rng: location(rng, hidden_size=5),
    "location, tanh": lambda rng: location(rng, tanh=True),
    "location, hidden, tanh": lambda rng: location(rng, 5, tanh=True),
    "action": action,
    "baseline": baseline,
    "fully connected": fully_connected,
    "convolutional": convolutional,
}

# Each option that changes a gradient path, alone and then all at once.
_ALL = {
    "locator_hidden_size": 11,
    "locator_tanh": True,
    "policy_into_core": True,
    "baseline_into_core": True,
    "classify_every_step": True,
    "reward": "gain",
    "discount": 0.5,
    "policy_weight": 0.3,
    "baseline_weight": 0.7,
    "num_rollouts": 3,
}
SETTINGS = {
    "the paper's": {},
    "hidden locator": {"locator_hidden_size": 11},
    "tanh": {"locator_tanh": True},
    "policy into core": {"policy_into_core": True},
    "baseline into core": {"baseline_into_core": True},
    "class at every step": {"classify_every_step": True},
    "discounted gain": {"reward": "gain", "discount": 0.5},
    "three rollouts": {"num_rollouts": 3},
    "log-probability": {
        "reward": "log-probability",
        "num_rollouts": 2,
        "baseline": "leave-one-out",
    },
    "one glimpse": {"num_glimpses": 1},
    "all at once": _ALL,
}

AGENT = {"model through time": model_through_time} | {
    f"hybrid loss, {name}": lambda rng, settings=settings: hybrid_loss(rng, **settings)
    for name, settings in SETTINGS.items()
}


def _normal(rng, shapes):
    return {name: rng.standard_normal(shape) for name, shape in shapes.items()}


def _of_order_one(rng, params):
    """Draw {name: array} in the shapes of params, so that outputs are of order 1."""
    return {
        name: rng.standard_normal(array.shape)
        / math.sqrt(len(array) if array.ndim == 2 else 1)
        for name, array in params.items()
    }


def _network(rng, params, input_shapes, forward, backward):
    """Return the subject of a network: forward(params, *inputs), backward(dy, cache)."""
    params = _of_order_one(rng, params)
    inputs = _normal(rng, input_shapes)
    y, _ = forward(params, *inputs.values())
    dy = rng.standard_normal(y.shape)

    def loss(a):
        moved, _ = forward({name: a[name] for name in params}, *[a[i] for i in inputs])
        return (dy * moved).sum()

    def gradients():
        _, cache = forward(params, *inputs.values())
        dinputs, grads = backward(dy, cache)
        return grads | dict(zip(inputs, dinputs))

    return Subject(params | inputs, loss, gradients)
