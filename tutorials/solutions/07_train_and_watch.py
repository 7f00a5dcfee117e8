"""Solutions to chapter 7."""

import math

import numpy as np

from ramnp.agent import model, parameters
from ramnp.learning import state


def shares_in_average(decay, steps):
    """Each step scales down what was there and adds its own share."""
    shares = np.zeros(steps + 1)
    shares[0] = 1
    for n in range(1, steps + 1):
        d = min(decay, n / (n + 10))
        shares *= d
        shares[n] = 1 - d
    return shares


def p_value(wrong_a, wrong_b):
    """Both tails of a fair coin, thrown once for each digit that tells."""
    only_a = int(np.sum(wrong_a & ~wrong_b))
    only_b = int(np.sum(wrong_b & ~wrong_a))
    n, fewer = only_a + only_b, min(only_a, only_b)
    return min(1.0, 2 * sum(math.comb(n, i) for i in range(fewer + 1)) / 2**n)


def train(split, config, steps):
    """Batch by batch, epoch by epoch."""
    N, M = len(split.labels), config.num_rollouts
    now = state.initial(config, N)
    rng = now.streams["policy"][0]
    shapes = parameters.shapes(model.init(np.random.default_rng(0), config))
    w, order, average = now.vector, now.order, now.vector.copy()
    moments = [np.zeros_like(w), np.zeros_like(w)]
    per_epoch = math.ceil(N / config.batch_size)
    for step in range(steps):
        position = step % per_epoch
        if step and position == 0:
            order = now.streams["shuffling"][0].permutation(N)
        index = order[position * config.batch_size :][: config.batch_size]
        rate, std = _schedule(step / (config.epochs * per_epoch), config)
        g = _gradient(split, index, parameters.views(w, shapes), rng, std, config, M)
        flat = np.empty_like(w)
        parameters.copy_into(parameters.views(flat, shapes), g)
        w = _move(w, flat, moments, rate, step + 1, config)
        d = min(config.average_decay, (step + 1) / (step + 11))
        average = d * average + (1 - d) * w
    return average if config.average_decay else w


def _schedule(progress, config):
    left = 1 - progress
    if config.schedule == "cosine":
        left = (1 + math.cos(math.pi * progress)) / 2
    f = config.final_rate
    std = config.location_std
    if config.final_location_std:
        std *= (config.final_location_std / std) ** progress
    return config.learning_rate * (f + (1 - f) * left), std


def _gradient(split, index, params, rng, std, config, M):
    images = split.images[index] * np.float32(1 / 255)
    labels = np.tile(split.labels[index], M)
    rows = len(labels)
    seen = model.rollout(params, images, rng, config, std, M)
    right = (seen.logits[-1].argmax(axis=1) == labels).astype(np.float32)
    if config.baseline == "learned":
        advantage = right - seen.baseline
    else:
        others = right.reshape(M, -1).sum(axis=0) - right.reshape(M, -1)
        advantage = np.tile(right - others.ravel() / (M - 1), (len(seen.mu), 1))
    p = np.exp(seen.logits - seen.logits.max(axis=-1, keepdims=True))
    p /= p.sum(axis=-1, keepdims=True)
    onehot = np.eye(config.num_classes, dtype=np.float32)[labels]
    dlogits = (p - onehot) / rows
    if not config.classify_every_step:
        dlogits[:-1] = 0
    miss = (seen.locations[1:] - seen.mu) / std**2
    dmu = -config.policy_weight * advantage[..., None] * miss / rows
    dbaseline = 2 * config.baseline_weight * (seen.baseline - right) / rows
    return model.backward(dlogits, dmu, dbaseline, seen, config)


def _move(w, g, moments, rate, n, config):
    if config.optimizer == "sgd":
        moments[0] = config.momentum * moments[0] + g
        return w - rate * moments[0]
    beta_1, beta_2 = config.momentum, 0.999
    moments[0] = beta_1 * moments[0] + (1 - beta_1) * g
    moments[1] = beta_2 * moments[1] + (1 - beta_2) * g**2
    m, v = moments[0] / (1 - beta_1**n), moments[1] / (1 - beta_2**n)
    return w - rate * m / (np.sqrt(v) + 1e-8)
