"""A row is proved up to its limit, and not beyond."""

import math

import pytest

from ramnp.proofs.rows import Row


@pytest.mark.parametrize("error", [0.0, 1.0, 1.0000001, math.inf, math.nan])
def test_the_limit_is_the_largest_error_allowed(error):
    """NaN is not proved."""
    assert Row("proof", "subject", "tensor", 3, error, limit=1.0).proved is (
        error in (0.0, 1.0)
    )
