"""TABLE.md: the paper's errors and ours, of all results in a folder."""

import os
import shlex
from statistics import mean

from scipy.stats import ttest_1samp

from ramnp.learning.recipes import (
    BEST_PUBLISHED,
    PAPER_ERRORS,
    TABLES,
    TASKS,
    paper_row,
)
from ramnp.study import rows, speed
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
The rows `ram` are trained as in the paper, with the recipe `paper`: for 25 or ten million rollouts;
`quick` and `best` with the recipes of these names; `quick-long` is `quick` with the epochs of three minutes on two
cores; `random` is `best` with random glimpses; `quick-plain` and `best-plain` are without augmentation, where the others
deform (`--deformation`) or shift (`--max-shift`) training digits; test digits are never augmented. `conv-best` is a
larger convolutional network with the recipe `best`. The command reproduces the first seed.
"""
_QUICK = """
## The recipe quick

How little it takes to reach the paper's error: images seen in training, in millions, times the multiply-adds of one of
them, forward and backward, in millions; both are the same on any machine. *p*: the probability of so low a mean over
the seeds if the expected error were the paper's (one-sided t test, arXiv version). Minutes:
[docs/RESULTS.md](../docs/RESULTS.md).

| task | arXiv | NIPS | `quick` | p | `quick-plain` | seeds | images seen | multiply-adds |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
"""
_HEAD = """\
| row | model | arXiv | NIPS | ours | ten rollouts | deterministic | REINFORCE into core | seeds | epochs | rollouts seen | minutes | command |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
"""


def write_table(results):
    """Write TABLE.md; return its path."""
    quick = [_quick_line(table, task, results) for table, task in TABLES.items()]
    parts = [_TOP, _QUICK, *quick]
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


def _quick_line(table, task, results):
    """Return a task's line of what the recipe quick takes."""

    def runs(row):
        kinds = rows.read_row(os.path.join(results, table, row))
        return max(kinds, key=len, default=[])

    def errors(row):
        return [result.numbers["test_error"] for result in runs(row)]

    config = rows.row_config(table, "quick")
    published = PAPER_ERRORS[task][f"ram-{TASKS[task]['num_glimpses']}"]
    ours, plain = errors("quick"), errors("quick-plain")
    p = ""
    if len(ours) > 1:
        p = f"{ttest_1samp(ours, float(published[0]), alternative='less').pvalue:.1g}"
    steps = runs("quick")[0].steps if ours else None
    cells = (
        f"`{task}`",
        *published,
        mean_and_spread(ours) if ours else "not run yet",
        p,
        mean_and_spread(plain) if plain else "",
        len(ours) or "",
        f"{steps * config.batch_size / 1e6:.2g}" if steps else "",
        f"{speed.multiply_adds(config) / 1e6:.2g}",
    )
    return "| " + " | ".join(map(str, cells)) + " |\n"


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
        layers = 1 + config.num_filter_layers
        return f"convolutional, {layers} layers{_augmented(config)}"
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
