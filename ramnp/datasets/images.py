"""Conversion of image and label arrays from all common forms to one."""

import math
from typing import Any

import numpy as np

from ramnp.support.errors import DataError

# Luma of red, green and blue (ITU-R BT.601), as Pillow's mode L.
GREY = np.array([0.299, 0.587, 0.114], np.float32)
# In bytes: a smaller range of pixels is taken for a mistake in their scale.
LEAST_CONTRAST = 32
REMEDY = "scale the pixels to 0..255, or as floats to 0..1, and only once"
BRIGHT = 160  # a background at least this bright suggests dark ink on white


def as_images(images: Any, channels: int | None = 1) -> np.ndarray:
    """Return images in grey (B, height, width) or in colour (B, height, width, 3).

    Takes uint8, other integers from 0 to 255, bool (True is white) and floats from 0 to
    1, in lists or arrays of the shapes (B, H, W), (B, H, W, C), (B, C, H, W) and, for
    squares, (B, H * W); C is 1, 3 or 4, and a fourth channel (alpha) is dropped.
    channels is 1 or 3, see in_channels, or None for those that the images have. Floats
    stay floats, everything else becomes uint8. Raises DataError for anything else.
    """
    images = _as_array(images, "images", "resize them, or give a folder of pictures")
    if images.dtype.kind not in "biuf" or images.dtype.itemsize > 8:
        raise DataError(
            f"images have the dtype {images.dtype}: give bool, integers from 0 to 255 "
            "or floats from 0 to 1"
        )
    images = _as_range(_as_shape(images))
    if images.ndim == 4:
        images = images[..., :3]
    return images if channels is None else in_channels(images, channels)


def in_channels(images: np.ndarray, channels: int) -> np.ndarray:
    """Return images with 1 channel, colour turned grey, or with 3, grey repeated."""
    if images.ndim == 4 and channels == 1:
        grey = images.astype(np.float32) @ GREY
        return np.rint(grey).astype(np.uint8) if images.dtype == np.uint8 else grey
    if images.ndim == 3 and channels == 3:
        return np.repeat(images[..., None], 3, axis=-1)
    return images


def in_colour(images: np.ndarray) -> bool:
    """Return whether channels differ anywhere in images (B, height, width, ...)."""
    return images.ndim == 4 and bool((images != images[..., :1]).any())


def _as_array(values, name, advice):
    try:
        values = np.asarray(values)
        if values.dtype == object:  # perhaps an array of arrays of one shape
            values = np.asarray(values.tolist())
    except ValueError as error:
        raise DataError(f"{name} are not all of one shape: {advice}") from error
    if values.dtype == object:
        raise DataError(f"{name} are Python objects, not numbers: {advice}")
    return values


def _as_shape(images):
    """Return images as (B, H, W) or (B, H, W, 3 or 4), by their number of axes."""
    shape = images.shape
    if images.ndim == 2:
        return _as_squares(images)
    if images.ndim == 4 and shape[3] not in (1, 3, 4) and shape[1] in (1, 3, 4):
        images = np.moveaxis(images, 1, 3)
    if images.ndim == 4 and images.shape[3] == 1:
        images = images[..., 0]
    colour = images.ndim == 4 and images.shape[3] in (3, 4)
    if not (images.ndim == 3 or colour) or 0 in images.shape[1:]:
        raise DataError(
            f"images of shape {shape}: must be (count, height, width), or (count, "
            "height, width, 3) in colour; a single image is images[None]"
        )
    return images


def _as_squares(images):
    """Return rows (B, side²) as (B, side, side); raise DataError for colour."""
    length = images.shape[1]
    side = math.isqrt(length)
    if 0 < length == side**2 and not _every_fourth_is_opaque(images):
        return images.reshape(-1, side, side)
    for channels in (3, 4):
        side = math.isqrt(length // channels)
        if side > 1 and length == channels * side**2:
            raise DataError(
                f"rows of {length} values are taken for {channels} x {side} x {side}, "
                f"in colour: give an .npz of images (count, {side}, {side}, {channels})"
            )
    raise DataError(
        f"rows of {length} values are no squares: give an .npz of images (count, "
        "height, width); a single image is images[None]"
    )


def _every_fourth_is_opaque(rows):
    """Return whether rows seem to hold red, green, blue and alpha, pixel by pixel."""
    if rows.shape[1] % 4 or not len(rows):
        return False
    return rows.shape[1] > 16 and rows[:, 3::4].min() == rows.max() > rows.min()


def _as_range(images):
    """Return images as uint8, or as floats that lie within 0..1."""
    if images.dtype == bool:
        return np.multiply(images, 255, dtype=np.uint8, order="C")
    if images.dtype == np.uint8 or not images.size:
        return images.astype(np.uint8, copy=False)
    with np.errstate(invalid="ignore"):
        low, high = images.min(), images.max()
    if images.dtype.kind == "f":
        if low >= 0 and high <= 1:
            return images
        if math.isnan(low):
            raise DataError("images hold NaN pixels: replace them")
        if math.isinf(low) or math.isinf(high):
            advice = "replace the infinite ones"
        elif 0 <= low and high <= 255:
            advice = "divide them by 255"
        elif -1 <= low and high <= 1:
            advice = "give (images + 1) / 2"
        else:
            advice = "give (images - low) / (high - low)"
        raise DataError(
            f"float pixels must lie in [0, 1], but go from {low:g} to {high:g}: {advice}"
        )
    if low < 0 or high > 255:
        is_16_bit = 0 <= low and high <= 65535
        advice = "give images / 65535" if is_16_bit else "scale them"
        raise DataError(
            f"integer pixels must lie in 0..255, but go from {low} to {high}: {advice}"
        )
    return images.astype(np.uint8)


def to_bytes(images: np.ndarray) -> np.ndarray:
    """Return images as uint8, floats rounded to the nearest of 256 levels."""
    if images.dtype.kind == "f":
        images = np.rint(255 * images)
    return np.ascontiguousarray(images, np.uint8)


def as_labels(labels: Any) -> np.ndarray:
    """Return labels (N,) as integers or text, from any common form.

    Takes integers, bool, whole floats, text, each as (N,) or (N, 1), and one-hot rows.
    """
    labels = _as_array(labels, "labels", "give one class for each image")
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim == 2 and labels.dtype.kind in "biuf":
        one_hot = np.isin(labels, (0, 1)).all() and (labels.sum(axis=1) == 1).all()
        labels = labels.argmax(axis=1) if one_hot else labels
    if labels.ndim != 1:
        raise DataError(
            f"labels have the shape {labels.shape}: give (N,), one class for each image"
        )
    kind = labels.dtype.kind
    if kind == "b":
        return labels.astype(np.intp)
    if kind == "f" and np.isfinite(labels).all() and (labels == labels.round()).all():
        return labels.astype(np.int64)
    if kind not in "iuU":
        raise DataError(
            f"labels are {labels.dtype} and not classes: give integers or names"
            + (", labels.astype(str)" if kind == "S" else "")
        )
    return labels


def border(images: np.ndarray) -> float:
    """Return the median of the images' outermost pixels, usually the background."""
    edges = images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]
    return float(np.median(np.concatenate([edge.ravel() for edge in edges])))


def doubts(images: np.ndarray, inverted: bool = False) -> list[str]:
    """Return warnings about images as bytes; raise DataError if they lack contrast.

    Training on wrongly scaled images would give a worse result without an error.
    """
    low, high = _contrast(images)
    warnings = []
    if high - low < 3 * LEAST_CONTRAST:
        warnings.append(f"pixels only go from {low} to {high} of 255: {REMEDY}")
    ranges = np.ptp(images, axis=(1, 2)).reshape(len(images), -1)
    flat = ranges.max(axis=1) < LEAST_CONTRAST
    if flat.any():
        warnings.append(
            f"{flat.sum():,} of {len(flat):,} images are almost without contrast, the "
            f"first at index {flat.argmax()}: if they are not blank, {REMEDY}"
        )
    if (edge := border(images)) >= BRIGHT:
        remedy = "leave out --invert" if inverted else "use --invert"
        ink = "white ink on black" if inverted else "dark ink on white"
        warnings.append(
            f"the background is bright ({edge:.0f} of 255): for {ink}, {remedy}"
        )
    return warnings


def differences(images: np.ndarray, training: np.ndarray) -> list[str]:
    """Return warnings about images that differ from the training images, both as bytes.

    A test on images of another scale would give a worse result without an error. Raises
    DataError if they lack contrast.
    """
    (low, high), (first, last) = _contrast(images), _contrast(training)
    warnings = []
    if 3 * (high - low) < last - first:
        warnings.append(
            f"pixels only go from {low} to {high}, those of the training images from "
            f"{first} to {last}: scale them alike"
        )
    edges = border(images), border(training)
    if abs(edges[0] - edges[1]) > BRIGHT:
        warnings.append(
            "the background is {:.0f} of 255, that of the training images {:.0f}: invert "
            "one of them".format(*edges)
        )
    return warnings


def _contrast(images):
    """Return the lowest and highest pixel; raise DataError if they hardly differ."""
    low, high = int(images.min()), int(images.max())
    if high - low < LEAST_CONTRAST:
        raise DataError(
            f"pixels as bytes only go from {low} to {high} of 255, almost without "
            f"contrast: {REMEDY}"
        )
    return low, high
