"""TABLE.md: the paper's errors and ours, of all results in a folder."""

import os
import shlex
from statistics import mean

from ramnp.learning.recipes import BEST_PUBLISHED, PAPER_ERRORS, TABLES, paper_row
from ramnp.study import rows
from ramnp.support.files import make_folder, write_atomically
from ramnp.support.text import mean_and_spread

_TOP = """\
# The paper's tables, and ours

Written by `python -m ramnp.reproduce` from the results beside it; do not edit.

Test errors in percent. arXiv and NIPS are the paper's two versions; `?` marks a number that was read only in
transcriptions. *Ours* is one rollout per image, with the weights that were best on the validation scenes: the mean over
the seeds ± their sample standard deviation. *Ten rollouts* averages the class probabilities of ten rollouts;
*deterministic* has each location at the policy's mean, the first at the centre. A network that sees the whole image is
deterministic. *REINFORCE into core*: whether it also trains the core and the glimpse network (`--policy-into-core`).
*Rollouts seen* in training are counted in millions: epochs, times images, times rollouts per image.
*Minutes* is the mean time of a run on a machine shared with other runs.
The rows `ram` are trained as in the paper; `quick` and `best` with the recipes of these names; `random` is `best` with
random glimpses; `quick-plain` and `best-plain` are without augmentation, where the others deform (`--deformation`) or
shift (`--max-shift`) training digits; test digits are never augmented. The command reproduces the first seed.
"""
_HEAD = """\
| row | model | arXiv | NIPS | ours | ten rollouts | deterministic | REINFORCE into core | seeds | epochs | rollouts seen | minutes | command |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
"""


def write_table(results):
    """Write TABLE.md; return its path."""
    parts = [_TOP]
    for table, task in TABLES.items():
        parts.append(
            f"\n## Table {table}: {task}\n\nThe lowest published test error "
            f"with hard attention: {BEST_PUBLISHED[task]}.\n\n{_HEAD}"
        )
        for row in rows.row_names(table):
            parts += _lines(table, row, os.path.join(results, table, row))
    make_folder(results)
    path = os.path.join(results, "TABLE.md")
    write_atomically(path, "".join(parts))
    return path


def _lines(table, row, folder):
    """Return a row's lines: one for each configuration that has results."""
    runs = rows.read_row(folder)
    if not runs:
        config = rows.row_config(table, row)
        return [_line(row, config, "not run yet", *[""] * 7, _command(config))]
    return [_line(row, *_cells(results)) for results in runs]


def _cells(results):
    """Return the cells of runs that differ only in their seeds."""
    config, data, _, steps = results[0]

    def column(name):
        found = [result.numbers.get(name) for result in results]
        return [] if None in found else found

    def error(name):
        return mean_and_spread(column(name)) if draws and column(name) else ""

    draws = config.model == "ram"
    learns = draws and config.policy == "learned"
    rollouts = (steps or 0) * config.batch_size * config.num_rollouts / 1e6
    return (
        config,
        mean_and_spread(column("test_error")),
        error("test_error_rollouts"),
        error("test_error_deterministic") if learns else "",
        ("yes" if config.policy_into_core else "no") if learns else "",
        len(results),
        config.epochs,
        f"{rollouts:.3g}" if draws and steps else "",
        f"{mean(column('seconds')) / 60:.1f}",
        _command(config, data),
    )


def _line(row, config, *cells):
    published = PAPER_ERRORS[config.task].get(paper_row(config), ("-", "-"))
    cells = (f"`{row}`", _model(row, config), *published, *cells)
    return "| " + " | ".join(map(str, cells)) + " |\n"


def _command(config, data=None):
    options = shlex.join(rows.train_options(config, data))
    return f"`python -m ramnp.train {options}`"


def _model(row, config):
    if config.model == "fc":
        return f"FC 2 × {config.fc_size}"
    if config.model == "conv":
        return "convolutional, 2 layers"
    kind = row.partition("-")[0]
    ours = f"our {kind} RAM" if kind in ("quick", "best") else "RAM"
    looks = "random " if config.policy == "random" else ""
    return f"{ours}, {config.num_glimpses} {looks}glimpses{_augmented(config)}"


def _augmented(config):
    shift = 0 if config.canvas_size else config.max_shift
    ways = {"deformed": config.deformation, "shifted": shift}
    how = " and ".join(name for name, value in ways.items() if value)
    plain = not how or config.plain_share == 1
    return "" if plain else f", digits {how} in training"
