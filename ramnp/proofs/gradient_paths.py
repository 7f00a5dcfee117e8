"""Which loss term trains which network; every other gradient is exactly 0.0.

    term            glimpse  core  location  action  baseline
    cross-entropy      x       x                x
    policy             o       o       x
    baseline           o       o                        x

x: always; o: only with policy_into_core or baseline_into_core.
"""

import dataclasses

import numpy as np

from ramnp.agent import model
from ramnp.learning import reinforce
from ramnp.proofs import subjects
from ramnp.proofs.rows import Row

EXACT_ZERO = "exact zero"
LEARNS = "learns"
TERMS = ("cross_entropy", "policy", "baseline")
NETWORKS = ("glimpse", "core", "location", "action", "baseline")
_OPTIONS = {"policy": "policy_into_core", "baseline": "baseline_into_core"}
_OWN = {
    "cross_entropy": ("glimpse", "core", "action"),
    "policy": ("location",),
    "baseline": ("baseline",),
}


def allowed(term, config):
    """Return the networks that a term of the hybrid loss trains."""
    option = _OPTIONS.get(term)
    shared = option is not None and getattr(config, option)
    return _OWN[term] + (subjects.NETWORKS_BELOW if shared else ())


def term_gradients(term, drawn, config):
    """Return the gradients of one term alone: all other weights are 0."""
    others = [f"{name}_weight" for name in _OPTIONS if name != term]
    alone = dataclasses.replace(config, **dict.fromkeys(others, 0.0))
    _, cache, trajectory = subjects.hybrid_terms(drawn.params, drawn, alone)
    dlogits, dmu, dbaseline = reinforce.hybrid_loss_backward(cache)
    if term != "cross_entropy":  # it has no weight
        dlogits = np.zeros_like(dlogits)
    return model.backward(dlogits, dmu, dbaseline, trajectory, alone)


def rows(seed=0):
    """Yield a row for every term, network and setting of the two options.

    Where a gradient must be 0, the error is its largest magnitude. Where a network must
    learn, the error is the number of its tensors whose gradients are all 0.
    """
    for policy in (False, True):
        for baseline in (False, True):
            config = subjects.small_config(
                policy_into_core=policy, baseline_into_core=baseline
            )
            drawn = subjects.episode(np.random.default_rng(seed), config)
            for term in TERMS:
                gradients = term_gradients(term, drawn, config)
                for network in NETWORKS:
                    yield _row(term, network, gradients[network], config)


def _row(term, network, gradients, config):
    largest = [float(np.abs(array).max()) for array in gradients.values()]
    learns = network in allowed(term, config)
    opened = [name for name, option in _OPTIONS.items() if getattr(config, option)]
    setting = f"{' and '.join(opened)} into core" if opened else "the paper's"
    return Row(
        LEARNS if learns else EXACT_ZERO,
        f"{term.replace('_', '-')}, {setting}",
        network,
        sum(array.size for array in gradients.values()),
        largest.count(0.0) if learns else max(largest),
        0.0,
    )
