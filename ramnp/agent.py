"""A trained agent, loaded from a run, that looks at images and says what they are."""

import dataclasses
import os
from typing import NamedTuple

import numpy as np

from ramnp import checkpoint, model, parameters
from ramnp.config import Config
from ramnp.errors import CheckpointError, UserError
from ramnp.networks.layers import log_softmax

CHUNK = 500


class Seen(NamedTuple):
    """What an agent made of B images in T glimpses."""

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

    def predict(self, images, rollouts=1, seed=0, deterministic=False):
        """Look at images (B, height, width), bytes or floats in 0..1; return a Seen.

        Probabilities are means over rollouts. The same seed gives the same answer;
        deterministic draws nothing: each location is the policy's mean.
        """
        images = _as_images(images)
        if rollouts < 1:
            raise UserError(f"rollouts {rollouts}: must be at least 1")
        if not len(images):  # the shapes of what one image would give
            seen = self.predict(np.zeros((1, *images.shape[1:]), np.uint8))
            return Seen(*(field[:0] for field in seen))
        parts = [
            self._look(
                _as_floats(images[start : start + CHUNK]),
                rollouts,
                None if deterministic else np.random.default_rng([seed, start]),
            )
            for start in range(0, len(images), CHUNK)
        ]
        return Seen(*(np.concatenate(field) for field in zip(*parts)))

    def _look(self, images, rollouts, rng):
        total, locations = 0, None
        for _ in range(rollouts):
            trajectory = model.rollout(
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
    """Write an agent as `load` reads it, with the row of metrics that it earned."""
    vector, _ = parameters.flatten(agent.params)
    meta = {
        "config": dataclasses.asdict(agent.config),
        "location_std": agent.location_std,
        "training": row,
    }
    checkpoint.save(path, {"parameters": vector}, meta)


def load(run):
    """Load the best agent of a run: a run folder, or an agent's own file."""
    return load_with_training(run)[0]


def load_with_training(run):
    """Return the best agent of a run and the row of metrics that was saved with it."""
    path = os.path.join(run, "best.npz") if os.path.isdir(run) else os.fspath(run)
    if not os.path.exists(path):
        raise CheckpointError(f"{path} does not exist: train first, or check the name")
    arrays, meta = checkpoint.load(path)
    try:
        config = Config(**meta["config"])
        location_std = float(meta["location_std"])
        vector, training = arrays["parameters"], dict(meta["training"])
    except (KeyError, TypeError, ValueError, UserError) as error:
        raise CheckpointError(f"{path} does not hold an agent: {error}") from error
    # Counted before anything of that size is made.
    size = model.num_parameters(config)
    if vector.shape != (size,) or vector.dtype != np.float32 or not location_std > 0:
        raise CheckpointError(
            f"{path} does not fit its own configuration: "
            f"{vector.size} parameters instead of {size}"
        )
    params = parameters.views(vector, parameter_shapes(config))
    return Agent(params, config, location_std), training


def parameter_shapes(config):
    """Return {network: {name: shape}} of an agent with this configuration."""
    return parameters.shapes(model.init(np.random.default_rng(0), config))


def _as_images(images):
    images = np.asarray(images)
    if images.ndim != 3 or 0 in images.shape[1:]:
        raise UserError(
            f"images of shape {images.shape}: must be (count, height, width)"
        )
    if images.dtype == np.uint8:
        return images
    if not np.issubdtype(images.dtype, np.floating):
        raise UserError(f"images of type {images.dtype}: must be uint8 or floats")
    if not (np.isfinite(images).all() and ((images >= 0) & (images <= 1)).all()):
        raise UserError("images as floats must have all pixels within 0..1")
    return images


def _as_floats(images):
    if images.dtype == np.uint8:
        return images * np.float32(1 / 255)
    return images.astype(np.float32)
