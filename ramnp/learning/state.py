"""The state of a run: everything that changes during it, in memory."""

import math
from dataclasses import dataclass, field

import numpy as np

from ramnp.agent import parameters
from ramnp.learning import optimizers
from ramnp.learning.choices import model_of

STREAMS = ("initialisation", "shuffling", "scenes", "policy")
DRAWN = ("scenes", "policy")  # the streams that each shard draws from
# Sums over the current epoch; the norm of each network's gradient is summed too.
SUMS = (
    "cross_entropy",
    "baseline_loss",
    "wrong",
    "saturated",
    "means",
    "rows",
    "images",
    "seconds",
)


@dataclass
class State:
    """Everything that a run needs to resume bit-identically."""

    vector: np.ndarray  # all parameters
    optimizer: dict  # {name: array}
    average: np.ndarray  # running average of the parameters; empty if not kept
    order: np.ndarray  # the training digits in this epoch's order
    streams: dict  # {name: [random generator of shard 0, of shard 1, ...]}
    sums: dict  # {name: number}
    epoch: int = 0  # epochs finished
    position: int = 0  # steps taken in the current epoch
    step: int = 0  # steps taken in all
    history: list = field(default_factory=list)  # the rows of metrics.jsonl
    best_error: float = math.inf  # on the validation scenes, in percent
    seconds: float = 0.0  # of training, validation included

    @property
    def evaluated(self):
        """The parameters that are validated, and kept if they are the best."""
        return self.average if self.average.size else self.vector

    def streams_of(self, shard):
        """Return {name: state} of the streams that a shard draws from."""
        return {name: self.streams[name][shard].bit_generator.state for name in DRAWN}

    def set_streams_of(self, shard, states):
        """Put a shard's streams into these states."""
        for name, state in states.items():
            self.streams[name][shard].bit_generator.state = state


def initial(config, num_images, dtype=np.float32):
    """Return the state before the first step of a run over num_images digits."""
    seeds = np.random.SeedSequence(config.seed).spawn(len(STREAMS))
    streams = {
        name: [np.random.default_rng(s) for s in seed.spawn(config.num_shards)]
        for name, seed in zip(STREAMS, seeds)
    }
    params = model_of(config).init(streams["initialisation"][0], config, dtype)
    vector, _ = parameters.flatten(params)
    norms = [f"gradient_norm/{network}" for network in params]
    return State(
        vector=vector,
        optimizer=optimizers.init_state(config.optimizer, vector),
        average=vector.copy() if config.average_decay else vector[:0].copy(),
        order=streams["shuffling"][0].permutation(num_images),
        streams=streams,
        sums=dict.fromkeys([*SUMS, *norms], 0.0),
    )


def steps_per_epoch(config, num_images):
    """Return the number of batches, the last of which may be short."""
    return math.ceil(num_images / config.batch_size)
