"""Checks the answers to chapter 7."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy.stats import binomtest

from ramnp.agent import model, parameters
from ramnp.datasets.mnist import Split
from ramnp.learning import evaluation, state
from ramnp.learning.config import Config
from ramnp.learning.trainer import Trainer
from ramnp.proofs.complex_step import flat

HINTS = {
    1: (
        "each step scales down all that was there, and adds its own share.",
        "start with shares [1, 0, 0, ...] and do what the formula does to them.",
    ),
    2: (
        "count the digits that only a gets wrong, and those that only b does.",
        "under the hypothesis each of these is a fair coin: a binomial distribution.",
        "two-sided: twice the smaller tail, and never more than 1.",
    ),
    3: (
        (
            "write a loop that takes one batch after the other, as `ByHand` does in the "
            "chapter, and add what is new: epochs, SGD, M rollouts."
        ),
        (
            "at the end of each epoch a new order is drawn. The last batch of an epoch may "
            "be short: it counts as a step, and its means are over its own rows."
        ),
        (
            "with M rollouts there are M B rows, and row n looks at image n mod B. "
            "Leave-one-out: a row's baseline is the mean R of the other M - 1 rows of its "
            "image."
        ),
    ),
}


def test_1_shares_in_average(answers, check, rng):
    """They add up to 1 and give the average that the steps give."""
    for decay, steps in ((0.9, 4), (0.5, 30), (0.99, 400)):
        w = rng.standard_normal(steps + 1)
        average = w[0]
        for n in range(1, steps + 1):
            d = min(decay, n / (n + 10))
            average = d * average + (1 - d) * w[n]
        shares = answers.shares_in_average(decay, steps)
        check.shape("shares", shares, (steps + 1,))
        check("the sum of the shares", np.sum(shares), 1.0)
        check("the average by your shares", np.dot(shares, w), average)


def test_2_p_value(answers, check, rng):
    """It is the binomial test on the digits that tell."""
    for rate in (0.1, 0.13, 0.3):
        a, b = rng.random(500) < 0.1, rng.random(500) < rate
        only_a, only_b = (a & ~b).sum(), (b & ~a).sum()
        expected = binomtest(int(only_a), int(only_a + only_b)).pvalue
        words = f"the p-value of {only_a} against {only_b}"
        check(words, answers.p_value(a, b), expected)
        check(words + ", swapped", answers.p_value(b, a), expected)
    check("the p-value of an agent and itself", answers.p_value(a, a), 1)
    even = np.array([True, False])
    check("the p-value of 1 against 1", answers.p_value(even, ~even), 1)


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


def test_3_train(answers, check, rng):
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
        vector = answers.train(split, config, 7)
        check.shape("the vector of weights", vector, now.evaluated.shape)
        difference = np.abs(vector - now.evaluated)
        close = 100 * np.mean(difference < 1e-5)
        shapes = parameters.shapes(model.init(rng, config))
        by_name = flat(parameters.views(difference, shapes))
        worst = max(by_name, key=lambda name: by_name[name].max())
        # Adam divides one rounding error by another where a gradient is nearly 0.
        check.that(
            difference.max() < config.learning_rate and close > 98,
            f"with {config.optimizer}, {close:.1f} % of the weights are within 1e-5 of "
            f"the package's, expected more than 98 %; the worst, in {worst}, is "
            f"{difference.max():.1e} away, expected less than {config.learning_rate:g}",
        )
