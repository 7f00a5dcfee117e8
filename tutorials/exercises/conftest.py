"""Hands each test the reader's answers, or with --solutions the ones that are kept.

What was not attempted is skipped. A wrong answer gets a message with one hint; --hints 2
shows the first two, and so on.
"""

import importlib.util
import sys
import traceback
from pathlib import Path

import numpy as np
import pytest

TUTORIALS = Path(__file__).parents[1]
sys.path.insert(0, str(TUTORIALS.parent))  # ramnp need not be installed


def pytest_addoption(parser):
    parser.addoption(
        "--solutions", action="store_true", help="test tutorials/solutions instead"
    )
    parser.addoption("--hints", type=int, default=1, help="number of hints to show")


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    """Skip an exercise that still raises NotImplementedError; explain other errors."""
    try:
        return (yield)
    except NotImplementedError as error:
        if pyfuncitem.config.getoption("--solutions"):
            raise
        pytest.skip(f"not attempted yet: {error}")
    except Exception as error:  # noqa: BLE001, of the reader's code
        module = pyfuncitem.path.name.removeprefix("test_")
        lines = [
            frame.lineno
            for frame in traceback.extract_tb(error.__traceback__)
            if Path(frame.filename).name == module
        ]
        where = f"line {lines[-1]} of {module}" if lines else "using what you return"
        words = f"{where} fails: {type(error).__name__}: {error}"
    # outside the handler: pytest would print the error a second time
    pyfuncitem.funcargs["check"].fail(words)


@pytest.fixture
def answers(request):
    """The module of answers that belongs to a test file."""
    folder = "solutions" if request.config.getoption("--solutions") else "exercises"
    name = request.path.stem.removeprefix("test_")
    path = TUTORIALS / folder / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"answers_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def rng():
    """A generator that starts afresh in each test."""
    return np.random.default_rng(2014)


@pytest.fixture
def check(request):
    """Compares answers with what is expected; the test's HINTS go with a failure."""
    number = int(request.function.__name__.split("_")[1])
    hints = request.module.HINTS[number]
    return Check(hints, request.config.getoption("--hints"))


class Check:
    """check("dx", yours, expected) fails with the first entry that is wrong."""

    def __init__(self, hints, shown):
        self.hints, self.shown = hints, shown

    def __call__(self, name, found, expected, rtol=1e-9, atol=1e-12):
        expected = np.asarray(expected)
        if found is None:
            self.fail(f"{name} is None: return it")
        try:
            found = np.asarray(found)
        except ValueError:
            self.fail(f"{name} is not an array of numbers")
        if found.shape != expected.shape:
            self.fail(f"{name} has shape {found.shape}, expected {expected.shape}")
        if found.dtype.kind not in "biufc":
            self.fail(f"{name} holds {found.dtype}, expected numbers")
        wrong = ~np.isclose(found, expected, rtol=rtol, atol=atol)
        if wrong.any():
            index = tuple(np.argwhere(wrong)[0])
            place = f" at [{', '.join(map(str, index))}]" if index else ""
            share = (
                f" ({wrong.sum()} of {wrong.size} entries)" if wrong.size > 1 else ""
            )
            self.fail(
                f"{name} is wrong{place}: yours {found[index]:.6g}, "
                f"expected {expected[index]:.6g}{share}"
            )

    def all(self, found, expected, **tolerance):
        """Compare two {name: gradient}."""
        if not isinstance(found, dict) or found.keys() != expected.keys():
            self.fail(f"expected a dictionary with the keys {', '.join(expected)}")
        for name, array in expected.items():
            self(f"the gradient of {name}", found[name], array, **tolerance)

    def shape(self, name, found, expected):
        """Fail unless an array has this shape."""
        if found is None:
            self.fail(f"{name} is None: return it")
        if np.shape(found) != expected:
            self.fail(f"{name} has shape {np.shape(found)}, expected {expected}")

    def that(self, holds, otherwise):
        """Fail with these words unless something holds."""
        if not holds:
            self.fail(otherwise)

    def fail(self, words):
        for i, hint in enumerate(self.hints[: self.shown], start=1):
            words += f"\n  hint {i} of {len(self.hints)}: {hint}"
        if self.shown < len(self.hints):
            words += f"\n  (another one with --hints {self.shown + 1})"
        pytest.fail(words, pytrace=False)
