"""The page as a file: what is in it, what cannot get into it, the one in docs/."""

import base64
import hashlib
import html.parser
import json
import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgba_array

from ramnp.agent import model
from ramnp.figures import page
from ramnp.figures.style import COLOURS
from ramnp.figures.views import time_colours
from ramnp.learning.predictor import Agent
from ramnp.support.errors import UserError
from tests.helpers import small_config, small_split

ROOT = Path(__file__).parents[2]
HOSTILE = (
    "</script><img src=x onerror=alert(1)>",
    "<!--<script>",
    "{{script}}",
    "'\"&amp;\\u003c]]>",
    "\u2028\udcff\x00",
)


def small_page(rng, name="agent", class_names=range(5), half=False, **changes):
    """Return an agent, its scenes, and its page."""
    config = small_config(**changes)
    params = model.init(rng, config)
    if half:
        for arrays in params.values():
            for key, array in arrays.items():
                arrays[key] = array.astype(np.float16).astype(np.float32)
    agent = Agent(params, config, 0.2)
    split = small_split(0, 20, 10, 14)
    images = split.images / np.float32(255)
    text = page.fill(agent, name, images, split.labels, split.images, class_names)
    return agent, images, text


class Elements(html.parser.HTMLParser):
    """The start tags of a page, in order, and the text of its scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.raw, self.within = [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.within = tag

    def handle_endtag(self, tag):
        self.within = None

    def handle_data(self, data):
        if self.within in ("script", "style"):
            self.raw.append(data)


def data_of(text):
    """Return the JSON that the page's script reads."""
    return json.loads(
        re.search(r'<script id="data"[^>]*>(.*?)</script>', text, re.DOTALL)[1]
    )


def images_of(images):
    """Return the images that the page holds, as uint8."""
    pixels = np.frombuffer(base64.b64decode(images["bytes"]), np.uint8)
    return pixels.reshape(-1, images["height"], images["width"])


def test_one_file_with_nothing_from_outside(rng):
    """No element and no style refers to anything that is not in the page."""
    _, _, text = small_page(rng)
    for tag, attributes in Elements(text).tags:
        assert "src" not in attributes and not tag.startswith("on")
        assert attributes.get("href", "data:,").startswith(("data:,", "#"))
        assert not any(name.startswith("on") for name in attributes)
    assert "url(" not in text and "@import" not in text and "fetch(" not in text


def test_the_policy_names_the_two_parts_that_may_act(rng):
    """The page's own policy lets its style and its script work, by hash, and no more."""
    _, _, text = small_page(rng)
    elements = Elements(text)
    (policy,) = (a["content"] for t, a in elements.tags if "http-equiv" in a)
    style, _, script = elements.raw
    for directive, part in (("style-src", style), ("script-src", script)):
        digest = base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy and "unsafe" not in policy


@pytest.mark.parametrize("hostile", HOSTILE)
def test_names_stay_data(rng, hostile):
    """Whatever a run or a class is called, the page has the same elements."""
    _, _, plain = small_page(np.random.default_rng(0))
    names = [hostile, *"bcde"]
    _, _, text = small_page(np.random.default_rng(0), hostile, names)
    assert Elements(text).tags == Elements(plain).tags
    assert data_of(text)["name"] == hostile
    assert data_of(text)["classes"] == names
    assert len(text.splitlines()) == len(plain.splitlines())


@pytest.mark.parametrize("half", [True, False])
def test_weights_arrive_to_the_last_bit(rng, half):
    """Two bytes each where that loses nothing, else four; all but the baseline's."""
    agent, _, text = small_page(rng, half=half)
    data = data_of(text)
    assert data["dtype"] == ("float16" if half else "float32")
    vector = np.frombuffer(base64.b64decode(data["weights"]), data["dtype"])
    start = 0
    for network, name, size in data["shapes"]:
        weights = agent.params[network][name].ravel()
        np.testing.assert_array_equal(vector[start : start + size], weights)
        start += size
    assert start == len(vector) == agent.num_parameters - 10


def test_weights_beyond_float16_take_four_bytes(rng):
    """Nothing becomes infinite, and no warning is raised."""
    vector = np.array([1.0, 1e6], np.float32)
    encoded = page._encode_weights(vector)
    assert encoded["dtype"] == "float32"


def test_scenes_arrive_to_the_last_bit_and_fit(rng):
    """Bytes of scenes and labels; as many as keep the page small, four at least."""
    _, images, text = small_page(rng)
    data = data_of(text)["scenes"]
    pixels = np.frombuffer(base64.b64decode(data["bytes"]), np.uint8)
    np.testing.assert_array_equal(pixels / np.float32(255), images.ravel())
    assert (data["height"], data["width"]) == (10, 14)
    assert len(data["labels"]) == 20
    agent, _, _ = small_page(rng)
    large = np.zeros((9, 400, 300), np.float32)
    text = page.fill(agent, "a", large, np.arange(9), large.astype(np.uint8), range(5))
    assert len(data_of(text)["scenes"]["labels"]) == 4


def test_only_clutter_brings_digits_to_cut(rng):
    """Without clutter the size of a digit is enough."""
    for clutter, count in ((0, 1), (2, 20)):
        _, _, text = small_page(rng, num_clutter=clutter, clutter_size=4)
        digits = data_of(text)["digits"]
        assert len(base64.b64decode(digits["bytes"])) == count * 10 * 14


@pytest.mark.parametrize("kind", ["fc", "conv"])
def test_a_comparison_network_is_refused(kind):
    """One line that names the model."""
    agent = Agent({}, small_config(model=kind), 0.2)
    with pytest.raises(UserError, match=f"run7 is a comparison network .{kind}."):
        page.check(agent, "run7")


@pytest.mark.parametrize("setting", ["core", "sensor"])
def test_what_the_script_does_not_compute_is_told(setting, monkeypatch):
    """A core or sensor from outside the package: no page that computes another one."""
    registry = {"core": model.CORES, "sensor": model.SENSORS}[setting]
    monkeypatch.setitem(registry, "mine", None)
    agent = Agent({}, small_config(**{setting: "mine"}), 0.2)
    with pytest.raises(UserError, match=f"run7 has the {setting} mine"):
        page.check(agent, "run7")


def test_colours_are_those_of_the_pictures():
    """On light ground the page and the pictures have the same colour for each part."""
    light = (page.SOURCE / "page.css").read_text().partition("}")[0]
    shared = dict(re.findall(r"--(\w+): (#\w+);", light)).items() & COLOURS.items()
    assert {name for name, _ in shared} == {
        *("what", "where", "core", "policy", "action", "wrong"),
        *("ink", "muted", "unseen"),
    }


def test_dark_is_the_same_by_system_and_by_button():
    """The two blocks of the style say the same."""
    css = (page.SOURCE / "page.css").read_text()
    blocks = re.findall(
        r':root(?:\[data-theme="dark"\]|:not[^{]*) {(.*?)}', css, re.DOTALL
    )
    first, second = (block.split() for block in blocks)
    assert first == second


def test_tutorials_exist():
    """The page names them without links, because it may be moved anywhere."""
    named = re.findall(r"tutorial (\w+)</i>", (page.SOURCE / "page.html").read_text())
    assert len(named) == 5
    for name in named:
        assert (ROOT / "tutorials" / f"{name}.ipynb").is_file()


def test_colours_of_time_are_those_of_the_pictures():
    """Five stops of the range of matplotlib's plasma that the pictures use."""
    script = (page.SOURCE / "view.js").read_text()
    (stops,) = re.findall(r"TIME_COLOURS = (\[.*?\]);", script)
    np.testing.assert_allclose(
        to_rgba_array(json.loads(stops)), time_colours(5), atol=1 / 255
    )
