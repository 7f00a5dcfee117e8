"""Checks the answers to tutorial 7."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy.stats import binomtest

from ramnp.datasets.mnist import Split
from ramnp.learning import evaluation
from ramnp.learning.config import Config
from ramnp.learning.trainer import Trainer
from ramnp.runs import state


def test_1_shares_in_average(answers, rng):
    """They add up to 1 and give the average that the steps give."""
    for decay, steps in ((0.9, 4), (0.5, 30), (0.99, 400)):
        w = rng.standard_normal(steps + 1)
        average = w[0]
        for n in range(1, steps + 1):
            d = min(decay, n / (n + 10))
            average = d * average + (1 - d) * w[n]
        shares = answers.shares_in_average(decay, steps)
        assert np.isclose(np.sum(shares), 1, rtol=1e-12)
        assert np.isclose(np.dot(shares, w), average, rtol=1e-10)


def test_2_p_value(answers, rng):
    """It is the binomial test on the digits that tell."""
    for rate in (0.1, 0.13, 0.3):
        a, b = rng.random(500) < 0.1, rng.random(500) < rate
        only_a, only_b = (a & ~b).sum(), (b & ~a).sum()
        expected = binomtest(int(only_a), int(only_a + only_b)).pvalue
        assert np.isclose(answers.p_value(a, b), expected, rtol=1e-9)
        assert np.isclose(answers.p_value(b, a), expected, rtol=1e-9)
    assert answers.p_value(a, a) == 1
    even = np.array([True, False])
    assert answers.p_value(even, ~even) == 1


SMALL = {
    "patch_size": 4,
    "num_glimpses": 3,
    "num_classes": 4,
    "hg_size": 8,
    "hl_size": 6,
    "g_size": 10,
    "h_size": 12,
    "epochs": 3,
    "batch_size": 8,
    "num_shards": 1,
}


def test_3_train(answers, rng):
    """After two epochs and a step it has the package's weights, in both forms."""
    labels = rng.integers(4, size=23)
    images = (60 * rng.random((23, 10, 9)) + 60 * labels[:, None, None]).astype(
        np.uint8
    )
    split = Split(images, labels.astype(np.uint8))
    adam = Config(
        **SMALL,
        optimizer="adam",
        schedule="cosine",
        average_decay=0.9,
        classify_every_step=True,
        policy_into_core=True,
        final_location_std=0.05,
        seed=3,
    )
    sgd = Config(
        **SMALL,
        num_rollouts=2,
        baseline="leave-one-out",
        policy_weight=0.2,
        baseline_weight=0.5,
        seed=4,
    )
    for config in (adam, sgd):
        now = state.initial(config, 23)
        with ThreadPoolExecutor(1) as pool:
            trainer = Trainer(config, split, now)
            for _ in range(7):
                trainer.step()
                if now.position == trainer.steps_per_epoch:
                    wrong = evaluation.count_errors(trainer.agent, split, "valid", pool)
                    trainer.end_epoch(wrong)
        difference = np.abs(answers.train(split, config, 7) - now.evaluated)
        # Adam divides one rounding error by another where a gradient is nearly 0.
        assert difference.max() < config.learning_rate
        assert np.mean(difference < 1e-5) > 0.98
