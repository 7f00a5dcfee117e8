"""cost.png: the error by multiply-adds per image, of all results in a folder."""

import math
import os
from statistics import mean

from ramnp.comparison.convolutional_network import grid_shape
from ramnp.figures import curves
from ramnp.learning.choices import model_of
from ramnp.learning.recipes import BEST_PUBLISHED, PAPER_ERRORS, TABLES
from ramnp.study import rows
from ramnp.support.files import make_folder

FIGURE = "cost.png"
# Each line: its name, colour and marker, and the rows of TABLE.md that are its points.
_OURS = (
    ("recipe paper", "what", "o-", ("ram-",)),
    ("recipe quick", "where", "s", ("quick",)),
    ("recipe best", "action", "D", ("best",)),
    ("whole image, recipe quick", "baseline", "v", ("fc-", "conv")),
    ("whole image, recipe best", "core", "^", ("conv-best",)),
)
_PAPERS = (
    ("the paper, glimpses", "muted", "o--", ("ram-",)),
    ("the paper, whole image", "muted", "v", ("fc-", "conv")),
)


def draw_figure(results):
    """Draw the figure; return its path."""
    panels = {
        f"table {table}: {task}": _lines(table, task, results)
        for table, task in TABLES.items()
    }
    make_folder(results)
    path = os.path.join(results, FIGURE)
    curves.draw_errors(panels, path, "million multiply-adds per image", log=True)
    return path


def _lines(table, task, results):
    """Return the lines of a task, the paper's first."""
    papers = {
        row: [(rows.row_config(table, row), float(arxiv.removesuffix(" ?")))]
        for row, (arxiv, _) in PAPER_ERRORS[task].items()
    }
    ours = {
        row: [
            (seeds[0].config, mean(seed.numbers["test_error"] for seed in seeds))
            for seeds in rows.read_row(os.path.join(results, table, row))
        ]
        for row in rows.row_names(table)
    }
    lines = [_line(papers, *kind) for kind in _PAPERS]
    lines += [line for line in (_line(ours, *kind) for kind in _OURS) if line.errors]
    costs = [x for line in lines for x in line.x]
    published = [float(BEST_PUBLISHED[task])] * 2
    name = "lowest published, glimpses only"
    ends = [min(costs), max(costs)]
    return [*lines, curves.Line(name, "policy", ends, published, ":")]


def _line(points, name, colour, marker, kinds):
    """Return the Line of the rows of these kinds; "ram-" are those of any number."""
    found = sorted(
        (cost(config) / 1e6, error)
        for row, pairs in points.items()
        if row in kinds or row.rstrip("0123456789") in kinds
        for config, error in pairs
    )
    costs, errors = ([pair[i] for pair in found] for i in (0, 1))
    return curves.Line(name, colour, costs, errors, marker)


def cost(config):
    """Return the multiply-adds of classifying an image in one rollout.

    They are those of the linear maps: the sensor's means are additions, and no
    baseline is needed.
    """
    T, total = config.num_glimpses, 0
    uses = {"glimpse": T, "core": T, "location": T - 1, "baseline": 0}
    shape = config.scene_shape
    for network, shapes in model_of(config).shapes(config).items():
        for name, W in shapes.items():
            times = uses.get(network, 1)
            if name.startswith("W_f"):  # once at each place of the grid
                shape = grid_shape(shape, config.filter_size, config.filter_stride)
                times = math.prod(shape)
            if len(W) > 1:  # not a bias
                total += times * math.prod(W)
    return total
