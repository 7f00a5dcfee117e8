"""Every picture of a run: training curves, a sheet of glimpses, the same animated."""

import io
import math
from typing import NamedTuple

import matplotlib.style
import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FormatStrFormatter, LogLocator, MaxNLocator, NullLocator
from PIL import Image

from ramnp.files import write_atomically
from ramnp.networks import glimpse_sensor

# A colour for each part of the agent (Okabe and Ito's, safe for the colour-blind).
COLOURS = dict(
    what="#56B4E9",
    where="#E69F00",
    core="#009E73",
    policy="#D55E00",
    baseline="#CC79A7",
    action="#0072B2",
    wrong="#C1121F",
    ink="#1F2430",
    muted="#7A8190",
    unseen="#D9DDE5",
)

# It lies over matplotlib's defaults, so that pictures do not depend on the user's own
# settings, and ends with the call.
_own_style = matplotlib.style.context(
    [
        "default",
        {
            "font.family": "DejaVu Sans",
            "font.size": 9,
            "text.color": COLOURS["ink"],
            "axes.labelcolor": COLOURS["ink"],
            "axes.edgecolor": COLOURS["muted"],
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.axisbelow": True,
            "grid.color": "#E6E8EE",
            "xtick.color": COLOURS["ink"],
            "ytick.color": COLOURS["ink"],
            "legend.frameon": False,
            "figure.dpi": 110,
            "savefig.dpi": "figure",
        },
    ]
)


class _Panel(NamedTuple):
    label: str
    series: dict  # metric: (name, colour)
    log: bool = True  # where the values span a factor of 10


PANELS = (
    _Panel(
        "error (%)",
        {
            "train_error": ("training", COLOURS["muted"]),
            "valid_error": ("validation", COLOURS["action"]),
        },
    ),
    _Panel("cross-entropy", {"cross_entropy": ("training", COLOURS["action"])}),
    _Panel("baseline loss", {"baseline_loss": ("training", COLOURS["baseline"])}),
    _Panel("learning rate", {"learning_rate": ("", COLOURS["core"])}, log=False),
)


@_own_style
def draw_curves(history, path, title=""):
    """Draw the rows of metrics.jsonl over epochs as a PNG.

    A metric that is missing, null or not finite in a row leaves that point out.
    """
    figure = Figure(figsize=(9, 5.6), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", weight="bold")
    axes = figure.subplots(math.ceil(len(PANELS) / 2), 2).ravel()
    for ax, panel in zip(axes, PANELS):
        ax.grid()
        ax.set(xlabel="epoch", ylabel=panel.label)
        _draw_panel(ax, panel, history)
    write_atomically(path, _png(figure))


def _draw_panel(ax, panel, history):
    shown = []
    for metric, (name, colour) in panel.series.items():
        epochs, values = _finite(history, metric)
        if not len(values):
            continue
        marker = "o" if len(values) <= 40 else ""
        label = f"{name} {values[-1]:.3g}".strip()
        if metric == "valid_error":
            best = values.argmin()
            label += f" (lowest {values[best]:.3g}, epoch {epochs[best]:g})"
        ax.plot(epochs, values, marker, ls="-", ms=3.5, lw=1.5, color=colour)
        ax.lines[-1].set_label(label)
        shown.append((epochs, values))
    if not shown:
        return
    epochs, values = np.concatenate(shown, axis=1)
    ax.set_xlim(min(epochs.min(), 1) - 0.5, epochs.max() + 0.5)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    positive = values[values > 0]
    if panel.log and positive.size and positive.max() >= 10 * positive.min():
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_minor_locator(NullLocator())
        ax.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    elif values.min() >= 0:
        ax.set_ylim(bottom=0)
    ax.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderpad=0.1)


def _finite(history, metric):
    """Return (epochs, values) of the rows in which the metric is a finite number."""
    points = [(row["epoch"], row.get(metric)) for row in history]
    points = [p for p in points if p[1] is not None and math.isfinite(p[1])]
    return np.array(points, float).reshape(-1, 2).T


# Inches of the sheet and of the animation.
SCENE = 1.45
RETINA = 1.0
BARS = 0.26
GAP = 0.07
MARGIN = 0.15
MOST_COLUMNS = 12


@_own_style
def draw_glimpses(images, labels, seen, config, path):
    """Draw what an agent saw, and what it came to believe, as a PNG: a row per image.

    images (B, height, width) in 0..1, labels (B,), and what `predict` returned: classes
    (B,), probabilities (B, classes), locations (B, T, 2), step_probabilities
    (B, T, classes). Of more than 12 glimpses, 12 are shown one by one.
    """
    boxes, patches = _look(images, seen.locations, config)
    limits = _limits(boxes, images.shape[1:])
    B, T = boxes.shape[:2]
    colours = _time_colours(T)
    steps = np.linspace(0, T - 1, min(T, MOST_COLUMNS)).round().astype(int)

    shape = min(1, (limits[3] - limits[1]) / (limits[2] - limits[0]))
    head, foot = 0.6, 0.35
    row = max(SCENE * shape, RETINA * shape + GAP / 2 + BARS + 0.17) + 0.17
    left = 2 * MARGIN + SCENE
    right = left + len(steps) * (RETINA + GAP) - GAP
    figure = _figure(max(right + 1.2, 5.5), head + B * row + foot)
    _write(figure, MARGIN, 0.12, "where it looked", weight="bold")
    _write(figure, left, 0.12, "what the retina saw", weight="bold")
    _write(figure, right + MARGIN, 0.12, "prediction", weight="bold")
    for column, t in enumerate(steps):
        x = left + column * (RETINA + GAP) + RETINA / 2
        _write(figure, x, 0.37, t + 1, ha="center", **_badge(colours[t]))

    for i in range(B):
        top = head + i * row
        scene = _add_canvas(figure, MARGIN, top, SCENE, SCENE * shape, limits)
        _show(scene, images[i], _edges(images))
        _draw_path(scene, boxes[i, :, 0], colours, limits)
        beliefs = _add_axes(
            figure, left, top + RETINA * shape + GAP / 2, right - left, BARS
        )
        beliefs.set(xlim=(0, right - left), ylim=(0, 1))
        for column, t in enumerate(steps):
            x = column * (RETINA + GAP)
            retina = _add_canvas(figure, left + x, top, RETINA, RETINA * shape, limits)
            _show_glimpse(retina, patches[i, t], boxes[i, t])
            _draw_windows(retina, boxes[i, t], colours[t])
            _draw_belief(beliefs, seen.step_probabilities[i, t], labels[i], x, RETINA)
        _write_verdict(figure, right + MARGIN, top, i, labels, seen)
    _add_key(figure, left)
    write_atomically(path, _png(figure))


@_own_style
def animate_glimpses(images, labels, seen, config, path):
    """Draw the same as a GIF that loops, a frame a glimpse, the last one held.

    Beside each image stands what was seen so far, each pixel as fine as it was seen.
    """
    boxes, patches = _look(images, seen.locations, config)
    limits = _limits(boxes, images.shape[1:])
    B, T = boxes.shape[:2]
    colours = _time_colours(T)

    shape = min(1, (limits[3] - limits[1]) / (limits[2] - limits[0]))
    size = 1.15
    head, columns = 0.5, min(B, 4)
    width = 2 * size + GAP + 2 * MARGIN
    height = size * shape + BARS + 0.6
    figure = _figure(columns * width, head + math.ceil(B / columns) * height)
    canvas = FigureCanvasAgg(figure)
    cells = []
    for i in range(B):
        left = MARGIN + i % columns * width
        top = head + i // columns * height
        scene = _add_canvas(figure, left, top, size, size * shape, limits)
        _show(scene, images[i], _edges(images))
        retina = _add_canvas(
            figure, left + size + GAP, top, size, size * shape, limits
        )
        beliefs = _add_axes(
            figure, left, top + size * shape + GAP / 2, 2 * size + GAP, BARS
        )
        cells.append((scene, retina, beliefs))

    frames = []
    for t in range(T):
        fleeting = [_write(figure, MARGIN, 0.12, f"glimpse {t + 1} of {T}", weight="bold")]
        for i, (scene, retina, beliefs) in enumerate(cells):
            _show_glimpse(retina, patches[i, t], boxes[i, t])
            beliefs.clear()
            _draw_belief(beliefs, seen.step_probabilities[i, t], labels[i], 0, 1)
        canvas.draw()
        frames.append(Image.fromarray(np.array(canvas.buffer_rgba())[..., :3]))
        for artist in fleeting:
            artist.remove()
    write_atomically(path, _gif(frames))


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
    """Return the edges of a view of the image and of all finest windows.

    It ends half an image beyond the border, however far a policy went astray.
    """
    height, width = image_shape
    finest = boxes[:, :, 0].reshape(-1, 4)
    reach = max(height, width) / 2
    low = np.clip(finest[:, :2].min(axis=0), -reach, 0)
    high = finest[:, 2:].max(axis=0)
    size = np.array([width, height])
    return (*low, *np.clip(high, size, size + reach))


def _edges(images):
    height, width = images.shape[1:]
    return (0, 0, width, height)


def _time_colours(T):
    """Return a colour for each glimpse, from the first to the last, visible on black."""
    return colormaps["plasma"](np.linspace(0.3, 0.95, T))


def _figure(width, height):
    return Figure(figsize=(width, height))


def _add_axes(figure, left, top, width, height):
    """Add bare axes, placed in inches from the figure's top left corner."""
    W, H = figure.get_size_inches()
    ax = figure.add_axes((left / W, 1 - (top + height) / H, width / W, height / H))
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    return ax


def _add_canvas(figure, left, top, width, height, limits):
    """Add axes in pixels of the image, y downwards, nothing seen yet."""
    ax = _add_axes(figure, left, top, width, height)
    ax.set(xlim=limits[::2], ylim=limits[:0:-2], aspect="equal")
    ax.set_facecolor(COLOURS["unseen"])
    return ax


def _show(ax, pixels, edges, zorder=0):
    left, top, right, bottom = edges
    ax.imshow(
        pixels,
        extent=(left, right, bottom, top),
        cmap="gray",
        vmin=0,
        vmax=1,
        interpolation="nearest",
        zorder=zorder,
    )


def _show_glimpse(ax, patches, boxes):
    """Put each scale at its true place, the finer over the coarser."""
    for scale, (patch, box) in enumerate(zip(patches, boxes)):
        _show(ax, patch, box, zorder=-scale)


def _draw_windows(ax, boxes, colour):
    """Outline what each scale covers, the finest the boldest."""
    for scale, (left, top, right, bottom) in enumerate(boxes):
        ax.add_patch(
            Rectangle(
                (left, top),
                right - left,
                bottom - top,
                fill=False,
                edgecolor=colour,
                linewidth=1.5 if scale == 0 else 0.7,
            )
        )


def _draw_path(ax, boxes, colours, limits):
    """Draw a numbered box (T, 4) a glimpse, the centres joined in order."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    ax.add_collection(
        LineCollection(
            np.stack([centres[:-1], centres[1:]], axis=1),
            colors=colours[1:],
            linewidths=1.2,
            path_effects=[withStroke(linewidth=2, foreground="black", alpha=0.6)],
            zorder=2,
        )
    )
    taken = []
    for t, box in enumerate(boxes):
        _draw_windows(ax, [box], colours[t])
        left, top, right, bottom = box
        corners = [(left, top), (right, top), (left, bottom), (right, bottom)]
        best = max(
            corners, key=lambda corner: min((math.dist(corner, o) for o in taken), default=0)
        )
        taken.append(best)
        ax.text(*best, t + 1, ha="center", va="center", clip_on=True, **_badge(colours[t], 6))


def _badge(colour, size=8):
    """Return how a number of a glimpse is written: on a disc of the glimpse's colour."""
    bright = colour[:3] @ (0.3, 0.6, 0.1) > 0.5
    return dict(
        fontsize=size,
        weight="bold",
        color="black" if bright else "white",
        bbox=dict(boxstyle="circle,pad=0.15", facecolor=colour, edgecolor="none"),
    )


def _draw_belief(ax, probabilities, label, left, width):
    """Draw a bar a class; name the true class and the favourite."""
    count = len(probabilities)
    centres = left + width * (np.arange(count) + 0.5) / count
    favourite = probabilities.argmax()
    colours = [COLOURS["unseen"]] * count
    colours[favourite] = COLOURS["wrong"]
    colours[label] = COLOURS["action"]
    ax.bar(centres, probabilities, 0.8 * width / count, color=colours)
    ax.hlines(0, left, left + width, COLOURS["muted"], linewidth=0.8, clip_on=False)
    for c in {favourite, label}:
        ax.text(
            centres[c], -0.12, c, color=colours[c], fontsize=7, ha="center", va="top"
        )


def _write_verdict(figure, left, top, i, labels, seen):
    predicted, label = seen.classes[i], labels[i]
    right = predicted == label
    colour = COLOURS["ink" if right else "wrong"]
    _write(figure, left, top, predicted, fontsize=24, color=colour)
    percent = f"{100 * seen.probabilities[i, predicted]:.0f} %"
    _write(figure, left, top + 0.5, percent, color=colour)
    text = "right" if right else f"wrong: is {label}"
    _write(figure, left, top + 0.7, text, color=colour)


def _add_key(figure, left):
    W, _ = figure.get_size_inches()
    handles = [
        Rectangle((0, 0), 1, 1, color=COLOURS["action"], label="the true class"),
        Rectangle((0, 0), 1, 1, color=COLOURS["wrong"], label="a wrong favourite"),
        Rectangle((0, 0), 1, 1, color=COLOURS["unseen"], label="other classes"),
    ]
    figure.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(left / W, 0),
        ncols=3,
        fontsize=8,
        borderaxespad=0.3,
    )


def _write(figure, left, top, text, **kwargs):
    W, H = figure.get_size_inches()
    return figure.text(left / W, 1 - top / H, text, **dict(va="top") | kwargs)


def _png(figure):
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def _gif(frames):
    palette = frames[-1].quantize(256, method=Image.Quantize.MEDIANCUT)
    frames = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    file = io.BytesIO()
    durations = [700] * (len(frames) - 1) + [2800]
    frames[0].save(
        file, "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0
    )
    return file.getvalue()
