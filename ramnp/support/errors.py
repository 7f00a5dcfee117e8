"""The errors that a user can cause and fix, each with its exit code."""

import contextlib


class UserError(Exception):
    """Unusable input; the message is one line that names it and says what to do."""

    exit_code = 2


class DataError(UserError):
    """A data file is missing, damaged or of the wrong shape."""


class CheckpointError(UserError):
    """A checkpoint is missing, damaged, foreign, or of another configuration."""


class DivergenceError(UserError):
    """The loss or a weight is no longer finite."""

    exit_code = 3


class WorkerError(UserError):
    """A worker process could not be started, or has died."""


@contextlib.contextmanager
def damage(message, kind=UserError):
    """Raise kind(message) instead of any error that a damaged file can cause."""
    try:
        yield
    except (
        *(OSError, ValueError, TypeError, LookupError, AttributeError),
        *(RecursionError, UserError),
    ) as error:
        raise kind(message) from error


def brief(value):
    """Return a value read from a file as messages quote it: short and printable."""
    return "".join(filter(str.isprintable, str(value)))[:60]
