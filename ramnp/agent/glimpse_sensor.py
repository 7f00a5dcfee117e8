"""The glimpse sensor ρ(x, l): concentric patches; wider ones are coarser (3.1 A).

plain_glimpse defines a glimpse, cell by cell. prepare and forward compute the same
for a batch: means over cells once per image, then one gather per glimpse.

Pixel convention: l = (x, y) spans the image from edge to edge, (-1, -1) its top left
corner and (1, 1) its bottom right. The finest patch is centred at l, rounded to the
nearest whole pixel; ties go away from the image's centre, so flipping image and
location flips the glimpse. The coarser patches share its centre exactly; an odd patch
with an even factor covers halves of pixels. Pixels beyond the border have the value
of the background. A pixel of a colour image is a vector of C channels; all that is
said of its value holds for each of them.
"""

import functools
import math
from typing import NamedTuple

import numpy as np

# Images whose levels are computed one after the other while they are in the cache: a
# step on scenes of 100 pixels takes 8 % less time than with all images at once.
IN_CACHE = 32


def plain_glimpse(
    image: np.ndarray,
    l: np.ndarray,
    patch_size: int,
    num_scales: int = 1,
    scale_factor: int = 2,
    background: float = 0.0,
) -> np.ndarray:
    """Return rho (k · patch² · C) of one image at l (2,), cell by cell.

    The image is grey (height, width), C = 1, or in colour (height, width, C). Scale j
    is a grid of patch × patch cells, each factor^j pixels wide, whose value is the
    mean of the image over the area of the cell.
    """
    height, width = image.shape[:2]
    centre = first_pixel(l[None], (width, height), patch_size)[0] + patch_size / 2
    rho = []
    for j in range(num_scales):
        cell = scale_factor**j
        left, top = centre - patch_size * cell / 2
        for row, column in np.ndindex(patch_size, patch_size):
            rows = _overlaps(height, top + row * cell, cell)
            columns = _overlaps(width, left + column * cell, cell)
            outside = cell**2 - rows.sum() * columns.sum()
            inside = np.tensordot(np.outer(rows, columns), image, 2)
            rho.append((inside + background * outside) / cell**2)
    return np.ravel(rho)


def _overlaps(size, start, length):
    """Return the length of each of `size` pixels within start to start + length."""
    pixel = np.arange(size)
    ends = np.minimum(pixel + 1, start + length) - np.maximum(pixel, start)
    return np.maximum(ends, 0)


def rho_size(patch_size: int, num_scales: int) -> int:
    """Return k · patch², the length of ρ for each channel of the image."""
    return num_scales * patch_size**2


class Pyramid(NamedTuple):
    """Everything needed for glimpses at a batch of images, computed once per batch.

    values hold, level by level and image by image, for every pixel of the image and its
    frame the mean over the cell of factor^j pixels a side that starts there. The frame
    is wide enough that its outermost cells hold only background; out-of-frame indices
    are clamped to them. A glimpse is then a gather, and its cost depends neither on the
    size of the image nor on the width of the patch.
    """

    values: np.ndarray  # (k · B · pixels of an image and its frame,), colour: (..., C)
    starts: np.ndarray  # (B, k, 1): the first of all pixels of a level of an image
    steps: np.ndarray  # (2,): pixels to the next one to the right and below
    offsets: np.ndarray  # (2, 1, k, patch): from a patch's first pixel to its cells
    last: np.ndarray  # (2, 1, 1, 1): the largest x and y, to which others are clamped
    image_size: tuple  # width, height
    patch_size: int


def prepare(
    images: np.ndarray,
    patch_size: int,
    num_scales: int = 1,
    scale_factor: int = 2,
    background: float = 0.0,
) -> Pyramid:
    """Return the pyramid of images (B, height, width) or, in colour, (..., C).

    Glimpses keep their dtype.
    """
    B, height, width, *channels = images.shape
    # Cells of an odd patch with an even factor start on half a pixel.
    half = int(num_scales > 1 and patch_size % 2 == 1 and scale_factor % 2 == 0)
    frame = scale_factor ** (num_scales - 1) + half
    size = width + 2 * frame, height + 2 * frame
    values = np.empty((num_scales, B, *size[::-1], *channels), images.dtype)
    for first in range(0, B, IN_CACHE):
        some = slice(first, first + IN_CACHE)
        levels = values[:, some]
        levels[0] = background
        levels[0, :, frame : frame + height, frame : frame + width] = images[some]
        for j in range(1, num_scales):
            finer = scale_factor ** (j - 1)
            _means(levels[j - 1], scale_factor, finer, out=levels[j])
            if half and j == 1:
                _means(levels[1], 2, 1, out=levels[1])
    steps, offsets, last = _cells(size, frame, patch_size, num_scales, scale_factor)
    starts = np.arange(num_scales * B).reshape(num_scales, B, 1) * math.prod(size)
    return Pyramid(
        values=values.reshape(-1, *channels),
        starts=starts.swapaxes(0, 1),
        steps=steps,
        offsets=offsets,
        last=last,
        image_size=(width, height),
        patch_size=patch_size,
    )


@functools.lru_cache
def _cells(framed_size, frame, patch_size, num_scales, scale_factor):
    """Return steps, offsets and last of a Pyramid, x in pixels and y in whole rows."""
    width, _ = framed_size
    steps = np.array([1, width])
    cell = scale_factor ** np.arange(num_scales)[:, None]
    first = frame - (patch_size * (cell - 1) + 1) // 2
    offsets = first + np.arange(patch_size) * cell
    last = (np.array(framed_size) - frame) * steps
    return steps, offsets * steps[:, None, None, None], last[:, None, None, None]


def forward(pyramid: Pyramid, l: np.ndarray) -> np.ndarray:
    """Return rho (N, k · patch² · C) at l (N, 2): scale by scale, row by row.

    N is a multiple of B: row n looks at image n mod B.
    """
    corner = first_pixel(l, pyramid.image_size, pyramid.patch_size) * pyramid.steps
    index = corner.T[:, :, None, None] + pyramid.offsets  # (2, N, k, patch)
    np.maximum(index, 0, out=index)
    np.minimum(index, pyramid.last, out=index)
    x, y = index
    y_of_image = y.reshape(-1, len(pyramid.starts), *y.shape[1:])
    y_of_image += pyramid.starts
    index = y[..., None] + x[..., None, :]
    return pyramid.values.take(index, axis=0).reshape(len(l), -1)


def first_pixel(
    l: np.ndarray, image_size: tuple[int, int], patch_size: int
) -> np.ndarray:
    """Return the whole pixel (N, 2) as (x, y) at which the finest patch starts."""
    half_size, middle, near, half = _rounding(*image_size, patch_size, l.dtype)
    shift = l * half_size
    # Far outside, everything is background: the bound keeps the integers small. fmin
    # replaces NaN by the bound.
    distance = np.fmin(np.abs(shift), 2**30)
    distance += near
    np.floor(distance, out=distance)
    distance += half
    start = np.copysign(distance, shift, out=distance)
    start += middle
    return start.astype(np.intp)


@functools.lru_cache
def _rounding(width, height, patch_size, dtype):
    """Return, as (x, y), the constants of first_pixel for these sizes."""
    size = np.array([width, height])
    gap = size - patch_size
    # With an odd gap, a patch starts half a pixel off the middle, on either side.
    half = gap % 2 / 2
    return tuple(a.astype(dtype) for a in (size / 2, gap / 2, 0.5 - half, half))


def windows(
    l: np.ndarray,
    image_shape: tuple[int, int],
    patch_size: int,
    num_scales: int = 1,
    scale_factor: int = 2,
) -> np.ndarray:
    """Return the edges (N, k, 4) in pixels of the area of each scale at l (N, 2).

    The edges are (left, top, right, bottom); pixel i spans i to i + 1.
    """
    height, width = image_shape
    centre = first_pixel(l, (width, height), patch_size) + patch_size / 2
    half = patch_size * scale_factor ** np.arange(num_scales) / 2
    low = centre[:, None] - half[:, None]
    high = centre[:, None] + half[:, None]
    return np.concatenate([low, high], axis=2)


def _means(level, count, step, out):
    """Average `count` by `count` cells of (B, height, width, ...), `step` apart.

    A step along either axis is one shift of the flat memory. Values that wrap around
    the end of a row reach only the outer part of the frame, which is never looked up.
    """
    total = level.ravel()
    for stride in (level[0, 0].size * step, level[0, 0, 0].size * step):
        size = total.size - (count - 1) * stride
        shifted = [total[i * stride : i * stride + size] for i in range(count)]
        total = functools.reduce(np.add, shifted)
    out = out.reshape(-1)
    np.multiply(total, 1 / count**2, out=out[: total.size])
    out[total.size :] = 0
