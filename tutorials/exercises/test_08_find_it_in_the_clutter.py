"""Checks the answers to chapter 8."""

import numpy as np

from ramnp.agent import core_network, glimpse_network, glimpse_sensor, model
from ramnp.learning.config import Config
from ramnp.proofs import complex_step
from ramnp.proofs.complex_step import flat, nested

HINTS = {
    1: (
        "the widest patch spans 2^(k-1) patch pixels, half of them on each side.",
        "from a corner, one half has to span the whole side.",
    ),
    2: (
        "the sum over a rectangle is a difference of the table at its four corners.",
        "beyond the border nothing is added: clip the corners to the table.",
        "np.diff along both axes of the corners gives the sums of all cells at once.",
    ),
    3: (
        "h_0 is the first state; after it the agent is that of chapter 6.",
        (
            "the last step of backpropagation through time gives dh_0 = dz_1 W_hᵀ; then "
            "comes the context network's rectifier."
        ),
        "dmu[0] goes through tanh into W_0 and b_0, and no further.",
    ),
}


def covers(l, side, patch, scales):
    """Tell whether the widest patch at l covers every pixel."""
    edges = glimpse_sensor.windows(np.array([l], float), (side, side), patch, scales)
    left, top, right, bottom = edges[0, -1]
    return left <= 0 and top <= 0 and right >= side and bottom >= side


def test_1_scales_needed(answers, check):
    """With that many patches the sensor's own windows cover the image, with fewer not."""
    for side, patch in ((60, 12), (100, 12), (28, 8), (96, 12), (8, 8), (400, 6)):
        centre, anywhere = answers.scales_needed(side, patch)
        for k, places in ((centre, [(0, 0)]), (anywhere, [(-1, -1), (1, 1), (-1, 1)])):
            words = f"{k} patches of {patch} on {side} pixels, seen from {places[0]}"
            enough = all(covers(l, side, patch, k) for l in places)
            check.that(enough, f"{words}: too few")
            fewer = k > 1 and all(covers(l, side, patch, k - 1) for l in places)
            check.that(not fewer, f"{words}: one fewer is enough")


def test_2_glimpse(answers, check, rng):
    """It sees what the package's sensor sees, for both factors, beyond corners too."""
    image = rng.random((20, 30))
    table = answers.sums(image)
    check.shape("the table", table, (21, 31))
    check("table[3, 5]", table[3, 5], image[:3, :5].sum())
    for factor in (2, 3):
        pyramid = glimpse_sensor.prepare(image[None], 6, 3, factor)
        for l in rng.uniform(-1.6, 1.6, size=(40, 1, 2)):
            ((left, top),) = glimpse_sensor.first_pixel(l, np.array([30, 20]), 6)
            rho = answers.glimpse(table, left, top, 6, 3, factor)
            expected = glimpse_sensor.forward(pyramid, l).reshape(3, 6, 6)
            check(f"rho for left {left}, top {top}", rho, expected, atol=1e-11)


def test_3_context_network(answers, check, rng):
    """Its outputs are the formulas', its gradients the complex step's."""
    config = Config(
        num_glimpses=3,
        patch_size=4,
        num_scales=2,
        num_classes=5,
        hg_size=5,
        hl_size=4,
        g_size=6,
        h_size=7,
    )
    drawn = model.init(rng, config, np.float64)
    del drawn["baseline"]
    params = {name: rng.standard_normal(a.shape) / 2 for name, a in flat(drawn).items()}
    for name, shape in (("W_c", (9, 7)), ("b_c", 7), ("W_0", (7, 2)), ("b_0", 2)):
        params[f"context.{name}"] = rng.standard_normal(shape)
    images = rng.random((2, 12, 12))
    locations = rng.uniform(-1, 1, size=(3, 2, 2))
    logits, mu = answers.look(nested(params), images, locations, config)

    c = images.reshape(2, 3, 4, 3, 4).mean(axis=(2, 4)).reshape(2, 9)
    h = np.maximum(c @ params["context.W_c"] + params["context.b_c"], 0)
    first = np.tanh(h @ params["context.W_0"] + params["context.b_0"])
    check("mu[0]", mu[0], first)
    pyramid = glimpse_sensor.prepare(images, 4, 2)
    rho = glimpse_sensor.forward(pyramid, locations[0])
    g, _ = glimpse_network.forward(nested(params)["glimpse"], rho, locations[0])
    (h,), _ = core_network.forward(nested(params)["core"], (h,), g)
    expected = h @ params["action.W_a"] + params["action.b_a"]
    check("logits[0]", logits[0], expected)
    expected = h @ params["location.W_mu"] + params["location.b_mu"]
    check("mu[1]", mu[1], expected)

    dlogits, dmu = rng.standard_normal((3, 2, 5)), rng.standard_normal((3, 2, 2))
    of_policy = [n for n in params if n.startswith("location") or n.endswith("_0")]

    def outputs(a):
        return answers.look(nested(params | a), images, locations, config)

    exact = complex_step.derivatives(
        lambda a: (dlogits * outputs(a)[0]).sum(),
        {n: a for n, a in params.items() if n not in of_policy},
    ) | complex_step.derivatives(
        lambda a: (dmu * outputs(a)[1]).sum(), {n: params[n] for n in of_policy}
    )
    found = answers.gradients(nested(params), images, locations, dlogits, dmu, config)
    check.all({name: flat(found).get(name) for name in exact}, exact, rtol=1e-8)
