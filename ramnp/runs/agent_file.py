"""The file of a trained agent: saving, finding and loading it."""

import dataclasses
import os

import numpy as np

from ramnp.agent import parameters
from ramnp.learning.choices import model_of
from ramnp.learning.config import Config
from ramnp.learning.predictor import Agent
from ramnp.learning.recipes import TASKS
from ramnp.support import checkpoint
from ramnp.support.errors import CheckpointError, UserError, brief

# The trained agents that come with the project: in a checkout, or in the wheel.
_PACKAGE = os.path.dirname(os.path.dirname(__file__))
TRAINED = os.path.join(os.path.dirname(_PACKAGE), "data", "trained")
if not os.path.isdir(TRAINED):
    TRAINED = os.path.join(_PACKAGE, "trained")
# The file keeps these metrics of the agent's epoch; see metrics.jsonl.
METRICS = (
    "epoch",
    "step",
    "cross_entropy",
    "baseline_loss",
    "train_error",
    "valid_error",
    "learning_rate",
    "images_per_second",
    "seconds",
)


def save(path, agent, row):
    """Write an agent as `load` reads it, with the row of metrics of its epoch.

    Weights take two bytes each if none exceeds float16's largest number, 65,504.
    """
    vector, _ = parameters.flatten(agent.params)
    if np.abs(vector).max() <= np.finfo(np.float16).max:
        vector = vector.astype(np.float16)
    meta = {
        "config": dataclasses.asdict(agent.config),
        "location_std": agent.location_std,
        "training": {name: row[name] for name in METRICS},
    }
    if agent.data:
        meta["data"] = agent.data
    checkpoint.save(path, {"parameters": vector}, meta)


def load(run: str | os.PathLike) -> Agent:
    """Return a trained agent, ready to predict.

    run: a run folder (its best agent), an agent's file, or a task such as "cluttered"
    (the agent shipped for it). Raises CheckpointError if there is none or the file is
    damaged.
    """
    return load_with_training(run)[0]


def find(run):
    """Return the path of an agent's file; a task's name means its shipped agent."""
    path = os.fspath(run)
    in_folder = os.path.join(path, "best.npz")
    shipped = os.path.join(TRAINED, f"{path}.npz")
    is_own = os.path.isfile(path) or os.path.exists(in_folder)
    if path in TASKS and os.path.exists(shipped) and not is_own:
        path = shipped
    elif os.path.isdir(path):
        path = in_folder
    if not os.path.exists(path):
        raise CheckpointError(f"{path} does not exist: train first, or check the name")
    return path


def load_with_training(run):
    """Return an agent as `load` does, and the row of metrics saved with it."""
    path = find(run)
    arrays, meta = checkpoint.load(path)
    try:
        vector, config = arrays["parameters"], Config(**meta["config"])
        location_std, training = meta["location_std"], meta["training"]
        if type(location_std) not in (int, float) or not 0 < location_std < 1e300:
            raise ValueError("its location_std is not a standard deviation")
        if not is_row_of_metrics(training):
            raise ValueError("its training is not a row of metrics")
        data = meta.get("data")
        if not (data is None or _is_description(data, config)):
            raise ValueError("its data is not a description of data")
    except (KeyError, TypeError, ValueError, UserError) as error:
        raise CheckpointError(
            f"{path} does not hold an agent: {brief(error)}; use another file"
        ) from error
    # Check the size before allocating.
    shapes = model_of(config).shapes(config)
    size = parameters.size(shapes)
    if vector.shape != (size,) or vector.dtype not in (np.float16, np.float32):
        raise CheckpointError(
            f"{path} holds {vector.size} parameters of type {vector.dtype}, which do "
            "not fit its own configuration; use another file"
        )
    params = parameters.views(vector.astype(np.float32), shapes)
    return Agent(params, config, location_std, data), training


def _is_description(data, config):
    """Return whether `data`, read from a file, is what predictor.describe_data returns."""
    match data:
        case {
            "path": str() | None,
            "sha256": str(),
            "class_names": list(names),
            "brightness": int() | float(),
        } if len(data) == 4:
            return len(names) <= config.num_classes and all(
                type(name) is str for name in names
            )
    return False


def is_row_of_metrics(row):
    """Return whether `row`, read from a file, is the metrics of an epoch."""
    return (
        type(row) is dict
        and row.keys() == dict.fromkeys(METRICS).keys()
        and all(map(is_number, row.values()))
    )


def is_number(value):
    """Return whether `value`, read from a file, is a finite number."""
    return type(value) in (int, float) and abs(value) < 1e300
