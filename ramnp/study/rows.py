"""The rows of the paper's tables as runs: their settings, folders, and what is done."""

import contextlib
import dataclasses
import json
import os
from pathlib import Path
from typing import NamedTuple

from ramnp.learning.config import Config, option_name
from ramnp.learning.recipes import PAPER_ERRORS, TABLES, make_config
from ramnp.runs import run_folder
from ramnp.support.errors import CheckpointError, UserError
from ramnp.support.files import make_folder, write_atomically

RESULT, METRICS = "result.json", "metrics.jsonl"
# The paper does not say how long it trained its baselines.
_BASELINE = {"recipe": "quick", "epochs": 60}
_AS_THEY_ARE = {"deformation": 0.0, "max_shift": 0}


class Place(NamedTuple):
    """Where a study keeps its things."""

    runs: str  # run folders: checkpoints and pictures
    results: str  # what is left of each finished run, and the tables
    data: str | None = None  # as the option --data


class Job(NamedTuple):
    """One run of a study."""

    table: str
    row: str
    config: Config

    def __str__(self):
        return f"{self.table} {self.row} seed {self.config.seed}"

    @property
    def folder(self):
        """Its folder within those of a Place."""
        return seed_folder(os.path.join(self.table, self.row), self.config)


class Result(NamedTuple):
    """What is left of a finished run."""

    config: Config
    data: str | None
    figures: dict  # result.json


def seed_folder(row_folder, config):
    """Return the folder of one seed within a row's."""
    return os.path.join(row_folder, f"seed-{config.seed}")


def row_names(table):
    """Return the names of a table's rows: the paper's, and our quick and best.

    Where `best` bends or moves the training digits, `best-plain` does not.
    """
    names = [*PAPER_ERRORS[TABLES[table]], "quick", "best"]
    best = row_config(table, "best")
    changed = any(getattr(best, name) for name in _AS_THEY_ARE)
    return [*names, "best-plain"] if changed else names


def row_config(table, row, **changes):
    """Return the configuration of a row, with some fields changed."""
    kind, _, size = row.partition("-")
    settings = {
        "fc": lambda: _BASELINE | {"model": "fc", "fc_size": int(size)},
        "conv": lambda: _BASELINE | {"model": "conv"},
        "ram": lambda: {"recipe": "paper", "num_glimpses": int(size)},
        # But for where it looks, it is the agent of the row "best".
        "random": lambda: {
            "recipe": "best",
            "policy": "random",
            "first_glimpse": "random",
            "num_glimpses": int(size),
        },
        "quick": lambda: {"recipe": "quick"},
        "best": lambda: {"recipe": "best"} | (_AS_THEY_ARE if size else {}),
    }[kind]()
    return make_config(TABLES[table], **(settings | changes))


def train_options(config, data=None):
    """Return the options of ramnp.train that give this configuration, and no others."""
    usual = make_config(config.task, config.recipe)
    options = ["--task", config.task, "--recipe", config.recipe]
    for spec in dataclasses.fields(Config):
        value, name = getattr(config, spec.name), option_name(spec.name)
        if spec.name == "seed" or value == getattr(usual, spec.name):
            continue
        if spec.type is bool:
            options.append(name if value else name.replace("--", "--no-", 1))
        else:
            options += [name, str(value)]
    options += ["--seed", str(config.seed)]
    return options if data is None else [*options, "--data", data]


def read_result(folder):
    """Return the Result in a folder, or None if there is none.

    Raises UserError if it is damaged.
    """
    path = os.path.join(folder, RESULT)
    if not os.path.exists(path):
        return None
    try:
        with open(path, encoding="utf-8") as file:
            figures = json.load(file)
        for name in ("test_error", "test_error_rollouts", "seconds"):
            if type(figures[name]) not in (int, float):
                raise TypeError(f"{name} is no number")
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise UserError(
            f"{path} is damaged: restore it, or remove its folder to train anew"
        ) from error
    try:
        return Result(*run_folder.read_config(folder, {}), figures)
    except UserError as error:
        raise UserError(
            f"{os.path.join(folder, run_folder.CONFIG)} is missing or damaged: restore it, or "
            "remove its folder to train anew"
        ) from error


def read_row(folder):
    """Return the results in a row's folder, a list for each configuration.

    In one list, ordered by their seeds, the runs differ in these alone.
    """
    runs = {}
    for path in sorted(Path(folder).glob("seed-*")):
        if result := read_result(path):
            same = dataclasses.replace(result.config, seed=0), result.data
            runs.setdefault(same, []).append(result)
    return [sorted(results, key=lambda r: r.config.seed) for results in runs.values()]


def read_error_after_glimpse(folder):
    """Return the validation errors in percent after each glimpse, at the best epoch.

    Raises UserError if the metrics in the folder of a result are damaged.
    """
    path = os.path.join(folder, METRICS)
    try:
        with open(path, encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
        best = min(rows, key=lambda row: row["valid_error"])
        errors = best["valid_error_after_glimpse"]
        if not errors or any(type(error) not in (int, float) for error in errors):
            raise TypeError("no errors")
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise UserError(
            f"{path} is missing or damaged: restore it, or remove its folder to train "
            "anew"
        ) from error
    return errors


def still_to_do(job, place, epochs=None):
    """Return the job as it is to be done, or None if it is done.

    A run that was begun, or done, with other `epochs` keeps them unless a number is
    asked for. Raises UserError if any other setting has changed since.
    """
    for root in (place.results, place.runs):
        folder = os.path.join(root, job.folder)
        if not os.path.exists(os.path.join(folder, run_folder.CONFIG)):
            continue
        wanted = dataclasses.asdict(job.config)
        if epochs is None:
            del wanted["epochs"]
        try:
            config, _ = run_folder.read_config(folder, wanted)
        except CheckpointError as error:
            reason = str(error).partition(": ")[0]
            raise UserError(
                f"{reason}: remove {folder} to train anew, or leave {job.row} out "
                "by --rows"
            ) from error
        if os.path.exists(os.path.join(folder, RESULT)) and root == place.results:
            return None
        job = job._replace(config=config)
    return job


def keep_result(job, place):
    """Copy what is worth keeping of a finished run; return the Result."""
    source, target = (
        os.path.join(root, job.folder) for root in (place.runs, place.results)
    )
    make_folder(target)
    for name in (
        run_folder.CONFIG,
        METRICS,
        RESULT,
    ):  # the last one says that all are there
        with open(os.path.join(source, name), "rb") as file:
            write_atomically(os.path.join(target, name), file.read())
    return read_result(target)


def epochs_done(jobs, place):
    """Return how many epochs of the jobs' runs are over."""
    total = 0
    for job in jobs:
        path = os.path.join(place.runs, job.folder, METRICS)
        with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
            total += file.read().count(b"\n")
    return total
