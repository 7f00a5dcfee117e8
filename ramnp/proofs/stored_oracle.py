"""Losses and gradients of three agents that PyTorch computed once, in float64.

benchmarks/make_torch_oracle.py wrote the agent anew and left these numbers in
torch_oracle.npz; our forward pass has no part in them.
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
    with np.load(PATH, allow_pickle=False) as file:
        names = [key.split("/") for key in file.files if "/" in key]
        arrays = {}
        for configuration, name in names:
            arrays.setdefault(configuration, {})[name] = file[f"{configuration}/{name}"]
    return {name: _stored(fields) for name, fields in arrays.items()}


def computed(stored):
    """Return what we make of a stored configuration, {name: array} as in expected."""
    config = stored.config
    trajectory = model.replay(stored.params, stored.images, stored.locations, config)
    signal = reinforce.learning_signal(
        trajectory, stored.labels, config, config.location_std
    )
    return {
        "R": signal.R,
        "advantage": signal.advantage,
        "losses": np.array(signal.losses),
    } | flat(model.backward(*signal.upstream, trajectory, config))


def _stored(fields):
    config = Config(**json.loads(str(fields["settings"])))
    of_kind = {"parameter": {}, "gradient": {}}
    for key, array in fields.items():
        kind, _, name = key.partition(" ")
        if name:
            of_kind[kind][name] = array
    results = {name: fields[name] for name in ("R", "advantage", "losses")}
    return Stored(
        config,
        nested(of_kind["parameter"]),
        fields["images"],
        np.tile(fields["labels"], config.num_rollouts),
        fields["locations"],
        results | of_kind["gradient"],
    )
