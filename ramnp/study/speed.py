"""The speed of training and prediction, relative to the machine's matrix products."""

import contextlib
import cProfile
import functools
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ramnp.agent import (
    action_network,
    baseline_network,
    core_network,
    glimpse_network,
    glimpse_sensor,
    location_network,
    model,
)
from ramnp.datasets import scenes
from ramnp.learning import evaluation, optimizers, reinforce
from ramnp.learning import trainer as training
from ramnp.learning.state import initial
from ramnp.runs.workers import Workers
from ramnp.support import process

STEPS = 4  # of training in a round
PREDICTED = 1000  # images per call of predict
LOOKS = 9  # predictions of one image in a round
SQUARE = 1024  # side of the matrices that measure the machine's own speed

STAGES = {
    "scenes": [scenes.compose],
    "sensor": [glimpse_sensor.prepare, glimpse_sensor.forward],
    "glimpse forward": [glimpse_network.forward],
    "core forward": [core_network.forward],
    "location forward": [location_network.forward],
    "action forward": [action_network.forward],
    "baseline forward": [baseline_network.forward],
    "loss": [
        *reinforce.REWARDS.values(),
        reinforce.returns_to_go,
        reinforce.advantages,
        reinforce.hybrid_loss_forward,
        reinforce.hybrid_loss_backward,
    ],
    "action backward": [action_network.backward],
    "baseline backward": [baseline_network.backward],
    "location backward": [location_network.backward],
    "core backward": [core_network.backward_through_time],
    "glimpse backward": [glimpse_network.backward],
    "optimiser": [
        *(o.step for o in optimizers.OPTIMIZERS.values()),
        optimizers.decay_weights,
    ],
}


def measure(config, digits, threads, rounds, others=()):
    """Return the report on a configuration, and the machine's GFLOP/s.

    Each round times everything once, so other load on the machine affects all
    measurements equally. The numbers are medians over the rounds. others: {key: another
    configuration}, of which only the speed of training is reported.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(process.limited_blas)
        pool = stack.enter_context(ThreadPoolExecutor(threads))

        def trainer(config, threads=threads):
            state = initial(config, len(digits.train.labels))
            workers = Workers(threads, config, digits.train, state.vector)
            workers = stack.enter_context(workers)
            each = pool.map if threads > 1 else map
            return training.Trainer(config, digits.train, state, workers, each)

        return _measure(config, digits, threads, rounds, dict(others), pool, trainer)


def _measure(config, digits, threads, rounds, others, pool, trainer):
    trainers = {"train": trainer(config), "train alone": trainer(config, 1)}
    together, alone = trainers.values()
    agent = alone.agent

    def train(trainer):
        full_batches = max(1, len(digits.train.labels) // trainer.config.batch_size)
        for _ in range(STEPS):
            trainer.step()
            trainer.state.position %= full_batches

    train(together)
    few = digits.valid.take(slice(PREDICTED))
    evaluation.count_errors(agent, few, "valid", pool)
    # Training and validation alone: the measurements below take more memory.
    peak = peak_mib(together.shard_gradients.pids)
    index = np.arange(PREDICTED) % len(digits.test.labels)
    images = scenes.compose(digits.test, index, np.random.default_rng(0), config)

    def predict():
        agent.predict(images, threads=threads)

    def look():
        for _ in range(LOOKS):
            agent.predict(images[:1])

    trainers |= {key: trainer(other) for key, other in others.items()}
    arithmetic = products(config)
    timed = {
        key: functools.partial(train, trainer) for key, trainer in trainers.items()
    } | {
        "arithmetic": multiplier(arithmetic, pool, config.num_shards),
        "squares": multiplier([("nn", SQUARE, SQUARE, SQUARE)], pool, threads),
        "predict": predict,
        "look": look,
    }
    for warm_up in timed.values():
        warm_up()
    rows = [[_seconds(run) for run in timed.values()] for _ in range(rounds)]
    seconds = dict(zip(timed, np.array(rows).T))
    median = {name: np.median(column) for name, column in seconds.items()}

    def images_per_second(key):
        batch = min(trainers[key].config.batch_size, len(digits.train.labels))
        return STEPS * batch / median[key]

    macs = multiply_adds(config) * config.batch_size
    shares = STEPS * seconds["arithmetic"] / seconds["train"]
    at_best = macs * seconds["squares"] / (threads * SQUARE**3)
    numbers = {
        "train_images_per_second": images_per_second("train"),
        "predict_images_per_second": PREDICTED / median["predict"],
        "latency_ms": 1000 * median["look"] / LOOKS,
        "sgemm_share": np.median(shares),
        "square_share": np.median(STEPS * at_best / seconds["train"]),
        "peak_mib": peak,
        "train_images_per_second_one_thread": images_per_second("train alone"),
        "thread_speedup": np.median(seconds["train alone"] / seconds["train"]),
        "sgemm_gflops": 2e-9 * macs / median["arithmetic"],
        "multiply_adds_per_image": multiply_adds(config),
        **{key: images_per_second(key) for key in others},
    }
    numbers = {name: float(number) for name, number in numbers.items()}
    numbers["time"] = where_time_goes(lambda: train(alone))
    return numbers, float(2e-9 * threads * SQUARE**3 / median["squares"])


def products(config):
    """Return the matrix products of one shard's step as (layout, m, k, n).

    The product is (m, k) by (k, n): "nn" in forward, "nt" with W transposed for the
    gradient of x, "tn" with x transposed for the gradient of W.
    """
    B = config.batch_size // config.num_shards * config.num_rollouts
    T, M = config.num_glimpses, config.num_glimpses - 1
    found = []
    for network, shapes in model.shapes(config).items():
        steps = M if network in ("location", "baseline") else T
        for name, W in shapes.items():
            if len(W) == 1:  # a bias
                continue
            # Maps that the next step depends on take one product per step; all others
            # take one product over the rows of all steps.
            per_step = network in ("glimpse", "core", "location")
            found += [("nn", B, *W)] * steps if per_step else [("nn", steps * B, *W)]
            found.append(("tn", W[0], steps * B, W[1]))
            if name == "W_h":
                found += [("nt", B, *W)] * M
            elif name not in ("W_hg", "W_hl", "W_b"):  # below: nothing to train
                found.append(("nt", steps * B, W[1], W[0]))
    return found


def multiply_adds(config):
    """Return the multiply-adds of a step's matrix products, per training image."""
    shard = sum(m * k * n for _, m, k, n in products(config))
    return shard * config.num_shards / config.batch_size


def multiplier(products, pool, copies):
    """Return a function that computes the products `copies` times in the pool.

    Every product has its own operands, as in a step: none is still in the cache.
    """
    rng = np.random.default_rng(0)

    def operand(rows, columns, layout):
        transposed = layout == "t"
        shape = (columns, rows) if transposed else (rows, columns)
        array = rng.standard_normal(shape, np.float32)
        return array.T if transposed else array

    def operands(layout, m, k, n):
        x, y = operand(m, k, layout[0]), operand(k, n, layout[1])
        return x, y, np.empty((m, n), np.float32)

    shards = [[operands(*product) for product in products] for _ in range(copies)]

    def multiply(shard):
        for x, y, out in shard:
            np.matmul(x, y, out=out)

    return lambda: list(pool.map(multiply, shards))


def where_time_goes(train, repetitions=5):
    """Return {stage: share of the processor time} of training in this thread alone."""
    profile = cProfile.Profile(time.thread_time)
    profile.enable()
    for _ in range(repetitions):
        train()
    profile.disable()
    seconds = {entry.code: entry.totaltime for entry in profile.getstats()}
    total = seconds[training.Trainer.step.__code__]
    shares = {
        stage: sum(seconds.get(f.__code__, 0.0) for f in functions) / total
        for stage, functions in STAGES.items()
    }
    return shares | {"rest": 1 - sum(shares.values())}


def peak_mib(pids=()):
    """Return the peak memory of this process and of others, in MiB.

    The others count without the memory they share with this one, and only on systems
    with /proc.
    """
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak /= 2**20 if sys.platform == "darwin" else 2**10
    for pid in pids:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/status") as file:
            sizes = dict(line.split(":", 1) for line in file)
            held, code, shared = (
                int(sizes[name].split()[0]) / 2**10
                for name in ("VmHWM", "RssFile", "RssShmem")
            )
            peak += held - code - shared
    return peak


def _seconds(function):
    began = time.perf_counter()
    function()
    return time.perf_counter() - began
