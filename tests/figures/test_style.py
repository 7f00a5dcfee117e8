"""The style of all pictures: legible on any page, independent of the user's settings."""

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from ramnp.figures import style
from ramnp.support.errors import UserError


@style.styled
def draw(path):
    figure = Figure(figsize=(3, 2))
    ax = figure.subplots()
    ax.plot([1, 2], [3, 4], color=style.COLOURS["core"])
    ax.set_title("title")
    style.save(figure, path)


def test_a_picture_does_not_depend_on_the_users_settings(tmp_path):
    """A dark style with a font that does not exist gives the same bytes, and stays set."""
    draw(tmp_path / "a.png")
    dark = {
        "font.family": "a font that nobody has",
        "figure.facecolor": "black",
        "savefig.transparent": True,
        "savefig.dpi": 30,
        "axes.prop_cycle": matplotlib.cycler(color=["red"]),
    }
    with matplotlib.rc_context(dark):
        before = settings()
        draw(tmp_path / "b.png")
        assert settings() == before
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def settings():
    """All of matplotlib's settings but the backend, which a look at it would choose."""
    return {k: matplotlib.rcParams[k] for k in matplotlib.rcParams if k != "backend"}


def test_the_background_is_opaque_white(tmp_path):
    """A dark page does not shine through."""
    draw(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        pixels = np.asarray(picture.convert("RGBA"))
    assert (pixels[0] == 255).all() and (pixels[..., 3] == 255).all()


def test_a_picture_that_cannot_be_written_is_one_line(tmp_path):
    """A missing folder is a UserError that names the file."""
    path = tmp_path / "missing" / "a.png"
    with pytest.raises(UserError) as error:
        draw(path)
    (line,) = str(error.value).splitlines()
    assert str(path) in line
