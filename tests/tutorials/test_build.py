"""Percent format, and what a notebook is made of."""

import os
import subprocess
import sys

import pytest

from tutorials import build


def test_cells_are_split_at_their_markers():
    """Text loses its comment signs, code keeps its blank lines, ends are trimmed."""
    source = (
        "# %% [markdown]\n# # T\n#\n# a\n\n# %%\n\nx = 1\n\n# y\n\n\n"
        "# %%\nz\n# %% figure\ndraw()\n"
    )
    assert build.cells(source) == [
        ("markdown", "# T\n\na"),
        ("code", "x = 1\n\n# y"),
        ("code", "z"),
        ("figure", "draw()"),
    ]


@pytest.mark.parametrize("source", ["x = 1\n# %%\n", "# %% [markdown]\nx = 1\n"])
def test_code_outside_a_cell_of_code_is_refused(source):
    """Nothing that a script runs is left out of its notebook."""
    with pytest.raises(ValueError, match="x = 1"):
        build.cells(source)


def test_a_line_of_text_that_the_site_drops_is_refused():
    """MyST takes a line that starts with a percent sign for a comment."""
    with pytest.raises(ValueError, match="% of them"):
        build.cells("# %% [markdown]\n# 59\n# % of them\n")


def test_sources_are_in_reading_order():
    """They are numbered from 00 on, without a gap."""
    numbers = [int(path.name[:2]) for path in build.sources()]
    assert numbers == list(range(10))


def test_a_caption_is_read_aloud_without_its_marks():
    """Alternative texts hold words, no TeX commands and no stars."""
    caption = "**Figure.** The *mean* of\n$\\mathrm{d}z_t$, 6 %."
    assert build.caption_text(caption) == "The mean of dz_t, 6 %."


def test_an_address_makes_links_and_is_cloned():
    """One place holds it; a host that Colab can't open gets no links, an unknown none."""
    name = "01_look_through_the_retina"
    (_, head), (_, setup), *_ = build.complete(name, "https://github.com/them/ramnp")
    where = f"them/ramnp/blob/main/tutorials/{name}.ipynb"
    assert f"(https://colab.research.google.com/github/{where})" in head
    binder = f"them/ramnp/HEAD?labpath=tutorials%2F{name}.ipynb"
    assert f"(https://mybinder.org/v2/gh/{binder})" in head
    assert '    address = "https://github.com/them/ramnp"\n' in setup
    for other in ("https://example.org/them/ramnp", ""):
        (_, head), (_, setup), *_ = build.complete(name, other)
        assert "Open in" not in head
        assert f'    address = "{other}"\n' in setup


def test_a_notebook_opened_alone_fetches_what_it_needs(tmp_path, monkeypatch):
    """It clones, installs and goes to the chapters' folder; beside them, it does nothing."""
    asked, calls = [], []
    monkeypatch.setattr("builtins.input", lambda words: asked.append(words) or "there")
    monkeypatch.setattr(sys, "path", [*sys.path])

    def run(command, check):
        assert check
        calls.append(command)
        (tmp_path / "ramnp" / "tutorials").mkdir(parents=True, exist_ok=True)

    monkeypatch.setattr(subprocess, "run", run)
    _, (_, setup), *_ = build.complete("01_look_through_the_retina", "")
    monkeypatch.chdir(build.HERE)
    exec(setup, {})  # noqa: S102, as Jupyter does
    assert not calls
    monkeypatch.chdir(tmp_path)
    exec(setup, {})  # noqa: S102, as Jupyter does
    assert calls[0] == ["git", "clone", "--depth", "1", "there", "ramnp"]
    assert calls[1] == [sys.executable, "-m", "pip", "install", "./ramnp"]
    assert asked and os.getcwd() == str(tmp_path / "ramnp" / "tutorials") == sys.path[0]
