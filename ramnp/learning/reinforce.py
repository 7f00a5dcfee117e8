"""Reward, return, advantage, and the hybrid loss with its derivative (section 3.2).

The gradient of the expected return, estimated from what was sampled, is

    1/M Σ_i Σ_t  ∇ log π(l_t | h_{t-1})  (R_t - b_t)

which is the exact gradient of a surrogate, Σ_t log π(l_t) A_t, in which locations,
returns and advantages stand fixed. The hybrid loss is, per row,

    Σ_t CE_t  -  policy_weight Σ_t A_t log π(l_t)  +  baseline_weight Σ_t (b_t - R_t)²

with CE_t at the last step alone unless classify_every_step. It is summed over time
and averaged over rows. Choice t of T - 1 is made after glimpse t + 1.
"""

from typing import NamedTuple

import numpy as np

from ramnp.agent import layers, location_network


def rewards(logits, labels, kind):
    """Return the reward (T, N) that follows each glimpse, for logits (T, N, classes).

    final: 1 for the right class after the last glimpse, else 0, nothing before.
    log-probability: log p(right class). gain: what a glimpse added to it.
    """
    reward = np.zeros(logits.shape[:2], logits.dtype)
    if kind == "final":
        reward[-1] = logits[-1].argmax(axis=-1) == labels
        return reward
    cross_entropy, _ = layers.cross_entropy_forward(logits, _over_time(labels, logits))
    if kind == "log-probability":
        return -cross_entropy
    reward[1:] = cross_entropy[:-1] - cross_entropy[1:]
    return reward


def returns_to_go(reward, discount):
    """Return R_t (T - 1, N), what each choice leads to: Σ_{s > t} γ^(s-t-1) r_s."""
    R = reward[1:].copy()
    for t in reversed(range(len(R) - 1)):
        R[t] += discount * R[t + 1]
    return R


def advantages(R, baseline, kind, num_rollouts):
    """Return R - b (T - 1, N), with b as the option of that name says."""
    if kind == "none":
        return R.copy()
    if kind == "learned":
        return R - baseline
    T, N = R.shape
    per_image = R.reshape(T, num_rollouts, N // num_rollouts)
    others = per_image.sum(axis=1, keepdims=True) - per_image
    return (per_image - others / (num_rollouts - 1)).reshape(T, N)


class Losses(NamedTuple):
    """The weighted terms of the hybrid loss, each a mean over rows."""

    cross_entropy: float
    policy: float
    baseline: float

    @property
    def total(self):
        return self.cross_entropy + self.policy + self.baseline


def hybrid_loss_forward(
    trajectory, labels, R, advantage, config, location_std, num_rows=None
):
    """Return the Losses of a trajectory whose returns and advantages stand fixed.

    labels (N,), R and advantage (T - 1, N). num_rows is what the sum over rows is
    divided by: N, unless these rows are a part of a batch.
    """
    locations, logits, mu, baseline, _ = trajectory
    num_rows = num_rows or len(labels)
    start = 0 if config.classify_every_step else len(logits) - 1
    picked = logits[start:]
    cross_entropy, log_p = layers.cross_entropy_forward(
        picked, _over_time(labels, picked)
    )
    log_pi = location_network.log_pi(locations[1:], mu, location_std)
    baseline_error = baseline - R
    losses = Losses(
        cross_entropy.sum() / num_rows,
        -_policy_weight(config) * (advantage * log_pi).sum() / num_rows,
        config.baseline_weight * (baseline_error**2).sum() / num_rows,
    )
    cache = (
        trajectory,
        labels,
        advantage,
        config,
        location_std,
        num_rows,
        log_p,
        baseline_error,
    )
    return losses, cache


def hybrid_loss_backward(cache):
    """Return dlogits (T, N, classes), dmu (T - 1, N, 2), dbaseline (T - 1, N)."""
    (
        trajectory,
        labels,
        advantage,
        config,
        location_std,
        num_rows,
        log_p,
        baseline_error,
    ) = cache
    locations, logits, mu, _, _ = trajectory
    dlogits = np.zeros_like(logits)
    dloss = np.full(log_p.shape[:2], 1 / num_rows, logits.dtype)
    dlogits[-len(log_p) :] = layers.cross_entropy_backward(
        dloss, log_p, _over_time(labels, log_p)
    )
    score = location_network.score(locations[1:], mu, location_std)
    dmu = score * (-_policy_weight(config) / num_rows * advantage)[..., None]
    dbaseline = 2 * config.baseline_weight / num_rows * baseline_error
    return dlogits, dmu, dbaseline


def _policy_weight(config):
    """The random policy has nothing to learn, as none of its choices is its own."""
    return config.policy_weight if config.policy == "learned" else 0.0


def _over_time(labels, steps):
    """Repeat labels (N,) for each of the steps (T, N, ...): (T, N)."""
    return labels[None].repeat(len(steps), axis=0)
