"""What every tutorial starts with: the way to ramnp, a few digits, the look of figures.

digits.npz holds the first two test digits of MNIST of each class, so that reading a
tutorial needs no download.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))  # ramnp need not be installed

from ramnp.figures import COLOURS

# A page may be light or dark: a figure brings its own white.
plt.rcParams.update(
    {
        "figure.facecolor": "white",
        "savefig.facecolor": "white",
        "figure.dpi": 100,
        "figure.constrained_layout.use": True,
        "font.family": "DejaVu Sans",
        "font.size": 10,
        "axes.titlesize": 10,
        "text.color": COLOURS["ink"],
        "axes.labelcolor": COLOURS["ink"],
        "axes.edgecolor": COLOURS["muted"],
        "axes.spines.top": False,
        "axes.spines.right": False,
        "xtick.color": COLOURS["ink"],
        "ytick.color": COLOURS["ink"],
        "legend.frameon": False,
    }
)


def digits():
    """Return 20 digits, images (20, 28, 28) in 0..1 and labels (20,), two a class."""
    with np.load(HERE / "digits.npz", allow_pickle=False) as file:
        return file["images"] / 255, file["labels"].astype(int)


def show(ax, image, title="", edges=None):
    """Draw an image in grey over (left, top, right, bottom), its own pixels if None."""
    height, width = image.shape
    left, top, right, bottom = edges or (0, 0, width, height)
    ax.imshow(
        image,
        "gray",
        vmin=0,
        vmax=1,
        interpolation="nearest",
        extent=(left, right, bottom, top),
    )
    ax.set(title=title, xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


def outline(ax, edges, colour, linewidth=1.8):
    """Draw the frame (left, top, right, bottom) of a window."""
    left, top, right, bottom = edges
    ax.add_patch(
        Rectangle(
            (left, top),
            right - left,
            bottom - top,
            fill=False,
            edgecolor=colour,
            linewidth=linewidth,
        )
    )


def arrow(ax, start, end, colour, lw=1.0, style="-|>", bend=0.0, gap=0, dotted=False):
    """Draw an arrow between two points; `gap` points are left free at either end."""
    properties = {
        "arrowstyle": style,
        "color": colour,
        "lw": lw,
        "linestyle": ":" if dotted else "-",
        "shrinkA": gap,
        "shrinkB": gap,
        "connectionstyle": f"arc3,rad={bend}",
    }
    ax.annotate("", end, start, arrowprops=properties)
