"""The action network is a linear map, and its gradient is proved."""

import numpy as np

from ramnp.agent import action_network
from tests.helpers import assert_contract, order_one

B, H, CLASSES = 5, 6, 4


def test_logits_are_linear_in_h(rng):
    """logits = h W_a + b_a, unbounded and not normalised."""
    params = order_one(rng, action_network.init(rng, H, CLASSES))
    h = rng.standard_normal((B, H))
    logits, _ = action_network.forward(params, h)
    assert logits.shape == (B, CLASSES)
    assert np.allclose(logits, h @ params["W_a"] + params["b_a"])


def test_contract(rng):
    """Shapes, dtypes, pure functions, and gradients by the complex step."""
    shapes = {"W_a": (H, CLASSES), "b_a": (CLASSES,)}
    assert_contract(
        rng, action_network, (H, CLASSES), shapes, {"h": (B, H)}, (B, CLASSES), gain=1.0
    )
