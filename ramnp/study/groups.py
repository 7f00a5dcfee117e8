"""Comparison of run folders, grouped over seeds, with the settings that differ."""

import dataclasses
import json
import os
from typing import NamedTuple

import numpy as np

from ramnp.learning.config import Config
from ramnp.runs import run_folder
from ramnp.support.errors import UserError, damage
from ramnp.support.text import columns, mean_and_spread

# Horizontal axes of curves, from a row of metrics and the configuration.
AXES = {
    "epochs": lambda row, config: row["epoch"],
    "rollouts": lambda row, config: (
        row["step"] * config.batch_size * config.num_rollouts
    ),
    "minutes": lambda row, config: row["seconds"] / 60,
}


class Run(NamedTuple):
    """The content of a run folder."""

    config: Config
    data: str | None
    history: list  # the rows of metrics.jsonl
    result: dict | None  # result.json, if the run has ended


class Group(NamedTuple):
    """Runs that differ only in the seed."""

    name: str  # the folder of its run, or what the names of its runs begin with
    runs: list


def read(folders):
    """Return the Groups of run folders, in the order given.

    Raises UserError if a folder is no run, is damaged, or holds no epoch yet.
    """
    same = {}
    for folder in dict.fromkeys(map(os.path.normpath, folders)):
        run = _read_run(folder)
        key = dataclasses.replace(run.config, seed=0), run.data
        same.setdefault(key, {})[folder] = run
    names = [_name([*runs]) for runs in same.values()]
    return [
        Group(name if names.count(name) == 1 else ", ".join(runs), [*runs.values()])
        for name, runs in zip(names, same.values())
    ]


def _name(folders):
    """Return the pattern that names the folders, as for a shell; all if it names none."""
    start = os.path.commonprefix(folders)
    if len(folders) == 1:
        return start
    return f"{start}*" if start else ", ".join(folders)


def _read_run(folder):
    if not os.path.exists(os.path.join(folder, run_folder.CONFIG)):
        raise UserError(f"there is no run in {folder}: give folders of ramnp.train")
    config, data = run_folder.read_config(folder, {})
    with damage(
        f"{folder} holds no finished epoch, or its metrics are damaged: train it "
        "first, or leave it out"
    ):
        history = run_folder.read_history(folder)
        history[0]["epoch"], history[0]["step"], history[0]["seconds"]
        path = os.path.join(folder, run_folder.RESULT)
        result = None
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                result = json.load(file)
                result["test_error"] + result["test_error_rollouts"]
    return Run(config, data, history, result)


def curve(group, metric, over):
    """Return x (n,), mean (n,) and standard deviation (n,) over the runs of a group.

    Runs of different length end with the shortest. Raises UserError for a metric that
    the runs do not have.
    """
    n = min(len(run.history) for run in group.runs)
    try:
        y = np.array(
            [[float(row[metric]) for row in r.history[:n]] for r in group.runs]
        )
    except (KeyError, TypeError, ValueError) as error:
        numbers = [
            name
            for name, value in group.runs[0].history[0].items()
            if type(value) in (int, float)
        ]
        raise UserError(
            f"--metric {metric}: choose one of {', '.join(numbers)}"
        ) from error
    x = np.mean(
        [[AXES[over](row, r.config) for row in r.history[:n]] for r in group.runs],
        axis=0,
    )
    spread = y.std(axis=0, ddof=1) if len(y) > 1 else np.zeros(n)
    return x, y.mean(axis=0), spread


def table(groups):
    """Return the final errors in percent of each group."""
    lines = [["group", "runs", "epochs", "validation", "test", "averaged", "minutes"]]
    for group in groups:
        histories = [run.history for run in group.runs]
        ended = [run.result for run in group.runs if run.result]
        numbers = (
            [min(row["valid_error"] for row in history) for history in histories],
            [result["test_error"] for result in ended],
            [result["test_error_rollouts"] for result in ended],
            [history[-1]["seconds"] / 60 for history in histories],
        )
        epochs = max(history[-1]["epoch"] for history in histories)
        cells = [mean_and_spread(column) if column else "-" for column in numbers]
        lines.append([group.name, str(len(group.runs)), str(epochs), *cells])
    return columns(lines)


def differences(groups):
    """Return the settings in which groups differ, a column for each group."""
    settings = [
        dataclasses.asdict(group.runs[0].config) | {"data": group.runs[0].data}
        for group in groups
    ]
    lines = [["setting", *(group.name for group in groups)]]
    for name in settings[0]:
        values = [str(fields[name]) for fields in settings]
        if name != "seed" and len({*values}) > 1:
            lines.append([name, *values])
    return columns(lines) if len(lines) > 1 else "all settings are the same"
