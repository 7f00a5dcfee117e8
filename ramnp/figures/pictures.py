"""Every picture of a run: training curves, a sheet of glimpses, the same animated."""

import io
import math
from typing import NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba_array
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FormatStrFormatter, LogLocator, MaxNLocator, NullLocator
from PIL import Image

from ramnp.agent import glimpse_sensor
from ramnp.figures.style import COLOURS, save, styled
from ramnp.support.files import write_atomically


class _Panel(NamedTuple):
    label: str
    series: dict  # metric: (name, colour)
    may_be_log: bool = True


PANELS = (
    _Panel(
        "error (%)",
        {
            "train_error": ("training", COLOURS["muted"]),
            "valid_error": ("validation", COLOURS["action"]),
        },
    ),
    _Panel("cross-entropy", {"cross_entropy": ("", COLOURS["action"])}),
    _Panel("learning rate", {"learning_rate": ("", COLOURS["core"])}, False),
    _Panel(
        "where it looks (half sides)",
        {
            "location_spread": ("spread", COLOURS["where"]),
            "saturation": ("share at the border", COLOURS["policy"]),
        },
        False,
    ),
    _Panel("entropy (bits)", {"location_entropy": ("", COLOURS["where"])}, False),
    _Panel("return", {"first_return": ("", COLOURS["policy"])}, False),
    _Panel("baseline loss", {"baseline_loss": ("", COLOURS["baseline"])}),
    _Panel(
        "explained variance", {"explained_variance": ("", COLOURS["baseline"])}, False
    ),
)
NETWORKS = {
    "glimpse": COLOURS["what"],
    "core": COLOURS["core"],
    "location": COLOURS["policy"],
    "action": COLOURS["action"],
    "baseline": COLOURS["baseline"],
    "fc": COLOURS["what"],
    "conv": COLOURS["what"],
}


@styled
def draw_curves(history, path, title=""):
    """Draw the rows of metrics.jsonl as a PNG: over epochs, and over glimpses.

    Where a metric is missing, null or not finite, its line goes on to the next value.
    """
    figure = Figure(figsize=(14, 7.8))
    figure.suptitle(title, x=0.05, y=0.98, ha="left", weight="bold")
    *axes, after_glimpse = figure.subplots(2, 5).flat
    figure.subplots_adjust(0.055, 0.07, 0.99, 0.86, wspace=0.32, hspace=0.42)
    norms = [row | row.get("gradient_norms", {}) for row in history]
    names = {n: (n, c) for n, c in NETWORKS.items() if any(n in row for row in norms)}
    for ax, panel in zip(axes, (*PANELS, _Panel("gradient norm", names))):
        _draw_panel(ax, panel, norms)
    _draw_error_after_glimpse(after_glimpse, history)
    save(figure, path)


class Line(NamedTuple):
    """Errors in percent by numbers of glimpses."""

    name: str
    colour: str  # a key of COLOURS
    glimpses: list
    errors: list
    marker: str = "o-"


@styled
def draw_error_by_glimpses(panels, path):
    """Draw the Lines of each panel, {title: [Line]}, as a PNG."""
    figure = Figure(figsize=(14, 3.9))
    figure.subplots_adjust(0.04, 0.22, 0.99, 0.92, wspace=0.2)
    legend = {}
    for ax, (title, lines) in zip(figure.subplots(1, len(panels)), panels.items()):
        for name, colour, glimpses, errors, marker in lines:
            style = {"ms": 4, "color": COLOURS[colour], "label": name}
            legend[name], *_ = ax.plot(glimpses, errors, marker, **style)
        ax.set_title(title, fontsize=9, loc="left", weight="bold")
        ax.set(xlabel="glimpses", ylabel="error (%)")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        _log_scale(ax)
        ax.grid()
    figure.legend(handles=[*legend.values()], loc="lower center", ncols=len(legend))
    save(figure, path)


def _draw_error_after_glimpse(ax, history):
    """Draw how many glimpses are enough, at the epoch that was best."""
    judged = {*_finite(history, "valid_error")[0]}
    rows = [row for row in history if row["epoch"] in judged]
    rows = [row for row in rows if row.get("valid_error_after_glimpse")]
    ax.grid()
    ax.set(xlabel="glimpse", ylabel="validation error after it (%)")
    if not rows:
        return
    best = min(rows, key=lambda row: row["valid_error"])
    errors = best["valid_error_after_glimpse"]
    ax.plot(range(1, len(errors) + 1), errors, "o-", ms=4, color=COLOURS["action"])
    ax.set_title(f"epoch {best['epoch']}", fontsize=9, loc="left")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if min(errors) > 0:
        _log_scale(ax)


def _draw_panel(ax, panel, history):
    everything = []
    for metric, (name, colour) in panel.series.items():
        epochs, values = _finite(history, metric)
        if values.size == 0:
            continue
        everything.append((epochs, values))
        label = f"{name} {values[-1]:.2f}"
        if metric == "valid_error":
            best = values.argmin()
            style = {"ms": 8, "mfc": "none", "color": colour, "clip_on": False}
            ax.plot(epochs[best], values[best], "o", **style)
            label += f" (lowest {values[best]:.2f}, epoch {epochs[best]:g})"
        marker = "o" if len(values) <= 40 else None
        ax.plot(epochs, values, marker=marker, ms=3.5, color=colour, label=label)
    ax.grid()
    ax.set(xlabel="epoch", ylabel=panel.label)
    if not everything:
        return
    epochs, values = np.concatenate(everything, axis=1)
    ax.set_xlim(min(epochs.min(), 1) - 0.5, epochs.max() + 0.5)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    positive = values[values > 0]
    if panel.may_be_log and positive.size and positive.max() > 10 * positive.min():
        _log_scale(ax)
    elif values.min() >= 0 < values.max():
        ax.set_ylim(0, 1.08 * values.max())
    if len(panel.series) > 1:
        style = {"borderpad": 0.1, "labelspacing": 0.2, "fontsize": 8}
        columns = 1 + len(panel.series) // 3
        ax.legend(loc="lower left", bbox_to_anchor=(-0.02, 1), ncols=columns, **style)


def _log_scale(ax):
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(FormatStrFormatter("%g"))


def _finite(history, metric):
    """Return epochs and values (2, n) of the rows where the metric is finite."""
    points = [(row["epoch"], row.get(metric)) for row in history]
    points = [p for p in points if p[1] is not None and math.isfinite(p[1])]
    return np.array(points, float).reshape(-1, 2).T


# Sizes in inches
SCENE = 1.6
RETINA = 1.0
BARS = 0.36
CLASS_NAMES = 0.17
SIDE = 1.15
GAP = 0.07
MARGIN = 0.15

MOST_COLUMNS = 12


@styled
def draw_glimpses(images, labels, seen, config, path):
    """Draw what an agent saw, and what it came to believe, as a PNG: a row per image.

    images (B, height, width) in 0..1, labels (B,), and what `predict` returned: classes
    (B,), probabilities (B, classes), locations (B, T, 2), step_probabilities
    (B, T, classes). Of more than 12 glimpses, 12 are shown one by one.
    """
    boxes, patches = _look(images, seen.locations, config)
    limits = _limits(boxes, images.shape[1:])
    B, T = boxes.shape[:2]
    steps = np.linspace(0, T - 1, min(T, MOST_COLUMNS)).round().astype(int)
    colours = _time_colours(T)

    scene, retina = SCENE * _tallness(limits), RETINA * _tallness(limits)
    head, foot = 0.6, 0.35
    row = max(scene, retina + GAP / 2 + BARS + CLASS_NAMES) + 0.15
    left = 2 * MARGIN + SCENE
    right = left + max(len(steps) * (RETINA + GAP) - GAP, 1.5)
    figure = Figure(figsize=(right + 1.2, head + B * row + foot))
    _write(figure, MARGIN, 0.25, "where it looked", weight="bold")
    _write(figure, left, 0.25, "what the retina saw", weight="bold")
    _write(figure, right + MARGIN, 0.25, "prediction", weight="bold")
    for column, t in enumerate(steps):
        x = left + column * (RETINA + GAP) + RETINA / 2
        _write(figure, x, 0.45, t + 1, **_badge(colours[t], 8))

    for i in range(B):
        top = head + i * row
        ax = _add_view(figure, MARGIN, top, SCENE, scene, limits)
        _show_image(ax, images[i])
        _draw_path(ax, boxes[i, :, 0], colours)
        _number(ax, boxes[i, :, 0], colours)
        bars = _add_axes(figure, left, top + retina + GAP / 2, right - left, BARS)
        bars.set(xlim=(0, right - left), ylim=(0, 1))
        for column, t in enumerate(steps):
            x = column * (RETINA + GAP)
            ax = _add_view(figure, left + x, top, RETINA, retina, limits)
            view = _reassemble(patches[i, t, None], boxes[i, t, None], limits)
            _show(ax, view, limits)
            _draw_windows(ax, boxes[i, t], colours[t])
            _draw_belief(bars, seen.step_probabilities[i, t], labels[i], x, RETINA)
        _write_verdict(figure, right + MARGIN, top, seen, i, labels[i])
    _add_key(figure, "lower left")
    save(figure, path)


@styled
def animate_glimpses(images, labels, seen, config, path):
    """Draw the same as a GIF that loops: a frame per glimpse, the last one held.

    Beside each image stands all that was seen so far, the finer over the coarser.
    """
    boxes, patches = _look(images, seen.locations, config)
    limits = _limits(boxes, images.shape[1:])
    B, T = boxes.shape[:2]
    colours = _time_colours(T)

    height = SIDE * _tallness(limits)
    width = 2 * SIDE + GAP
    cell_width = width + 2 * MARGIN
    cell_height = height + BARS + CLASS_NAMES + 0.4
    head, columns = 0.55, min(B, 4)
    rows = math.ceil(B / columns)
    figure = Figure(
        figsize=(max(columns * cell_width, 5.5), head + rows * cell_height - 0.2)
    )
    canvas = FigureCanvasAgg(figure)
    cells = []
    for i in range(B):
        left = MARGIN + i % columns * cell_width
        top = head + i // columns * cell_height
        _write(figure, left, top - 0.05, "image", fontsize=8)
        _write(figure, left + SIDE + GAP, top - 0.05, "seen so far", fontsize=8)
        scene = _add_view(figure, left, top, SIDE, height, limits)
        retina = _add_view(figure, left + SIDE + GAP, top, SIDE, height, limits)
        bars = _add_axes(figure, left, top + height + GAP / 2, width, BARS)
        bars.set(xlim=(0, width), ylim=(0, 1))
        cells.append((scene, retina, bars))
    _add_key(figure, "upper right")
    heading = _write(figure, MARGIN, 0.2, "", weight="bold")

    frames = []
    for t in range(T):
        heading.set_text(f"glimpse {t + 1} of {T}")
        for i, (scene, retina, bars) in enumerate(cells):
            past = slice(t + 1)
            _clear(scene, retina, bars)
            _show_image(scene, images[i])
            _draw_path(scene, boxes[i, past, 0], colours)
            _draw_windows(scene, boxes[i, t], colours[t])
            view = _reassemble(patches[i, past], boxes[i, past], limits)
            _show(retina, view, limits)
            _draw_belief(bars, seen.step_probabilities[i, t], labels[i], 0, width)
        canvas.draw()
        frames.append(Image.fromarray(np.array(canvas.buffer_rgba())[..., :3]))
    write_atomically(path, _gif(frames, [*COLOURS.values(), *colours]))


def _look(images, locations, config):
    """Return the edges (B, T, k, 4) and the cells (B, T, k, patch, patch) of glimpses."""
    B, T, _ = locations.shape
    k, size = config.num_scales, config.patch_size
    boxes = glimpse_sensor.windows(
        locations.reshape(-1, 2), images.shape[1:], size, k, config.scale_factor
    )
    pyramid = glimpse_sensor.prepare(
        images, size, k, config.scale_factor, config.background
    )
    rho = glimpse_sensor.forward(pyramid, locations.swapaxes(0, 1).reshape(-1, 2))
    patches = rho.reshape(T, B, k, size, size).swapaxes(0, 1)
    return boxes.reshape(B, T, k, 4), patches


def _limits(boxes, image_shape):
    """Return the edges of a view of the image and all finest windows, in whole pixels.

    However far a policy went astray, it ends about half an image beyond the border.
    """
    height, width = image_shape
    size = np.array([width, height])
    pad = math.ceil(0.04 * max(image_shape))
    reach = math.ceil(max(image_shape) / 2)
    low = np.floor(boxes[:, :, 0, :2].min(axis=(0, 1))).clip(-reach, 0) - pad
    high = np.ceil(boxes[:, :, 0, 2:].max(axis=(0, 1))).clip(size, size + reach) + pad
    return (*low, *high)


def _tallness(limits):
    """Return the height of a view over its width, at most 1: tall ones get narrow."""
    left, top, right, bottom = limits
    return min(1, (bottom - top) / (right - left))


def _reassemble(patches, boxes, limits):
    """Put cells (n, k, patch, patch) at their places in a view, the finer on top.

    The result has two rows and columns a pixel, as windows may start at half a pixel;
    what no window covers is NaN.
    """
    left, top, right, bottom = limits
    x = np.arange(left, right, 0.5) + 0.25
    y = np.arange(top, bottom, 0.5) + 0.25
    view = np.full((len(y), len(x)), np.nan)
    size = patches.shape[-1]
    for scale in reversed(range(patches.shape[1])):
        for patch, box in zip(patches[:, scale], boxes[:, scale]):
            left, top, right, bottom = box
            column = np.floor((x - left) / (right - left) * size).astype(int)
            row = np.floor((y - top) / (bottom - top) * size).astype(int)
            columns = (column >= 0) & (column < size)
            rows = (row >= 0) & (row < size)
            view[np.ix_(rows, columns)] = patch[np.ix_(row[rows], column[columns])]
    return view


def _time_colours(T):
    """Return the colours of T glimpses, each visible on black and on white."""
    return colormaps["plasma"](np.linspace(0.4, 0.92, T))


def _write(figure, left, top, text, **style):
    """Write text at a place in inches from the figure's top left corner."""
    W, H = figure.get_size_inches()
    return figure.text(left / W, 1 - top / H, text, **style)


def _add_axes(figure, left, top, width, height):
    """Add bare axes, placed in inches from the figure's top left corner."""
    W, H = figure.get_size_inches()
    ax = figure.add_axes((left / W, 1 - (top + height) / H, width / W, height / H))
    ax.xaxis.set_visible(False)
    ax.yaxis.set_visible(False)
    ax.spines[:].set_visible(False)
    return ax


def _add_view(figure, left, top, width, height, limits):
    """Add axes in pixels of the image, y downwards, nothing seen yet."""
    ax = _add_axes(figure, left, top, width, height)
    ax.set(xlim=limits[::2], ylim=limits[:0:-2])
    ax.set_facecolor(COLOURS["unseen"])
    return ax


def _clear(*views):
    for ax in views:
        for artist in (*ax.images, *ax.collections, *ax.patches, *ax.texts):
            artist.remove()


def _show(ax, pixels, edges):
    left, top, right, bottom = edges
    extent = (left, right, bottom, top)
    ax.imshow(pixels, "gray", vmin=0, vmax=1, interpolation="nearest", extent=extent)


def _show_image(ax, image):
    height, width = image.shape
    _show(ax, image, (0, 0, width, height))


def _draw_windows(ax, boxes, colour, linewidth=1.8):
    """Outline what each scale covers, the finest as bold as told."""
    for scale, (left, top, right, bottom) in enumerate(boxes):
        ax.add_artist(
            Rectangle(
                (left, top),
                right - left,
                bottom - top,
                fill=False,
                edgecolor=colour,
                linewidth=0.7 if scale else linewidth,
            )
        )


def _draw_path(ax, boxes, colours):
    """Draw the boxes (T, 4) of successive glimpses, their centres joined."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    steps = np.stack([centres[:-1], centres[1:]], axis=1)
    ax.add_artist(LineCollection(steps, colors=colours[1:], linewidths=0.8))
    for box, colour in zip(boxes, colours):
        _draw_windows(ax, [box], colour, 1)


def _number(ax, boxes, colours):
    """Number boxes (T, 4), each at the corner that is farthest from other numbers."""
    taken = []
    for t, corners in enumerate(boxes[:, [(0, 1), (2, 1), (0, 3), (2, 3)]]):
        room = [min((math.dist(c, o) for o in taken), default=0) for c in corners]
        taken.append(corners[np.argmax(room)])
        if ax.viewLim.contains(*taken[-1]):  # no font can be drawn a mile away
            ax.text(*taken[-1], t + 1, clip_on=True, **_badge(colours[t], 6))


def _badge(colour, fontsize):
    """Return the style of a glimpse's number: on a disc of the glimpse's colour."""
    bright = colour[1] > 0.4
    return {
        "fontsize": fontsize,
        "weight": "bold",
        "ha": "center",
        "va": "center",
        "color": "black" if bright else "white",
        "bbox": {"boxstyle": "circle,pad=0.15", "facecolor": colour, "linewidth": 0},
    }


def _draw_belief(ax, probabilities, label, left, width):
    """Draw a bar per class, x in inches; name the true class and the favourite."""
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
    letters = len("".join(map(str, named)))
    crowded = len(named) == 2 and x[named[1]] - x[named[0]] < 0.04 * letters
    for c, side in zip(named, ("right", "left") if crowded else ("center", "center")):
        style = {"color": colours[c], "fontsize": 7, "weight": "bold"}
        ax.text(x[c], -0.1, c, ha=side, va="top", **style)


def _write_verdict(figure, left, top, seen, i, label):
    predicted = seen.classes[i]
    percent = f"{100 * seen.probabilities[i, predicted]:.0f} %"
    colour = COLOURS["ink" if predicted == label else "wrong"]
    _write(figure, left, top + 0.27, predicted, fontsize=24, color=colour)
    _write(figure, left, top + 0.55, percent, color=colour)
    if predicted != label:
        _write(figure, left, top + 0.75, f"wrong: it is {label}", color=colour)


def _add_key(figure, place):
    names = {
        "action": "true class",
        "wrong": "wrong favourite",
        "muted": "other classes",
    }
    handles = [
        Rectangle((0, 0), 1, 1, color=COLOURS[key], label=name)
        for key, name in names.items()
    ]
    figure.legend(handles=handles, loc=place, ncols=3, fontsize=8)


def _gif(frames, colours):
    """Return the bytes of a GIF of RGB frames, which share a palette of 256 colours.

    These are the given ones and the most frequent of the last frame, which has every
    box of those before.
    """
    last = frames[-1]
    counts = sorted(last.getcolors(last.width * last.height), reverse=True)
    given = np.rint(255 * to_rgba_array(colours)[:, :3]).astype(int)
    frequent = np.array([rgb for _, rgb in counts])
    palette = Image.new("P", (1, 1))
    palette.putpalette(np.concatenate([given, frequent])[:256].ravel().tolist())
    frames = [f.quantize(palette=palette, dither=Image.Dither.NONE) for f in frames]
    # Pillow finds the nearest colour to within a few levels: white may have turned grey.
    background = 3 * frames[0].getpixel((0, 0))
    values = frames[0].getpalette()
    values[background : background + 3] = 255, 255, 255
    for frame in frames:
        frame.putpalette(values)
    durations = [700] * (len(frames) - 1) + [2800]
    file = io.BytesIO()
    frames[0].save(
        file,
        "GIF",
        save_all=True,
        append_images=frames[1:],
        duration=durations,
        loop=0,
    )
    return file.getvalue()
