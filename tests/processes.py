"""Helpers for tests of whole processes: copies, comparisons and waiting."""

import hashlib
import json
import time
from pathlib import Path

from ramnp.support import checkpoint

ROOT = Path(__file__).parents[1]


def copy_run(source, target, leave_out=()):
    """Copy the files of a run folder, for a test to spoil; return the new folder."""
    target.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir():
        if path.name not in leave_out:
            (target / path.name).write_bytes(path.read_bytes())
    return target


def saved(folder):
    """Return the step of the checkpoint and the SHA-256 of its parameters."""
    arrays, meta = checkpoint.load(folder / "checkpoint.npz")
    return meta["step"], hashlib.sha256(arrays["parameters"]).hexdigest()


def without_clocks(row):
    """Return metrics or a result without the values that depend on the time."""
    return {k: v for k, v in row.items() if k not in ("seconds", "images_per_second")}


def metrics(folder):
    """Return the rows of metrics.jsonl."""
    return [json.loads(s) for s in (folder / "metrics.jsonl").read_text().splitlines()]


def outcome(folder):
    """Return all of a finished run that must not depend on when or how it was made."""
    best, meta = checkpoint.load(folder / "best.npz")
    return {
        "saved": saved(folder),
        "metrics": [without_clocks(row) for row in metrics(folder)],
        "result": without_clocks(json.loads((folder / "result.json").read_text())),
        "best": hashlib.sha256(best["parameters"]).hexdigest(),
        "training": without_clocks(meta["training"]),
    }


def is_alive(pid):
    """Return whether a process runs; a zombie does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


def wait_until(condition, pause=0.005, seconds=120):
    """Wait until condition() holds; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(pause)
