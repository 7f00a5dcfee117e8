"""A trained agent, loaded from a run, that looks at images and says what they are."""

import dataclasses
import os
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from ramnp.agent import parameters
from ramnp.agent.layers import log_softmax
from ramnp.learning.choices import model_of
from ramnp.learning.config import Config
from ramnp.learning.recipes import TASKS
from ramnp.support import checkpoint
from ramnp.support.errors import CheckpointError, UserError, brief

# Images looked at together: the more, the faster the products, and the less often do
# threads wait for each other; but no more of them than so many pixels in all.
CHUNK = 500
CHUNK_PIXELS = 2**22
# The trained agents that come with the project.
TRAINED = os.path.join(os.path.dirname(__file__), "..", "..", "data", "trained")
# What an agent's file tells of the epoch that it comes from: see metrics.jsonl.
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


class Seen(NamedTuple):
    """What an agent made of B images in T glimpses.

    A baseline sees the whole image: it gives no location and one class, as if T were
    0 in locations and 1 in step_probabilities.
    """

    classes: np.ndarray  # (B,)
    probabilities: np.ndarray  # (B, classes), after the last glimpse
    locations: np.ndarray  # (B, T, 2) as (x, y), of the first rollout
    step_probabilities: np.ndarray  # (B, T, classes), after each glimpse


class Agent(NamedTuple):
    """Parameters with the settings that they were trained under."""

    params: dict
    config: Config
    location_std: float

    @property
    def num_parameters(self):
        """The number of weights and biases."""
        return parameters.size(parameters.shapes(self.params))

    def predict(self, images, rollouts=1, seed=0, deterministic=False, threads=None):
        """Look at images (B, height, width), bytes or floats in 0..1; return a Seen.

        Probabilities are means over rollouts. The same seed gives the same answer;
        deterministic draws nothing: each location is the policy's mean. threads, one
        per core by default, change no result.
        """
        images = _as_images(images)
        if rollouts < 1:
            raise UserError(f"rollouts {rollouts}: must be at least 1")
        if not len(images):  # the shapes of what one image would give
            seen = self.predict(np.zeros((1, *images.shape[1:]), np.uint8))
            return Seen(*(field[:0] for field in seen))

        chunk = max(1, min(CHUNK, CHUNK_PIXELS // images[0].size))

        def look(start):
            rng = None if deterministic else np.random.default_rng([seed, start])
            return self._look(_as_floats(images[start : start + chunk]), rollouts, rng)

        if len(images) <= chunk:
            return look(0)
        with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
            parts = list(pool.map(look, range(0, len(images), chunk)))
        return Seen(*(np.concatenate(field) for field in zip(*parts)))

    def _look(self, images, rollouts, rng):
        total, locations = 0, None
        for _ in range(rollouts):
            trajectory = model_of(self.config).rollout(
                self.params, images, rng, self.config, self.location_std
            )
            total = total + np.exp(log_softmax(trajectory.logits))
            locations = trajectory.locations if locations is None else locations
        step_probabilities = (total / rollouts).swapaxes(0, 1)
        probabilities = step_probabilities[:, -1]
        return Seen(
            probabilities.argmax(axis=-1),
            probabilities,
            locations.swapaxes(0, 1),
            step_probabilities,
        )


def save_agent(path, agent, row):
    """Write an agent as `load` reads it, with the row of metrics that it earned.

    Weights take two bytes each, where none is beyond their range of 65,504.
    """
    vector, _ = parameters.flatten(agent.params)
    if np.abs(vector).max() <= np.finfo(np.float16).max:
        vector = vector.astype(np.float16)
    meta = {
        "config": dataclasses.asdict(agent.config),
        "location_std": agent.location_std,
        "training": {name: row[name] for name in METRICS},
    }
    checkpoint.save(path, {"parameters": vector}, meta)


def load(run):
    """Load an agent: of a run folder, of its own file, or the trained one of a task."""
    return load_with_training(run)[0]


def find(run):
    """Return the path of an agent's file; a task's name means the one trained here."""
    path = os.fspath(run)
    if os.path.isdir(path):
        path = os.path.join(path, "best.npz")
    elif run in TASKS and not os.path.exists(path):
        path = os.path.join(TRAINED, f"{run}.npz")
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
            raise ValueError("its location_std is no standard deviation")
        if not is_row_of_metrics(training):
            raise ValueError("its training is no row of metrics")
    except (KeyError, TypeError, ValueError, UserError) as error:
        raise CheckpointError(
            f"{path} does not hold an agent: {brief(error)}; use another file"
        ) from error
    # Counted before anything of that size is made.
    size = model_of(config).num_parameters(config)
    if vector.shape != (size,) or vector.dtype not in (np.float16, np.float32):
        raise CheckpointError(
            f"{path} does not fit its own configuration, which needs more or less "
            f"than {vector.size} parameters of type {vector.dtype}; use another file"
        )
    vector = vector.astype(np.float32)
    params = parameters.views(vector, parameter_shapes(config))
    return Agent(params, config, location_std), training


def is_row_of_metrics(row):
    """Tell whether `row`, out of a file, is what a run writes about an epoch."""
    return (
        type(row) is dict
        and row.keys() == dict.fromkeys(METRICS).keys()
        and all(map(is_number, row.values()))
    )


def is_number(value):
    """Tell whether `value`, out of a file, is a finite number."""
    return type(value) in (int, float) and abs(value) < 1e300


def parameter_shapes(config):
    """Return {network: {name: shape}} of an agent with this configuration."""
    return parameters.shapes(model_of(config).init(np.random.default_rng(0), config))


def _as_images(images):
    images = np.asarray(images)
    if images.ndim != 3 or 0 in images.shape[1:]:
        raise UserError(
            f"images of shape {images.shape}: must be (count, height, width)"
        )
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind != "f":
        raise UserError(f"images of type {images.dtype}: must be uint8 or floats")
    if not (images.min(initial=0) >= 0 and images.max(initial=0) <= 1):  # nor NaN
        raise UserError("images as floats must have all pixels within 0..1")
    return images


def _as_floats(images):
    if images.dtype == np.uint8:
        return images * np.float32(1 / 255)
    return images.astype(np.float32)
