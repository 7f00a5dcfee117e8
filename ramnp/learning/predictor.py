"""A trained agent that looks at images and classifies them."""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from ramnp.agent import parameters
from ramnp.agent.layers import log_softmax
from ramnp.learning.choices import model_of
from ramnp.learning.config import Config
from ramnp.support import process
from ramnp.support.errors import UserError

# Largest number of images and of pixels processed together. Larger chunks speed up the
# matrix products and make threads wait for each other less often, but take more memory.
CHUNK = 500
CHUNK_PIXELS = 2**22


class Seen(NamedTuple):
    """An agent's predictions for B images in T glimpses.

    A comparison network sees the whole image and classifies it once: it has T = 0 in
    `locations` and T = 1 in `step_probabilities`.
    """

    classes: np.ndarray  # (B,)
    probabilities: np.ndarray  # (B, classes), after the last glimpse
    locations: np.ndarray  # (B, T, 2) as (x, y), of the first rollout
    step_probabilities: np.ndarray  # (B, T, classes), after each glimpse


class Agent(NamedTuple):
    """Parameters with the settings they were trained with."""

    params: dict
    config: Config
    location_std: float

    @property
    def num_parameters(self):
        """The number of weights and biases."""
        return parameters.size(parameters.shapes(self.params))

    @process.limited_blas
    def predict(self, images, rollouts=1, seed=0, deterministic=False, threads=None):
        """Return the Seen of images (B, height, width), uint8 or floats in 0..1.

        Probabilities are means over `rollouts`. The same seed gives the same result;
        with `deterministic`, each location is the policy's mean and nothing is drawn.
        `threads` (default: one per core) does not affect results.
        """
        images = _as_images(images)
        if rollouts < 1:
            raise UserError(f"rollouts {rollouts}: must be at least 1")
        if not len(images):  # empty arrays in the shapes that one image would give
            seen = self.predict(np.zeros((1, *images.shape[1:]), np.uint8))
            return Seen(*(field[:0] for field in seen))

        chunk = max(1, min(CHUNK, CHUNK_PIXELS // images[0].size))

        def look(start):
            rng = None if deterministic else np.random.default_rng([seed, start])
            return self._look(_as_floats(images[start : start + chunk]), rollouts, rng)

        if len(images) <= chunk:
            return look(0)
        with ThreadPoolExecutor(threads or process.num_cores()) as pool:
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
