"""Picture files as images like those that an agent was trained on."""

import sys
import warnings

import numpy as np

from ramnp.datasets import mnist, pictures
from ramnp.datasets.images import border
from ramnp.support.errors import UserError


def prepare(paths, agent, invert=None):
    """Return pictures as the agent's images (B, height, width, ...), and notes on each.

    A picture of the size of the scene keeps its size. Any other is scaled to the size
    of the training images, or prepared like a digit of MNIST if the agent was trained
    on MNIST, and placed in the middle of the scene.
    """
    config = agent.config
    if agent.data is None and config.task == "own":
        raise UserError(
            "the agent's file has no description of its training images: train it anew"
        )
    is_digit = config.channels == 1 and (
        agent.data is None or mnist.is_mnist(agent.data["sha256"])
    )
    expected = agent.data["brightness"] if agent.data else 0.13
    images, notes = [], []
    for path in paths:
        # Pillow warns of large pictures, which some cameras take.
        with warnings.catch_warnings(action="ignore"):
            (height, width), scene = pictures.size_of(path), config.scene_shape
            whole = (height, width) == scene
            size = scene if whole else (config.image_height, config.image_width)
            fitted = None if is_digit and not whole else size
            (image,), _ = pictures.read_pictures([path], fitted, config.channels)
            coloured = pictures.in_colour(path)
        done, plain = [f"{height} x {width} pixels"], True
        if coloured:
            done.append("in colour" if config.channels == 3 else "turned grey")
        else:
            done.append("grey, in all channels" if config.channels == 3 else "grey")
        turn = invert
        if turn is None and is_digit and not whole:
            turn = pictures.has_dark_ink(image)
        elif turn is None and config.channels == 1 and abs(expected - 0.5) > 0.25:
            # Ink is the smaller part of a picture: the edge is the background.
            turn = (border(image[None]) > 127) != (expected > 0.5)
        elif turn is None:
            turn = config.invert
        if turn:
            image = 255 - image
            done.append("inverted")
        if is_digit and not whole:
            try:
                image, plain = pictures.as_digit(image, size)
            except UserError as error:
                raise UserError(f"{path}: {error}") from error
            done.append(f"ink scaled to 20 and centred in {size[0]} x {size[1]} pixels")
        elif (height, width) != size:
            done.append(f"scaled to {size[0]} x {size[1]}")
        if image.shape != config.input_shape:
            left_over = [s - i for s, i in zip(config.input_shape, image.shape)]
            image = np.pad(image, [(n // 2, n - n // 2) for n in left_over])
            done.append(f"put in the middle of {scene[0]} x {scene[1]}")
        if not plain:
            print(
                f"warning: {path} does not look like one digit on plain paper",
                file=sys.stderr,
            )
        elif abs(excess := image.mean() / 255 - expected) > 0.35:
            print(
                f"warning: {path} is {'brighter' if excess > 0 else 'darker'} than the "
                "images that the agent was trained on",
                file=sys.stderr,
            )
        images.append(image)
        notes.append(", ".join(done))
    return np.array(images), notes
