"""Each sampled setting of a search has a panel, each trial a point or a cross."""

import math

import numpy as np
import pytest
from PIL import Image

from ramnp.figures import trials

PANELS = {
    "learning_rate": ([0.001, 0.1, 0.01], "log"),
    "momentum": ([0.5, 0.1, 0.9], "linear"),
    "core": (["b", "a", "b"], ["a", "b"]),
    "policy_into_core": ([True, False, True], [True, False]),
}


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Draw trials with these errors; return the axes of the figure."""
    kept = []
    save = trials.save
    monkeypatch.setattr(
        trials, "save", lambda figure, path: kept.append(figure) or save(figure, path)
    )

    def draw(panels, errors):
        trials.draw_trials(panels, errors, tmp_path / "a.png")
        with Image.open(tmp_path / "a.png") as picture:
            assert picture.width > 300
        return kept[-1].axes

    return draw


def test_each_setting_has_a_panel_with_its_own_scale(drawn):
    """Logarithmic where it is sampled so; a choice has a place for each value."""
    axes = drawn(PANELS, [5.0, 2.0, 3.0])
    assert [ax.get_xlabel() for ax in axes] == [*PANELS]
    assert [ax.get_xscale() for ax in axes] == ["log", "linear", "linear", "linear"]
    for ax, expected in zip(axes, ([0.001, 0.1, 0.01], [0.5, 0.1, 0.9], [1, 0, 1])):
        np.testing.assert_array_equal(ax.lines[0].get_xdata(), expected)
        np.testing.assert_array_equal(ax.lines[0].get_ydata(), [5.0, 2.0, 3.0])
    assert [label.get_text() for label in axes[2].get_xticklabels()] == ["a", "b"]
    best = axes[0].lines[1]
    assert (*best.get_xdata(), *best.get_ydata()) == (0.1, 2.0)


def test_a_trial_without_a_result_is_a_cross(drawn):
    """It lies at the top, wherever the others are."""
    (ax,) = drawn({"momentum": ([0.5, 0.1], "linear")}, [math.inf, 2.0])
    cross = ax.lines[-1]
    assert [*cross.get_xdata()] == [0.5] and cross.get_marker() == "x"
    _, y = cross.get_transform().transform((0.5, cross.get_ydata()[0]))
    assert y > ax.get_window_extent().y1 - 10


def test_nothing_but_failures_can_be_drawn(drawn):
    """There is no best trial then."""
    (ax,) = drawn({"momentum": ([0.5], "linear")}, [math.inf])
    assert len(ax.lines[-1].get_xdata()) == 1


def test_a_decade_of_errors_is_logarithmic(drawn):
    """As in every figure of errors."""
    panels = {"momentum": ([0.5, 0.1], "linear")}
    assert drawn(panels, [90.0, 2.0])[0].get_yscale() == "log"
    assert drawn(panels, [9.0, 2.0])[0].get_yscale() == "linear"
