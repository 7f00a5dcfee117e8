"""Solutions to chapter 5."""

import numpy as np


def score_of_log_std(l, mu, log_std):
    """|l - mu|² / std² - 2: wider if samples fall farther out than they should."""
    return ((l - mu) ** 2).sum(axis=1) / np.exp(2 * log_std) - 2


def best_baselines(R, score):
    """Take each sample out of both sums."""
    weight = (score**2).sum(axis=1)
    paid = R * weight
    return (paid.sum() - paid) / (weight.sum() - weight)


def climb(reward, mu, rng):
    """The chapter's loop; a step of one σ² times the score is a step in units of σ."""
    b = reward(mu + 0.5 * rng.standard_normal((50, 2))).mean()
    for step in range(150):
        std = 0.5 * (0.1 / 0.5) ** (step / 150)
        l = mu + std * rng.standard_normal((50, 2))
        R = reward(l)
        score = (l - mu) / std**2
        mu = mu + 4 * std**2 * (R - b) @ score / 50
        b += 0.2 * (R.mean() - b)
    return mu
