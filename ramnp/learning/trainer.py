"""The training loop, top to bottom.

The function that computes shard gradients and the hooks between steps are arguments:
runs/ supplies worker processes and checkpoints.
"""

import math
import time

import numpy as np

from ramnp.agent import parameters
from ramnp.learning import diagnostics, optimizers
from ramnp.learning.choices import model_of
from ramnp.learning.evaluation import count_errors
from ramnp.learning.gradient import Shard, ShardGradients
from ramnp.learning.predictor import Agent
from ramnp.learning.state import steps_per_epoch
from ramnp.support import process
from ramnp.support.errors import DivergenceError

# Beyond this, squares overflow in float32, and the agent no longer learns.
LARGEST_NORM = 1e18


class Hooks:
    """Callbacks of the training loop; a run overrides them."""

    def before_step(self, trainer):
        """Act before each step, and between parts of a validation; may raise."""

    def after_step(self, trainer):
        """Act after each step."""

    def after_epoch(self, trainer, agent, row, is_best):
        """Act on the validated agent, its row of metrics, and whether it is the best."""


def train(trainer, valid, pool, hooks):
    """Run the remaining epochs, validating on the split `valid` after each."""
    config, state = trainer.config, trainer.state
    # A second look at all validation scenes would take up to 7 % of an epoch with one
    # rollout per image, at a quarter of them less than 2 %.
    learned = config.model == "ram" and config.policy == "learned"
    compare_every = max(1, 4 // config.num_rollouts) if learned else 0
    while state.epoch < config.epochs:
        while state.position < trainer.steps_per_epoch:
            hooks.before_step(trainer)
            trainer.step()
            hooks.after_step(trainer)

        began = time.perf_counter()
        agent = trainer.agent
        errors = count_errors(
            agent,
            valid,
            "valid",
            pool,
            between_chunks=lambda: hooks.before_step(trainer),
            compare_every=compare_every,
        )
        state.seconds += time.perf_counter() - began

        row = trainer.end_epoch(errors)
        is_best = errors.error < state.best_error
        if is_best:
            state.best_error = errors.error
        hooks.after_epoch(trainer, agent, row, is_best)


class Trainer:
    """Takes the steps of a run; changes only the state.

    shard_gradients is called with a list of Shards, as gradient.ShardGradients is;
    `each` is map, or that of a thread pool.
    """

    def __init__(self, config, split, state, shard_gradients=None, each=map):
        self.config, self.split, self.state = config, split, state
        self.each = each
        self.steps_per_epoch = steps_per_epoch(config, len(split.labels))
        self.shard_gradients = shard_gradients or ShardGradients.in_this_process(
            config, split, state.vector
        )
        state.vector, *self.gradients = self.shard_gradients.memory
        self.shapes = model_of(config).shapes(config)
        self.params = parameters.views(state.vector, self.shapes)
        self.evaluated = parameters.views(state.evaluated, self.shapes)
        self.grads = parameters.views(self.gradients[0], self.shapes)

    @property
    def progress(self):
        """The fraction of all steps that have been taken."""
        return self.state.step / (self.config.epochs * self.steps_per_epoch)

    @property
    def location_std(self):
        """The policy's standard deviation at this step."""
        first, last = self.config.location_std, self.config.final_location_std
        return first * (last / first) ** self.progress if last else first

    @property
    def augmented(self):
        """Whether the digits of this epoch may be deformed and shifted."""
        plain = round(self.config.plain_share * self.config.epochs)
        return self.state.epoch < self.config.epochs - plain

    @property
    def learning_rate(self):
        """The learning rate at this step."""
        return optimizers.learning_rate_at(
            self.progress,
            self.config.schedule,
            self.config.learning_rate,
            self.config.final_rate,
        )

    @property
    def agent(self):
        """The agent that would be validated at this step."""
        location_std = self.config.evaluation_location_std or self.location_std
        return Agent(self.evaluated, self.config, location_std)

    # Overflow is expected when a run diverges; _check_finite reports it.
    @np.errstate(over="ignore", invalid="ignore")
    @process.limited_blas
    def step(self):
        """Take one step on the next batch of the epoch."""
        config, state = self.config, self.state
        began = time.perf_counter()
        first = state.position * config.batch_size
        batch = state.order[first : first + config.batch_size]

        gradient, shard_sums = self._gradient(batch)
        norms = {
            network: math.sqrt(sum(np.vdot(array, array) for array in arrays.values()))
            for network, arrays in self.grads.items()
        }
        norm = math.hypot(*norms.values())
        self._check_finite(state.step + 1, norm, self.grads, "the gradient of ")

        if config.clip_norm:
            optimizers.clip_by_global_norm(gradient, config.clip_norm)
        self._update(gradient)
        norm = math.sqrt(state.vector @ state.vector)
        self._check_finite(state.step, norm, self.params, "")

        state.position += 1
        for network, norm in norms.items():
            state.sums[f"gradient_norm/{network}"] += norm
        for sums in shard_sums:
            for name, value in sums.items():
                state.sums[name] += value
        seconds = time.perf_counter() - began
        state.sums["images"] += len(batch)
        state.sums["seconds"] += seconds
        state.seconds += seconds

    def _gradient(self, batch):
        """Return the gradient of a batch of digits, and the sums of its shards."""
        state = self.state
        # Each shard has its own random streams, and gradients are added in the order
        # of the shards: the result does not depend on which process computes which.
        parts = np.array_split(batch, self.config.num_shards)
        shards = [
            Shard(
                number,
                index,
                state.streams_of(number),
                len(batch),
                self.location_std,
                self.augmented,
            )
            for number, index in enumerate(parts)
            if len(index)
        ]
        results = self.shard_gradients(shards)
        for shard, (_, states) in zip(shards, results):
            state.set_streams_of(shard.number, states)
        gradient, *others = self.gradients[: len(shards)]
        for other in others:
            gradient += other
        return gradient, [sums for sums, _ in results]

    def _update(self, gradient):
        """Update the parameters, and their running average if one is kept."""
        config, state = self.config, self.state
        rate = self.learning_rate
        state.step += 1
        if config.weight_decay:
            optimizers.decay_weights(self.params, rate, config.weight_decay)
        optimizer = optimizers.OPTIMIZERS[config.optimizer]
        options = {"each": self.each} if optimizer.parallel else {}
        optimizer.step(
            state.vector,
            gradient,
            state.optimizer,
            rate,
            config.momentum,
            state.step,
            self.shapes,
            **options,
        )
        if state.step % 10 == 0:
            optimizers.drop_negligible(state.optimizer)
        if config.average_decay:
            # A shorter memory early on: the first weights are not worth keeping.
            decay = min(config.average_decay, state.step / (state.step + 10))
            state.average *= decay
            state.average += (1 - decay) * state.vector

    def _check_finite(self, step, norm, tree, prefix):
        """Raise DivergenceError if a norm is not finite, naming the step and array."""
        if norm < LARGEST_NORM:
            return
        # A non-finite weight spoils every gradient, so weights come first.
        sizes = {
            f"{where}{network}.{name}": float(np.abs(array).max())
            for where, networks in (("", self.params), (prefix, tree))
            for network, arrays in networks.items()
            for name, array in arrays.items()
        }
        too_large = [n for n, size in sizes.items() if not size < LARGEST_NORM]
        name = too_large[0] if too_large else max(sizes, key=sizes.get)
        raise _diverged(step, name)

    def end_epoch(self, errors):
        """Close the epoch, given its ErrorCounts on validation; return its row of metrics."""
        state, sums = self.state, self.state.sums
        behaviour = diagnostics.summarize(errors.behaviour)
        if not all(map(math.isfinite, behaviour.values())):
            raise _diverged(state.step, "the agent's behaviour")
        state.epoch += 1
        row = {
            "epoch": state.epoch,
            "step": state.step,
            "cross_entropy": sums["cross_entropy"] / sums["rows"],
            "baseline_loss": sums["baseline_loss"] / sums["rows"],
            "train_error": 100 * sums["wrong"] / sums["rows"],
            "valid_error": errors.error,
            "learning_rate": self.learning_rate,
            "images_per_second": sums["images"] / sums["seconds"],
            "seconds": state.seconds,
            "saturation": sums["saturated"] / max(sums["means"], 1),
            **behaviour,
            "gradient_norms": {
                network: sums[f"gradient_norm/{network}"] / self.steps_per_epoch
                for network in self.params
            },
            "valid_error_after_glimpse": errors.error_after_glimpse,
            "deterministic_minus_sampled": errors.deterministic_minus_sampled,
        }
        state.history.append(row)
        state.position = 0
        state.sums = dict.fromkeys(sums, 0.0)
        shuffling = state.streams["shuffling"][0]
        state.order = shuffling.permutation(len(self.split.labels))
        return row


def _diverged(step, what):
    return DivergenceError(
        f"step {step}: {what} is no longer finite: lower --learning-rate "
        "(the last checkpoint is untouched)"
    )
