"""Solutions to tutorial 5."""

import numpy as np


def score_of_log_std(l, mu, log_std):
    """|l - mu|² / std² - 2: wider if samples fall farther out than they should."""
    return ((l - mu) ** 2).sum(axis=1) / np.exp(2 * log_std) - 2


def best_baselines(R, score):
    """Take each sample out of both sums."""
    weight = (score**2).sum(axis=1)
    paid = R * weight
    return (paid.sum() - paid) / (weight.sum() - weight)


def find_peak(reward, mu, rng):
    """REINFORCE on mu and log std, with advantages of unit size.

    The steps are measured in the policy's own width: the score of mu is multiplied by
    std², or the noise would grow without bound as the policy narrows.
    """
    log_std = np.log(0.7)
    for _ in range(200):
        std = np.exp(log_std)
        l = mu + std * rng.standard_normal((100, 2))
        R = reward(l)
        if R.std() > 0:
            advantage = (R - R.mean()) / R.std()
            step = score_of_log_std(l, mu, log_std) @ advantage / 100
            mu = mu + 0.5 * advantage @ (l - mu) / 100
            log_std += 0.05 * step
    return mu, np.exp(log_std)
