"""docs/figure1.svg: drawn whole, the same each time, and committed as its script has it."""

import runpy
from pathlib import Path
from xml.etree import ElementTree

from tests.figures.conftest import assert_apart, assert_whole, drawn  # noqa: F401

SCRIPT = Path(__file__).parents[2] / "docs" / "figure1.py"


def test_it_is_whole_and_the_same_each_time(tmp_path, drawn):  # noqa: F811
    """Symbols keep their distance; two drawings have the same bytes."""
    draw = runpy.run_path(SCRIPT)["draw"]
    for name in ("a.svg", "b.svg"):
        draw(tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    figure, _ = drawn
    assert_whole(figure)
    texts = [text for text in figure.axes[0].texts if text.get_text()]
    assert_apart(texts)
    symbols = {text.get_text() for text in texts}
    assert symbols >= {"$h_{t}$", "$a_{t}$", "$l_{t}$", "$b_{t}$", "$g_{t}$", "$x$"}


def test_the_committed_one_is_an_svg():
    """A browser can read it; it has a white ground and the patches as pictures."""
    root = ElementTree.parse(SCRIPT.with_suffix(".svg")).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    text = SCRIPT.with_suffix(".svg").read_text("utf-8")
    assert "fill: #ffffff" in text
    assert text.count("<image") == 4
