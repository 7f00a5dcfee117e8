"""Putting another function in the place of one of ours, for as long as a proof lasts."""

import contextlib
import sys


@contextlib.contextmanager
def replaced(function, other):
    """Let every module of ramnp that names a function find another in its place."""
    holders = [
        (module, name)
        for key, module in list(sys.modules.items())
        if key.split(".")[0] == "ramnp"
        for name, value in vars(module).items()
        if value is function
    ]
    try:
        for module, name in holders:
            setattr(module, name, other)
        yield
    finally:
        for module, name in holders:
            setattr(module, name, function)
