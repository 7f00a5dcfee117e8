"""The rows of the paper's tables as runs: settings, folders, results."""

import dataclasses
import json
import os
from pathlib import Path
from typing import NamedTuple

from ramnp.learning.config import Config
from ramnp.learning.recipes import FROM_DATA, PAPER_ERRORS, TABLES, make_config
from ramnp.runs import run_folder
from ramnp.runs.options import as_options
from ramnp.support.errors import CheckpointError, UserError, damage
from ramnp.support.files import make_folder, write_atomically

# The paper does not say how long it trained its comparison networks.
_COMPARISON = {"recipe": "quick", "epochs": 60}
# The paper's agents that are trained for as long as the recipe says; the others, for ten
# million rollouts.
FULL_LENGTH = (
    ("1a", "ram-6"),
    ("1a", "ram-7"),
    ("1b", "ram-8"),
    ("2a", "ram-8"),
    ("2b", "ram-8"),
)
# What `quick` can do in three minutes on two cores.
_THREE_MINUTES = {"1a": 36, "1b": 21, "2a": 20, "2b": 16}
# What a network that sees the whole image can do with no more parameters than `best`.
_DEEP = {
    "recipe": "best",
    "model": "conv",
    "num_filters": 64,
    "filter_size": 3,
    "filter_stride": 2,
    "epochs": 20,
}
_NO_AUGMENTATION = {"deformation": 0.0, "max_shift": 0}
# `best` on digits as they are: where it was tuned for them, with these settings.
_TUNED = {
    "learning_rate": 0.012,
    "final_rate": 0.001,
    "average_decay": 0.995,
    "plain_share": 0.0,
    "epochs": 60,
}
_BEST_PLAIN = {
    "1a": _TUNED | {"first_glimpse": "near-center"},
    "1b": _TUNED | {"weight_decay": 0.3, "evaluation_location_std": 0.01},
}
_REMEDY = "restore it, or remove its folder to train again"


class Place(NamedTuple):
    """The folders of a study."""

    runs: str  # run folders: checkpoints and pictures
    results: str  # the small files of each finished run, and the tables
    data: str | None = None  # the option --data


class Job(NamedTuple):
    """One run of a study."""

    table: str
    row: str
    config: Config

    def __str__(self):
        return f"{self.table} {self.row} seed {self.config.seed}"

    @property
    def folder(self):
        """Its folder, relative to the folders of a Place."""
        return seed_folder(os.path.join(self.table, self.row), self.config)


class Result(NamedTuple):
    """The outcome of a finished run."""

    config: Config
    data: str | None
    numbers: dict  # result.json
    steps: int | None = None  # of training, if its metrics are there


def seed_folder(row_folder, config):
    """Return the folder of one seed within a row's."""
    return os.path.join(row_folder, f"seed-{config.seed}")


def row_names(table):
    """Return the names of a table's rows: the paper's, and our quick and best.

    `quick-long` has more epochs, `quick-plain` and `best-plain` no augmentation;
    `conv-best` is a convolutional network of several layers.
    """
    ours = "quick", "quick-long", "quick-plain", "best", "best-plain", "conv-best"
    return [*PAPER_ERRORS[TABLES[table]], *ours]


def row_config(table, row, **changes):
    """Return the configuration of a row, with `changes` to its fields."""
    kind, _, rest = row.partition("-")
    size = int(rest) if rest.isdecimal() else None
    randomly = {"policy": "random", "first_glimpse": "random"}
    settings = {
        "fc": _COMPARISON | {"model": "fc", "fc_size": size},
        "conv": _COMPARISON | {"model": "conv"},
        "conv-best": _DEEP | {"num_filter_layers": 3 if table == "1a" else 4},
        "ram": {"recipe": "paper", "num_glimpses": size}
        | ({} if (table, row) in FULL_LENGTH else {"epochs": 100}),
        # The agent of the row "best", with random locations.
        "random": {"recipe": "best", "num_glimpses": size} | randomly,
        "quick": {"recipe": "quick"},
        "quick-long": {"recipe": "quick", "epochs": _THREE_MINUTES[table]},
        "best": {"recipe": "best"},
        "best-plain": {"recipe": "best"} | _BEST_PLAIN.get(table, {}),
    }
    plain = _NO_AUGMENTATION if rest == "plain" else {}
    settings = settings[row if row in settings else kind] | plain
    return make_config(TABLES[table], **(settings | changes))


def train_options(config, data=None):
    """Return the fewest options of ramnp.train that give this configuration."""
    usual = make_config(config.task, config.recipe, model=config.model)
    usual = dataclasses.replace(usual, model="ram")
    settings = {"task": config.task, "recipe": config.recipe} | {
        name: value
        for name, value in dataclasses.asdict(config).items()
        if value != getattr(usual, name)
    }
    settings.pop("seed", None)
    words = as_options(settings | {"seed": config.seed})
    return words if data is None else [*words, "--data", data]


def read_result(folder):
    """Return the Result in a folder, or None if there is none.

    Raises UserError if it is damaged.
    """
    path = os.path.join(folder, run_folder.RESULT)
    config_path = os.path.join(folder, run_folder.CONFIG)
    if not os.path.exists(path):
        return None
    with damage(f"{path} is damaged: {_REMEDY}"), open(path, encoding="utf-8") as file:
        numbers = json.load(file)
        for name in ("test_error", "test_error_rollouts", "seconds"):
            if type(numbers[name]) not in (int, float):
                raise TypeError(f"{name} is not a number")
    steps, metrics = None, os.path.join(folder, run_folder.METRICS)
    if os.path.exists(metrics):
        with damage(f"{metrics} is damaged: {_REMEDY}"):
            steps = run_folder.read_history(folder)[-1].get("step")
    with damage(f"{config_path} is missing or damaged: {_REMEDY}"):
        return Result(*run_folder.read_config(folder, {}), numbers, steps)


def read_row(folder):
    """Return the results in a row's folder, as one list per configuration.

    The runs of a list differ only in their seeds, by which they are ordered.
    """
    runs = {}
    for path in sorted(Path(folder).glob("seed-*")):
        if result := read_result(path):
            same = dataclasses.replace(result.config, seed=0), result.data
            runs.setdefault(same, []).append(result)
    return [sorted(results, key=lambda r: r.config.seed) for results in runs.values()]


def read_error_after_glimpse(folder):
    """Return the validation error in percent after each glimpse, of the best epoch.

    Raises UserError if the metrics in the folder of a result are damaged.
    """
    path = os.path.join(folder, run_folder.METRICS)
    with damage(f"{path} is missing or damaged: {_REMEDY}"):
        best = min(run_folder.read_history(folder), key=lambda row: row["valid_error"])
        errors = best["valid_error_after_glimpse"]
        if not errors or any(type(error) not in (int, float) for error in errors):
            raise TypeError("not errors")
    return errors


def still_to_do(job, place, epochs=None):
    """Return the job, with the settings of its existing run, or None if it is done.

    An existing run keeps its number of epochs, unless `epochs` demands another. Raises
    UserError if any other setting has changed.
    """
    for root in (place.results, place.runs):
        folder = os.path.join(root, job.folder)
        if not os.path.exists(os.path.join(folder, run_folder.CONFIG)):
            continue
        wanted = dataclasses.asdict(job.config)
        for name in FROM_DATA:
            del wanted[name]
        if epochs is None:
            del wanted["epochs"]
        try:
            config, _ = run_folder.read_config(folder, wanted)
        except CheckpointError as error:
            reason = str(error).partition(": ")[0]
            raise UserError(
                f"{reason}: remove {folder} to train again, or leave {job.row} "
                "out with --rows"
            ) from error
        is_done = os.path.exists(os.path.join(folder, run_folder.RESULT))
        if is_done and root == place.results:
            return None
        job = job._replace(config=config)
    return job


def keep_result(job, place):
    """Copy the small files of a finished run to the results; return the Result."""
    source = os.path.join(place.runs, job.folder)
    target = os.path.join(place.results, job.folder)
    make_folder(target)
    # result.json is written last: it marks completion.
    for name in (run_folder.CONFIG, run_folder.METRICS, run_folder.RESULT):
        with open(os.path.join(source, name), "rb") as file:
            write_atomically(os.path.join(target, name), file.read())
    return read_result(target)
