"""Derivatives by central differences: f'(x) = (f(x + h) - f(x - h)) / 2h.

They need no complex numbers and share no code with the complex step. A difference
across the kink of a rectifier is no derivative and raises RectifierCrossed.
"""

import contextlib

import numpy as np

from ramnp.agent import layers
from ramnp.proofs import subjects
from ramnp.proofs.replacing import replaced

STEP = 1e-5
LIMIT = 1e-6


class RectifierCrossed(Exception):
    """A rectifier is on at one point of a difference and off at the other."""


def derivatives(loss, arrays, step=STEP, refuse_kinks=True):
    """Return {name: array}, the derivative of a loss by every coordinate of arrays.

    loss takes {name: float64 array} and returns a scalar. Raises RectifierCrossed if
    refuse_kinks and a rectifier changes side between the two points of a difference.
    """
    expected = {}
    with _sides_of_rectifiers() as sides:
        for name, array in arrays.items():
            expected[name] = np.empty(array.shape)
            for index in np.ndindex(array.shape):
                values, seen = [], []
                for signed_step in (step, -step):
                    shifted = {key: value.copy() for key, value in arrays.items()}
                    shifted[name][index] += signed_step
                    sides.clear()
                    values.append(loss(shifted))
                    seen.append(b"".join(sides))
                if refuse_kinks and seen[0] != seen[1]:
                    raise RectifierCrossed(f"{name}{list(index)}")
                expected[name][index] = (values[0] - values[1]) / (2 * step)
    return expected


def redrawn(make_subject, seed, step=STEP, attempts=100):
    """Return the first subject whose differences cross no rectifier.

    make_subject takes a generator. Returns the subject, its derivatives, and the
    number of subjects discarded before it.
    """
    for attempt in range(attempts):
        subject = subjects.draw(make_subject, seed, attempt)
        try:
            return subject, derivatives(subject.loss, subject.arrays, step), attempt
        except RectifierCrossed:
            continue
    raise RectifierCrossed(f"at all of {attempts} points")


@contextlib.contextmanager
def _sides_of_rectifiers():
    """Yield a list to which every rectifier appends which of its units are on."""
    relu_forward, sides = layers.relu_forward, []

    def recorded(x):
        y = relu_forward(x)
        sides.append((y > 0).tobytes())
        return y

    with replaced(relu_forward, recorded):
        yield sides
