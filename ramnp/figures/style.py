"""Colours, style and file output of all pictures."""

import io

import matplotlib.style

from ramnp.support.files import write_atomically

# A colour for each part of the agent (Okabe and Ito's, safe for the colour-blind).
COLOURS = {
    "what": "#56B4E9",
    "where": "#E69F00",
    "core": "#009E73",
    "policy": "#D55E00",
    "baseline": "#CC79A7",
    "action": "#0072B2",
    "wrong": "#C1121F",
    "ink": "#1F2430",
    "muted": "#9AA1AF",
    "grid": "#E6E8EE",
    "unseen": "#D9DDE5",
}

# White is opaque, so that a picture reads the same on a light and on a dark page.
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": COLOURS["ink"],
    "axes.labelcolor": COLOURS["ink"],
    "axes.edgecolor": COLOURS["muted"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "grid.color": COLOURS["grid"],
    "xtick.color": COLOURS["ink"],
    "ytick.color": COLOURS["ink"],
    "legend.frameon": False,
    "figure.facecolor": "white",
    "figure.constrained_layout.h_pad": 0.08,  # inches
    "figure.constrained_layout.w_pad": 0.08,
    "figure.dpi": 110,
    "savefig.facecolor": "white",
    "savefig.dpi": "figure",
    "svg.hashsalt": "ramnp",
}

# Decorates a function that draws. Starts from matplotlib's defaults, because a user's own
# settings must not change a picture; those settings are restored after the call.
styled = matplotlib.style.context(["default", STYLE])


def save(figure, path):
    """Write a figure atomically: as an SVG if the path ends in .svg, else as a PNG.

    The same figure gives the same bytes. A UserError names a file that can't be written.
    """
    svg = str(path).endswith(".svg")
    kind, metadata = ("svg", {"Date": None}) if svg else ("png", None)
    file = io.BytesIO()
    figure.savefig(file, format=kind, metadata=metadata)
    write_atomically(path, file.getvalue())
