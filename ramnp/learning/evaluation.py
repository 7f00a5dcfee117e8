"""Error rates on the frozen validation and test scenes."""

import functools
import operator
from typing import NamedTuple

import numpy as np
from scipy.special import betaincinv

from ramnp.agent.layers import log_softmax
from ramnp.datasets import scenes
from ramnp.learning import diagnostics
from ramnp.learning.choices import model_of
from ramnp.support import process


class ErrorCounts(NamedTuple):
    """The number of misclassified scenes of a split, counted in several ways."""

    after_each_glimpse: np.ndarray  # (T,), of the first rollout
    mean_of_rollouts: int  # of the probabilities averaged over the rollouts
    num_scenes: int
    behaviour: diagnostics.Behaviour  # of the first rollouts
    classes: np.ndarray | None = None  # (num_scenes,), by the first rollout
    # Of the scenes that were looked at deterministically, too: their number, and the
    # numbers of errors of the first rollout and of the deterministic one.
    compared: tuple = (0, 0, 0)

    @property
    def error_after_glimpse(self):
        """A list of T errors of the first rollout, in percent."""
        return (100 * self.after_each_glimpse / self.num_scenes).tolist()

    @property
    def error(self):
        """The headline error: one rollout per scene, in percent."""
        return 100 * self.num_wrong / self.num_scenes

    @property
    def num_wrong(self):
        """The number of errors of the first rollout after the last glimpse."""
        return int(self.after_each_glimpse[-1])

    @property
    def deterministic_minus_sampled(self):
        """The deterministic error minus that of the first rollout, in percent."""
        num_scenes, sampled, deterministic = map(int, self.compared)
        return 100 * (deterministic - sampled) / max(num_scenes, 1)

    @property
    def error_of_mean(self):
        """The error in percent of probabilities averaged over the rollouts."""
        return 100 * self.mean_of_rollouts / self.num_scenes


@process.limited_blas
def count_errors(
    agent,
    split,
    name,
    pool,
    rollouts=1,
    deterministic=False,
    between_chunks=None,
    compare_every=0,
):
    """Return the ErrorCounts of an agent on the frozen "valid" or "test" scenes.

    The policy's noise depends only on the run's seed and the scene's position: the same
    agent always gives the same counts, with any number of threads in the pool.
    `between_chunks` is called after each chunk, and may raise to stop. One of
    `compare_every` chunks is also looked at deterministically; 0: none.
    """
    config = agent.config
    roll_out = model_of(config).rollout

    # Divergence is reported by the trainer.
    @np.errstate(over="ignore", invalid="ignore")
    def look(start):
        images, labels = scenes.frozen_chunk(split, name, start, config)
        total = 0
        for r in range(rollouts):
            seed = [config.seed, scenes.FROZEN_SEEDS[name], start, r]
            rng = None if deterministic else np.random.default_rng(seed)
            trajectory = roll_out(agent.params, images, rng, config, agent.location_std)
            if r == 0:
                classes = trajectory.logits.argmax(axis=-1)
                first = (classes != labels).sum(axis=1)
                seen = diagnostics.observe(trajectory, labels, config)
            total = total + np.exp(log_softmax(trajectory.logits[-1]))
        wrong_of_mean = int((total.argmax(axis=-1) != labels).sum())
        compared = np.zeros(3, int)
        if compare_every and start // scenes.FROZEN_CHUNK % compare_every == 0:
            settled = roll_out(agent.params, images, None, config)
            wrong = (settled.logits[-1].argmax(axis=-1) != labels).sum()
            compared = np.array([len(labels), first[-1], wrong])
        return first, wrong_of_mean, seen, classes[-1], compared

    parts = []
    for part in pool.map(look, scenes.frozen_starts(split)):
        parts.append(part)
        if between_chunks:
            between_chunks()
    firsts, of_mean, behaviours, classes, compared = zip(*parts)
    behaviour = functools.reduce(operator.add, behaviours)
    return ErrorCounts(
        sum(firsts),
        sum(of_mean),
        len(split.labels),
        behaviour,
        np.concatenate(classes),
        sum(compared),
    )


def interval_95(num_wrong, total):
    """Return the exact (Clopper-Pearson) 95 % interval of an error rate, in percent."""
    num_right = total - num_wrong
    low = betaincinv(num_wrong, num_right + 1, 0.025) if num_wrong else 0.0
    high = betaincinv(num_wrong + 1, num_right, 0.975) if num_right else 1.0
    return [100 * float(low), 100 * float(high)]


def confusion(labels, classes, num_classes):
    """Return (classes, classes) numbers of images, by label and by predicted class."""
    pairs = labels.astype(np.intp) * num_classes + classes
    counts = np.bincount(pairs, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def test(agent, training, digits, pool, rollouts):
    """Return the content of result.json, and the classes of one rollout per image."""
    config = agent.config
    sampled = count_errors(agent, digits.test, "test", pool, rollouts)
    deterministic = count_errors(agent, digits.test, "test", pool, deterministic=True)
    counts = confusion(digits.test.labels, sampled.classes, config.num_classes)
    totals = counts.sum(axis=1)
    result = {
        "task": config.task,
        "recipe": config.recipe,
        "seed": config.seed,
        "epochs": config.epochs,
        "num_parameters": agent.num_parameters,
        "test_error": sampled.error,
        "test_error_rollouts": sampled.error_of_mean,
        "rollouts": rollouts,
        "test_error_deterministic": deterministic.error,
        "interval_95": interval_95(sampled.num_wrong, sampled.num_scenes),
        "num_test": sampled.num_scenes,
        "seconds": training["seconds"],
        "images_per_second": training["images_per_second"],
        "data_sha256": digits.sha256,
        "class_errors": {
            name: 100 * float(1 - hits / total)
            for name, hits, total in zip(agent.class_names, counts.diagonal(), totals)
            if total
        },
    }
    return result, sampled.classes


def summary(result):
    """Return a result as a few readable lines."""
    low, high = result["interval_95"]
    return (
        f"{result['task']}, {result['num_test']:,} test scenes, error:\n"
        f"  {result['test_error']:.2f} %  one rollout per image "
        f"(95 % interval {low:.2f} to {high:.2f})\n"
        f"  {result['test_error_rollouts']:.2f} %  "
        f"{result['rollouts']} rollouts averaged\n"
        f"  {result['test_error_deterministic']:.2f} %  deterministic: "
        "each glimpse at the policy's mean"
        f"{_worst_classes(result.get('class_errors', {}))}"
    )


def _worst_classes(errors):
    """Return a line with the three classes of the highest errors, if any is wrong."""
    worst = sorted(errors, key=errors.get, reverse=True)[:3]
    listed = ", ".join(f"{name} {errors[name]:.2f} %" for name in worst if errors[name])
    return f"\n  worst classes: {listed}" if listed else ""
