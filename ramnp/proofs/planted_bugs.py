"""Mistakes planted in the real functions, each of which some proof must notice.

A replacement takes the place of the real function, which it receives as its first
argument. Most of these mistakes were found in public implementations of this model.
"""

import dataclasses
import functools
import itertools
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
    """A mistake: its name, the function it is planted in, and the replacement."""

    name: str
    function: Callable
    replacement: Callable

    @property
    def place(self):
        module = self.function.__module__.rpartition(".")[2]
        return f"{module}.{self.function.__name__}"

    def planted(self):
        """Break the function for the duration of a with statement."""
        return replaced(
            self.function, functools.partial(self.replacement, self.function)
        )


def argument(index, change):
    """Return a replacement that calls the real function with one argument changed."""
    return lambda right, *given, **options: right(*at(index, change)(given), **options)


def result(change):
    """Return a replacement that changes the result of the real function."""
    return lambda right, *given, **options: change(right(*given, **options))


def at(key, change):
    """Return a function that copies a tuple or dict with one of its values changed."""

    def changed(values):
        if isinstance(values, dict):
            return values | {key: change(values[key])}
        return tuple(change(x) if i == key else x for i, x in enumerate(values))

    return changed


def every(change):
    """Return a function that changes every value of a tuple, list or dict."""

    def changed(values):
        if isinstance(values, dict):
            return {name: change(x) for name, x in values.items()}
        return [change(x) for x in values]

    return changed


def _setting(**changes):
    return argument(4, lambda config: dataclasses.replace(config, **changes))


def _bounded(name, change):
    """Return a replacement that changes dmu, given mu, if the mean has this bound."""

    def replacement(right, dmu, cache):
        *_, mu, bound = cache
        return right(change(dmu, mu) if bound == name else dmu, cache)

    return replacement


def _zeroed(*names):
    return lambda grads: grads | {name: np.zeros_like(grads[name]) for name in names}


def _last_step_only(array):
    return np.concatenate([np.zeros_like(array[:-1]), array[-1:]])


def _reshaped(array):
    """Return an array whose axes are swapped by a transpose and back by a reshape."""
    return array.swapaxes(0, 1).reshape(array.shape)


def _one_coordinate(dW_h):
    dW_h[0, 1] *= 1.001
    return dW_h


def _one_step_back(right, dh, caches):
    W_h = caches[0][0]["W_h"]
    isolated = every(at(0, at("W_h", np.zeros_like)))(caches)
    dh = dh.copy()
    dh[:-1] += (dh[1:] * [cache[3] > 0 for cache in caches[1:]]) @ W_h.T
    return right(dh, isolated)


def _bias_of_the_last_step(right, dh, caches):
    dinputs, grads = right(dh, caches)
    return dinputs, grads | {"b_h": (dh[-1] * (caches[-1][3] > 0)).sum(axis=0)}


def _rollouts_reshaped(right, R, baseline, kind, num_rollouts):
    by_image = R.reshape(len(R), -1, num_rollouts)
    return right(by_image.swapaxes(1, 2).reshape(R.shape), baseline, kind, num_rollouts)


def _through_the_baseline(right, cache):
    dlogits, dmu, dbaseline = right(cache)
    trajectory, _, _, config, location_std, num_rows, *_ = cache
    l, mu = trajectory.locations[1:], trajectory.mu
    log_pi = location_network.log_pi(l, mu, location_std)
    # d/db of -(R - b) log pi
    return dlogits, dmu, dbaseline + config.policy_weight / num_rows * log_pi


def _cross_entropy_to_locator(right, dlogits, *rest):
    grads = right(dlogits, *rest)
    grads["location"]["b_mu"] += dlogits[..., :2].sum(axis=(0, 1))
    return grads


# {function: {name: replacement}}
TABLE = {}

TABLE[layers.affine_weights_backward] = {
    "weight gradient transposed": result(at(0, lambda dW: dW.T.reshape(dW.shape))),
    "weight gradient without the first row": (
        lambda right, dy, x: (x[1:].T @ dy[1:], dy.sum(axis=0))
    ),
    "bias counted twice": result(at(1, lambda db: 2 * db)),
    "bias averaged over rows": (
        lambda right, dy, x: (x.T @ dy, dy.sum(axis=0) / max(len(dy), 1))
    ),
    "bias forgotten": result(at(1, np.zeros_like)),
}
TABLE[layers.affine_backward] = {
    "input gradient of the wrong sign": result(at(0, np.negative)),
    "weight not transposed": (
        lambda right, dy, x, W: (dy @ W.reshape(W.shape[::-1]), *right(dy, x, W)[1:])
    ),
}
TABLE[layers.relu_backward] = {
    "rectifier's derivative always 1": lambda right, dy, y: dy,
    "rectifier's side taken from the gradient": lambda right, dy, y: dy * (dy > 0),
    "rectifier leaks": lambda right, dy, y: np.where(y > 0, dy, 0.01 * dy),
}
TABLE[layers.cross_entropy_backward] = {
    "softmax without the one-hot": (
        lambda right, dloss, log_p, labels: np.exp(log_p) * dloss[..., None]
    ),
    "one-hot minus softmax": result(np.negative),
    "row weights ignored": argument(0, np.ones_like),
    "label of the next row": argument(2, lambda labels: np.roll(labels, 1, axis=-1)),
    "probabilities that sum to a half": argument(1, lambda log_p: log_p + np.log(0.5)),
}
TABLE[glimpse_network.backward] = {
    "no gradient for where the glimpse was": result(at(1, _zeroed("W_hl", "b_hl"))),
    "no gradient for what the glimpse saw": result(at(1, _zeroed("W_hg", "b_hg"))),
    "rectifier of g skipped": argument(1, at(4, np.ones_like)),
    "location as (y, x)": argument(1, at(2, np.fliplr)),
    "separate biases for the two linear maps": (
        result(at(1, at("b_g", lambda db_g: 2 * db_g)))
    ),
}
TABLE[core_network.backward_through_time] = {
    "no gradient through time": argument(1, every(at(0, at("W_h", np.zeros_like)))),
    "only one step back in time": _one_step_back,
    "recurrent weight not transposed": argument(
        1, every(at(0, at("W_h", np.transpose)))
    ),
    "h_t for h_{t-1}": argument(
        1, every(lambda cache: (cache[0], cache[3], *cache[2:]))
    ),
    "rectifier of the step before": argument(
        1, every(lambda cache: (*cache[:3], cache[1]))
    ),
    "time runs forward": argument(0, np.flipud),
    "outside gradient only at the last step": argument(0, _last_step_only),
    "bias of the last step alone": _bias_of_the_last_step,
    "weights averaged over time": lambda right, dh, caches: at(
        1, every(lambda grad: grad / len(dh))
    )(right(dh, caches)),
    "reshape instead of transpose: time and batch": lambda right, dh, caches: at(
        0,
        every(lambda dg: _reshaped(dg.reshape(*dh.shape[:2], -1)).reshape(dg.shape)),
    )(right(dh, caches)),
}
TABLE[location_network.backward] = {
    "no tanh'": _bounded("tanh", lambda dmu, mu: dmu / (1 - mu * mu)),
    "tanh' as 1 - mu": _bounded("tanh", lambda dmu, mu: dmu / (1 + mu)),
    "tanh' twice": _bounded("tanh", lambda dmu, mu: dmu * (1 - mu * mu)),
    "no hard tanh'": (
        argument(1, at(4, lambda bound: bound.replace("hard-tanh", "none")))
    ),
    "hard tanh' on one side": _bounded("hard-tanh", lambda dmu, mu: dmu * (mu > 0)),
    # 1e-300 opens every rectifier and is too small to count elsewhere.
    "rectifier of the hidden layer skipped": (
        argument(1, at(2, lambda hidden: hidden + 1e-300))
    ),
    "mean detached from the graph": result(every(every(np.zeros_like))),
}
TABLE[location_network.score] = {
    "score divided by sigma, not its square": lambda right, l, mu, std: (l - mu) / std,
    "score without sigma": lambda right, l, mu, std: l - mu,
    "score of the wrong sign": result(np.negative),
    "score of the clipped sample": argument(0, lambda l: np.clip(l, -1, 1)),
    "score of the squashed sample": argument(0, np.tanh),
    "scores of x and y swapped": result(lambda score: score[..., ::-1]),
    "gradient flows through the sample": result(np.zeros_like),
}
TABLE[location_network.log_pi] = {
    "log-density without its factor 1/2": lambda right, l, mu, std: (
        right(l, mu, std) - 0.5 * (((l - mu) / std) ** 2).sum(axis=-1)
    ),
}
TABLE[location_network.sample] = {
    "sample scaled by the variance": argument(1, np.square),
    "sample clipped to the image": result(lambda l: np.clip(l, -1, 1)),
}
TABLE[reinforce.returns_to_go] = {
    "return without the last reward": argument(0, lambda r: r - _last_step_only(r)),
    "return of the next reward alone": argument(1, lambda discount: 0.0),
    "discount ignored": argument(1, lambda discount: 1.0),
}
TABLE[reinforce.advantages] = {
    "baseline minus return": result(np.negative),
    "leave-one-out leaves none out": lambda right, R, baseline, kind, M: (
        right(R, baseline, kind, M) * (1 - 1 / M if kind == "leave-one-out" else 1)
    ),
    "reshape instead of transpose: image and rollout": _rollouts_reshaped,
}
TABLE[baseline_network.forward] = {
    "rectified baseline": result(at(0, lambda baseline: np.maximum(baseline, 0))),
}
TABLE[reinforce.hybrid_loss_backward] = {
    "minus of REINFORCE missing": result(at(1, np.negative)),
    "mean over rows twice": result(every(lambda dy: dy / dy.shape[1])),
    "sum over rows instead of mean": result(every(lambda dy: dy * dy.shape[1])),
    "policy averaged over time": result(at(1, lambda dmu: dmu / max(len(dmu), 1))),
    "squared error without its factor 2": result(
        at(2, lambda dbaseline: dbaseline / 2)
    ),
    "class learned only at the last step": result(at(0, _last_step_only)),
    "advantage of another step": (
        argument(0, at(2, lambda advantage: np.roll(advantage, 1, axis=0)))
    ),
    "advantage differentiated through the baseline": _through_the_baseline,
}
TABLE[model.backward] = {
    "policy gradient always enters the core": _setting(policy_into_core=True),
    "policy gradient never enters the core": _setting(policy_into_core=False),
    "baseline gradient always enters the core": _setting(baseline_into_core=True),
    "cross-entropy reaches the locator": _cross_entropy_to_locator,
    "location gradients shifted by a step": (
        argument(1, lambda dmu: np.roll(dmu, 1, axis=0))
    ),
    "reshape instead of transpose: logits": argument(0, _reshaped),
    "every gradient 1.001 times as large": (
        result(every(every(lambda gradient: 1.001 * gradient)))
    ),
    "one coordinate 1.001 times as large": result(
        at("core", at("W_h", _one_coordinate))
    ),
}

BUGS = {
    name: Bug(name, function, replacement)
    for function, replacements in TABLE.items()
    for name, replacement in replacements.items()
}


def caught(proofs, stop_at_first=False):
    """Return {bug: names of the proofs, of {name: () -> rows}, that notice it}."""
    return {bug: caught_by(bug, proofs, stop_at_first) for bug in BUGS.values()}


def caught_by(bug, proofs, stop_at_first=False):
    """Return the names of the proofs that notice a bug, or the first of them alone."""
    with bug.planted():
        failing = (
            name
            for name, prove in proofs.items()
            if not all(row.proved for row in prove())
        )
        return [*itertools.islice(failing, 1 if stop_at_first else None)]
