"""What every command shares: its options' parser, its errors, its exit code."""

import argparse
import os
import sys

from ramnp.support import process, signals
from ramnp.support.errors import UserError


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaint is one line, like every other error."""

    def error(self, message):
        raise UserError(f"{message} (see --help)")


def add_data_and_threads(parser):
    """Add the two options that change where and how fast, but not what."""
    parser.add_argument(
        "--data",
        metavar="DIR",
        help="folder of the four MNIST files, fetched if they are absent; or a .npz or "
        "a folder of IDX files of your own (default: data)",
    )
    parser.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help="how many cores work at a time, which changes no result "
        f"(default: all, {process.num_cores()} here)",
    )


def num_threads(given):
    """Return what --threads asks for, one per core by default."""
    threads = process.num_cores() if given is None else given
    if not 1 <= threads <= 1024:
        raise UserError(f"--threads {threads}: must be between 1 and 1024")
    return threads


def run(main):
    """Call main(arguments) and exit as it says.

    0 done, 2 bad input, 3 diverged, 130 and 143 interrupted by SIGINT and SIGTERM.
    """
    process.reuse_memory()
    try:
        with process.limited_blas, signals.raised():
            code = main(sys.argv[1:])
            sys.stdout.flush()
    except UserError as error:
        # One line, whatever the user's own words in it hold.
        print("error:", " ".join(str(error).splitlines()), file=sys.stderr)
        code = error.exit_code
    except MemoryError:
        print(
            "error: not enough memory: lower the sizes, the rollouts or --batch-size",
            file=sys.stderr,
        )
        code = 2
    except signals.Interrupted as interrupted:
        notes = getattr(interrupted, "__notes__", [])
        print("interrupted", *notes, file=sys.stderr)
        code = interrupted.exit_code
    except BrokenPipeError:
        # Whoever read the output has gone; Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    sys.exit(code)
