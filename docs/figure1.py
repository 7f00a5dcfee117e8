"""Draw figure1.svg: the paper's figure 1, with the baseline and three steps of the core.

    python docs/figure1.py

Scene and patches are real: a test scene of the task cluttered, made of the tutorials'
digits, and what the glimpse sensor returns at one location.
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from ramnp.datasets import mnist, scenes
from ramnp.figures import views
from ramnp.figures.style import COLOURS, save, styled
from ramnp.learning.recipes import make_config

SIZE = 8.2, 7.0  # inches; the axes count them, y upwards
SCENE = 2
LOCATION = -0.35, -0.05


@styled
def draw(path):
    """Draw the three parts of the figure as an SVG."""
    figure = Figure(figsize=SIZE)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, SIZE[0]), ylim=(0, SIZE[1]))
    ax.axis("off")
    draw_sensor(figure, ax)
    draw_glimpse_network(ax)
    draw_unrolled(ax)
    save(figure, path)


def draw_sensor(figure, ax):
    """Draw the scene, its windows at a location, and the patches of the retina."""
    title(ax, 0.2, 6.75, "A  Glimpse sensor")
    config = make_config("cluttered", "quick")
    digits = mnist.load(ROOT / "tutorials" / "digits.npz")
    images, _ = scenes.frozen_chunk(digits.test, "test", 0, config)
    image = images[SCENE]
    boxes, cells = views.look(image[None], np.array([[LOCATION]]), config)
    colour = COLOURS["where"]
    view = views.add_view(figure, 0.2, 0.55, 1.7, 1.7, (-2, -2, 62, 62))
    views.show_image(view, image)
    views.draw_windows(view, boxes[0, 0], colour)
    for scale in range(config.num_scales):
        top = 0.55 + 0.6 * scale
        patch = views.add_view(figure, 2.75, top, 0.5, 0.5, boxes[0, 0, scale])
        views.show_cells(patch, cells[0, :, scale, None], boxes[0, :, scale, None])
        middle = SIZE[1] - top - 0.25
        arrow(ax, (1.95, 5.6), (2.7, middle), COLOURS["what"])
    text(ax, 1.05, 4.6, "image $x$, location $l_{t-1}$")
    text(ax, 3.0, 4.6, r"$\rho(x, l_{t-1})$")


def draw_glimpse_network(ax):
    """Draw the glimpse network: what and where, combined in one vector."""
    title(ax, 4.2, 6.75, "B  Glimpse network")
    what, where = COLOURS["what"], COLOURS["where"]
    for y, source, words, colour, between in (
        (6.15, r"$\rho(x, l_{t-1})$", r"what  $\theta_g^0$", what, "$h_g$"),
        (5.15, "$l_{t-1}$", r"where  $\theta_g^1$", where, "$h_l$"),
    ):
        text(ax, 4.6, y, source)
        arrow(ax, (5.02, y), (5.2, y), colour)
        box(ax, 5.75, y, 1.05, 0.5, words, colour)
        arrow(ax, (6.3, y), (6.72, 5.65 + (y - 5.65) * 0.3), colour)
        text(ax, 6.62, 5.65 + (y - 5.65) * 0.95, between)
    box(ax, 7.1, 5.65, 0.7, 0.5, r"$\theta_g^2$", what)
    arrow(ax, (7.47, 5.65), (7.72, 5.65), what)
    text(ax, 7.9, 5.65, "$g_t$")
    terms = r"\mathrm{Linear}(h_g) + \mathrm{Linear}(h_l)"
    text(ax, 6.15, 4.6, rf"$g_t = \mathrm{{Rect}}({terms})$")


def draw_unrolled(ax):
    """Draw three steps of the core, with the networks that read its state."""
    title(ax, 0.2, 4.1, "C  Three steps of the agent")
    text(ax, 6.15, 4.1, "dotted: sampled, so no gradient flows", 10)
    what, where = COLOURS["what"], COLOURS["where"]
    core, policy = COLOURS["core"], COLOURS["policy"]
    arrow(ax, (0.2, 1.9), (0.95, 1.9), core)
    text(ax, 0.5, 2.07, "$h_{t-2}$")
    for column, (step, previous) in enumerate(
        (("t-1", "t-2"), ("t", "t-1"), ("t+1", "t"))
    ):
        x = 1.5 + 2.5 * column
        text(ax, x - 0.22, 0.2, f"$l_{{{previous}}}$")
        text(ax, x + 0.22, 0.2, "$x$")
        arrow(ax, (x - 0.22, 0.34), (x - 0.22, 0.58), where)
        arrow(ax, (x + 0.22, 0.34), (x + 0.22, 0.58), what)
        box(ax, x, 0.86, 1.05, 0.5, "glimpse\n$f_g(\\theta_g)$", what, 10)
        arrow(ax, (x, 1.13), (x, 1.6), what)
        text(ax, x + 0.25, 1.36, f"$g_{{{step}}}$")
        box(ax, x, 1.9, 1.05, 0.54, "core\n$f_h(\\theta_h)$", core, 10)
        arrow(ax, (x + 0.55, 1.9), (min(x + 1.95, 8), 1.9), core)
        text(ax, x + 0.78, 2.07, f"$h_{{{step}}}$")
        for place, words, colour, symbol in (
            (x - 0.78, "baseline", COLOURS["baseline"], "b"),
            (x, "action\n$f_a(\\theta_a)$", COLOURS["action"], "a"),
            (x + 0.78, "location\n$f_l(\\theta_l)$", policy, "l"),
        ):
            arrow(ax, (x + 0.4 * (place - x), 2.19), (place, 2.6), colour)
            box(ax, place, 2.88, 0.72, 0.5, words, colour, 9)
            arrow(ax, (place, 3.15), (place, 3.4), colour)
            text(ax, place, 3.55, f"${symbol}_{{{step}}}$")
        if column < 2:
            route = np.array([[1.0, 3.55], [1.28, 3.55], [1.28, 0.2], [2.05, 0.2]])
            ax.plot(x + route[:, 0], route[:, 1], ":", color=policy, lw=1.5)


def title(ax, x, y, words):
    ax.text(x, y, words, fontsize=12, weight="bold", va="center")


def text(ax, x, y, words, size=11):
    ax.text(x, y, words, fontsize=size, ha="center", va="center")


def box(ax, x, y, width, height, words, colour, size=11):
    """Draw a network: a rounded box around a centre, in a light shade of its colour."""
    corner = x - width / 2, y - height / 2
    style = "round,pad=0,rounding_size=0.08"
    ax.add_patch(
        FancyBboxPatch(
            corner, width, height, style, facecolor=colour + "33", edgecolor=colour
        )
    )
    text(ax, x, y, words, size)


def arrow(ax, start, end, colour):
    style = {"arrowstyle": "-|>", "color": colour, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", end, start, arrowprops=style)


if __name__ == "__main__":
    draw(Path(__file__).with_suffix(".svg"))
