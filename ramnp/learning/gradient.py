"""From the digits of a batch to the gradient of the hybrid loss: the heart of ramnp."""

from typing import Any, NamedTuple

import numpy as np

from ramnp.agent import parameters
from ramnp.datasets import scenes
from ramnp.datasets.splits import Split
from ramnp.learning import reinforce
from ramnp.learning.choices import model_of

# A mean of the policy this close to the border, or beyond, counts as saturated.
SATURATED = 0.95


def batch_gradient(
    params: dict,
    split: Split,
    index: np.ndarray,
    rngs: dict[str, np.random.Generator],
    config: Any,
    location_std: float,
    augmented: bool = True,
    num_rows: int | None = None,
) -> tuple[dict, dict]:
    """Return the gradient {network: {name: array}} and {name: sum over the rows}.

    split.images[index] are the digits of the batch, rngs the random generators
    "scenes" and "policy", location_std is σ, augmented whether digits may be deformed
    and shifted. The loss is a mean over num_rows rows: all of these, unless the digits
    are part of a larger batch.
    """
    model = model_of(config)
    M = config.num_rollouts

    # A scene around each digit, and its label; M rollouts look at each scene.
    images = scenes.compose(split, index, rngs["scenes"], config, augmented)
    labels = np.tile(split.labels[index].astype(np.intp), M)
    num_rows = num_rows or len(labels)

    # T glimpses forward, each at a location drawn from the policy.
    trajectory = model.rollout(params, images, rngs["policy"], config, location_std, M)

    # Rewards, returns, advantages, the hybrid loss, and its derivative.
    signal = reinforce.learning_signal(
        trajectory, labels, config, location_std, num_rows
    )

    # Backpropagation through time.
    grads = model.backward(*signal.upstream, trajectory, config)

    classified = len(trajectory.logits) if config.classify_every_step else 1
    sums = {
        "cross_entropy": float(signal.losses.cross_entropy) * num_rows / classified,
        "baseline_loss": float(signal.losses.baseline) * num_rows,
        "wrong": int((trajectory.logits[-1].argmax(axis=-1) != labels).sum()),
        "saturated": int((np.abs(trajectory.mu) > SATURATED).sum()),
        "means": trajectory.mu.size,
        "rows": len(labels),
    }
    return grads, sums


class Shard(NamedTuple):
    """A part of a batch, with everything its gradient depends on but the parameters."""

    number: int  # its place in the batch
    digits: np.ndarray  # their indices in the split
    streams: dict  # {name: state} of its random generators
    batch_size: int  # digits of the whole batch
    location_std: float
    augmented: bool


class ShardGradients:
    """Computes the gradients of shards, one after the other.

    memory (1 + num_shards, number of parameters): row 0 holds the parameters, row
    1 + s takes the gradient of shard s. Nothing else is kept between calls.
    """

    def __init__(self, config, split, memory):
        self.config, self.split, self.memory = config, split, memory
        shapes = model_of(config).shapes(config)
        self._params, *self._grads = (parameters.views(row, shapes) for row in memory)
        self._rngs = {name: np.random.default_rng(0) for name in ("scenes", "policy")}

    @classmethod
    def in_this_process(
        cls, config: Any, split: Split, vector: np.ndarray
    ) -> "ShardGradients":
        """Return ShardGradients with memory that starts with a copy of `vector`."""
        memory = np.empty((1 + config.num_shards, vector.size), vector.dtype)
        memory[0] = vector
        return cls(config, split, memory)

    # Divergence is reported by the trainer.
    @np.errstate(over="ignore", invalid="ignore")
    def __call__(self, shards):
        """Put the gradient of each Shard into its row of memory.

        Return, for each, its sums and the states of its streams afterwards.
        """
        return [self._compute(shard) for shard in shards]

    def _compute(self, shard):
        for name, rng in self._rngs.items():
            rng.bit_generator.state = shard.streams[name]
        grads, sums = batch_gradient(
            self._params,
            self.split,
            shard.digits,
            self._rngs,
            self.config,
            shard.location_std,
            shard.augmented,
            shard.batch_size * self.config.num_rollouts,
        )
        parameters.copy_into(self._grads[shard.number], grads)
        states = {name: rng.bit_generator.state for name, rng in self._rngs.items()}
        return sums, states
