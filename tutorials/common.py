"""What every tutorial starts with: the way to ramnp, some digits, the look of figures.

digits.npz holds 7,000 digits of MNIST, so that reading a tutorial needs no download:
the first 5,000 for training, the first 1,000 for validation, the first 1,000 of the
test, in this order, which is the order in which ramnp cuts an .npz.
"""

import io
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle
from PIL import Image, ImageSequence

HERE = Path(__file__).parent
DIGITS = HERE / "digits.npz"
sys.path.insert(0, str(HERE.parent))  # ramnp need not be installed

from ramnp.datasets import mnist
from ramnp.figures.style import COLOURS

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
    """Return 20 test digits, images (20, 28, 28) in 0..1 and labels (20,), two a class."""
    images, labels = mnist.load(DIGITS).test
    first = np.concatenate([np.flatnonzero(labels == c)[:2] for c in range(10)])
    return images[first] / 255, labels[first].astype(int)


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


class Film:
    """An animation, from the bytes of a GIF, as a notebook shows it: a PNG that moves.

    Notebooks know no type for a GIF; a PNG keeps its alternative text as well.
    """

    def __init__(self, gif):
        with Image.open(io.BytesIO(gif)) as film:
            frames = [frame.convert("RGB") for frame in ImageSequence.Iterator(film)]
        palette = frames[-1].quantize(256, dither=Image.Dither.NONE)
        first, *others = [
            frame.quantize(palette=palette, dither=Image.Dither.NONE)
            for frame in frames
        ]
        self.num_frames = len(frames)
        file = io.BytesIO()
        durations = [900] * len(others) + [3000]  # milliseconds
        options = {"save_all": True, "append_images": others, "loop": 0}
        first.save(file, "PNG", duration=durations, **options)
        self.png = file.getvalue()

    def __repr__(self):
        return f"an animation of {self.num_frames} frames"

    def _repr_png_(self):
        return self.png
