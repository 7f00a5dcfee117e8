"""The confusion matrix: predicted by true class, and the error of each class."""

import math

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ramnp.figures.style import COLOURS, save, styled
from ramnp.figures.views import class_labels, shorten

# Sizes in inches
CELL = 0.55
SMALLEST, MEDIUM, LARGEST = 2.8, 5.5, 8.0  # of the matrix
ERRORS = 1.5
LETTER = 0.09

# Beyond these numbers of classes, there is no room for counts, or for all names.
MOST_COUNTS = 20
MOST_NAMES = 62


@styled
def draw_confusion(counts, class_names, path):
    """Draw the number of predictions of each class by true class, as a PNG.

    counts (C, C): numbers of images by true class (rows) and predicted class (columns).
    class_names: C names, or None for numbers. Colours are shares of a row: blue on the
    diagonal, red elsewhere, with the most common mistake darkest.
    """
    counts = np.asarray(counts)
    count = len(counts)
    names = [shorten(name, 16) for name in class_labels(class_names, count)]
    diagonal = np.eye(count, dtype=bool)
    totals = counts.sum(axis=1)
    shares = counts / np.maximum(totals, 1)[:, None]
    mistakes = np.where(diagonal, 0, shares)
    worst = mistakes.max() or 1

    side = max(min(CELL * count, MEDIUM), min(0.13 * count, LARGEST), SMALLEST)
    width = LETTER * max(map(len, names))
    upright = 1.2 * width > side / count
    figure = Figure(
        figsize=(side + ERRORS + width + 0.5, side + 0.8 + upright * width),
        layout="constrained",
    )
    ax, bars = figure.subplots(1, 2, sharey=True, width_ratios=(side, ERRORS))
    mistakes = np.ma.masked_array(mistakes, diagonal)
    ax.imshow(mistakes, _from_white("wrong"), PowerNorm(0.5, 0, worst))
    hits = np.ma.masked_array(shares, ~diagonal)
    ax.imshow(hits, _from_white("action"), vmin=0, vmax=1)
    points = min(9, 60 * side / count)
    if count <= MOST_COUNTS:
        for i, j in np.argwhere(counts):
            dark = shares[i, j] > (0.5 if i == j else 0.3 * worst)
            style = {"color": "white" if dark else COLOURS["ink"], "fontsize": points}
            ax.text(j, i, str(counts[i, j]), ha="center", va="center", **style)
    bars.barh(range(count), 100 * mistakes.sum(axis=1), 0.7, color=COLOURS["wrong"])

    some = slice(None, None, math.ceil(count / MOST_NAMES))
    places, names = range(count)[some], names[some]
    points = max(points, 6)
    ax.set_xticks(places, names, rotation=90 if upright else 0, fontsize=points)
    ax.set_yticks(places, names, fontsize=points)
    lines = np.arange(count + 1)[some] - 0.5
    ax.set_xticks(lines, minor=True)
    ax.set_yticks(lines, minor=True)
    ax.grid(which="minor", linewidth=0.5)
    ax.tick_params(which="both", length=0)
    ax.set(aspect="auto", xlabel="predicted class", ylabel="true class")
    wrong, total = counts[~diagonal].sum(), max(counts.sum(), 1)
    ax.set_title(f"{wrong:,} of {total:,} wrong: {100 * wrong / total:.2f} %")
    bars.set(title="Error of each class", xlabel="%", ylim=(count - 0.5, -0.5))
    bars.set_xlim(left=0)
    bars.xaxis.set_major_locator(MaxNLocator(4))
    bars.tick_params(axis="y", which="both", length=0)
    bars.grid(axis="x")
    save(figure, path)


def _from_white(colour):
    return LinearSegmentedColormap.from_list(colour, ["white", COLOURS[colour]])
