"""Losses and gradients of three agents that PyTorch computed once, in float64.

benchmarks/make_torch_oracle.py, a separate implementation of the agent, wrote them to
torch_oracle.npz; no code of this package took part.
"""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ramnp.agent import model
from ramnp.learning import reinforce
from ramnp.learning.config import Config
from ramnp.proofs.complex_step import flat, nested

PATH = Path(__file__).with_name("torch_oracle.npz")
LIMIT = 1e-12


class Stored(NamedTuple):
    """One configuration of the file."""

    config: Config
    params: dict  # {network: {name: array}}
    images: np.ndarray
    labels: np.ndarray  # (N,)
    locations: np.ndarray
    expected: dict  # {name: array}: R, advantage, losses, then the gradients


def read():
    """Return {name: Stored} of every configuration in the file."""
    arrays = {}
    with np.load(PATH, allow_pickle=False) as file:
        for key in file.files:
            configuration, _, name = key.partition("/")
            if name:
                arrays.setdefault(configuration, {})[name] = file[key]
    return {name: _stored(fields) for name, fields in arrays.items()}


def computed(stored):
    """Return our results for a stored configuration, {name: array} as in expected."""
    config = stored.config
    trajectory = model.replay(stored.params, stored.images, stored.locations, config)
    R, advantage, losses, upstream = reinforce.learning_signal(
        trajectory, stored.labels, config, config.location_std
    )
    gradients = flat(model.backward(*upstream, trajectory, config))
    return gradients | {"R": R, "advantage": advantage, "losses": np.array(losses)}


def _stored(fields):
    def named(kind):
        return {
            key.removeprefix(kind): array
            for key, array in fields.items()
            if key.startswith(kind)
        }

    config = Config(**json.loads(str(fields["settings"])))
    results = {name: fields[name] for name in ("R", "advantage", "losses")}
    return Stored(
        config,
        nested(named("parameter ")),
        fields["images"],
        np.tile(fields["labels"], config.num_rollouts),
        fields["locations"],
        results | named("gradient "),
    )
