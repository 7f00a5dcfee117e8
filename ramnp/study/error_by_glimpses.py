"""glimpses.png: the error by number of glimpses, of all results in a folder."""

import os

import numpy as np

from ramnp.figures import curves
from ramnp.learning.recipes import PAPER_ERRORS, TABLES
from ramnp.study import rows
from ramnp.support.files import make_folder

FIGURE = "glimpses.png"


def draw_figure(results):
    """Draw the figure; return its path."""
    panels = {
        f"table {table}: {task}": [*_ours(table, task, results), _papers(task)]
        for table, task in TABLES.items()
    }
    make_folder(results)
    path = os.path.join(results, FIGURE)
    curves.draw_errors(panels, path, "glimpses")
    return path


def _ours(table, task, results):
    """Yield a line for each kind of agent that has results."""
    longest = max(row for row in PAPER_ERRORS[task] if row.startswith("ram-"))
    for row, name, colour in (
        ("random-8", "random glimpses, validation", "where"),
        (longest, "recipe paper, validation", "muted"),
        ("best", "recipe best, validation", "action"),
    ):
        folder = os.path.join(results, table, row)
        for seeds in rows.read_row(folder)[:1]:
            errors = [
                rows.read_error_after_glimpse(rows.seed_folder(folder, seed.config))
                for seed in seeds
            ]
            T = range(1, 1 + min(map(len, errors)))
            errors = np.mean([e[: len(T)] for e in errors], axis=0)
            yield curves.Line(name, colour, T, errors)


def _papers(task):
    """Return the line of the paper's agents, each trained with that many glimpses."""
    points = {
        int(row.removeprefix("ram-")): float(arxiv.removesuffix(" ?"))
        for row, (arxiv, _) in PAPER_ERRORS[task].items()
        if row.startswith("ram-")
    }
    return curves.Line("the paper, test", "policy", [*points], [*points.values()], "o")
