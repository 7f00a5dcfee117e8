"""Exercises to chapter 5: replace each `raise` by your answer."""


def score_of_log_std(l, mu, log_std):
    """Return the derivative of log N(l; mu, exp(log_std)² I) by log_std, shape (N,).

    l and mu are (N, 2), log_std is a number.
    """
    raise NotImplementedError("exercise 5.1")


def best_baselines(R, score):
    """Return b (N,): the best constant baseline, for each sample from the others.

    R (N,), score (N, 2). b_n estimates E[R |score|²] / E[|score|²] by the sums over all
    samples but n, so that b_n does not depend on sample n.
    """
    raise NotImplementedError("exercise 5.2")


def climb(reward, mu, rng):
    """Return mu (2,) after REINFORCE, near the peak of a hill.

    reward takes l (N, 2) and returns (N,): a hill of width 0.3 and height 1, whose peak
    is 0.7 away from where you start, mu (2,), plus an offset that you don't know. Let σ
    shrink from 0.5 to 0.1, and take at most 10,000 samples in all. Samples around your
    mu with σ = 0.1 are to earn more than 0.8 above the offset on average.
    """
    raise NotImplementedError("exercise 5.3")
