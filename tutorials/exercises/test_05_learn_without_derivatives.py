"""Checks the answers to tutorial 5."""

import numpy as np

from ramnp.agent import location_network
from ramnp.proofs import complex_step


def test_1_score_of_log_std(answers, rng):
    """It is the complex step's derivative of log π."""
    l, mu = rng.standard_normal((2, 7, 2))
    weights = rng.standard_normal(7)
    log_std = np.array(-0.4)

    def loss(a):
        std = np.exp(a["log_std"])
        z = (l - mu) / std
        return (weights * (-0.5 * (z * z).sum(axis=1) - 2 * np.log(std))).sum()

    exact = complex_step.derivatives(loss, {"log_std": log_std})
    by_hand = weights @ answers.score_of_log_std(l, mu, float(log_std))
    assert np.isclose(by_hand, exact["log_std"], rtol=1e-12)


def test_2_best_baselines(answers, rng):
    """Each leaves its own sample out, and all together are close to the best."""
    mu, std = np.zeros(2), 0.3
    l = location_network.sample(np.tile(mu, (4000, 1)), std, rng)
    R = 5 + l[:, 0] + (l**2).sum(axis=1)
    score = location_network.score(l, mu, std)
    b = answers.best_baselines(R, score)
    assert b.shape == R.shape
    changed = R.copy()
    changed[17] += 100
    again = answers.best_baselines(changed, score)
    assert again[17] == b[17] or np.isclose(again[17], b[17], rtol=1e-9)
    assert (np.delete(again, 17) != np.delete(b, 17)).all()
    # E[|l|² |score|²] / E[|score|²] is 4 std² for two dimensions.
    assert np.abs(b - (5 + 4 * std**2)).max() < 0.05


def test_3_find_peak(answers, rng):
    """It finds narrow peaks in four directions with the samples that it has."""
    for angle in (0.4, 2.0, 3.6, 5.2):
        peak = np.array([np.cos(angle), np.sin(angle)])
        used = 0

        def reward(l, peak=peak):
            nonlocal used
            used += len(l)
            return np.exp(-((l - peak) ** 2).sum(axis=-1) / (2 * 0.05**2))

        mu, std = answers.find_peak(reward, np.zeros(2), rng)
        assert used <= 20_000
        final = location_network.sample(np.tile(mu, (2000, 1)), std, rng)
        assert reward(final).mean() > 0.6
