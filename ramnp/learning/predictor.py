"""A trained agent that looks at images and classifies them."""

import functools
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from ramnp.agent import parameters
from ramnp.agent.layers import log_softmax
from ramnp.datasets import scenes
from ramnp.datasets.images import as_images, in_channels, to_bytes
from ramnp.datasets.splits import Digits
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
    names: np.ndarray | None = None  # (B,), the names of the classes


class Agent(NamedTuple):
    """Parameters with the settings they were trained with."""

    params: dict
    config: Config
    location_std: float
    data: dict | None = None  # describe_data of the training data, if known

    def __repr__(self) -> str:
        """Return one line, without the arrays."""
        config = self.config
        return (
            f"<Agent: model {config.model}, task {config.task}, recipe "
            f"{config.recipe}, {self.num_parameters:,} parameters>"
        )

    @property
    def num_parameters(self) -> int:
        """The number of weights and biases."""
        return parameters.size(parameters.shapes(self.params))

    @property
    def class_names(self) -> list[str]:
        """The name of each class, or its number if it has no name."""
        names = self.data["class_names"] if self.data else []
        return names + [str(i) for i in range(len(names), self.config.num_classes)]

    @process.limited_blas
    def predict(
        self,
        images: ArrayLike,
        rollouts: int = 1,
        seed: int = 0,
        deterministic: bool = False,
        threads: int | None = None,
        prepared: bool = False,
    ) -> Seen:
        """Return a Seen for images (B, height, width), or (B, height, width, 3).

        They may have all forms that `images.as_images` accepts. Colour is turned grey
        unless the agent was trained in colour.
        Probabilities are means over `rollouts`. The same seed gives the same result for
        an image, regardless of the rest of the batch; if `deterministic`, each location
        is the policy's mean and nothing is drawn. `threads` (default: one per core) does
        not affect results. `prepared` images are used unchanged; others are inverted if
        the agent was trained with --invert.
        """
        images = as_images(images, channels=None)
        if rollouts < 1:
            raise UserError(f"rollouts {rollouts}: must be at least 1")
        self._check_shape(images)
        images = in_channels(images, self.config.channels)
        if self.config.invert and not prepared:
            images = ~images if images.dtype == np.uint8 else 1 - images
        if not len(images):  # empty arrays in the shapes that one image would give
            seen = self.predict(np.zeros((1, *images.shape[1:]), np.uint8))
            return Seen(*(np.asarray(field)[:0] for field in seen))

        chunk = max(1, min(CHUNK, CHUNK_PIXELS // images[0].size))

        def look(start):
            part = images[start : start + chunk]
            rng = None if deterministic else ImageNoise(to_bytes(part), seed)
            return self._look(_as_floats(part), rollouts, rng)

        if len(images) <= chunk:
            seen = look(0)
        else:
            with ThreadPoolExecutor(threads or process.num_cores()) as pool:
                parts = list(pool.map(look, range(0, len(images), chunk)))
            seen = Seen(*(np.concatenate(field) for field in zip(*parts)))
        if not prepared:
            self._warn_if_inverted(images)
        return seen

    def _check_shape(self, images):
        """Raise UserError if the agent was trained in another size, or in colour."""
        if self.config.channels == 3 and images.ndim == 3:
            raise UserError(
                f"images of shape {images.shape}: the agent was trained in colour; give "
                "(count, height, width, 3), which for grey ones is numpy.repeat("
                "images[..., None], 3, axis=-1), and a single image as images[None]"
            )
        shape = self.config.scene_shape
        known = self.data or self.config.canvas_size or self.config.model != "ram"
        if known and images.shape[1:3] != shape:
            raise UserError(
                "images of {} x {} pixels: the agent was trained on {} x {}; resize them, "
                "or train on images of their size".format(*images.shape[1:3], *shape)
            )

    def _warn_if_inverted(self, images):
        """Warn of images whose negatives are much closer to the training brightness."""
        if not self.data:
            return
        white = 255 if images.dtype == np.uint8 else 1
        brightness = images.mean(axis=tuple(range(1, images.ndim))) / white
        expected = self.data["brightness"]
        far = np.abs(brightness - expected) - np.abs(1 - brightness - expected) > 0.3
        if far.any():
            warnings.warn(
                f"{far.sum()} of {len(far)} images look inverted: their mean pixel is "
                f"{brightness[far].mean():.2f}, that of the training images "
                f"{expected:.2f}; if so, give {white} - images",
                stacklevel=4,
            )

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
        classes = probabilities.argmax(axis=-1)
        return Seen(
            classes,
            probabilities,
            locations.swapaxes(0, 1),
            step_probabilities,
            np.array(self.class_names)[classes],
        )


class ImageNoise:
    """Random numbers whose rows each depend only on one image and the seed.

    It stands in for a generator in `rollout`. Each image's pixels are hashed to a key,
    and row b of the n-th column comes from mixing key b with n (SplitMix64). Columns
    are made 16 at a time, enough for most rollouts: calls are what a single image costs.
    """

    def __init__(self, images, seed):
        pixels = images.reshape(len(images), -1)
        self._keys = pixels @ _hash_weights(seed, pixels.shape[1])  # modulo 2^64
        self._columns = np.empty((0, len(images)))
        self._used = 0

    def _make_columns(self, first):
        """Return uniform numbers (16, B), the columns from this one on."""
        column = np.arange(first + 1, first + 17, dtype=np.uint64)
        z = self._keys + column[:, None] * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
        return ((z >> np.uint64(11)) + 0.5) / 2**53

    def random(self, shape: tuple, dtype: type) -> np.ndarray:
        """Return uniform numbers (B, n) in (0, 1)."""
        first, self._used = self._used, self._used + shape[1]
        while self._used > len(self._columns):
            more = self._make_columns(len(self._columns))
            self._columns = np.concatenate([self._columns, more])
        return self._columns[first : self._used].T.astype(dtype)

    def standard_normal(self, shape: tuple, dtype: type) -> np.ndarray:
        """Return normal numbers (B, n) of mean 0 and variance 1."""
        return ndtri(self.random(shape, np.float64)).astype(dtype)


@functools.lru_cache
def _hash_weights(seed, num_pixels):
    rng = np.random.default_rng(seed)
    return rng.integers(2**64, size=num_pixels, dtype=np.uint64) | np.uint64(1)


def describe_data(digits: Digits, config: Config) -> dict:
    """Return the description of the training data that an agent's file keeps.

    Brightness is the mean pixel of the scenes, from 0 to 1.
    """
    images, _ = scenes.frozen_chunk(digits.valid, "valid", 0, config)
    return {
        "path": digits.path,
        "sha256": digits.sha256,
        "class_names": [*digits.class_names],
        "brightness": float(images.mean()),
    }


def _as_floats(images):
    if images.dtype == np.uint8:
        return images * np.float32(1 / 255)
    return images.astype(np.float32)
