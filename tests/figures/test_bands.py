"""Each group of runs is a line with its name, several seeds a band."""

import numpy as np
import pytest
from PIL import Image

from ramnp.figures import bands


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Draw curves; return the axes of the figure."""
    kept = []
    save = bands.save
    monkeypatch.setattr(
        bands, "save", lambda figure, path: kept.append(figure) or save(figure, path)
    )

    def draw(curves, names):
        bands.draw_bands(curves, names, "epochs", "error", tmp_path / "a.png")
        with Image.open(tmp_path / "a.png") as picture:
            assert picture.width > 600
        return kept[-1].axes[0]

    return draw


def test_means_are_lines_and_spreads_are_bands(drawn):
    """The line is the mean; only a group with several seeds has a band."""
    x = np.arange(1, 6)
    one, several = (x, 50.0 / x, 0 * x), (x, 40.0 / x, 0.1 * x)
    ax = drawn([one, several], ["a", "b"])
    assert [line.get_label() for line in ax.lines] == ["a", "b"]
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), 40.0 / x)
    (band,) = ax.collections
    assert band.get_datalim(ax.transData).y1 == pytest.approx(40.1)


def test_a_decade_is_logarithmic_and_a_zero_is_not(drawn):
    """No value is lost on a logarithmic axis."""
    x = np.array([1, 2])
    assert drawn([(x, np.array([90.0, 2.0]), 0 * x)], ["a"]).get_yscale() == "log"
    assert drawn([(x, np.array([90.0, 0.0]), 0 * x)], ["a"]).get_yscale() == "linear"
