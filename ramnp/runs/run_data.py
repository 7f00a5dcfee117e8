"""Loading the data of a run as its configuration says, and finding it again."""

import dataclasses
import json
import os
import sys
from pathlib import Path

from ramnp.datasets import mnist
from ramnp.support import checkpoint
from ramnp.support.errors import CheckpointError, DataError, UserError


def load(config, data, sha256=None, class_names=None):
    """Return the Digits at the path `data`, prepared as a run's configuration says.

    sha256: that of the Digits of the run, if it is known; see mnist.load.
    """
    return mnist.load(
        data,
        size=(config.image_height, config.image_width) if config.resize else None,
        invert=config.invert,
        channels=config.channels,
        class_names=class_names,
        sha256=sha256,
    )


def load_again(run, agent, data=None):
    """Return the Digits that an agent was trained on, or those at the path `data`.

    run: the source of the agent. Raises UserError if its own data is missing or
    has changed; warns on stderr if `data` is other data.
    """
    about = agent.data or recorded(run)
    if about is None and data is None:
        raise UserError(
            f"{run} does not say which data its agent was trained on: name it by --data"
        )
    about = about or {"path": None, "sha256": None}
    config = agent.config
    if agent.data:  # so the size of its images is known, and others are fitted into it
        config = dataclasses.replace(config, resize=True)
    path = data or path_of(run, about["path"])
    digits = load(config, path, about["sha256"], about.get("class_names"))
    if data is None:
        check(run, digits, about)
    elif digits.sha256 != about["sha256"]:
        for note in digits.notes:
            print(f"note: {note}", file=sys.stderr)
        print(
            f"warning: {data} is not known to be the data that the agent was trained "
            "on; its test images may be among those",
            file=sys.stderr,
        )
    return digits


def path_of(run, path):
    """Return the path of the data of a run; raise DataError if it is missing."""
    if path and not mnist.exists(Path(path)):
        raise DataError(
            f"{path} does not exist, but {run} was trained on it: restore it, or name "
            "it by --data"
        )
    return path


def check(run, digits, about):
    """Raise DataError unless the Digits are those of the run, as far as is known."""
    if about["sha256"] not in (None, digits.sha256):
        raise DataError(
            f"{digits.path or mnist.default_folder()} is not the data that {run} was "
            f"trained on, or has changed since (its SHA-256 is {digits.sha256[:12]}..., "
            f"not {about['sha256'][:12]}...): restore it, or name it by --data"
        )


def recorded(run):
    """Return {"path", "sha256"} of the data of the run in a folder, None if unknown.

    sha256 is None for a run begun by an earlier version and stopped before its first
    checkpoint.
    """
    folder = os.fspath(run)
    if not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    try:
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
            config = json.load(file)
        path, sha256 = config["data"], config.get("data_sha256")
        checkpoint_path = os.path.join(folder, "checkpoint.npz")
        if sha256 is None and os.path.exists(checkpoint_path):
            sha256 = checkpoint.load(checkpoint_path)[1]["data_sha256"]
        if not (isinstance(path, str | None) and isinstance(sha256, str | None)):
            return None
    except (OSError, ValueError, KeyError, TypeError, CheckpointError):
        return None
    return {"path": path, "sha256": sha256}
