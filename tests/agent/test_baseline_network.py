"""The baseline network is a linear map to one number, and its gradient is proved."""

import numpy as np
import pytest

from ramnp.agent import baseline_network
from ramnp.proofs.complex_step import derivatives, failures
from tests.helpers import layout, order_one

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


def test_gradients(rng):
    """dh and both gradients are the derivatives of a random projection."""
    params = order_one(rng, baseline_network.init(rng, H))
    h, dbaseline = rng.standard_normal((B, H)), rng.standard_normal(B)

    def loss(arrays):
        baseline, _ = baseline_network.forward(arrays, arrays["h"])
        return (dbaseline * baseline).sum()

    _, cache = baseline_network.forward(params, h)
    (dh,), grads = baseline_network.backward(dbaseline, cache)
    assert not failures(grads | {"h": dh}, derivatives(loss, params | {"h": h}))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shapes_and_dtypes(rng, dtype):
    """The dtype chosen at init is that of everything, gradients included."""
    params = baseline_network.init(rng, H, dtype)
    baseline, cache = baseline_network.forward(params, np.ones((B, H), dtype))
    (dh,), grads = baseline_network.backward(baseline, cache)
    assert layout(params) == {"W_b": ((H, 1), dtype), "b_b": ((1,), dtype)}
    assert layout(grads) == layout(params)
    assert layout({"baseline": baseline, "dh": dh}) == {
        "baseline": ((B,), dtype),
        "dh": ((B, H), dtype),
    }
