"""The errors that a user can cause and act on, and the exit code of each."""


class UserError(Exception):
    """Something the user gave can't be used; the message is one line that says what to do."""

    exit_code = 2


class DataError(UserError):
    """A data file is missing, damaged or of the wrong shape."""


class CheckpointError(UserError):
    """A checkpoint is missing, damaged, foreign, or belongs to another configuration."""


class DivergenceError(UserError):
    """The loss or a weight is no longer finite."""

    exit_code = 3


class WorkerError(UserError):
    """A process that shared the work could not be started, or has ended."""


def brief(value):
    """Return a value out of a file as a message may quote it: short and printable."""
    return "".join(filter(str.isprintable, str(value)))[:60]
