"""From a shard, a part of a batch, to its gradient: what can be done side by side."""

import numpy as np

from ramnp.agent import parameters
from ramnp.datasets import scenes
from ramnp.learning import reinforce
from ramnp.learning.choices import model_of
from ramnp.learning.predictor import parameter_shapes

# A mean of the policy this close to the border, or beyond, counts as saturated.
SATURATED = 0.95


class Learner:
    """Learns from shards of batches; all that it keeps between them is in `memory`.

    memory (1 + num_shards, number of parameters): row 0 holds the parameters, row 1 + s
    takes the gradient of shard s.
    """

    def __init__(self, config, split, memory):
        self.config, self.split = config, split
        shapes = parameter_shapes(config)
        self.params, *self.grads = (parameters.views(row, shapes) for row in memory)
        self._rngs = {name: np.random.default_rng(0) for name in ("scenes", "policy")}

    # A run that diverges is stopped with a message of its own.
    @np.errstate(over="ignore", invalid="ignore")
    def learn(self, shard, index, states, batch_size, location_std, augmented=True):
        """Put a shard's part of the gradient of its batch into the shard's row.

        index: the shard's digits in the split. states: {name: state} of its random
        streams. augmented: whether digits may be bent and moved. Returns the shard's
        share of the sums over the epoch, and the states that come next.
        """
        config = self.config
        model = model_of(config)
        for name, rng in self._rngs.items():
            rng.bit_generator.state = states[name]
        num_rows = batch_size * config.num_rollouts
        images = scenes.compose(
            self.split, index, self._rngs["scenes"], config, augmented
        )
        labels = np.tile(self.split.labels[index].astype(np.intp), config.num_rollouts)
        trajectory = model.rollout(
            self.params,
            images,
            self._rngs["policy"],
            config,
            location_std,
            config.num_rollouts,
        )
        reward = reinforce.rewards(trajectory.logits, labels, config.reward)
        R = reinforce.returns_to_go(reward, config.discount)
        advantage = reinforce.advantages(
            R, trajectory.baseline, config.baseline, config.num_rollouts
        )
        losses, cache = reinforce.hybrid_loss_forward(
            trajectory, labels, R, advantage, config, location_std, num_rows
        )
        grads = model.backward(
            *reinforce.hybrid_loss_backward(cache), trajectory, config
        )
        parameters.copy_into(self.grads[shard], grads)
        classified = len(trajectory.logits) if config.classify_every_step else 1
        sums = {
            "cross_entropy": float(losses.cross_entropy) * num_rows / classified,
            "baseline_loss": float(losses.baseline) * num_rows,
            "wrong": int((trajectory.logits[-1].argmax(axis=-1) != labels).sum()),
            "saturated": int((np.abs(trajectory.mu) > SATURATED).sum()),
            "means": trajectory.mu.size,
            "rows": len(labels),
        }
        states = {name: rng.bit_generator.state for name, rng in self._rngs.items()}
        return sums, states
