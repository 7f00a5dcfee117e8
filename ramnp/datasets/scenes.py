"""Scenes composed from digits: centered, translated, cluttered (section 4.1).

As in the authors' generator, digit and clutter are added and the sum is clipped at 1,
so their order does not matter; both ends of every range of positions are included.
"""

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ramnp.datasets.deformation import deform
from ramnp.datasets.splits import Split
from ramnp.support.errors import DataError

FROZEN_SEEDS = {"valid": 1406, "test": 6247}
FROZEN_CHUNK = 250


def compose(
    split: Split,
    index: np.ndarray,
    rng: np.random.Generator,
    config: Any,
    augmented: bool = False,
) -> np.ndarray:
    """Return float32 scenes (B, height, width) in 0..1 around the digits `index`.

    Digits in colour make scenes (B, height, width, 3), each channel treated alike.
    Draws a place for each digit and, for each piece of clutter, another digit of the
    same split, a crop of it, and a place. If augmented, digits are deformed with
    config.deformation and, without a canvas, shifted by up to config.max_shift pixels
    along each axis. Raises DataError if a digit is too large for the canvas or too small
    for clutter to be cut from it.
    """
    B = len(index)
    digits = split.images[index]
    check_sizes(split, config)
    max_shift = config.max_shift if augmented else 0
    if augmented and config.deformation:
        digits = deform(digits, config.deformation, rng)
    shape = compose_shape(split, config)
    if not config.canvas_size:
        shape = tuple(side + 2 * max_shift for side in shape)
    scenes = np.zeros((B, *shape, *digits.shape[3:]), np.float32)
    _add(scenes, digits, rng)
    for _ in range(config.num_clutter):
        other = rng.integers(len(split.images) - 1, size=B)
        other += other >= index
        _add(scenes, _crops(split.images, other, config.clutter_size, rng), rng)
    if not config.canvas_size and max_shift:
        scenes = scenes[:, max_shift:-max_shift, max_shift:-max_shift]
    # The minimum with an array is five times as fast as with a scalar.
    np.minimum(scenes, np.full(scenes.shape[1:], 255, np.float32), out=scenes)
    scenes *= np.float32(1 / 255)
    return scenes


def compose_shape(split: Split, config: Any) -> tuple:
    """Return the height and width of the scenes made of a split's images."""
    if config.canvas_size:
        return config.canvas_size, config.canvas_size
    return split.images.shape[1:3]


def frozen_starts(split: Split) -> range:
    """Return the index of the first digit of each chunk of a split."""
    return range(0, len(split.labels), FROZEN_CHUNK)


def frozen_chunk(
    split: Split, name: str, start: int, config: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return the scenes (B, ...) and labels (B,) of a chunk of a split, "valid" or "test".

    They depend only on the split's own seed and on the settings of the scene.
    """
    index = np.arange(start, min(start + FROZEN_CHUNK, len(split.labels)))
    rng = np.random.default_rng([FROZEN_SEEDS[name], start])
    return compose(split, index, rng, config), split.labels[index].astype(np.intp)


def check_sizes(split: Split, config: Any) -> None:
    """Raise DataError if the images don't fit the configuration of the scenes."""
    count, height, width = split.images.shape[:3]
    size = f"the images are {height} x {width} pixels"
    if 0 < config.canvas_size < max(height, width):
        raise DataError(
            f"--canvas-size {config.canvas_size} is too small, {size}: "
            f"make it {max(height, width)} or more, or 0"
        )
    whole = config.model != "ram" and not config.canvas_size
    if whole and (height, width) != config.scene_shape:
        raise DataError(
            "this network sees the whole image and takes {} x {} pixels, but {}: resize "
            "them, or train it anew on these".format(*config.scene_shape, size)
        )
    if config.num_clutter and config.clutter_size > min(height, width):
        raise DataError(
            f"--clutter-size {config.clutter_size} is too large, {size}: "
            f"make it {min(height, width)} or less"
        )
    if config.num_clutter and count < 2:
        raise DataError(
            f"--num-clutter {config.num_clutter} cuts clutter from other images of "
            "the same split, but there is only one: give more, or set it to 0"
        )


def _add(scenes, patches, rng):
    """Add patch b to scene b at a uniformly random place within it."""
    windows, where = _random_windows(
        scenes, np.arange(len(scenes)), patches.shape[1:], rng, writeable=True
    )
    windows[where] += patches


def _crops(images, index, size, rng):
    """Return a uniformly random square of `size` pixels from each image `index`."""
    shape = size, size, *images.shape[3:]
    windows, where = _random_windows(images, index, shape, rng)
    return windows[where]


def _random_windows(images, index, shape, rng, writeable=False):
    """Return all windows of a shape, and where a random one of each image `index` is."""
    # A window has all channels, so there is only one place along them.
    axes = range(1, images.ndim)
    windows = sliding_window_view(images, shape, axes, writeable=writeable)
    places = (rng.integers(windows.shape[axis], size=len(index)) for axis in axes)
    return windows, (index, *places)
