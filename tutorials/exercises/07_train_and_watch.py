"""Exercises to chapter 7: replace each `raise` by your answer."""


def shares_in_average(decay, steps):
    """Return (steps + 1,): the weight of each w in the average after `steps` steps.

    Entry 0 belongs to the weights before the first step, at which the average starts.
    A step, counted from 1, does average <- beta average + (1 - beta) w with
    beta = min(decay, step / (step + 10)).
    """
    raise NotImplementedError("exercise 7.1")


def p_value(wrong_a, wrong_b):
    """Return the probability that equally good agents differ at least as much as these.

    wrong_a and wrong_b (N,) are bool, on the same digits. Digits that both get right,
    or both wrong, tell nothing. Of the others, each is as likely to be a's error as
    b's, if neither agent is better. Exact and two-sided: of a split at least as uneven,
    either way. 1 where no digit tells.
    """
    raise NotImplementedError("exercise 7.2")


def train(split, config, steps):
    """Return the vector of weights that would be evaluated after that many steps.

    split.images (N, height, width) are bytes, split.labels (N,). Start from
    state.initial(config, N): its vector, its order of the digits, and its generators
    streams["policy"][0], which draws the looks, and streams["shuffling"][0], whose
    permutation(N) gives the order of each later epoch. The last batch of an epoch may
    be short. With config.num_rollouts = M, model.rollout(..., num_rollouts=M) looks
    M times, row n at image n mod B; means are over all M B rows.

    The reward is 1 or 0 at the end, num_shards is 1, there is no canvas. As config says
    are optimizer (adam, whose beta_1 is momentum; or sgd: m <- momentum m + gradient,
    w <- w - rate m), schedule (cosine, or linear down to final_rate times the start),
    final_location_std (0: σ stays), baseline (learned or leave-one-out),
    classify_every_step, average_decay (0: no average) and the weights of the loss. The
    baseline network is trained with either baseline. Of ramnp use model, parameters and
    state, and nothing else.
    """
    raise NotImplementedError("exercise 7.3")
