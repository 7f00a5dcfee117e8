"""What moves in the chapters, in a real browser: the package's numbers, and it works."""

import json
import re

import numpy as np
import pytest

import ramnp
from ramnp.agent import glimpse_sensor, location_network
from ramnp.datasets import mnist, scenes
from ramnp.proofs import complex_step
from tutorials import build, moving

pytestmark = pytest.mark.browser
SHOWN = {
    "00_the_agent_in_ten_minutes": "agent",
    "01_look_through_the_retina": "retina",
    "05_learn_without_derivatives": "darts",
}


@pytest.fixture
def script(visit):
    """A page that knows the script's functions, by the name ramnp."""
    text = moving.Moving("darts", {}).script()
    return visit(f"<!doctype html><script>{text}\nwindow.ramnp = ramnp;</script>")


def saved(name):
    """Return the HTML of what moves, as the saved notebook holds it."""
    notebook = json.loads((build.HERE / f"{name}.ipynb").read_text("utf-8"))
    (found,) = [
        "".join(output["data"]["text/html"])
        for cell in notebook["cells"]
        for output in cell.get("outputs", [])
        if "<script>" in "".join(output.get("data", {}).get("text/html", ""))
    ]
    return f"<!doctype html><meta charset=utf-8>{found}"


@pytest.mark.parametrize(("side", "patch", "scales"), [(60, 12, 3), (28, 8, 1)])
def test_glimpses_are_the_package_s(script, side, patch, scales):
    """Values and windows, at ties of rounding and far beyond the corners."""
    rng = np.random.default_rng(0)
    image = rng.random((side, side))
    l = 1.2 * rng.standard_normal((40, 2))
    l[:10] = rng.integers(-side, side, size=(10, 2)) / side
    found = script.evaluate(
        "([image, side, ls, patch, scales]) => ls.map((l) => "
        "[ramnp.glimpse(image, side, l, patch, scales), "
        "ramnp.windows(l, side, patch, scales)])",
        [image.ravel().tolist(), side, l.tolist(), patch, scales],
    )
    pyramid = glimpse_sensor.prepare(image[None], patch, scales)
    for (rho, windows), place in zip(found, l):
        expected = glimpse_sensor.forward(pyramid, place[None])[0]
        assert np.abs(np.array(rho) - expected).max() < 1e-13
        edges = glimpse_sensor.windows(place[None], (side, side), patch, scales)[0]
        assert (np.array(windows) == edges).all()


def test_darts_pull_as_in_the_package(script):
    """REINFORCE's estimate, the hill, its exact gradient, and normal darts."""
    rng = np.random.default_rng(1)
    peak, width, mu, std = np.array([0.5, -0.3]), 0.35, np.array([-0.1, 0.2]), 0.25
    darts = location_network.sample(np.tile(mu, (50, 1)), std, rng)
    reward = np.exp(-((darts - peak) ** 2).sum(axis=1) / (2 * width**2))
    b, offset = 0.3, 1.5
    score = location_network.score(darts, mu, std)
    expected = ((reward + offset - b)[:, None] * score).mean(axis=0)
    names = {"darts": darts, "peak": peak, "mu": mu}
    data = {name: array.tolist() for name, array in names.items()}
    data |= {"width": width, "std": std, "b": b, "offset": offset}
    found = script.evaluate(
        "(d) => { const r = d.darts.map((l) => ramnp.bump(l, d.peak, d.width));"
        "const next = ramnp.normals(7);"
        "return [ramnp.pull(d.darts, r, d.mu, d.std, d.b, d.offset),"
        "ramnp.gradient(d.mu, d.std, d.peak, d.width),"
        "Array.from({length: 20000}, next)]; }",
        data,
    )
    assert np.allclose(found[0], expected, rtol=1e-12)

    def mean_reward(a):
        wide = width**2 + std**2
        return width**2 / wide * np.exp(-((a["mu"] - peak) ** 2).sum() / (2 * wide))

    exact = complex_step.derivatives(mean_reward, {"mu": mu})["mu"]
    assert np.allclose(found[1], exact, rtol=1e-12)
    drawn = np.array(found[2])
    assert abs(drawn.mean()) < 0.03 and abs(drawn.std() - 1) < 0.03


def test_the_saved_agent_looks_as_the_package_s():
    """Its locations and probabilities are those that `predict` gives today."""
    page = saved("00_the_agent_in_ten_minutes")
    data = json.loads(re.search(r"const data = (\{.*\});", page)[1])
    agent, split = ramnp.load("cluttered"), mnist.load(build.HERE / "digits.npz").test
    images, labels = scenes.frozen_chunk(split, "test", 0, agent.config)
    seen = agent.predict(images)
    count = len(data["labels"])
    assert data["labels"] == labels[:count].tolist()
    assert np.allclose(data["locations"], seen.locations[:count], atol=1e-4)
    probabilities = seen.step_probabilities[:count]
    assert np.allclose(data["probabilities"], probabilities, atol=1e-3)


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.parametrize("width", [360, 1100])
def test_it_moves_in_the_saved_notebook(visit, name, width):
    """Every slider changes the picture, which fits the screen; nothing is fetched."""
    tab = visit(saved(name), width=width)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    picture = "document.querySelector('canvas').toDataURL()"
    sliders = tab.locator("input[type=range]")
    assert sliders.count() >= 2
    for i in range(sliders.count()):
        before = tab.evaluate(picture)
        sliders.nth(i).focus()
        for _ in range(5):
            tab.keyboard.press("ArrowRight")
        assert tab.evaluate(picture) != before, sliders.nth(i).get_attribute("name")
    assert tab.locator("canvas").get_attribute("aria-label")


def test_the_retina_follows_the_pointer(visit):
    """Where the scene is touched, there the retina is: l in half sides."""
    tab = visit(saved("01_look_through_the_retina"))
    box = tab.locator("canvas").bounding_box()
    tab.mouse.move(box["x"] + 30 + 60, box["y"] + 50 + 180)
    tab.mouse.down()
    tab.mouse.up()
    values = [
        tab.locator(f"input[name={axis}]").input_value() for axis in ("l_x", "l_y")
    ]
    assert np.allclose([float(value) for value in values], [-0.5, 0.5], atol=0.02)
