"""What any test gets by naming it."""

import numpy as np
import pytest

from ramnp import run, train
from tests.helpers import TINY_RUN, write_digits


@pytest.fixture
def rng():
    """A generator that starts afresh in each test."""
    return np.random.default_rng(2014)


@pytest.fixture(scope="session")
def digits_file(tmp_path_factory):
    """A .npz of small bars, as a user's own data."""
    return write_digits(tmp_path_factory.mktemp("data") / "bars.npz")


@pytest.fixture(scope="session")
def finished_run(digits_file, tmp_path_factory):
    """The folder of a tiny run that is over."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    assert train.main([*TINY_RUN, "--data", digits_file, "--run", str(folder)]) == 0
    return folder


@pytest.fixture
def no_pictures(monkeypatch):
    """Pictures take longer than all the rest of a tiny run."""
    monkeypatch.setattr(run, "draw", lambda *arguments: [])
