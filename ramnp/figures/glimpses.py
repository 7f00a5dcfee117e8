"""glimpses.png: a sheet with a row per image: glimpses and predictions."""

import numpy as np
from matplotlib.figure import Figure

from ramnp.figures import views
from ramnp.figures.style import COLOURS, save, styled

# Sizes in inches
SCENE = 1.6
RETINA = 1.0
VERDICT = 1.2
GAP = 0.07
MARGIN = 0.15
HEAD = 0.6
FOOT = 0.35

MOST_COLUMNS = 12


@styled
def draw_glimpses(images, labels, seen, config, path, class_names=None):
    """Draw the glimpses of an agent, and its predictions after each, as a PNG.

    images (B, height, width) or (B, height, width, 3) in 0..1, labels (B,) or None, and what
    `predict` returned: classes (B,), probabilities (B, classes), locations (B, T, 2),
    step_probabilities (B, T, classes). Classes are named by their numbers unless
    class_names says otherwise. Of more than 12 glimpses, 12 are shown one by one.
    """
    labelled = labels is not None
    labels = labels if labelled else seen.classes
    names = views.class_labels(class_names, seen.probabilities.shape[1])
    boxes, cells = views.look(images, seen.locations, config)
    limits = views.limits_of(boxes, images)
    B, T = boxes.shape[:2]
    steps = np.linspace(0, T - 1, min(T, MOST_COLUMNS)).round().astype(int)
    colours = views.time_colours(T)

    scene = SCENE * views.tallness(limits)
    row = max(scene, RETINA + GAP / 2 + views.BARS + views.NAMES) + 0.15
    left = 2 * MARGIN + SCENE
    right = left + max(len(steps) * (RETINA + GAP) - GAP, 1.5)
    figure = Figure(figsize=(right + VERDICT, HEAD + B * row + FOOT))
    views.write(figure, MARGIN, 0.25, "where it looked", weight="bold")
    views.write(figure, left, 0.25, "what the retina saw", weight="bold")
    views.write(figure, right + MARGIN, 0.25, "prediction", weight="bold")
    for column, t in enumerate(steps):
        x = left + column * (RETINA + GAP) + RETINA / 2
        views.write(figure, x, 0.45, t + 1, **_badge(colours[t]))

    for i in range(B):
        top = HEAD + i * row
        ax = views.add_view(figure, MARGIN, top, SCENE, scene, limits)
        views.show_image(ax, images[i])
        views.draw_path(ax, boxes[i, :, 0], colours)
        for t in range(T):
            views.draw_windows(ax, boxes[i, t, :1], colours[t], 0.9)
        bars_top = top + RETINA + GAP / 2
        bars = views.add_axes(figure, left, bars_top, right - left, views.BARS)
        bars.set(xlim=(0, right - left), ylim=(0, 1))
        for column, t in enumerate(steps):
            x = column * (RETINA + GAP)
            edges = _around(boxes[i, t, -1])
            ax = views.add_view(figure, left + x, top, RETINA, RETINA, edges)
            ax.set_facecolor("white")
            views.show_cells(ax, cells[i, t, None], boxes[i, t, None])
            views.draw_windows(ax, boxes[i, t], colours[t])
            guess = seen.step_probabilities[i, t]
            views.draw_probabilities(bars, guess, labels[i], names, x, RETINA)
        _write_verdict(figure, right + MARGIN, top, seen, i, labels[i], names)
    views.add_key(figure, "lower left", labelled)
    save(figure, path)


def draw_mistakes(images, labels, seen, config, path, class_names=None, count=8):
    """Draw the sheet of the most confident wrong predictions; return their indices.

    There are at most `count`; if there are none, nothing is drawn.
    """
    wrong = np.flatnonzero(seen.classes != labels)
    surest = np.argsort(-seen.probabilities[wrong].max(axis=1), kind="stable")
    worst = wrong[surest[:count]]
    if worst.size:
        theirs = type(seen)(*(None if f is None else f[worst] for f in seen))
        draw_glimpses(images[worst], labels[worst], theirs, config, path, class_names)
    return worst


def _around(box):
    """Return the edges of a view of a window with a narrow margin."""
    margin = 0.04 * (box[2] - box[0])
    return (*(box[:2] - margin), *(box[2:] + margin))


def _badge(colour):
    """Return the style of a glimpse's number: on a disc of the glimpse's colour."""
    bright = colour[1] > 0.4
    return {
        "fontsize": 8,
        "weight": "bold",
        "ha": "center",
        "va": "center",
        "color": "black" if bright else "white",
        "bbox": {"boxstyle": "circle,pad=0.15", "facecolor": colour, "linewidth": 0},
    }


def _write_verdict(figure, left, top, seen, i, label, names):
    predicted = seen.classes[i]
    name = names[predicted]
    percent = f"{100 * seen.probabilities[i, predicted]:.0f} %"
    colour = COLOURS["ink" if predicted == label else "wrong"]
    short = max(len(name), len(names[label])) <= 2
    name, true_name = (views.shorten(text, 13) for text in (name, names[label]))
    size = 24 if short else 10
    views.write(figure, left, top + 0.27, name, fontsize=size, color=colour)
    views.write(figure, left, top + 0.55, percent, color=colour)
    if predicted != label:
        text = f"wrong: it is{' ' if short else chr(10)}{true_name}"
        views.write(figure, left, top + 0.7, text, va="top", color=colour)
