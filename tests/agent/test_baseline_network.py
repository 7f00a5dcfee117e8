"""The baseline network is a linear map to one number, and its gradient is proved."""

import numpy as np

from ramnp.agent import baseline_network
from tests.helpers import assert_contract, order_one

B, H = 5, 6


def test_baseline_takes_any_real_value(rng):
    """It is neither rectified nor squashed: linear in h, far below 0 and above 1."""
    params = order_one(rng, baseline_network.init(rng, H))
    h = rng.standard_normal((B, H))
    for offset in (0, -1000, 1000):
        params["b_b"][:] = offset
        baseline, _ = baseline_network.forward(params, h)
        assert baseline.shape == (B,)
        assert np.allclose(baseline, h @ params["W_b"][:, 0] + offset)
        assert offset == 0 or np.all(np.sign(baseline) == np.sign(offset))


def test_contract(rng):
    """Shapes, dtypes, pure functions, and gradients by the complex step."""
    shapes = {"W_b": (H, 1), "b_b": (1,)}
    assert_contract(rng, baseline_network, (H,), shapes, {"h": (B, H)}, (B,), gain=0.1)
