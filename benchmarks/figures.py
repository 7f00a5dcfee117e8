"""cost_growth.png: the cost of a training image by glimpses, batch and side."""

import numpy as np
from matplotlib.figure import Figure

from ramnp.figures.style import COLOURS, save, styled


@styled
def draw_cost_growth(report, path):
    """Draw what cost_growth.py reports, a panel for each quantity that it varies."""
    figure = Figure(figsize=(7.5, 3.1), layout="constrained")
    by_glimpses, by_batch, by_side = figure.subplots(1, 3)
    _draw_glimpses(by_glimpses, report["glimpses"])
    _draw_batch(by_batch, report["batch"])
    _draw_side(by_side, report["side"])
    by_glimpses.set_ylabel("ms of one core per training image")
    for ax in (by_glimpses, by_batch, by_side):
        ax.set_ylim(bottom=0)
        ax.grid()
    save(figure, path)


def _draw_glimpses(ax, rows):
    """Draw points and the straight line that fits them best."""
    T, total = (np.array([row[name] for row in rows]) for name in ("T", "total"))
    slope, start = np.polyfit(T, total, 1)
    ends = np.array([0, T[-1]])
    ax.plot(ends, start + slope * ends, color=COLOURS["muted"], lw=1)
    ax.plot(T, total, "o", color=COLOURS["core"], ms=5)
    ax.set(xlabel="glimpses T", title="Linear in the glimpses", xlim=(0, None))


def _draw_batch(ax, rows):
    B = [row["batch"] for row in rows]
    ax.plot(B, [row["total"] for row in rows], "o-", color=COLOURS["core"], ms=5)
    ax.set(xscale="log", xlabel="images in a batch", title="Cheaper in batches")
    ax.set_xticks(B[::3], B[::3])
    ax.minorticks_off()


def _draw_side(ax, rows):
    """Draw the agent, with and without the parts that read every pixel, and conv."""
    side = [row["side"] for row in rows]
    for name, key, part, colour in (
        ("convolutional", "convolutional", "total", COLOURS["policy"]),
        ("agent", "agent", "total", COLOURS["core"]),
        ("its glimpses alone", "agent", "glimpses", COLOURS["action"]),
    ):
        values = [row[key][part] for row in rows]
        ax.plot(side, values, "o-", color=colour, ms=4, label=name)
    ax.set(xlabel="side of the image (pixels)", title="Nearly flat in the pixels")
    ax.legend(loc="upper left", fontsize=8)
