"""Which loss term may teach which network: everything else gets a gradient of 0.0.

    term            glimpse  core  location  action  baseline
    cross-entropy      x       x                x
    policy             o       o       x
    baseline           o       o                        x

x always, o only with policy_into_core or baseline_into_core.
"""

import dataclasses

import numpy as np

from ramnp import model, reinforce
from ramnp.proofs import subjects
from ramnp.proofs.rows import Row

TERMS = ("cross_entropy", "policy", "baseline")
NETWORKS = ("glimpse", "core", "location", "action", "baseline")
_OPTIONS = {"policy": "policy_into_core", "baseline": "baseline_into_core"}
_OWN = {
    "cross_entropy": ("glimpse", "core", "action"),
    "policy": ("location",),
    "baseline": ("baseline",),
}


def allowed(term, config):
    """Return the networks that a term of the hybrid loss teaches."""
    option = _OPTIONS.get(term)
    shared = option is not None and getattr(config, option)
    return _OWN[term] + (subjects.NETWORKS_BELOW if shared else ())


def term_gradients(term, drawn, config):
    """Return the gradients of one term alone: every other term weighs nothing."""
    others = [f"{name}_weight" for name in _OPTIONS if name != term]
    alone = dataclasses.replace(config, **dict.fromkeys(others, 0.0))
    _, cache, trajectory = subjects.hybrid_terms(drawn.params, drawn, alone)
    dlogits, dmu, dbaseline = reinforce.hybrid_loss_backward(cache)
    if term != "cross_entropy":  # it has no weight
        dlogits = np.zeros_like(dlogits)
    return model.backward(dlogits, dmu, dbaseline, trajectory, alone)


def rows(seed=0):
    """Return a row for every term, network and setting of the two options.

    The error is the largest gradient where there must be none (-0.0 counts as 0.0),
    and infinite where a network that should learn gets nothing at all.
    """
    found = []
    for policy in (False, True):
        for baseline in (False, True):
            config = subjects.small_config(
                policy_into_core=policy, baseline_into_core=baseline
            )
            drawn = subjects.episode(np.random.default_rng(seed), config)
            for term in TERMS:
                gradients = term_gradients(term, drawn, config)
                for network in NETWORKS:
                    found.append(_row(term, network, gradients[network], config))
    return found


def _row(term, network, gradients, config):
    largest = [np.abs(array).max() for array in gradients.values()]
    if network in allowed(term, config):
        error = 0.0 if min(largest) > 0 else np.inf
    else:
        error = max(largest)
    opened = [option for option in _OPTIONS.values() if getattr(config, option)]
    return Row(
        "exact zeros",
        f"{term}, {' and '.join(opened) or 'the paper'}",
        network,
        sum(array.size for array in gradients.values()),
        error,
        0.0,
    )
