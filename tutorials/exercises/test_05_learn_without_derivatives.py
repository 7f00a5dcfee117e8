"""Checks the answers to chapter 5."""

import numpy as np

from ramnp.agent import location_network
from ramnp.proofs import complex_step

HINTS = {
    1: (
        "write log N with σ = exp(s), and differentiate by s.",
        "log N = -|l - mu|² exp(-2 s) / 2 - 2 s + const, in two dimensions.",
    ),
    2: (
        "two sums over all samples; sample n's own term is taken out of both.",
        "weights |score|²: (Σ R w - R_n w_n) / (Σ w - w_n).",
    ),
    3: (
        (
            "start from the chapter's `climb`: throw, subtract a baseline, step along "
            "advantage times score."
        ),
        "the offset is what the baseline is for: begin with the mean of your first batch.",
        (
            "σ after a share `done` of the steps: 0.5 · (0.1 / 0.5) ** done. The score "
            "grows like 1 / σ, so steps proportional to σ² keep their size."
        ),
    ),
}


def test_1_score_of_log_std(answers, check, rng):
    """It is the complex step's derivative of log π."""
    l, mu = rng.standard_normal((2, 7, 2))
    log_std = np.full(7, -0.4)  # one for each sample, to get each one's derivative

    def loss(a):
        z = (l - mu) / np.exp(a["log_std"])[:, None]
        return (-0.5 * (z * z).sum(axis=1) - 2 * a["log_std"]).sum()

    exact = complex_step.derivatives(loss, {"log_std": log_std})
    check("the score", answers.score_of_log_std(l, mu, -0.4), exact["log_std"])


def test_2_best_baselines(answers, check, rng):
    """Each leaves its own sample out, and all together are close to the best."""
    mu, std = np.zeros(2), 0.3
    l = location_network.sample(np.tile(mu, (4000, 1)), std, rng)
    R = 5 + l[:, 0] + (l**2).sum(axis=1)
    score = location_network.score(l, mu, std)
    b = answers.best_baselines(R, score)
    weight = (score**2).sum(axis=1)
    expected = [np.delete(R * weight, n).sum() for n in range(5)]
    expected /= np.array([np.delete(weight, n).sum() for n in range(5)])
    check.shape("b", b, R.shape)
    check("b[:5]", b[:5], expected)


def test_3_climb(answers, check, rng):
    """It climbs hills in four directions, whatever the offset."""
    for angle, offset in ((0.4, 0.0), (2.0, 3.0), (3.6, -1.0), (5.2, 10.0)):
        peak = 0.7 * np.array([np.cos(angle), np.sin(angle)])
        used = 0

        def reward(l, peak=peak, offset=offset):
            nonlocal used
            used += len(l)
            squared = ((l - peak) ** 2).sum(axis=-1)
            return np.exp(-squared / (2 * 0.3**2)) + offset

        mu = answers.climb(reward, np.zeros(2), rng)
        check.that(used <= 10_000, f"{used:,} samples are more than 10,000")
        final = location_network.sample(np.tile(mu, (2000, 1)), 0.1, rng)
        paid = reward(final).mean() - offset
        words = f"with an offset of {offset:g} it earns {paid:.2f} above it on average"
        check.that(paid > 0.8, f"{words}, expected more than 0.8")
