"""What any test gets by naming it."""

import numpy as np
import pytest


@pytest.fixture
def rng():
    """A generator that starts afresh in each test."""
    return np.random.default_rng(2014)
