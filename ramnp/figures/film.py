"""glimpses.gif: the content of glimpses.png animated, one frame per glimpse."""

import io
import math

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba_array
from matplotlib.figure import Figure
from PIL import Image

from ramnp.figures import views
from ramnp.figures.style import COLOURS, STYLE, styled
from ramnp.support.files import write_atomically

# Sizes in inches
WIDTH = 9.2  # of all images in a row
SIDE = 1.4  # of an image, at most
GAP = 0.07
MARGIN = 0.15
LEFT = 0.35
HEAD = 0.45

MOST_COLUMNS = 8
FRAME = 700  # milliseconds
LAST_FRAME = 2800


@styled
def animate_glimpses(images, labels, seen, config, path, class_names=None, scale=1):
    """Draw what `draw_glimpses` draws as a GIF that loops, and hold its last frame.

    Each image has the windows of the current glimpse and the path to it. Below it are
    the cells seen so far, the finer over the coarser, and a bar per class.
    scale: 2 gives twice as many pixels, for fine screens.
    """
    labelled = labels is not None
    labels = labels if labelled else seen.classes
    names = views.class_labels(class_names, seen.probabilities.shape[1])
    boxes, cells = views.look(images, seen.locations, config)
    limits = views.limits_of(boxes, images)
    B, T = boxes.shape[:2]
    colours = views.time_colours(T)

    columns = min(B, MOST_COLUMNS)
    side = min(SIDE, WIDTH / columns - MARGIN)
    height = side * views.tallness(limits)
    row = 2 * (height + GAP) + views.BARS + views.NAMES + MARGIN
    width = LEFT + columns * (side + MARGIN)
    size = max(width, 5.5), HEAD + math.ceil(B / columns) * row
    figure = Figure(figsize=size, dpi=scale * STYLE["figure.dpi"])
    canvas = FigureCanvasAgg(figure)
    panels = []
    for i in range(B):
        left = LEFT + i % columns * (side + MARGIN)
        top = HEAD + i // columns * row
        scene = views.add_view(figure, left, top, side, height, limits)
        top += height + GAP
        retina = views.add_view(figure, left, top, side, height, limits)
        top += height + GAP
        bars = views.add_axes(figure, left, top, side, views.BARS)
        bars.set(xlim=(0, side), ylim=(0, 1))
        panels.append((scene, retina, bars))
        if i % columns == 0:
            for name, middle in (("image", 1.5), ("seen\nso far", 0.5)):
                y = top - GAP / 2 - middle * (height + GAP)
                style = {"rotation": 90, "va": "center", "ha": "center", "fontsize": 8}
                views.write(figure, LEFT / 2, y, name, **style)
    views.add_key(figure, "upper right", labelled)
    heading = views.write(figure, LEFT, 0.25, "", weight="bold")

    frames = []
    for t in range(T):
        heading.set_text(f"glimpse {t + 1} of {T}")
        for i, (scene, retina, bars) in enumerate(panels):
            past = slice(t + 1)
            views.clear(scene, retina, bars)
            views.show_image(scene, images[i])
            views.draw_path(scene, boxes[i, past, 0], colours)
            views.draw_windows(scene, boxes[i, t], colours[t])
            views.show_cells(retina, cells[i, past], boxes[i, past])
            guess = seen.step_probabilities[i, t]
            views.draw_probabilities(bars, guess, labels[i], names, 0, side)
        canvas.draw()
        frames.append(Image.fromarray(np.array(canvas.buffer_rgba())[..., :3]))
    write_atomically(path, _gif(frames, [*COLOURS.values(), *colours]))


def _gif(frames, colours):
    """Return the bytes of a GIF of RGB frames, which share a palette of 256 colours.

    The palette holds the given colours, then the most frequent of the last frame, which
    has every box of the frames before it.
    """
    last = frames[-1]
    counts = sorted(last.getcolors(last.width * last.height), reverse=True)
    given = np.rint(255 * to_rgba_array(colours)[:, :3]).astype(int)
    frequent = np.array([rgb for _, rgb in counts])
    palette = Image.new("P", (1, 1))
    palette.putpalette(np.concatenate([given, frequent])[:256].ravel().tolist())
    frames = [f.quantize(palette=palette, dither=Image.Dither.NONE) for f in frames]
    # Pillow finds the nearest colour to within a few levels only: keep white white.
    background = 3 * frames[0].getpixel((0, 0))
    values = frames[0].getpalette()
    values[background : background + 3] = 255, 255, 255
    for frame in frames:
        frame.putpalette(values)
    file = io.BytesIO()
    durations = [FRAME] * (len(frames) - 1) + [LAST_FRAME]
    options = {"save_all": True, "append_images": frames[1:], "loop": 0}
    frames[0].save(file, "GIF", duration=durations, **options)
    return file.getvalue()
