"""The action network is a linear map, and its gradient is proved."""

import numpy as np
import pytest

from ramnp.agent import action_network
from ramnp.proofs.complex_step import derivatives, failures
from tests.helpers import layout, order_one

B, H, CLASSES = 5, 6, 4


def test_logits_are_linear_in_h(rng):
    """logits = h W_a + b_a, unbounded and not normalised."""
    params = order_one(rng, action_network.init(rng, H, CLASSES))
    h = rng.standard_normal((B, H))
    logits, _ = action_network.forward(params, h)
    assert logits.shape == (B, CLASSES)
    assert np.allclose(logits, h @ params["W_a"] + params["b_a"])


def test_gradients(rng):
    """dh and both gradients are the derivatives of a random projection."""
    params = order_one(rng, action_network.init(rng, H, CLASSES))
    h, dlogits = rng.standard_normal((B, H)), rng.standard_normal((B, CLASSES))

    def loss(arrays):
        logits, _ = action_network.forward(arrays, arrays["h"])
        return (dlogits * logits).sum()

    _, cache = action_network.forward(params, h)
    (dh,), grads = action_network.backward(dlogits, cache)
    assert not failures(grads | {"h": dh}, derivatives(loss, params | {"h": h}))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shapes_and_dtypes(rng, dtype):
    """The dtype chosen at init is that of everything, gradients included."""
    params = action_network.init(rng, H, CLASSES, dtype)
    logits, cache = action_network.forward(params, np.ones((B, H), dtype))
    (dh,), grads = action_network.backward(logits, cache)
    assert layout(params) == {"W_a": ((H, CLASSES), dtype), "b_a": ((CLASSES,), dtype)}
    assert layout(grads) == layout(params)
    assert layout({"logits": logits, "dh": dh}) == {
        "logits": ((B, CLASSES), dtype),
        "dh": ((B, H), dtype),
    }
