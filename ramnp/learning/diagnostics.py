"""Diagnostics of a policy: where it looks, its return, and the baseline's accuracy.

A split is observed in parts, of which only sums are kept.
"""

from typing import NamedTuple

import numpy as np

from ramnp.learning import reinforce

# Glimpses are counted on a grid of CELLS × CELLS over the image.
CELLS = 10

# Extra metrics at the end of a row of metrics.jsonl; all but two are from validation.
METRICS = (
    "saturation",  # share of the policy's means at the border or beyond, in training
    "location_spread",
    "location_entropy",
    "first_return",
    "explained_variance",
    "gradient_norms",  # {network: mean over the steps of training}
    "valid_error_after_glimpse",  # a list of T
    "deterministic_minus_sampled",  # not in rows of earlier versions
)


class Behaviour(NamedTuple):
    """Sums over the chosen locations, T - 1 in each of N rollouts."""

    visits: np.ndarray  # (CELLS, CELLS) as (y, x); out-of-frame: the nearest cell
    locations: np.ndarray  # (2,), summed
    squares: np.ndarray  # (2,), of the locations
    first_return: float  # R_1, the return of the first choice
    num_rollouts: int
    R: np.ndarray  # (2,): returns, and their squares
    error: np.ndarray  # (2,): R - b, and its squares

    def __add__(self, other):
        return Behaviour(*(a + b for a, b in zip(self, other)))


def observe(trajectory, labels, config):
    """Return the Behaviour of a trajectory, for labels (N,).

    Non-finite trajectories give non-finite sums.
    """
    chosen = trajectory.locations[1:].reshape(-1, 2).astype(np.float64)
    cells = np.clip(np.nan_to_num((chosen.T + 1) / 2 * CELLS), 0, CELLS - 1)
    x, y = cells.astype(np.intp)
    visits = np.bincount(y * CELLS + x, minlength=CELLS**2)
    reward = reinforce.rewards(trajectory.logits, labels, config.reward)
    R = reinforce.returns_to_go(reward, config.discount).astype(np.float64)
    error = R - trajectory.baseline
    return Behaviour(
        visits=visits.reshape(CELLS, CELLS),
        locations=chosen.sum(axis=0),
        squares=(chosen**2).sum(axis=0),
        first_return=float(R[:1].sum()),
        num_rollouts=len(labels),
        R=np.array([R.sum(), (R**2).sum()]),
        error=np.array([error.sum(), (error**2).sum()]),
    )


@np.errstate(over="ignore", invalid="ignore")
def summarize(behaviour):
    """Return the metrics of a Behaviour; 0 if no location was chosen.

    location_spread: standard deviation of the locations about their mean, per axis, in
    half image sides. location_entropy: entropy of the cells they fall into, in bits, at
    most log2 CELLS². first_return: mean R_1.
    explained_variance: 1 - var(R - b) / var(R).
    """
    count = behaviour.visits.sum()
    p = behaviour.visits[behaviour.visits > 0] / max(count, 1)
    spread = _variance(behaviour.locations, behaviour.squares, count)
    variance_of_R = _variance(*behaviour.R, count)
    left = _variance(*behaviour.error, count)
    return {
        "location_spread": float(np.sqrt(spread.mean())),
        "location_entropy": float(abs((p * np.log2(p)).sum())),
        "first_return": behaviour.first_return / behaviour.num_rollouts,
        "explained_variance": (
            0.0 if variance_of_R == 0 else float(1 - left / variance_of_R)
        ),
    }


def _variance(total, squares, count):
    return np.maximum(squares / max(count, 1) - (total / max(count, 1)) ** 2, 0)
