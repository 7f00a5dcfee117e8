"""Hands each test the reader's answers, or with --solutions the ones that are kept."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

TUTORIALS = Path(__file__).parents[1]
sys.path.insert(0, str(TUTORIALS.parent))  # ramnp need not be installed


def pytest_addoption(parser):
    parser.addoption(
        "--solutions", action="store_true", help="test tutorials/solutions instead"
    )


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
