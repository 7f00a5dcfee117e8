"""Checks the answers to chapter 4."""

import numpy as np
import pytest

from ramnp.agent import core_network
from ramnp.proofs import complex_step

T, B, G, H = 5, 3, 4, 6
HINTS = {
    1: (
        "send each dh_t back on its own, and stop after `most` steps; the first is step t.",
        (
            "one step: dz = dh · [h[s + 1] > 0]; h[s]ᵀ dz is added to dW_h, and dz W_hᵀ is "
            "the dh of the step before."
        ),
    ),
    2: (
        "compare line by line with the four formulas of 'The way back'.",
        "what does the rectifier stop: only what comes from above, or all of it?",
        "which h was multiplied by W_h at step t?",
    ),
    3: (
        "keep logistic and tanh of the four parts, and tanh(cell): they give all derivatives.",
        "cell reaches the loss in two ways: through h of this step, and through the next.",
        (
            "the derivative of y = logistic(z) is y (1 - y), that of y = tanh(z) is 1 - y²; "
            "join the four dz side by side, and one product gives each weight's gradient."
        ),
    ),
}


@pytest.fixture
def unrolled(rng):
    """Parameters, h_0 .. h_T, glimpses, dh, and the caches of the package."""
    params = core_network.init(rng, G, H, dtype=float)
    params = {name: rng.standard_normal(a.shape) / 2 for name, a in params.items()}
    g, dh = rng.standard_normal((T, B, G)), rng.standard_normal((T, B, H))
    state = core_network.initial_state(params, B)
    h, caches = [state[0]], []
    for g_t in g:
        state, cache = core_network.forward(params, state, g_t)
        h.append(state[0])
        caches.append(cache)
    return params, np.stack(h), g, dh, caches


def test_1_truncated_gradient(answers, check, unrolled):
    """Cut pieces add up: all of them are the whole, one step is no recursion."""
    params, h, _, dh, caches = unrolled
    _, grads = core_network.backward_through_time(dh, caches)
    for most in (T, T + 3):
        found = answers.truncated_gradient(params["W_h"], h, dh, most)
        check(f"dW_h for {most} steps, nothing cut", found, grads["W_h"])
    for most in (1, 2, 3):
        expected = 0.0
        for t in range(T):
            first = max(t + 1 - most, 0)
            alone = np.zeros((t + 1 - first, B, H))
            alone[-1] = dh[t]
            _, part = core_network.backward_through_time(alone, caches[first : t + 1])
            expected = expected + part["W_h"]
        found = answers.truncated_gradient(params["W_h"], h, dh, most)
        check(f"dW_h for most = {most}", found, expected)


def test_2_two_wrong_lines(answers, check, unrolled):
    """What it returns is what the package does."""
    params, h, g, dh, caches = unrolled
    (expected_dg,), expected = core_network.backward_through_time(dh, caches)
    dg, grads = answers.backward_through_time(params, h, g, dh)
    check("dg", dg, expected_dg.reshape(T, B, G))
    check.all(grads, expected)


def test_3_lstm(answers, check, rng):
    """Two steps of it, forward by the formulas, backward by the complex step."""
    shapes = {"W_h": (H, 4 * H), "W_g": (G, 4 * H), "b_h": (4 * H,)}
    params = {name: rng.standard_normal(shape) / 2 for name, shape in shapes.items()}
    inputs = {
        "h": rng.standard_normal((B, H)),
        "cell": rng.standard_normal((B, H)),
        "g": rng.standard_normal((2, B, G)),
    }
    dh, dc = rng.standard_normal((2, B, H))

    def unroll(a):
        state, caches = (a["h"], a["cell"]), []
        for g in a["g"]:
            state, cache = answers.lstm_forward(
                {name: a[name] for name in params}, state, g
            )
            caches.append(cache)
        return state, caches

    (h_1, c_1), _ = answers.lstm_forward(
        params, (inputs["h"], inputs["cell"]), inputs["g"][0]
    )
    z = inputs["h"] @ params["W_h"] + inputs["g"][0] @ params["W_g"] + params["b_h"]
    i, f, o, u = z.reshape(B, 4, H).swapaxes(0, 1)

    def logistic(z):
        return 1 / (1 + np.exp(-z))

    c = logistic(f) * inputs["cell"] + logistic(i) * np.tanh(u)
    check("cell", c_1, c)
    check("h", h_1, logistic(o) * np.tanh(c))

    def loss(a):
        (h, c), _ = unroll(a)
        return (dh * h).sum() + (dc * c).sum()

    _, caches = unroll(params | inputs)
    (back, dg_2), grads_2 = answers.lstm_backward((dh, dc), caches[1])
    ((dh_0, dc_0), dg_1), grads_1 = answers.lstm_backward(back, caches[0])
    by_hand = {name: grads_1[name] + grads_2[name] for name in params}
    by_hand |= {"h": dh_0, "cell": dc_0, "g": np.stack([dg_1, dg_2])}
    exact = complex_step.derivatives(loss, params | inputs)
    check.all({name: by_hand[name] for name in exact}, exact)
