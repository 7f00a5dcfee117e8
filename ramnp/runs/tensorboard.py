"""The rows of metrics for TensorBoard, beside those of metrics.jsonl."""

import functools

from ramnp.support.errors import UserError


def logger(folder):
    """Return a function that writes a row of metrics into a run folder.

    Raises UserError if the package tensorboard is not installed.
    """
    try:
        from tensorboard.summary import Writer  # an optional package
    except ImportError as error:
        raise UserError(
            "--tensorboard needs the package tensorboard: pip install tensorboard"
        ) from error
    # It makes the folder, so it waits for the first epoch.
    writer = functools.cache(lambda: Writer(str(folder)))

    def write(row):
        for name, value in scalars(row).items():
            writer().add_scalar(name, value, row["epoch"])
        writer().flush()

    return write


def scalars(row):
    """Return {tag: number} for a row: one tag per number, nested ones included."""
    found = {}
    for name, value in row.items():
        if isinstance(value, dict):
            found |= {f"{name}/{key}": number for key, number in value.items()}
        elif isinstance(value, list):
            found |= {f"{name}/{i}": number for i, number in enumerate(value, 1)}
        else:
            found[name] = value
    return found
