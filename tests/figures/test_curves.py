"""curves.png and the errors by glimpses: every point, under the right name."""

import json

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from ramnp.figures import curves
from ramnp.figures.style import COLOURS
from tests.figures.conftest import assert_apart, assert_whole

TITLES = {
    "Error": ("train_error", "valid_error"),
    "Cross-entropy": ("cross_entropy",),
    "Learning rate": ("learning_rate",),
    "Spread of locations": ("location_spread",),
    "Locations at the border": ("saturation",),
    "Entropy of locations": ("location_entropy",),
    "Return": ("first_return",),
    "Baseline loss": ("baseline_loss",),
    "Explained variance": ("explained_variance",),
    "Deterministic minus sampled error": ("deterministic_minus_sampled",),
}


def history(epochs):
    """Write down a run whose errors fall by a factor of 100."""
    return [
        {
            "epoch": epoch,
            "step": 10 * epoch,
            "cross_entropy": 2.0 / epoch,
            "baseline_loss": 0.3 + 0.1 * (epoch % 2),
            "train_error": 80 * 0.01 ** (epoch / epochs),
            "valid_error": 90 * 0.01 ** (epoch / epochs),
            "learning_rate": 1e-3 * (1 - epoch / (epochs + 1)),
            "images_per_second": 5000.0,
            "seconds": 10.0,
            "saturation": 0.1 / epoch,
            "location_spread": 0.2 + 0.01 / epoch,
            "location_entropy": 5.0 - 1 / epoch,
            "first_return": 2.0 - 1 / epoch,
            "explained_variance": -1 / epoch,
            "gradient_norms": {
                name: i / epoch
                for i, name in enumerate(
                    ("glimpse", "core", "location", "action", "baseline"), start=1
                )
            },
            "valid_error_after_glimpse": [60.0 / epoch, 30.0 / epoch, 9.0 / epoch],
            "deterministic_minus_sampled": 3.0 - epoch,
        }
        for epoch in range(1, epochs + 1)
    ]


def panels(figure):
    """The axes by the first words of their titles."""
    return {ax.get_title(loc="left").partition(":")[0]: ax for ax in figure.axes}


def points(ax):
    """The points of each line that joins some."""
    return [line.get_xydata() for line in ax.lines if line.get_linestyle() == "-"]


def assert_legible(figure):
    """Nothing is cut off, no texts overlap, and legends cover no line."""
    assert_whole(figure)
    texts = [*figure.texts]
    for ax in figure.axes:
        texts += [ax._left_title, ax.xaxis.label, ax.yaxis.label]
        for axis, (low, high) in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
            for tick in axis.get_major_ticks():
                if low <= tick.get_loc() <= high:
                    texts.append(tick.label1)
        if legend := ax.get_legend():
            texts += legend.get_texts()
            box = legend.get_window_extent()
            assert ax.bbox.x0 <= box.x0 and box.y1 <= ax.bbox.y1
            for line in ax.lines:
                _, y = ax.transData.transform(line.get_xydata()).T
                assert y.max() < box.y0 or line.get_linestyle() == "None"
    assert_apart([text for text in texts if text.get_text()])


@pytest.mark.parametrize("epochs", [1, 999])
def test_every_point_is_drawn_and_no_text_overlaps(tmp_path, drawn, epochs):
    """Each metric as it is, over whole epochs; errors on a logarithmic axis.

    Titles, names of axes, numbers and legends keep their distance.
    """
    rows = history(epochs)
    curves.draw_curves(rows, tmp_path / "a.png", title="centered")
    (figure,) = drawn
    assert_legible(figure)
    axes = panels(figure)
    for title, metrics in TITLES.items():
        for line, metric in zip(points(axes[title]), metrics, strict=True):
            expected = [(row["epoch"], row[metric]) for row in rows]
            np.testing.assert_array_equal(line, expected)
    networks = rows[0]["gradient_norms"]
    for line, network in zip(points(axes["Gradient norm"]), networks, strict=True):
        expected = [(row["epoch"], row["gradient_norms"][network]) for row in rows]
        np.testing.assert_array_equal(line, expected)
    after_glimpse = axes.pop(f"Validation error, epoch {epochs}")
    (line,) = points(after_glimpse)
    best = rows[-1]["valid_error_after_glimpse"]
    np.testing.assert_array_equal(line, [*enumerate(best, start=1)])
    assert after_glimpse.get_yscale() == "log"
    for ax in axes.values():
        low, high = ax.get_xlim()
        assert low < 1 <= epochs < high
        assert all(tick == round(tick) for tick in ax.get_xticks() if low < tick < high)
    assert axes["Error"].get_yscale() == ("log" if epochs > 1 else "linear")
    assert axes["Learning rate"].get_yscale() == "linear"
    low, high = axes["Error"].get_ylim()
    assert sum(low <= tick <= high for tick in axes["Error"].get_yticks()) >= 3
    lowest = f"Error: lowest {rows[-1]['valid_error']:.2f}, epoch {epochs}"
    assert axes["Error"].get_title(loc="left") == lowest


def test_an_error_of_0_leaves_the_panels_their_size(tmp_path, drawn):
    """A mark at 0 is infinitely far below a logarithmic axis."""
    rows = [row | {"valid_error": 0.0} for row in history(8)]
    curves.draw_curves(rows, tmp_path / "curves.png", title="centered")
    (figure,) = drawn
    assert_whole(figure)
    assert min(ax.get_position().height for ax in figure.axes) > 0.1


def test_values_that_are_not_numbers_are_left_out(tmp_path, drawn):
    """Missing, null, NaN and infinite values leave a gap; unknown keys are ignored.

    A metric without values, or with zeros alone, has no panel.
    """
    rows = history(6)
    rows[1]["valid_error"] = None
    rows[2]["valid_error"] = float("nan")
    rows[3]["valid_error"] = float("inf")
    del rows[4]["valid_error"]
    for row in rows:
        row["train_error"] = 0.0
        row["cross_entropy"] = -1.0
        row["baseline_loss"] = None
        row["saturation"] = 0.0
        row["of_a_later_version"] = [1, {"a": 2}]
        row["valid_error_after_glimpse"] = [5.0, 0.0]
    rows = [json.loads(json.dumps(row)) for row in rows]
    curves.draw_curves(rows, tmp_path / "a.png")
    axes = panels(drawn[0])
    valid = points(axes["Error"])[-1]
    expected = [(row["epoch"], row["valid_error"]) for row in (rows[0], rows[-1])]
    np.testing.assert_array_equal(valid, expected)
    low, high = axes["Cross-entropy"].get_ylim()
    assert low < -1 < high
    assert not {"Baseline loss", "Locations at the border"} & axes.keys()
    assert axes["Validation error, epoch 6"].get_yscale() == "linear"


def test_curves_of_nothing_are_empty(tmp_path):
    """A run without a finished epoch gives a picture all the same."""
    curves.draw_curves([], tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        picture.load()


@pytest.mark.parametrize("log", [False, True])
def test_errors_are_drawn_as_they_are(tmp_path, drawn, log):
    """A panel for each title, with every line under its name, and one legend."""
    lines = {
        "one": [
            curves.Line("lines", "action", range(1, 4), [40.0, 2.0, 1.5]),
            curves.Line("points", "policy", [2, 3], [3.0, 2.0], "o"),
        ],
        "two": [curves.Line("lines", "muted", [1], [7.0])],
        "three": [],
        "four": [],
    }
    path = tmp_path / "glimpses.png"
    curves.draw_errors(lines, path, "glimpses", log)
    (figure,) = drawn
    for ax, (title, expected) in zip(figure.axes, lines.items(), strict=True):
        assert ax.get_title(loc="left") == title
        assert ax.get_xlabel() == "glimpses"
        assert ax.get_xscale() == ("log" if log else "linear")
        assert len(ax.lines) == len(expected)
        for line, (name, colour, glimpses, errors, _) in zip(ax.lines, expected):
            assert line.get_label() == name
            assert np.array_equal(line.get_xydata(), np.transpose([glimpses, errors]))
            assert to_hex(line.get_color()) == COLOURS[colour].lower()
    assert figure.axes[0].lines[1].get_linestyle() == "None"
    with Image.open(path) as picture:
        assert picture.width <= 830  # the column of a README
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["lines", "points"]
    assert_whole(figure)
