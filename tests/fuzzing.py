"""Hostile input read off a string of bytes: for hypothesis here, for atheris by hand."""

import json
import math

import numpy as np


class Choices:
    """Choices read off a string of bytes, so that hypothesis draws (and shrinks) one."""

    def __init__(self, script: bytes):
        self._script = iter(script)

    def byte(self) -> int:
        return next(self._script, 0)

    def of(self, options):
        return options[self.byte() % len(options)]

    def many(self, draw, most=4) -> list:
        return [draw() for _ in range(self.byte() % (most + 1))]

    def json(self, depth=4):
        """Any JSON value, Python's extensions included."""
        kind = self.byte() % 6 if depth else 0
        if kind == 1:
            return self.many(lambda: self.json(depth - 1))
        if kind == 2:
            return dict(self.many(lambda: (self.of(WORDS), self.json(depth - 1))))
        return self.of([None, True, 1, 0, -1, 2**128, 0.5, 1e300, math.nan, *WORDS])


WORDS = [
    "version",
    "arrays",
    "meta",
    "checkpoint",
    "W",
    "n",
    "<f4",
    "|O",
    "é\ud800",
    "",
]
VALUES = [
    *(None, True, False, 0, 1, -1, 2, 3, 5, 2**31, 2**63, 2**64, 2**128, 10**400),
    *(0.0, 0.5, 1.0, -1.0, 1e-300, 1e300, "", "0.5", "nan", "a\nb\x1b" * 99, [], {}),
    *([[]], [0.5], {"": 0}, {"a\nb" * 99: 1}),
]


def spoil(script: bytes, arrays, meta):
    """Return the content of a valid checkpoint with up to three changes of any kind."""
    choices = Choices(script)
    arrays, whole = dict(arrays), {"meta": json.loads(json.dumps(meta))}
    for _ in range(1 + choices.byte() % 3):
        if choices.byte() % 4:
            _change_json(choices, whole)
        else:
            _change_arrays(choices, arrays)
    return arrays, whole["meta"]


def _change_json(choices, parent):
    """Walk from container to container, then change one of the last one's values."""
    while True:
        places = sorted(parent) if isinstance(parent, dict) else range(len(parent))
        if not places:
            return
        place = choices.of(places)
        value = parent[place]
        if not (isinstance(value, dict | list) and choices.byte() % 8):
            break
        parent = value
    change = choices.byte() % 8
    if change == 0 and place != "meta":
        del parent[place]
    elif change == 1 and isinstance(value, dict):
        value[choices.of([*value, "more", "a\nb" * 99])] = choices.of(VALUES)
    elif change == 2 and isinstance(value, list):
        value.extend(value[:1] or [0])
    elif change == 3 and type(value) in (int, float):
        parent[place] = value + choices.of([1, -1, 0.5 if abs(value) < 1e300 else 2])
    elif place != "meta":
        parent[place] = choices.of(VALUES)


def _change_arrays(choices, arrays):
    if not arrays:
        return
    name = choices.of(sorted(arrays))
    array = arrays[name]
    change = choices.byte() % 6
    if change == 0:
        del arrays[name]
    elif change == 1:
        arrays["more"] = array
    elif change == 2:
        arrays[name] = array[choices.byte() % 3 :]
    elif change == 3:
        with np.errstate(all="ignore"):
            arrays[name] = array.astype(choices.of(["<f2", "<f4", "<f8", "<i8", "|u1"]))
    elif change == 4:
        arrays[name] = array.reshape(choices.of([(-1, 1), (1, -1)]))
    elif array.size:
        value = choices.of([0, 1, -1, 7, 100, 1e30 if array.dtype.kind == "f" else 2])
        changed = array.copy()
        with np.errstate(all="ignore"):
            changed[choices.byte() % len(array)] = np.array(value).astype(array.dtype)
        arrays[name] = changed
