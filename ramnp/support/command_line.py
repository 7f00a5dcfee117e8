"""What every command shares: options, errors and exit codes."""

import argparse
import math
import os
import signal
import sys
import threading

from ramnp.support import process, signals
from ramnp.support.errors import UserError


class Parser(argparse.ArgumentParser):
    """An argument parser that reports errors in one line, like all other errors."""

    def __init__(self, **details):
        super().__init__(**details)
        self._bounds = {}

    def add_number(self, option, help, low, high=math.inf, metavar="N", default=None):
        """Add an option that takes a whole number from `low` to `high`."""
        details = {"type": int, "metavar": metavar, "default": default, "help": help}
        dest = self.add_argument(option, **details).dest
        finite = math.isfinite(high)
        between = f"between {low} and {high}" if finite else f"at least {low}"
        self._bounds[dest] = low, high, between

    def error(self, message):
        raise UserError(f"{message} (see --help)")

    def parse_args(self, *arguments):
        """Parse; refuse a number out of bounds, and the empty text of an unset variable."""
        options = super().parse_args(*arguments)
        for name, value in vars(options).items():
            option = "--" + name.replace("_", "-")
            if value == "":
                self.error(f"the value of {option} is empty: give one, or leave it out")
            low, high, between = self._bounds.get(name, (0, 0, ""))
            if between and value is not None and not low <= value <= high:
                raise UserError(f"{option} {value}: must be {between}")
        return options


def add_run(parser, default=None):
    """Add RUN, the name of an agent, optional if there is a default."""
    shown = f" (default: {default})" if default else ""
    parser.add_argument(
        "run",
        metavar="RUN",
        nargs="?" if default else None,
        default=default,
        help="run folder, an agent's file, or a task, which means its shipped agent"
        + shown,
    )


def add_data(parser):
    """Add --data."""
    parser.add_argument(
        "--data",
        metavar="PATH",
        help="your own images: a folder with a folder of pictures for each class, a "
        ".csv, an .npz, or a folder of IDX files; see docs/OWN_DATA.md; or digits, "
        "the 7,000 digits of MNIST that come with ramnp (default: MNIST, downloaded "
        "once; for a run or agent, its own data)",
    )


def add_data_and_threads(parser):
    """Add --data and --threads."""
    add_data(parser)
    parser.add_number(
        "--threads",
        "number of cores to use; does not affect results "
        f"(default: all, {process.num_cores()} here)",
        1,
        1024,
    )


def add_jobs(parser):
    """Add --jobs and --scheduler, which say where the runs of a study are done."""
    parser.add_number(
        "--jobs",
        "number of runs at a time, which share the cores (default: one per core, "
        f"{process.num_cores()} here)",
        1,
        1024,
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="run on the workers of a Dask cluster, one thread per run; they need the "
        "same files under the same paths",
    )


def check_jobs(options):
    """Raise a UserError if both --jobs and --scheduler are given."""
    if options.jobs and options.scheduler:
        raise UserError(
            "--jobs and --scheduler: give one of them, a cluster has its own workers"
        )


def run(main):
    """Call main(arguments) and exit with the code it returns.

    0 done, 2 bad input, 3 diverged, 128 + n interrupted by signal n (130: Ctrl-C). In a
    supervised process, the end of stdin acts as SIGTERM.
    """
    _open_streams()
    process.reuse_memory()
    if process.SUPERVISED in os.environ:
        threading.Thread(target=_stop_with_stdin, daemon=True).start()
    try:
        with process.limited_blas, signals.raised():
            code = main(sys.argv[1:])
            sys.stdout.flush()
    except UserError as error:
        code = _complain(error, error.exit_code)
    except MemoryError:
        code = _complain(
            "not enough memory: lower the sizes, the rollouts or --batch-size", 2
        )
    except signals.Interrupted as interrupted:
        notes = getattr(interrupted, "__notes__", [])
        print("interrupted", *notes, file=sys.stderr)
        code = interrupted.exit_code
    except BrokenPipeError:
        # The reader of stdout has gone. Python would report it again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        code = _complain(
            f"{where}{error.strerror or error}; check that it can be used", 2
        )
    sys.exit(code)


def _open_streams():
    """Open closed standard streams, and let the others write any character.

    Otherwise the next opened file would get the number of a closed stream, and be
    overwritten by what is printed.
    """
    for number, name, mode in (
        (0, "stdin", "r"),
        (1, "stdout", "w"),
        (2, "stderr", "w"),
    ):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
        if getattr(sys, name) is None:
            # Its number may be taken: libffi keeps a file open.
            void = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, open(void, mode, closefd=False))  # noqa: SIM115
        if mode == "w" and hasattr(getattr(sys, name), "reconfigure"):
            getattr(sys, name).reconfigure(errors="backslashreplace")


def _complain(error, code):
    """Print an error in one line, even if it quotes line breaks; return the code."""
    print("error:", " ".join(str(error).splitlines()), file=sys.stderr)
    return code


def _stop_with_stdin():
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
