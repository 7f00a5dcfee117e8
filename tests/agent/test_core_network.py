"""The core network is the paper's recurrence, and its gradients are proved."""

import numpy as np
import pytest

from ramnp.agent import core_network
from ramnp.proofs.complex_step import derivatives, failures
from tests.helpers import layout, order_one

T, B, G, H = 4, 5, 3, 6


def drawn(rng):
    """Parameters of order 1, of which the recurrence is small enough not to grow."""
    params = order_one(rng, core_network.init(rng, G, H))
    params["W_h"] /= 2
    return params, rng.standard_normal((T, B, G)), rng.standard_normal((T, B, H))


def unroll(params, g):
    """Return h_1 .. h_T and the caches for g (T, B, G)."""
    state, hs, caches = core_network.initial_state(params, B), [], []
    for g_t in g:
        state, cache = core_network.forward(params, state, g_t)
        hs.append(state[0])
        caches.append(cache)
    return hs, caches


def test_forward_is_the_papers_formula(rng):
    """h_t = Rect(Linear(h_{t-1}) + Linear(g_t)), from h_0 = 0."""
    params, g, _ = drawn(rng)
    (h,) = core_network.initial_state(params, B)
    assert h.shape == (B, H) and not h.any()
    for g_t, h_t in zip(g, unroll(params, g)[0]):
        h = np.maximum(h @ params["W_h"] + g_t @ params["W_g"] + params["b_h"], 0)
        assert h_t.shape == (B, H)
        assert np.allclose(h_t, h)
        assert 0 < (h_t == 0).mean() < 1  # the rectifier is at work


def test_gradients_of_one_step(rng):
    """dh_tm1, dg and the gradients are the derivatives of a random projection."""
    params, (g, *_), (h_tm1, dh, *_) = drawn(rng)

    def loss(arrays):
        (h,), _ = core_network.forward(arrays, (arrays["h_tm1"],), arrays["g"])
        return (dh * h).sum()

    _, cache = core_network.forward(params, (h_tm1,), g)
    ((dh_tm1,), dg), grads = core_network.backward((dh,), cache)
    expected = derivatives(loss, params | {"h_tm1": h_tm1, "g": g})
    assert not failures(grads | {"h_tm1": dh_tm1, "g": dg}, expected)


def test_gradients_through_time(rng):
    """With a random dh at every step, the gradients are those of T steps in a row."""
    params, g, dh = drawn(rng)

    def loss(arrays):
        hs, _ = unroll(arrays, arrays["g"])
        return sum((dh_t * h_t).sum() for dh_t, h_t in zip(dh, hs))

    _, caches = unroll(params, g)
    (dg,), grads = core_network.backward_through_time(dh, caches)
    assert dg.shape == (T * B, G)
    expected = derivatives(loss, params | {"g": g})
    assert not failures(grads | {"g": dg.reshape(T, B, G)}, expected)


def test_one_call_through_time_equals_single_steps(rng):
    """The slow form, one step back after the other, gives the same gradients."""
    params, g, dh = drawn(rng)
    _, caches = unroll(params, g)
    dh_t, total = np.zeros((B, H)), {name: 0 for name in params}
    for dh_outside, cache in zip(dh[::-1], caches[::-1]):
        ((dh_t,), _), grads = core_network.backward((dh_outside + dh_t,), cache)
        total = {name: total[name] + grads[name] for name in params}
    _, grads = core_network.backward_through_time(dh, caches)
    for name in params:
        assert np.allclose(grads[name], total[name], rtol=1e-12, atol=1e-12)


def test_both_maps_are_drawn_for_the_units_that_they_share():
    """Their standard deviation is √2 / √(g + h), since their outputs are added."""
    params = core_network.init(np.random.default_rng(7), G, H, dtype=np.float64)
    same, std = np.random.default_rng(7), np.sqrt(2 / (G + H))
    for name, shape in (("W_h", (H, H)), ("W_g", (G, H))):
        assert np.allclose(params[name], std * same.standard_normal(shape))
    assert not params["b_h"].any()


def test_identity_recurrence_remembers(rng):
    """With the option, W_h is the identity and h stays when nothing is added."""
    params = core_network.init(rng, G, H, identity=True)
    assert np.array_equal(params["W_h"], np.eye(H))
    assert not np.array_equal(core_network.init(rng, G, H)["W_h"], np.eye(H))
    h = rng.random((B, H), np.float32)
    (h_next,), _ = core_network.forward(params, (h,), np.zeros((B, G), np.float32))
    assert np.allclose(h_next, h)


def test_identity_changes_no_other_draw():
    """The option leaves every other weight as the same generator draws it."""
    plain = core_network.init(np.random.default_rng(0), G, H)
    identity = core_network.init(np.random.default_rng(0), G, H, identity=True)
    assert np.array_equal(plain["W_g"], identity["W_g"])


@pytest.mark.parametrize("identity", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shapes_and_dtypes(rng, dtype, identity):
    """The dtype chosen at init is that of everything, gradients included."""
    params = core_network.init(rng, G, H, identity, dtype)
    (h_0,) = core_network.initial_state(params, B)
    (h,), cache = core_network.forward(params, (h_0,), np.ones((B, G), dtype))
    ((dh_0,), dg), grads = core_network.backward((h,), cache)
    assert layout(params) == {
        "W_h": ((H, H), dtype),
        "W_g": ((G, H), dtype),
        "b_h": ((H,), dtype),
    }
    assert layout(grads) == layout(params)
    assert layout({"h_0": h_0, "h": h, "dh_0": dh_0, "dg": dg}) == {
        "h_0": ((B, H), dtype),
        "h": ((B, H), dtype),
        "dh_0": ((B, H), dtype),
        "dg": ((B, G), dtype),
    }
