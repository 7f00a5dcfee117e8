"""What every tutorial starts with: the way to ramnp, some digits, the look of figures.

digits.npz holds 7,000 digits of MNIST, so that reading a tutorial needs no download:
the first 5,000 for training, the first 1,000 for validation, the first 1,000 of the
test, in this order, which is the order in which ramnp cuts an .npz.
"""

import io
import sys
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle
from PIL import Image, ImageSequence
from threadpoolctl import threadpool_limits

HERE = Path(__file__).parent
DIGITS = HERE / "digits.npz"
sys.path.insert(0, str(HERE.parent))  # ramnp need not be installed

# Progress is not shown in the chapters, so nothing is missing.
warnings.filterwarnings("ignore", message="IProgress not found")

from ramnp.datasets import mnist
from ramnp.figures.style import COLOURS, STYLE
from tutorials import moving  # noqa: F401, which the chapters take from here

# On matrices of these sizes, BLAS's own threads cost far more than they save.
threadpool_limits(1, user_api="blas")

plt.rcParams.update(
    STYLE
    | {
        "figure.constrained_layout.use": True,
        "figure.dpi": 100,
        "font.size": 10,
        "axes.titlesize": 10,
        "axes.titleweight": "normal",
        "axes.titlelocation": "center",
        "svg.hashsalt": "ramnp",  # the same picture is the same bytes
    }
)
if "IPython" in sys.modules:  # in a notebook: sharp at any size
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    set_matplotlib_formats("svg", metadata={"Date": None})


def digits():
    """Return 20 test digits, images (20, 28, 28) in 0..1 and labels (20,), two a class."""
    images, labels = mnist.load(DIGITS).test
    first = np.concatenate([np.flatnonzero(labels == c)[:2] for c in range(10)])
    return images[first] / 255, labels[first].astype(int)


def digit_centres(seed, count=250):
    """Return where the digits of `count` scenes of 60 × 60 pixels are, (x, y) in pixels.

    A scene is composed from a seed, and its digit's place is drawn first.
    """
    rng = np.random.default_rng(seed)
    tops, lefts = rng.integers(33, size=count), rng.integers(33, size=count)
    return np.stack([lefts, tops], axis=1) + 14.0


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


def unrolled(gradient=False):
    """Draw three glimpses of the agent; with the way of the cross-entropy's gradient."""
    _, ax = plt.subplots(figsize=(8, 3.8))
    ax.set(xlim=(0.2, 10.6), ylim=(-0.4, 4.6), aspect="equal")
    ax.axis("off")

    def node(x, y, text, colour):
        style = {"boxstyle": "round,pad=0.35", "fc": "white", "ec": colour, "lw": 2}
        middle = {"ha": "center", "va": "center", "zorder": 3}
        ax.text(x, y, text, fontsize=13, bbox=style, **middle)

    def forward(start, end, dotted=False):
        arrow(ax, start, end, COLOURS["muted"], 1, "->", gap=15, dotted=dotted)

    def back(start, end, colour=COLOURS["core"], bend=0.25):
        if gradient:
            arrow(ax, start, end, colour, 2.2, bend=bend, gap=17)

    for t, x in enumerate((1.2, 4.7, 8.2), start=1):
        node(x - 0.6, 0, f"$\\rho_{t}$", COLOURS["what"])
        node(x + 0.6, 0, f"$l_{t}$", COLOURS["where"])
        node(x, 1.4, f"$g_{t}$", COLOURS["what"])
        node(x, 2.8, f"$h_{t}$", COLOURS["core"])
        forward((x - 0.6, 0), (x, 1.4))
        forward((x + 0.6, 0), (x, 1.4))
        forward((x + 0.6, 0), (x - 0.6, 0), dotted=True)
        forward((x, 1.4), (x, 2.8))
        back((x, 2.8), (x, 1.4))
        for side in (-0.42, 0.42) if gradient else ():
            ax.plot(x + side, 0.72, "x", color=COLOURS["wrong"], ms=10, mew=3, zorder=4)
        if t < 3:
            node(x + 1.4, 4.2, f"$\\mu_{t + 1}$", COLOURS["policy"])
            node(x, 4.2, f"$b_{t + 1}$", COLOURS["baseline"])
            forward((x, 2.8), (x + 1.4, 4.2))
            forward((x, 2.8), (x, 4.2))
            forward((x + 1.4, 4.2), (x + 4.1, 0), dotted=True)
            forward((x, 2.8), (x + 3.5, 2.8))
            back((x + 3.5, 2.8), (x, 2.8), bend=0.18)
    node(8.2, 4.2, "class", COLOURS["action"])
    forward((8.2, 2.8), (8.2, 4.2))
    back((8.2, 4.2), (8.2, 2.8), COLOURS["action"])
    if gradient:
        ax.text(8.9, 4.2, "cross-entropy", va="center", color=COLOURS["action"])
    note = "dotted: drawn,\nor cut out;\nno derivative"
    ax.text(8.9, 2.8, note, va="center", fontsize=9)


class Film:
    """An animation, from pictures or a GIF's bytes, as a notebook shows it.

    Notebooks know no type for a GIF, so it is a PNG that moves.
    """

    def __init__(self, frames):
        if isinstance(frames, bytes):
            with Image.open(io.BytesIO(frames)) as film:
                frames = [
                    frame.convert("RGB") for frame in ImageSequence.Iterator(film)
                ]
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


# Settings of the recipe quick without what it does for speed alone: digits as they are, and
# an optimiser that takes a few lines.
ADAM = {
    "first_glimpse": "random",
    "policy_weight": 0.1,
    "optimizer": "adam",
    "learning_rate": 3e-3,
    "final_rate": 0.01,
    "average_decay": 0.996,
    "weight_decay": 0.0,
    "deformation": 0.0,
    "max_shift": 0,
    "plain_share": 0.0,
    "evaluation_location_std": 0.0,
}
