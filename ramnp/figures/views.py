"""Drawing for the sheet and the film: images, glimpses and probabilities.

Axes are placed in inches from the figure's top left corner. A view shows a part of the
image: its axes count the image's pixels, y downwards. No view holds more pixels than
its axes have, so the cost of a picture does not grow with the image.
"""

import math

import numpy as np
from matplotlib import colormaps
from matplotlib.collections import LineCollection
from matplotlib.font_manager import findfont, get_font
from matplotlib.patches import Rectangle

from ramnp.agent import glimpse_sensor
from ramnp.figures.style import COLOURS

BARS = 0.36  # height of the probabilities, inches
NAMES = 0.17  # height of the names of classes below them, inches
LETTER = 0.07  # width of a letter of those names, inches


def look(images, locations, config):
    """Return the windows and cells of the glimpses at locations (B, T, 2) of images.

    images are (B, height, width) or (B, height, width, channels), windows the edges in
    pixels (B, T, k, 4), cells the values seen (B, T, k, patch, patch, channels).
    """
    T = locations.shape[1]
    k, size, factor = config.num_scales, config.patch_size, config.scale_factor
    boxes, cells = [], []
    for image, l in zip(images, locations):
        boxes.append(glimpse_sensor.windows(l, image.shape[:2], size, k, factor))
        image = image[None]
        pyramid = glimpse_sensor.prepare(image, size, k, factor, config.background)
        rho = glimpse_sensor.forward(pyramid, l)
        cells.append(rho.reshape(T, k, size, size, -1))
    return np.stack(boxes), np.stack(cells)


def limits_of(boxes, images):
    """Return the edges of a view of the images and all finest windows, whole pixels.

    A window far outside is left out: the view ends half an image beyond the border.
    """
    height, width = images.shape[1:3]
    size = np.array([width, height])
    pad = math.ceil(0.04 * max(size))
    reach = math.ceil(max(size) / 2)
    low = np.floor(boxes[:, :, 0, :2].min(axis=(0, 1))).clip(-reach, 0) - pad
    high = np.ceil(boxes[:, :, 0, 2:].max(axis=(0, 1))).clip(size, size + reach) + pad
    return (*low, *high)


def tallness(edges):
    """Return the height of a view over its width, at most 1: tall views get narrow."""
    left, top, right, bottom = edges
    return min(1, (bottom - top) / (right - left))


def time_colours(T):
    """Return the colours of T glimpses, each visible on black and on white."""
    return colormaps["plasma"](np.linspace(0.4, 0.92, T))


def class_labels(class_names, count):
    """Return the names of `count` classes as the font can write them.

    A class without a name, or with letters that the font lacks, is called by its number.
    """
    names = range(count) if class_names is None else class_names
    has = get_font(findfont("DejaVu Sans")).get_char_index
    return [
        name if name.strip() and all(has(ord(letter)) for letter in name) else str(i)
        for i, name in enumerate(map(str, names))
    ]


def shorten(name, length):
    """Return the name cut to `length` letters (at least one), escaped for drawing."""
    length = max(1, int(length))
    if len(name) > length:
        name = name[: length - 1] + "…"
    return name.replace("$", r"\$")  # no formula


def write(figure, left, top, text, **style):
    """Write text at a place in inches."""
    W, H = figure.get_size_inches()
    return figure.text(left / W, 1 - top / H, text, **style)


def add_axes(figure, left, top, width, height):
    """Add bare axes at a place in inches."""
    W, H = figure.get_size_inches()
    ax = figure.add_axes((left / W, 1 - (top + height) / H, width / W, height / H))
    ax.xaxis.set_visible(False)
    ax.yaxis.set_visible(False)
    ax.spines[:].set_visible(False)
    return ax


def add_view(figure, left, top, width, height, edges):
    """Add axes for a part of the image, nothing seen yet."""
    ax = add_axes(figure, left, top, width, height)
    ax.set(xlim=edges[::2], ylim=edges[:0:-2])
    ax.set_facecolor(COLOURS["unseen"])
    return ax


def clear(*axes):
    """Remove everything drawn; keep limits and position."""
    for ax in axes:
        for artist in (*ax.images, *ax.collections, *ax.patches, *ax.texts):
            artist.remove()


def show_image(ax, image):
    """Show an image (height, width) or (height, width, 3) of values in 0..1."""
    height, width = image.shape[:2]
    for axis, most in enumerate(_num_pixels(ax)):
        image = _mean_blocks(image, axis, most)
    _show(ax, image, (0, 0, width, height))


def show_cells(ax, cells, boxes):
    """Show cells (n, k, patch, patch, channels) where they were seen, fine over coarse.

    Pixels outside all windows (n, k, 4) stay unchanged. There are two pixels for each
    of the image's, as windows may start at half a pixel.
    """
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    edges = left, top, right, bottom
    rows, columns = _num_pixels(ax)
    x = _centres(left, right, min(columns, round(2 * (right - left))))
    y = _centres(top, bottom, min(rows, round(2 * (bottom - top))))
    size = cells.shape[2]
    pixels = np.full((len(y), len(x), cells.shape[-1]), np.nan)
    for scale in reversed(range(cells.shape[1])):
        for patch, (left, top, right, bottom) in zip(cells[:, scale], boxes[:, scale]):
            column = np.floor((x - left) / (right - left) * size).astype(int)
            row = np.floor((y - top) / (bottom - top) * size).astype(int)
            within_x = (column >= 0) & (column < size)
            within_y = (row >= 0) & (row < size)
            seen = patch[np.ix_(row[within_y], column[within_x])]
            pixels[np.ix_(within_y, within_x)] = seen
    _show(ax, pixels, edges)


def _num_pixels(ax):
    """Return the rows and columns of the figure's pixels that axes cover."""
    box = ax.get_window_extent()
    return math.ceil(box.height), math.ceil(box.width)


def _centres(low, high, count):
    return low + (np.arange(count) + 0.5) * (high - low) / count


def _mean_blocks(image, axis, most):
    """Return the image with at most `most` pixels along an axis, means of blocks."""
    size = image.shape[axis]
    if size <= most:
        return image
    starts = np.arange(most) * size // most
    counts = np.diff([*starts, size])
    counts = counts.reshape(-1, *[1] * (image.ndim - 1 - axis))
    return np.add.reduceat(image, starts, axis, dtype=float) / counts


def _show(ax, pixels, edges):
    """Show pixels between edges, NaN as nothing."""
    if np.atleast_3d(pixels).shape[2] == 1:
        pixels = pixels.reshape(pixels.shape[:2])
    else:  # matplotlib knows NaN in grey only
        pixels = np.dstack([np.nan_to_num(pixels), ~np.isnan(pixels[..., 0])])
    left, top, right, bottom = edges
    extent = (left, right, bottom, top)
    ax.imshow(pixels, "gray", vmin=0, vmax=1, interpolation="nearest", extent=extent)
    ax.set_aspect("auto")


def draw_windows(ax, boxes, colour, linewidth=1.8):
    """Outline the window of each scale, the finest in the given width (points)."""
    for scale, (left, top, right, bottom) in enumerate(boxes):
        window = Rectangle((left, top), right - left, bottom - top, fill=False)
        window.set(edgecolor=colour, linewidth=0.7 if scale else linewidth)
        ax.add_artist(window)


def draw_path(ax, boxes, colours):
    """Join the centres of boxes (T, 4) of successive glimpses."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    steps = np.stack([centres[:-1], centres[1:]], axis=1)
    ax.add_artist(LineCollection(steps, colors=colours[1:], linewidths=0.8))


def draw_probabilities(ax, probabilities, label, names, left, width):
    """Draw a bar per class, x in inches; name the true class and the most probable."""
    count = len(probabilities)
    x = left + width * (np.arange(count) + 0.5) / count
    favourite = probabilities.argmax()
    colours = [COLOURS["muted"]] * count
    colours[favourite] = COLOURS["wrong"]
    colours[label] = COLOURS["action"]
    points = 72 * 0.8 * width / count
    ax.vlines(x, 0, probabilities, colours, linewidths=points, capstyle="butt")
    ax.hlines(0, left, left + width, COLOURS["muted"], linewidths=0.8, clip_on=False)
    named = sorted({int(favourite), int(label)})
    texts = [shorten(names[c], width / len(named) / LETTER - 1) for c in named]
    for c, text, place in zip(named, texts, _apart(x[named], texts, left, width)):
        style = {"color": colours[c], "fontsize": 7, "weight": "bold"}
        ax.text(place, -0.1, text, ha="center", va="top", **style)


def _apart(x, texts, left, width):
    """Return positions near x where one or two texts fit the width without overlap."""
    half = np.array([LETTER * (len(text) + 0.4) / 2 for text in texts])
    x = x.clip(left + half, left + width - half)
    if len(x) == 2 and (overlap := half.sum() - (x[1] - x[0])) > 0:
        x = x + np.array([-0.5, 0.5]) * overlap
        x += max(0, left + half[0] - x[0]) + min(0, left + width - half[1] - x[1])
    return x


def add_key(figure, place, labelled=True):
    """Add the legend of the probabilities, for images with or without true classes."""
    names = {
        "action": "true class" if labelled else "class in the end",
        "wrong": "wrong top guess" if labelled else "top guess before",
        "muted": "other classes",
    }
    handles = [
        Rectangle((0, 0), 1, 1, color=COLOURS[key], label=name)
        for key, name in names.items()
    ]
    figure.legend(handles=handles, loc=place, ncols=3, fontsize=8)
