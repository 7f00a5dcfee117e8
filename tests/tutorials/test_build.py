"""Percent format, and what a notebook is made of."""

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


def test_sources_are_in_reading_order():
    """They are numbered from 00 on, without a gap."""
    numbers = [int(path.name[:2]) for path in build.sources()]
    assert numbers == list(range(10))


def test_a_caption_is_read_aloud_without_its_marks():
    """Alternative texts hold words, no TeX commands and no stars."""
    caption = "**Figure.** The *mean* of\n$\\mathrm{d}z_t$, 6 %."
    assert build.caption_text(caption) == "The mean of dz_t, 6 %."
