"""Picture files of any format, size and mode, as images of one size."""

import contextlib
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from scipy import ndimage

from ramnp.support import process
from ramnp.support.errors import DataError, UserError

# Only formats that Pillow decodes itself: for some others it starts other programs.
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".ppm")
LARGEST_SIDE = 128  # pixels, of the size that is chosen for pictures of several sizes
# In bytes, between channels; a grey picture may have traces of colour.
LEAST_COLOUR = 16
FAINTEST = 8  # of 255, the least contrast of ink with its paper
MOST_STROKES = 4  # separate strokes of one digit
TURNED_GREY = "are turned grey: --channels 3 trains in colour"


def read_pictures(
    paths: Sequence[str | Path], size: tuple[int, int] | None = None, channels: int = 1
) -> tuple[np.ndarray, list[str]]:
    """Return pictures as uint8 (N, height, width), or (N, height, width, 3), and notes.

    size is (height, width) for all: by default their own if they share one of at most
    128 pixels a side, else their median size, reduced to 128. Pictures are rotated by
    their EXIF orientation; transparent pixels are composited on white.
    """
    with (
        warnings.catch_warnings(action="ignore"),
        ThreadPoolExecutor(process.num_cores()) as pool,
    ):
        sizes = list(pool.map(size_of, paths))
        own = {*sizes}
        if size is None:
            middle = np.median(sizes, axis=0)
            middle *= min(1, LARGEST_SIDE / middle.max())
            size = tuple(max(1, round(side)) for side in middle)
        images = np.array(list(pool.map(partial(_pixels, size, channels), paths)))
        some = paths[:: 1 + len(paths) // 20]
        turned_grey = channels == 1 and any(map(in_colour, some))
    notes = []
    if turned_grey:
        notes.append(f"pictures in colour {TURNED_GREY}")
    if own != {size}:
        theirs = " to ".join(f"{h} x {w}" for h, w in sorted({min(own), max(own)}))
        padded = ", padded with their background" if len(own) > 1 else ""
        notes.append(
            f"pictures of {theirs} pixels are resized to {size[0]} x {size[1]}{padded} "
            "(choose by --size H W)"
        )
    return images, notes


def resize(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return images (N, H, W) or (N, H, W, 3) as uint8, fitted into size (H, W)."""
    return np.array(
        [np.asarray(_fit(Image.fromarray(image), size)) for image in images]
    )


def has_dark_ink(image: np.ndarray) -> bool:
    """Return whether what differs most from the paper (H, W) is darker than it."""
    return float((_without_paper(image) ** 3).mean()) < 0


def as_digit(image: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, bool]:
    """Return white ink on black as MNIST's digits were prepared, of size (H, W).

    The ink is scaled to fit a box of 20 pixels, aspect kept, and its centre of mass is
    put in the middle (LeCun et al., 1998). The second value is False if the picture does
    not look like a digit on plain paper. Raises UserError if there is no ink.
    """
    ink = np.clip(_without_paper(image), 0, None)
    # Anything fainter than a third of the darkest ink is shadow or paper.
    mask = ink > max(ink.max() / 3, FAINTEST)
    if not mask.any():
        raise UserError("the picture has no ink: give a digit on plain paper")
    parts, number = ndimage.label(mask, np.ones((3, 3)))
    extents = np.array(
        [max(s.stop - s.start for s in part) for part in ndimage.find_objects(parts)]
    )
    edge = np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]])
    kept = ~np.isin(np.arange(1, number + 1), edge)
    # A table or a shadow reaches the edge, a digit seldom.
    plain = extents[kept].max(initial=0) >= max(image.shape) / 12
    if not plain:
        kept[:] = True
    kept &= extents >= extents[kept].max() / 8  # the others are specks
    plain = bool(plain and kept.sum() <= MOST_STROKES)
    ink = np.where(np.isin(parts, 1 + np.flatnonzero(kept)), ink, 0)
    ink *= 255 / ink.max()
    rows, columns = (np.flatnonzero(ink.any(axis=axis)) for axis in (1, 0))
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = 20 / max(ink.shape)
    box = tuple(max(1, round(scale * side)) for side in ink.shape[::-1])
    small = Image.fromarray(ink.astype(np.uint8)).resize(box, Image.Resampling.BOX)
    digit = np.zeros(size, np.uint8)
    centre = ndimage.center_of_mass(np.asarray(small, np.float32))
    top, left = (
        round(np.clip(side / 2 - c - 0.5, 0, side - n))
        for side, c, n in zip(size, centre, small.size[::-1])
    )
    digit[top : top + small.height, left : left + small.width] = np.asarray(small)
    return digit, plain


def _without_paper(image):
    """Return an image (H, W) minus its paper, whose light may change over the page.

    The paper is a quadratic surface, fitted again and again to the pixels near it.
    """
    y, x = (np.linspace(-1, 1, side) for side in image.shape)
    x, y = (axis.ravel() for axis in np.meshgrid(x, y))
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    pixels = image.ravel().astype(np.float64)
    above = pixels - np.median(pixels)
    for _ in range(8):
        near = np.abs(above) <= max(3.7 * np.median(np.abs(above)), 8)
        above = pixels - terms @ np.linalg.lstsq(terms[near], pixels[near])[0]
    return above.reshape(image.shape)


def size_of(path: str | Path) -> tuple[int, int]:
    """Return the height and width of a picture when it is upright."""
    with _open(path) as image:
        width, height = image.size
        sideways = image.getexif().get(0x0112, 1) >= 5  # orientation
        return (width, height) if sideways else (height, width)


def in_colour(path: str | Path) -> bool:
    """Return whether a picture has more than traces of colour."""
    with _open(path) as image:
        image.draft("RGB", (64, 64))
        pixels = np.asarray(image.convert("RGB").resize((64, 64)))
    return bool(np.ptp(pixels, axis=2).max() > LEAST_COLOUR)


def _pixels(size, channels, path):
    """Return the pixels of a picture: grey (H, W) or colour (H, W, 3)."""
    mode = "RGB" if channels == 3 else "L"
    with _open(path) as image:
        image.draft(mode, (2 * max(size), 2 * max(size)))  # a JPEG, decoded smaller
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I"):  # 16 bits
            image = Image.fromarray(
                (np.asarray(image) // 257).clip(0, 255).astype("u1")
            )
        elif image.mode == "F":
            raise ValueError("its pixels are floats: save it with 8 bits")
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        return np.asarray(_fit(image.convert(mode), size))


def _fit(image, size):
    """Return a picture fitted into size: its aspect is kept, the rest is background."""
    height, width = size
    if image.size == (width, height):
        return image
    # As ImageOps.contain, which fails or returns nothing for a picture that is a line.
    if image.width * height > image.height * width:
        sides = width, max(1, round(image.height / image.width * width))
    else:
        sides = max(1, round(image.width / image.height * height)), height
    image = image.resize(sides, Image.Resampling.BILINEAR)
    pixels = np.asarray(image)
    edges = [pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]
    middle = np.median(np.concatenate(edges), axis=0).astype(int).tolist()
    colour = tuple(middle) if pixels.ndim == 3 else middle
    canvas = Image.new(image.mode, (width, height), colour)
    canvas.paste(image, ((width - image.width) // 2, (height - image.height) // 2))
    return canvas


@contextlib.contextmanager
def _open(path):
    """Open a picture; raise DataError, which names the file, if Pillow fails."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            yield image
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise DataError(
            f"cannot read the picture {path}: {error.strerror}; check the path"
        ) from error
    except Exception as error:
        raise DataError(
            f"cannot read the picture {path}: {error}; remove it, or save it as PNG or "
            "JPEG"
        ) from error
