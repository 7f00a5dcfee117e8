"""Replacing one of our functions by another for the duration of a proof."""

import contextlib
import sys


@contextlib.contextmanager
def replaced(function, other):
    """Replace a function wherever a module of ramnp holds it.

    A module may hold it by name, in a dict, or in a tuple that is a value of that dict.
    The proofs themselves are left out: their tables must keep naming the real function.
    """

    def replacement(value):
        if value is function:
            return other
        if isinstance(value, tuple) and any(item is function for item in value):
            items = [other if item is function else item for item in value]
            return value._make(items) if hasattr(value, "_make") else tuple(items)
        return value

    modules = [
        vars(module)
        for name, module in [*sys.modules.items()]
        if f"{name}.".startswith("ramnp.") and not name.startswith("ramnp.proofs")
    ]
    dicts = [x for names in modules for x in names.values() if isinstance(x, dict)]
    held = [
        (holder, name, value)
        for holder in modules + dicts
        for name, value in holder.items()
        if replacement(value) is not value
    ]
    try:
        for holder, name, value in held:
            holder[name] = replacement(value)
        yield
    finally:
        for holder, name, value in held:
            holder[name] = value
