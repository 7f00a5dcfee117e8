"""Reward, return, advantage, and the hybrid loss with its derivative (section 3.2).

l_t is the location of glimpse t and r_t the reward that follows it, t = 1 ... T. The
policy does not choose the first location. It chooses each later one from h_{t-1}, and
the choice is credited with all rewards from its own glimpse on:

    R_t = Σ_{s ≥ t} γ^(s-t) r_s

The gradient of the expected return, estimated from M rollouts i, is

    1/M Σ_i Σ_{t ≥ 2}  ∇ log π(l_t | h_{t-1})  (R_t - b_t)

which is the exact gradient of a surrogate, Σ_t A_t log π(l_t), in which locations,
returns and advantages A_t = R_t - b_t are held fixed. The hybrid loss is, per row,

    Σ_t CE_t  -  policy_weight Σ_t A_t log π(l_t)  +  baseline_weight Σ_t (b_t - R_t)²

with CE_t at the last glimpse alone unless classify_every_step. It is summed over time
and averaged over rows. Arrays (T, N) start with glimpse 1, arrays (T - 1, N) with the
choice of l_2.
"""

from typing import Any, NamedTuple

import numpy as np

from ramnp.agent import layers, location_network, model


def final_reward(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return 1 for the right class after the last glimpse, else 0; before it 0."""
    reward = np.zeros(logits.shape[:2], logits.dtype)
    reward[-1] = logits[-1].argmax(axis=-1) == labels
    return reward


def log_probability_reward(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return log p(right class) after each glimpse."""
    cross_entropy, _ = layers.cross_entropy_forward(logits, _over_time(labels, logits))
    return -cross_entropy


def gain_reward(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the gain in log p(right class) by each glimpse; 0 for the first."""
    log_p = log_probability_reward(logits, labels)
    return np.concatenate([np.zeros_like(log_p[:1]), log_p[1:] - log_p[:-1]])


# Rewards (T, N) for logits (T, N, classes) and labels (N,), by config.reward.
REWARDS = {
    "final": final_reward,
    "log-probability": log_probability_reward,
    "gain": gain_reward,
}


def rewards(logits: np.ndarray, labels: np.ndarray, kind: str) -> np.ndarray:
    """Return the reward (T, N) of each glimpse, by the function named `kind`."""
    return REWARDS[kind](logits, labels)


def returns_to_go(reward: np.ndarray, discount: float) -> np.ndarray:
    """Return R_t (T - 1, N) of each choice, for the reward (T, N) of each glimpse."""
    R = reward[1:].copy()
    for t in reversed(range(len(R) - 1)):
        R[t] += discount * R[t + 1]
    return R


def advantages(
    R: np.ndarray, baseline: np.ndarray, kind: str, num_rollouts: int
) -> np.ndarray:
    """Return R - b (T - 1, N), with b chosen by `kind` (see config.baseline)."""
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
    def total(self) -> float:
        """The hybrid loss."""
        return self.cross_entropy + self.policy + self.baseline


def hybrid_loss_forward(
    trajectory: model.Trajectory,
    labels: np.ndarray,
    R: np.ndarray,
    advantage: np.ndarray,
    config: Any,
    location_std: float,
    num_rows: int | None = None,
) -> tuple[Losses, tuple]:
    """Return the Losses of a trajectory, R and advantage held fixed, and the cache.

    labels (N,), R and advantage (T - 1, N). The sum over rows is divided by num_rows:
    N, unless these rows are part of a larger batch.
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
    given = trajectory, labels, advantage, config, location_std, num_rows
    return losses, (*given, log_p, baseline_error)


def hybrid_loss_backward(cache: tuple) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return dlogits (T, N, classes), dmu (T - 1, N, 2), dbaseline (T - 1, N)."""
    *given, log_p, baseline_error = cache
    trajectory, labels, advantage, config, location_std, num_rows = given
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


class LearningSignal(NamedTuple):
    """Returns, advantages and losses of a trajectory, and the loss's derivative."""

    R: np.ndarray  # (T - 1, N)
    advantage: np.ndarray  # (T - 1, N)
    losses: Losses
    upstream: tuple  # dlogits, dmu, dbaseline: what model.backward takes


def learning_signal(
    trajectory: model.Trajectory,
    labels: np.ndarray,
    config: Any,
    location_std: float,
    num_rows: int | None = None,
) -> LearningSignal:
    """Return the LearningSignal of a trajectory with N rows, for labels (N,)."""
    reward = rewards(trajectory.logits, labels, config.reward)
    R = returns_to_go(reward, config.discount)
    advantage = advantages(R, trajectory.baseline, config.baseline, config.num_rollouts)
    losses, cache = hybrid_loss_forward(
        trajectory, labels, R, advantage, config, location_std, num_rows
    )
    return LearningSignal(R, advantage, losses, hybrid_loss_backward(cache))


def _policy_weight(config):
    """Return config.policy_weight, or 0 for the random policy: it is not trained."""
    return config.policy_weight if config.policy == "learned" else 0.0


def _over_time(labels, steps):
    """Return labels (N,) repeated for each of the steps (T, N, ...): (T, N)."""
    return labels[None].repeat(len(steps), axis=0)
