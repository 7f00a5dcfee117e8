"""The training loop, top to bottom."""

import json
import math
import os
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from tqdm import tqdm

from ramnp.agent import parameters
from ramnp.learning import diagnostics, optimizers
from ramnp.learning.evaluation import count_errors
from ramnp.learning.predictor import Agent, parameter_shapes
from ramnp.runs import agent_file
from ramnp.runs import state as run_state
from ramnp.runs.workers import Workers
from ramnp.support import process, signals
from ramnp.support.errors import DivergenceError, WorkerError
from ramnp.support.files import write_atomically

# Beyond this, squares overflow in float32: whatever the agent does, it does not learn.
LARGEST_NORM = 1e18


def train(config, digits, folder, state, threads=1, save_every=0):
    """Run the epochs that are left; save into the run folder as each one ends.

    The state is also saved every `save_every` steps if that is not 0, and when a
    signal or the loss of a worker stops the run; then signals.Interrupted or WorkerError
    is raised. threads, how many cores work at a time, change no result.
    """

    def save():
        path = os.path.join(folder, "checkpoint.npz")
        run_state.save(path, state, config, digits.sha256)

    with (
        signals.held_back() as stop_if_asked,
        ThreadPoolExecutor(threads) as pool,
        Trainer(config, digits.train, state, threads) as trainer,
    ):
        try:
            while state.epoch < config.epochs:
                with progress_bar(state, trainer) as bar:
                    while state.position < trainer.steps_per_epoch:
                        stop_if_asked()
                        trainer.step()
                        bar.set_postfix_str(describe(state, trainer), refresh=False)
                        bar.update()
                        if save_every and state.step % save_every == 0:
                            save()
                    began = time.perf_counter()
                    agent = trainer.agent
                    wrong = count_errors(
                        agent, digits.valid, "valid", pool, between_chunks=stop_if_asked
                    )
                    state.seconds += time.perf_counter() - began
                    bar.set_postfix_str(describe(state, trainer, wrong.error))
                    row = trainer.end_epoch(wrong)
                if wrong.error < state.best_error:
                    state.best_error = wrong.error
                    agent_file.save(os.path.join(folder, "best.npz"), agent, row)
                lines = "".join(json.dumps(row) + "\n" for row in state.history)
                write_atomically(os.path.join(folder, "metrics.jsonl"), lines)
                save()
        except signals.Interrupted:
            save()
            raise
        except WorkerError as error:
            save()
            raise WorkerError(
                f"{error}; everything is saved after step {state.step:,}, go on with "
                "--resume"
            ) from error


class Trainer:
    """Takes the steps of a run; all that it changes is the state.

    With more than one thread, it has workers, and wants to be closed.
    """

    def __init__(self, config, split, state, threads=1):
        self.config, self.split, self.state = config, split, state
        self.steps_per_epoch = run_state.steps_per_epoch(config, len(split.labels))
        others = min(threads, config.num_shards) - 1
        self.workers = Workers(others, config, split, state.vector)
        state.vector, *self.gradients = self.workers.memory
        self.shapes = parameter_shapes(config)
        self.params = parameters.views(state.vector, self.shapes)
        self.evaluated = parameters.views(state.evaluated, self.shapes)
        self.grads = parameters.views(self.gradients[0], self.shapes)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.workers.close()

    @property
    def progress(self):
        """The fraction of all steps that is done."""
        return self.state.step / (self.config.epochs * self.steps_per_epoch)

    @property
    def location_std(self):
        """The policy's standard deviation now."""
        first, last = self.config.location_std, self.config.final_location_std
        return first * (last / first) ** self.progress if last else first

    @property
    def augmented(self):
        """Whether the digits of this epoch may be bent and moved."""
        plain = round(self.config.plain_share * self.config.epochs)
        return self.state.epoch < self.config.epochs - plain

    @property
    def learning_rate(self):
        """The step size now."""
        return optimizers.learning_rate_at(
            self.progress,
            self.config.schedule,
            self.config.learning_rate,
            self.config.final_rate,
        )

    @property
    def agent(self):
        """The agent that is judged at this moment."""
        location_std = self.config.evaluation_location_std or self.location_std
        return Agent(self.evaluated, self.config, location_std)

    # A run that diverges is stopped with a message of its own.
    @np.errstate(over="ignore", invalid="ignore")
    @process.limited_blas
    def step(self):
        """Take one step on the next batch of the epoch."""
        config, state = self.config, self.state
        began = time.perf_counter()
        first = state.position * config.batch_size
        batch = state.order[first : first + config.batch_size]
        # Each shard has random streams of its own, and sums are taken in the shards'
        # order: the result is the same whoever works on them.
        parts = [part for part in np.array_split(batch, config.num_shards) if len(part)]
        now = len(batch), self.location_std, self.augmented
        jobs = [
            (shard, part, state.streams_of(shard), *now)
            for shard, part in enumerate(parts)
        ]
        results = self.workers.learn(jobs)
        number = state.step + 1
        gradient = self.gradients[0]
        for other in self.gradients[1 : len(parts)]:
            gradient += other
        norms = {
            network: math.sqrt(sum(np.vdot(array, array) for array in arrays.values()))
            for network, arrays in self.grads.items()
        }
        norm = math.hypot(*norms.values())
        self._check_finite(number, norm, self.grads, "the gradient of ")
        if config.clip_norm:
            optimizers.clip_by_global_norm(gradient, config.clip_norm)
        self._update(gradient)
        norm = math.sqrt(state.vector @ state.vector)
        self._check_finite(number, norm, self.params, "")
        state.position += 1
        for network, norm in norms.items():
            state.sums[f"gradient_norm/{network}"] += norm
        for shard, (sums, states) in enumerate(results):
            state.set_streams_of(shard, states)
            for name, value in sums.items():
                state.sums[name] += value
        seconds = time.perf_counter() - began
        state.sums["images"] += len(batch)
        state.sums["seconds"] += seconds
        state.seconds += seconds

    def _update(self, gradient):
        """Move the parameters, and their average if one is kept."""
        config, state = self.config, self.state
        rate = self.learning_rate
        state.step += 1
        if config.weight_decay:
            optimizers.decay_weights(self.params, rate, config.weight_decay)
        optimizers.STEPS[config.optimizer](
            state.vector,
            gradient,
            state.optimizer,
            rate,
            config.momentum,
            state.step,
            self.shapes,
        )
        if config.average_decay:
            # Early on, a shorter memory: the first weights are not worth keeping.
            decay = min(config.average_decay, state.step / (state.step + 10))
            state.average *= decay
            state.average += (1 - decay) * state.vector

    def _check_finite(self, step, norm, tree, prefix):
        """Stop the run if a norm is no longer finite, naming the step and the array."""
        if norm < LARGEST_NORM:
            return
        # What comes out of a broken weight is broken everywhere: name the weight.
        for where, arrays_of in (("", self.params), (prefix, tree)):
            sizes = {
                f"{where}{network}.{name}": float(np.abs(array).max())
                for network, arrays in arrays_of.items()
                for name, array in arrays.items()
            }
            wild = [name for name, size in sizes.items() if not size < LARGEST_NORM]
            if wild:
                break
        name = wild[0] if wild else max(sizes, key=sizes.get)
        raise DivergenceError(
            f"step {step}: {name} is no longer finite: lower "
            "--learning-rate (the last checkpoint is untouched)"
        )

    def end_epoch(self, wrong):
        """Close the epoch, given the ErrorCounts of validation; return its row of metrics."""
        state, sums = self.state, self.state.sums
        seen = diagnostics.summarize(wrong.behaviour)
        if not all(map(math.isfinite, seen.values())):
            raise DivergenceError(
                f"step {state.step}: what the agent does is no longer finite: lower "
                "--learning-rate (the last checkpoint is untouched)"
            )
        state.epoch += 1
        row = {
            "epoch": state.epoch,
            "step": state.step,
            "cross_entropy": sums["cross_entropy"] / sums["rows"],
            "baseline_loss": sums["baseline_loss"] / sums["rows"],
            "train_error": 100 * sums["wrong"] / sums["rows"],
            "valid_error": wrong.error,
            "learning_rate": self.learning_rate,
            "images_per_second": sums["images"] / sums["seconds"],
            "seconds": state.seconds,
            "saturation": sums["saturated"] / max(sums["means"], 1),
            **seen,
            "gradient_norms": {
                network: sums[f"gradient_norm/{network}"] / self.steps_per_epoch
                for network in self.params
            },
            "valid_error_after_glimpse": wrong.error_after_glimpse,
        }
        state.history.append(row)
        state.position = 0
        state.sums = dict.fromkeys(sums, 0.0)
        shuffling = state.streams["shuffling"][0]
        state.order = shuffling.permutation(len(self.split.labels))
        return row


def progress_bar(state, trainer):
    """Return one line of progress for the epoch, on a terminal's stderr alone."""
    return tqdm(
        total=trainer.steps_per_epoch,
        initial=state.position,
        desc=f"epoch {state.epoch + 1}/{trainer.config.epochs}",
        unit="step",
        disable=None,
        bar_format="{desc} {percentage:3.0f}% |{bar:20}| {elapsed}{postfix}",
    )


def describe(state, trainer, valid_error=None):
    """Say how the epoch goes and how long the rest of the run will take."""
    sums = state.sums
    left = state.seconds * (1 / trainer.progress - 1)
    valid = "" if valid_error is None else f", valid {valid_error:.2f} %"
    return (
        f"{sums['images'] / sums['seconds']:,.0f} images/s, "
        f"train {100 * sums['wrong'] / sums['rows']:.2f} %{valid}, "
        f"{tqdm.format_interval(left)} left"
    )
