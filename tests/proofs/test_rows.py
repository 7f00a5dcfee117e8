"""A line of a proof holds up to its limit, and not beyond."""

import math

import pytest

from ramnp.proofs.rows import Row


@pytest.mark.parametrize(
    "error, proved",
    [
        (0.0, True),
        (1.0, True),
        (1.0000001, False),
        (math.inf, False),
        (math.nan, False),
    ],
)
def test_verdict(error, proved):
    """The limit is the last number allowed; what is no number is not."""
    assert Row("proof", "subject", "tensor", 3, error, limit=1.0).proved is proved
