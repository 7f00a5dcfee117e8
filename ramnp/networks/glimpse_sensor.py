"""The glimpse sensor ρ(x, l): a few concentric patches, coarser the wider (3.1 A).

Pixel convention: l = (x, y) spans the image from edge to edge, (-1, -1) being its
top left corner and (1, 1) its bottom right one, and a location is rounded to the
nearest place where the cells of the finest patch fall on whole pixels, ties away
from the image's centre, so that flipping image and location flips the glimpse.

The coarser patches share the centre of the finest exactly, and each of their cells
is the mean of the image over the area that it covers. (Only an odd patch with an
even factor covers halves of pixels.) Beyond the border lies the background.
"""

from typing import NamedTuple

import numpy as np


class Pyramid(NamedTuple):
    """All that glimpses at a batch of images need, computed once per batch.

    Level j holds, for every place within reach of an image, the mean over the cell
    of factor^j pixels a side that starts there, framed by cells of background to
    which every place beyond is sent. A glimpse is then a gather, whose cost depends
    neither on the size of the image nor on the width of the patch.
    """

    values: np.ndarray  # every level of every image, one after the other, flat
    starts: np.ndarray  # (B, k): where the level of an image starts in values
    offsets: np.ndarray  # (k, patch): from a patch's first pixel to its cells
    last: np.ndarray  # (2, k): the largest x and y in a level
    image_size: np.ndarray  # (2,): width, height
    patch_size: int


def prepare(images, patch_size, num_scales=1, scale_factor=2, background=0.0):
    """Compute the pyramid of images (B, height, width); glimpses keep their dtype."""
    B, height, width = images.shape
    level = _pad(images, 1, background)
    cell, reach = 1, 0  # a cell that starts up to `reach` pixels outside still counts
    levels, offsets = [level], [np.arange(patch_size) + 1]
    for _ in range(1, num_scales):
        half = int(cell == 1 and patch_size % 2 == 1 and scale_factor % 2 == 0)
        more = (scale_factor - 1) * cell + half
        level = _pad(level, more, background)
        for axis in (1, 2):
            level = _mean_of_neighbours(level, scale_factor, cell, axis)
            if half:
                level = _mean_of_neighbours(level, 2, 1, axis)
        cell *= scale_factor
        reach += more
        first = -((patch_size * (cell - 1) + 1) // 2)
        levels.append(level)
        offsets.append(np.arange(patch_size) * cell + first + reach + 1)

    starts = np.empty((B, num_scales), np.intp)
    end = 0
    for j, level in enumerate(levels):
        starts[:, j] = end + np.arange(B) * level[0].size
        end += level.size
    return Pyramid(
        values=np.concatenate([level.ravel() for level in levels]),
        starts=starts,
        offsets=np.array(offsets),
        last=np.array([[level.shape[axis] - 1 for level in levels] for axis in (2, 1)]),
        image_size=np.array([width, height]),
        patch_size=patch_size,
    )


def forward(pyramid, l):
    """Return rho (N, k · patch²) at l (N, 2): scale by scale, row by row.

    N is B times any whole number: row n looks at image n mod B.
    """
    repeats = len(l) // len(pyramid.starts)
    corner = first_pixel(l, pyramid.image_size, pyramid.patch_size)[:, :, None, None]
    index = corner + pyramid.offsets  # (N, 2, k, patch)
    np.clip(index, 0, pyramid.last[:, :, None], out=index)
    x, y = index[:, 0], index[:, 1]
    y *= pyramid.last[0, :, None] + 1
    y += np.tile(pyramid.starts, (repeats, 1))[:, :, None]
    index = y[..., None] + x[..., None, :]
    return pyramid.values.take(index).reshape(len(l), -1)


def first_pixel(l, image_size, patch_size):
    """Return the whole pixel (N, 2) as (x, y) at which the finest patch starts."""
    gap = image_size - patch_size
    shift = l * (image_size / 2).astype(l.dtype)
    # An odd gap puts the patch half a pixel off the image's centre, either side.
    half = (gap % 2 / 2).astype(l.dtype)
    shift = np.copysign(np.floor(np.abs(shift) + (0.5 - half)) + half, shift)
    # Far outside, everything is background: the bound keeps the integers small, and
    # fmin takes it for NaN too.
    bound = 2**30
    return np.fmax(np.fmin(gap / 2 + shift, bound), -bound).astype(np.intp)


def windows(l, image_shape, patch_size, num_scales=1, scale_factor=2):
    """Return the edges (N, k, 4) in pixels of what each scale covers at l (N, 2).

    An edge list is (left, top, right, bottom); pixel i spans i to i + 1.
    """
    height, width = image_shape
    centre = first_pixel(l, np.array([width, height]), patch_size) + patch_size / 2
    half = patch_size * scale_factor ** np.arange(num_scales) / 2
    low = centre[:, None] - half[:, None]
    high = centre[:, None] + half[:, None]
    return np.concatenate([low, high], axis=2)


def _pad(level, width, value):
    """Frame (B, height, width) by `width` cells of the background."""
    B, height, columns = level.shape
    shape = (B, height + 2 * width, columns + 2 * width)
    padded = np.full(shape, value, level.dtype)
    padded[:, width : width + height, width : width + columns] = level
    return padded


def _mean_of_neighbours(level, count, step, axis):
    """Average `count` cells that lie `step` apart along an axis."""
    size = level.shape[axis] - (count - 1) * step
    total = 0
    for i in range(count):
        part = [slice(None)] * 3
        part[axis] = slice(i * step, i * step + size)
        total = total + level[tuple(part)]
    return total * (1 / count)
