"""Mistakes put into the real functions, each of which some proof has to notice.

A bug is a function that stands in for one of ours and is given it as its first
argument. Most were made by public implementations of this model.
"""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ramnp.agent import (
    baseline_network,
    core_network,
    glimpse_network,
    layers,
    location_network,
    model,
)
from ramnp.learning import reinforce
from ramnp.proofs.replacing import replaced


class Bug(NamedTuple):
    """A mistake, the function that it is made in, and what it makes of it."""

    name: str
    function: Callable
    broken: Callable

    @property
    def place(self):
        module = self.function.__module__.rpartition(".")[2]
        return f"{module}.{self.function.__name__}"

    def planted(self):
        """Break the function, within a with statement."""
        return replaced(self.function, functools.partial(self.broken, self.function))


BUGS = []


def bug(name, function):
    """Register the decorated function as a bug."""

    def register(broken):
        BUGS.append(Bug(name, function, broken))
        return broken

    return register


# Affine map


@bug("weight gradient transposed", layers.affine_weights_backward)
def _(right, dy, x):
    dW, db = right(dy, x)
    return dW.T.reshape(dW.shape), db


@bug("weight gradient without the first row", layers.affine_weights_backward)
def _(right, dy, x):
    return x[1:].T @ dy[1:], dy.sum(axis=0)


@bug("bias counted twice", layers.affine_weights_backward)
def _(right, dy, x):
    dW, db = right(dy, x)
    return dW, 2 * db


@bug("bias averaged over rows", layers.affine_weights_backward)
def _(right, dy, x):
    dW, db = right(dy, x)
    return dW, db / max(len(dy), 1)


@bug("bias forgotten", layers.affine_weights_backward)
def _(right, dy, x):
    dW, db = right(dy, x)
    return dW, np.zeros_like(db)


@bug("input gradient of the wrong sign", layers.affine_backward)
def _(right, dy, x, W):
    dx, dW, db = right(dy, x, W)
    return -dx, dW, db


@bug("weight not transposed", layers.affine_backward)
def _(right, dy, x, W):
    _, dW, db = right(dy, x, W)
    return dy @ W.reshape(W.shape[::-1]), dW, db


# Rectifier


@bug("rectifier's derivative always 1", layers.relu_backward)
def _(right, dy, y):
    return dy


@bug("rectifier's side taken from the gradient", layers.relu_backward)
def _(right, dy, y):
    return dy * (dy > 0)


@bug("rectifier leaks", layers.relu_backward)
def _(right, dy, y):
    return np.where(y > 0, dy, 0.01 * dy)


# Softmax cross-entropy


@bug("softmax without the one-hot", layers.cross_entropy_backward)
def _(right, dloss, log_p, labels):
    return np.exp(log_p) * dloss[..., None]


@bug("one-hot less softmax", layers.cross_entropy_backward)
def _(right, dloss, log_p, labels):
    return -right(dloss, log_p, labels)


@bug("weight of a row ignored", layers.cross_entropy_backward)
def _(right, dloss, log_p, labels):
    return right(np.ones_like(dloss), log_p, labels)


@bug("label of the next row", layers.cross_entropy_backward)
def _(right, dloss, log_p, labels):
    return right(dloss, log_p, np.roll(labels, 1, axis=-1))


@bug("probabilities that sum to a half", layers.cross_entropy_backward)
def _(right, dloss, log_p, labels):
    return right(dloss, log_p + math.log(0.5), labels)


# Glimpse network


@bug("where the glimpse was is cut off", glimpse_network.backward)
def _(right, dg, cache, **options):
    dinputs, grads = right(dg, cache, **options)
    return dinputs, grads | _zeros(grads, "W_hl", "b_hl")


@bug("what the glimpse saw is cut off", glimpse_network.backward)
def _(right, dg, cache, **options):
    dinputs, grads = right(dg, cache, **options)
    return dinputs, grads | _zeros(grads, "W_hg", "b_hg")


@bug("rectifier of g skipped", glimpse_network.backward)
def _(right, dg, cache, **options):
    *rest, g = cache
    return right(dg, (*rest, np.ones_like(g)), **options)


@bug("location as (y, x)", glimpse_network.backward)
def _(right, dg, cache, **options):
    params, rho, l, pair, g = cache
    return right(dg, (params, rho, l[:, ::-1], pair, g), **options)


@bug("a bias for each of two linear maps", glimpse_network.backward)
def _(right, dg, cache, **options):
    dinputs, grads = right(dg, cache, **options)
    return dinputs, grads | {"b_g": 2 * grads["b_g"]}


# Core network


@bug("lost time term", core_network.backward_through_time)
def _(right, dh, caches):
    return _step_by_step(right, dh, caches, window=1)


@bug("only one step back in time", core_network.backward_through_time)
def _(right, dh, caches):
    return _step_by_step(right, dh, caches, window=2)


@bug("recurrent weight not transposed", core_network.backward_through_time)
def _(right, dh, caches):
    params, *rest = caches[0]
    turned = params | {"W_h": params["W_h"].T}
    return right(dh, [(turned, *rest), *caches[1:]])


@bug("h_t for h_{t-1}", core_network.backward_through_time)
def _(right, dh, caches):
    return right(dh, [(params, h, g, h) for params, _, g, h in caches])


@bug("rectifier of the step before", core_network.backward_through_time)
def _(right, dh, caches):
    return right(dh, [(params, h_tm1, g, h_tm1) for params, h_tm1, g, _ in caches])


@bug("time runs forward", core_network.backward_through_time)
def _(right, dh, caches):
    dz, dg, grads = right(dh[::-1], caches)
    return dz, dg, grads


@bug("nothing from above before the end", core_network.backward_through_time)
def _(right, dh, caches):
    last_alone = np.zeros_like(dh)
    last_alone[-1] = dh[-1]
    return right(last_alone, caches)


@bug("bias of the last step alone", core_network.backward_through_time)
def _(right, dh, caches):
    dz, dg, grads = right(dh, caches)
    return dz, dg, grads | {"b_h": dz[-1].sum(axis=0)}


@bug("weights averaged over time", core_network.backward_through_time)
def _(right, dh, caches):
    dz, dg, grads = right(dh, caches)
    return dz, dg, {name: array / len(dh) for name, array in grads.items()}


@bug("a reshape for a transpose: time and batch", core_network.backward_through_time)
def _(right, dh, caches):
    dz, dg, grads = right(dh, caches)
    T, B, _ = dh.shape
    return dz, dg.reshape(T, B, -1).swapaxes(0, 1).reshape(dg.shape), grads


# Location network and policy


@bug("no tanh'", location_network.backward)
def _(right, dmu, cache):
    *rest, _ = cache
    return right(dmu, (*rest, False))


@bug("tanh' as 1 - mu", location_network.backward)
def _(right, dmu, cache):
    *_, mu, tanh = cache
    return right(dmu / (1 + mu) if tanh else dmu, cache)


@bug("tanh' twice", location_network.backward)
def _(right, dmu, cache):
    *_, mu, tanh = cache
    return right(dmu * (1 - mu * mu) if tanh else dmu, cache)


@bug("rectifier of the hidden layer skipped", location_network.backward)
def _(right, dmu, cache):
    params, h, _, mu, tanh = cache
    if "W_hidden" not in params:
        return right(dmu, cache)
    _, grads = right(dmu, cache)
    dhidden = (dmu * (1 - mu * mu) if tanh else dmu) @ params["W_mu"].T
    grads |= {"W_hidden": h.T @ dhidden, "b_hidden": dhidden.sum(axis=0)}
    return dhidden @ params["W_hidden"].T, grads


@bug("the mean cut from the graph", location_network.backward)
def _(right, dmu, cache):
    dh, grads = right(dmu, cache)
    return np.zeros_like(dh), _zeros(grads, *grads)


@bug("score over sigma, not its square", location_network.score)
def _(right, l, mu, location_std):
    return (l - mu) / location_std


@bug("score without sigma", location_network.score)
def _(right, l, mu, location_std):
    return l - mu


@bug("score of the wrong sign", location_network.score)
def _(right, l, mu, location_std):
    return right(mu, l, location_std)


@bug("score of the clipped sample", location_network.score)
def _(right, l, mu, location_std):
    return right(np.clip(l, -1, 1), mu, location_std)


@bug("score of the squashed sample", location_network.score)
def _(right, l, mu, location_std):
    return right(np.tanh(l), mu, location_std)


@bug("score of x given to y", location_network.score)
def _(right, l, mu, location_std):
    return right(l, mu, location_std)[..., ::-1]


@bug("the sample carries the gradient", location_network.score)
def _(right, l, mu, location_std):
    return np.zeros_like(mu)


@bug("log-density without its half", location_network.log_pi)
def _(right, l, mu, location_std):
    z = (l - mu) / location_std
    return right(l, mu, location_std) - 0.5 * (z * z).sum(axis=-1)


@bug("sample spread by the variance", location_network.sample)
def _(right, mu, location_std, rng):
    return right(mu, location_std**2, rng)


@bug("sample clipped to the image", location_network.sample)
def _(right, mu, location_std, rng):
    return np.clip(right(mu, location_std, rng), -1, 1)


# Reward, return, advantage


@bug("return without the last reward", reinforce.returns_to_go)
def _(right, reward, discount):
    return right(np.concatenate([reward[:-1], 0 * reward[-1:]]), discount)


@bug("return of the next reward alone", reinforce.returns_to_go)
def _(right, reward, discount):
    return right(reward, 0.0)


@bug("discount ignored", reinforce.returns_to_go)
def _(right, reward, discount):
    return right(reward, 1.0)


@bug("baseline less return", reinforce.advantages)
def _(right, R, baseline, kind, num_rollouts):
    return -right(R, baseline, kind, num_rollouts)


@bug("leave-one-out leaves none out", reinforce.advantages)
def _(right, R, baseline, kind, num_rollouts):
    advantage = right(R, baseline, kind, num_rollouts)
    leave_one_out = kind == "leave-one-out"
    return advantage * (1 - 1 / num_rollouts) if leave_one_out else advantage


@bug("a reshape for a transpose: image and rollout", reinforce.advantages)
def _(right, R, baseline, kind, num_rollouts):
    turned = R.reshape(len(R), -1, num_rollouts).swapaxes(1, 2).reshape(R.shape)
    return right(turned, baseline, kind, num_rollouts)


@bug("rectified baseline", baseline_network.forward)
def _(right, params, h):
    b, cache = right(params, h)
    return np.maximum(b, 0), cache


# Hybrid loss


@bug("the minus of REINFORCE lost", reinforce.hybrid_loss_backward)
def _(right, cache):
    dlogits, dmu, dbaseline = right(cache)
    return dlogits, -dmu, dbaseline


@bug("mean over rows twice", reinforce.hybrid_loss_backward)
def _(right, cache):
    upstream = right(cache)
    return [array / array.shape[1] for array in upstream]


@bug("sum over rows for their mean", reinforce.hybrid_loss_backward)
def _(right, cache):
    upstream = right(cache)
    return [array * array.shape[1] for array in upstream]


@bug("policy averaged over time", reinforce.hybrid_loss_backward)
def _(right, cache):
    dlogits, dmu, dbaseline = right(cache)
    return dlogits, dmu / max(len(dmu), 1), dbaseline


@bug("square without its 2", reinforce.hybrid_loss_backward)
def _(right, cache):
    dlogits, dmu, dbaseline = right(cache)
    return dlogits, dmu, dbaseline / 2


@bug("class asked at the end alone", reinforce.hybrid_loss_backward)
def _(right, cache):
    dlogits, dmu, dbaseline = right(cache)
    dlogits[:-1] = 0
    return dlogits, dmu, dbaseline


@bug("advantage of another step", reinforce.hybrid_loss_forward)
def _(right, trajectory, labels, R, advantage, *rest):
    return right(trajectory, labels, R, np.roll(advantage, 1, axis=0), *rest)


@bug("advantage differentiated through the baseline", reinforce.hybrid_loss_backward)
def _(right, cache):
    dlogits, dmu, dbaseline = right(cache)
    trajectory, _, _, config, location_std, num_rows, *_ = cache
    l, mu = trajectory.locations[1:], trajectory.mu
    log_pi = location_network.log_pi(l, mu, location_std)
    # d/db of -(R - b) log pi
    return dlogits, dmu, dbaseline + config.policy_weight / num_rows * log_pi


# Model


@bug("policy gradient in the core unasked", model.backward)
def _(right, dlogits, dmu, dbaseline, trajectory, config):
    shared = dataclasses.replace(config, policy_into_core=True)
    return right(dlogits, dmu, dbaseline, trajectory, shared)


@bug("policy gradient kept from the core", model.backward)
def _(right, dlogits, dmu, dbaseline, trajectory, config):
    apart = dataclasses.replace(config, policy_into_core=False)
    return right(dlogits, dmu, dbaseline, trajectory, apart)


@bug("baseline gradient in the core unasked", model.backward)
def _(right, dlogits, dmu, dbaseline, trajectory, config):
    shared = dataclasses.replace(config, baseline_into_core=True)
    return right(dlogits, dmu, dbaseline, trajectory, shared)


@bug("cross-entropy reaches the locator", model.backward)
def _(right, dlogits, dmu, dbaseline, trajectory, config):
    grads = right(dlogits, dmu, dbaseline, trajectory, config)
    b_mu = grads["location"]["b_mu"] + dlogits[..., :2].sum(axis=(0, 1))
    return grads | {"location": grads["location"] | {"b_mu": b_mu}}


@bug("a choice taught by its neighbour", model.backward)
def _(right, dlogits, dmu, dbaseline, trajectory, config):
    return right(dlogits, np.roll(dmu, 1, axis=0), dbaseline, trajectory, config)


@bug("a reshape for a transpose: logits", model.backward)
def _(right, dlogits, dmu, dbaseline, trajectory, config):
    turned = dlogits.swapaxes(0, 1).reshape(dlogits.shape)
    return right(turned, dmu, dbaseline, trajectory, config)


@bug("every gradient 1.001 times as large", model.backward)
def _(right, *arguments):
    return {
        network: {name: 1.001 * array for name, array in grads.items()}
        for network, grads in right(*arguments).items()
    }


@bug("one coordinate 1.001 times as large", model.backward)
def _(right, *arguments):
    grads = right(*arguments)
    grads["core"]["W_h"][0, 1] *= 1.001
    return grads


def caught_by(bug, proofs, stop_at_first=False):
    """Return the names of the proofs that notice a bug.

    proofs: {name: () -> rows}.
    """
    names = []
    with bug.planted():
        for name, prove in proofs.items():
            if not all(row.proved for row in prove()):
                names.append(name)
                if stop_at_first:
                    break
    return names


def _zeros(grads, *names):
    return {name: np.zeros_like(grads[name]) for name in names}


def _step_by_step(right, dh, caches, window):
    """Let what reaches each h_t travel back through `window` steps, no further."""
    T, B, _ = dh.shape
    dz = np.zeros_like(dh)
    dg, grads = 0, {}
    for t in range(T):
        start = max(0, t - window + 1)
        alone = np.zeros_like(dh[start : t + 1])
        alone[-1] = dh[t]
        dz_t, dg_t, grads_t = right(alone, caches[start : t + 1])
        dz[start : t + 1] += dz_t
        rows = np.zeros((T, B, dg_t.shape[1]), dh.dtype)
        rows[start : t + 1] = dg_t.reshape(t + 1 - start, B, -1)
        dg = dg + rows
        grads = {name: grads.get(name, 0) + array for name, array in grads_t.items()}
    return dz, dg.reshape(T * B, -1), grads
