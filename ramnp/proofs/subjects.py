"""The subjects of the proofs: small problems at a random point, each with a scalar loss.

The loss of a function with many outputs is their sum with random weights, which are then
its upstream gradients. The dimensions of a problem all differ.
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
    """A loss, the point at which it is differentiated, and its gradients by hand."""

    arrays: dict  # {name: float64 array}
    loss: Callable  # {name: array} -> scalar, of the dtype of the arrays
    gradients: Callable  # () -> {name: array}


def draw(make_subject, seed, attempt=0):
    """Return a subject at the point of a seed."""
    return make_subject(np.random.default_rng([seed, attempt]))


def projected(rng, arrays, forward, backward):
    """Return the subject of a random projection of one output.

    forward takes {name: array} and returns (y, cache). backward takes (dy, cache) and
    returns {name: gradient}.
    """
    y, _ = forward(arrays)
    dy = rng.standard_normal(y.shape)

    def loss(a):
        return (dy * forward(a)[0]).sum()

    return Subject(arrays, loss, lambda: backward(dy, forward(arrays)[1]))


def affine(rng):
    def forward(a):
        return layers.affine_forward(a["x"], a["W"], a["b"]), (a["x"], a["W"])

    def backward(dy, cache):
        return dict(zip("xWb", layers.affine_backward(dy, *cache)))

    arrays = _normal(rng, {"x": (3, 4), "W": (4, 5), "b": (5,)})
    return projected(rng, arrays, forward, backward)


def relu(rng):
    def forward(a):
        y = layers.relu_forward(a["x"])
        return y, y

    def backward(dy, y):
        return {"x": layers.relu_backward(dy, y)}

    return projected(rng, _normal(rng, {"x": (6, 7)}), forward, backward)


def softmax_cross_entropy(rng):
    arrays = _normal(rng, {"logits": (3, 4, 5)})
    labels = rng.integers(5, size=(3, 4))

    def forward(a):
        return layers.cross_entropy_forward(a["logits"], labels)

    def backward(dloss, log_p):
        return {"logits": layers.cross_entropy_backward(dloss, log_p, labels)}

    return projected(rng, arrays, forward, backward)


def log_policy(rng):
    arrays = _normal(rng, {"mu": (3, 2)})
    l = arrays["mu"] + 0.3 * rng.standard_normal((3, 2))

    def forward(a):
        return location_network.log_pi(l, a["mu"], 0.3), a["mu"]

    def backward(dlog_pi, mu):
        return {"mu": dlog_pi[:, None] * location_network.score(l, mu, 0.3)}

    return projected(rng, arrays, forward, backward)


def network(module, sizes, input_shapes, **options):
    """Return a function that makes the subject of a network, from a generator.

    module has init, forward and backward; sizes go to init and options to forward.
    """

    def make_subject(rng):
        params = _of_order_one(rng, module.init(rng, *sizes))
        inputs = _normal(rng, input_shapes)

        def forward(a):
            moved = {name: a[name] for name in params}
            return module.forward(moved, *[a[name] for name in inputs], **options)

        def backward(dy, cache):
            dinputs, grads = module.backward(dy, cache)
            return grads | dict(zip(inputs, dinputs))

        return projected(rng, params | inputs, forward, backward)

    return make_subject


class _CoreStep:
    """One step of the core, with h for its state."""

    init = staticmethod(core_network.init)

    @staticmethod
    def forward(params, h_tm1, g):
        (h,), cache = core_network.forward(params, (h_tm1,), g)
        return h, cache

    @staticmethod
    def backward(dh, cache):
        ((dh_tm1,), dg), grads = core_network.backward((dh,), cache)
        return (dh_tm1, dg), grads


class _CoreThroughTime:
    """All steps of the core, from g (T, B, g) to h (T, B, h)."""

    init = staticmethod(core_network.init)

    @staticmethod
    def forward(params, g):
        state = core_network.initial_state(params, g.shape[1])
        h, caches = [], []
        for g_t in g:
            state, cache = core_network.forward(params, state, g_t)
            h.append(state[0])
            caches.append(cache)
        return np.stack(h), caches

    @staticmethod
    def backward(dh, caches):
        (dg,), grads = core_network.backward_through_time(dh, caches)
        return (dg.reshape(*dh.shape[:2], -1),), grads


def small_config(**settings):
    """Return the settings of an agent whose dimensions all differ."""
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
    """What one rollout holds fixed: the locations, returns and advantages."""

    params: dict
    images: np.ndarray
    labels: np.ndarray  # (N,)
    locations: np.ndarray
    R: np.ndarray
    advantage: np.ndarray


def episode(rng, config):
    """Draw an agent and a batch of images, and let the agent look at them."""
    params = nested(_of_order_one(rng, flat(model.init(rng, config))))
    images = rng.random((12, 13, 14, *config.input_shape[2:]))
    labels = np.tile(rng.integers(config.num_classes, size=12), config.num_rollouts)
    trajectory = model.rollout(
        params, images, rng, config, num_rollouts=config.num_rollouts
    )
    R, advantage, *_ = reinforce.learning_signal(
        trajectory, labels, config, config.location_std
    )
    return Episode(params, images, labels, trajectory.locations, R, advantage)


def hybrid_terms(params, drawn, config):
    """Return the losses at the locations of an episode, their cache, the trajectory."""
    trajectory = model.replay(params, drawn.images, drawn.locations, config)
    fixed = drawn.labels, drawn.R, drawn.advantage
    losses, cache = reinforce.hybrid_loss_forward(
        trajectory, *fixed, config, config.location_std
    )
    return losses, cache, trajectory


def episode_gradients(drawn, config):
    """Return the gradients by hand of the hybrid loss, as a tree."""
    _, cache, trajectory = hybrid_terms(drawn.params, drawn, config)
    return model.backward(*reinforce.hybrid_loss_backward(cache), trajectory, config)


def hybrid_loss(rng, **settings):
    """Return the subject of the hybrid loss, relative to its value at the point.

    A coordinate below a path that is cut does not move the term above it. A term that
    does not move is left out, since it would cost a difference digits.
    """
    config = small_config(**settings)
    drawn = episode(rng, config)
    arrays = flat(drawn.params)
    at_rest, _, _ = hybrid_terms(drawn.params, drawn, config)
    below = [name for name in arrays if name.startswith(NETWORKS_BELOW)]

    def loss(a):
        moved, _, _ = hybrid_terms(nested(a), drawn, config)
        cut = any((a[name] != arrays[name]).any() for name in below)
        change = moved.cross_entropy - at_rest.cross_entropy
        if config.policy_into_core or not cut:
            change += moved.policy - at_rest.policy
        if config.baseline_into_core or not cut:
            change += moved.baseline - at_rest.baseline
        return change

    return Subject(arrays, loss, lambda: flat(episode_gradients(drawn, config)))


def model_through_time(rng):
    """Return the subject of the model, every path open, without a loss."""
    config = small_config(
        locator_hidden_size=11,
        locator_bound="tanh",
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
    "glimpse": network(glimpse_network, (4, 5, 6, 7), {"rho": (3, 4), "l": (3, 2)}),
    "core": network(_CoreStep, (4, 5), {"h_tm1": (3, 5), "g": (3, 4)}),
    "core through time": network(_CoreThroughTime, (6, 5), {"g": (4, 3, 6)}),
    "location": network(location_network, (4,), {"h": (3, 4)}),
    "location, hidden": network(location_network, (4, 5), {"h": (3, 4)}),
    "location, tanh": network(location_network, (4,), {"h": (3, 4)}, bound="tanh"),
    "location, hard tanh": (
        network(location_network, (4,), {"h": (3, 4)}, bound="hard-tanh")
    ),
    "location, hidden, tanh": (
        network(location_network, (4, 5), {"h": (3, 4)}, bound="tanh")
    ),
    "action": network(action_network, (4, 5), {"h": (3, 4)}),
    "baseline": network(baseline_network, (4,), {"h": (3, 4)}),
    "fully connected": (
        network(fully_connected_network, ((4, 5), 6), {"images": (3, 4, 5)})
    ),
    "convolutional": network(
        convolutional_network, ((7, 5), 1, 4, 3, 2, 6), {"images": (3, 7, 5)}, stride=2
    ),
    "convolutional, colour": network(
        convolutional_network,
        ((6, 5, 3), 1, 4, 3, 2, 7),
        {"images": (2, 6, 5, 3)},
        stride=2,
    ),
    "convolutional, three layers": network(
        convolutional_network, ((7, 6), 3, 4, 2, 1, 5), {"images": (4, 7, 6)}, stride=1
    ),
}

# Each option that changes a gradient path, alone and then all at once.
_ALL = {
    "locator_hidden_size": 11,
    "locator_bound": "tanh",
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
    "tanh": {"locator_bound": "tanh"},
    "hard tanh": {"locator_bound": "hard-tanh"},
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
    "colour": {"channels": 3, "patch_size": 3},
    "all at once": _ALL,
}

AGENT = {"model through time": model_through_time} | {
    f"hybrid loss, {name}": lambda rng, settings=settings: hybrid_loss(rng, **settings)
    for name, settings in SETTINGS.items()
}


def _normal(rng, shapes):
    return {name: rng.standard_normal(shape) for name, shape in shapes.items()}


def _of_order_one(rng, params):
    """Return {name: array} in the shapes of params that make outputs of order 1."""
    return {
        name: rng.standard_normal(array.shape)
        / math.sqrt(len(array) if array.ndim == 2 else 1)
        for name, array in params.items()
    }
