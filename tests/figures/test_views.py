"""Views show what was seen where it was seen, no finer than the figure."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from ramnp.figures import views
from ramnp.figures.style import save
from tests.figures.conftest import drawn_boxes, scenario, sensor_windows

SENSORS = {
    "one scale": {"patch_size": 8},
    "nested, wide": {"patch_size": 6, "num_scales": 3, "shape": (20, 33)},
    "odd, tall": {"patch_size": 5, "num_scales": 2, "shape": (33, 20)},
    "beyond": {"patch_size": 3, "num_scales": 2, "scale_factor": 3, "spread": 1.5},
    "colour": {"patch_size": 4, "num_scales": 2, "shape": (20, 20, 3)},
}


def view(edges=(0, 0, 28, 28), inches=4):
    """Return bare axes, 400 pixels wide, for a part of an image."""
    figure = Figure(figsize=(inches, inches), dpi=100)
    return views.add_view(figure, 0, 0, inches, inches, edges)


@pytest.mark.parametrize("name", SENSORS)
def test_cells_are_the_means_of_the_image_behind_them(name):
    """Boxes are the windows of the sensor; each cell lies upon the pixels it covers.

    Outside of the boxes is nothing. The boxes are read off the picture, each cell is
    averaged by itself, and everything is enlarged twice, since half pixels count.
    """
    images, _, seen, config = scenario(background=0.25, **SENSORS[name])
    boxes, cells = views.look(images, seen.locations, config)
    far = 200
    around = [(far, far), (far, far), (0, 0)][: images.ndim - 1]
    for i, image in enumerate(images):
        expected = sensor_windows(image, seen.locations[i], config)
        np.testing.assert_array_equal(boxes[i], expected)
        world = np.pad(image, around, constant_values=0.25).repeat(2, 0).repeat(2, 1)
        for t in range(len(boxes[i])):
            left, top = np.floor(boxes[i, t, -1, :2]).astype(int) - 2
            right, bottom = np.ceil(boxes[i, t, -1, 2:]).astype(int) + 2
            ax = view((left, top, right, bottom))
            views.draw_windows(ax, boxes[i, t], "red")
            views.show_cells(ax, cells[i, t, None], boxes[i, t, None])
            np.testing.assert_array_equal(drawn_boxes(ax), boxes[i, t])
            assert ax.images[0].get_extent() == [left, right, bottom, top]
            size = 2 * (bottom - top), 2 * (right - left), *image.shape[2:]
            expected = np.full(size, np.nan)
            row0, column0 = 2 * (far + top), 2 * (far + left)
            for scale, box in reversed(list(enumerate(drawn_boxes(ax)))):
                cell = 2 * config.scale_factor**scale
                x0, y0 = (2 * (box[:2] + far)).astype(int)
                for y in range(y0, y0 + cell * config.patch_size, cell):
                    for x in range(x0, x0 + cell * config.patch_size, cell):
                        rows = slice(y - row0, y - row0 + cell)
                        columns = slice(x - column0, x - column0 + cell)
                        mean = world[y : y + cell, x : x + cell].mean(axis=(0, 1))
                        expected[rows, columns] = mean
            shown = ax.images[0].get_array()
            if image.ndim == 3:
                shown = np.where(shown[..., 3:] == 1, shown[..., :3], np.nan)
            else:
                shown = shown.filled(np.nan)
            np.testing.assert_allclose(shown, expected, atol=1e-12)


def test_an_image_has_its_place_and_its_pixels():
    """(0, 0) is the upper left on the page; pixels are square and as they were."""
    images, *_ = scenario(1, (20, 33))
    ax = view((0, 0, 33, 33))
    views.show_image(ax, images[0])
    np.testing.assert_array_equal(ax.images[0].get_array(), images[0])
    assert ax.images[0].get_extent() == [0, 33, 20, 0]
    (left, top), (right, bottom) = ax.transData.transform([(0, 0), (1, 1)])
    assert right > left and top > bottom
    assert right - left == pytest.approx(top - bottom)


@pytest.mark.parametrize("channels", [(), (3,)])
def test_no_view_is_finer_than_the_figure(channels):
    """A large image is shown as means of blocks, in the same place; so are cells."""
    images, _, seen, config = scenario(
        1, (1000, 1601, *channels), patch_size=500, num_scales=2
    )
    ax = view((0, 0, 1601, 1601))
    views.show_image(ax, images[0])
    shown = ax.images[0].get_array()
    assert shown.shape[:2] == (400, 400)
    assert ax.images[0].get_extent() == [0, 1601, 1000, 0]
    block = images[0, 7:10, 28:32].mean(axis=(0, 1))
    np.testing.assert_allclose(np.atleast_1d(shown[3, 7])[:3], np.atleast_1d(block))
    views.clear(ax)
    boxes, cells = views.look(images, seen.locations, config)
    views.show_cells(ax, cells[0], boxes[0])
    assert ax.images[0].get_array().shape[:2] == (400, 400)


@pytest.mark.parametrize("classes", [3, 10, 26, 200])
@pytest.mark.parametrize("names", [None, "ankle boot, left or right {}"])
@pytest.mark.parametrize("first", [0, 0.4, 1])
def test_names_of_classes_stay_apart(classes, names, first):
    """The true class and a wrong top guess beside it are legible within the width."""
    if names:
        names = [names.format(c) for c in range(classes)]
    names = views.class_labels(names, classes)
    wrong = round(first * (classes - 2))
    figure = Figure(figsize=(3, 1))
    ax = views.add_axes(figure, 1, 0.2, 1, 0.5)
    ax.set(xlim=(0, 1), ylim=(0, 1))
    guess = np.eye(classes)[wrong]
    views.draw_probabilities(ax, guess, wrong + 1, names, 0, 1)
    left, right = sorted(ax.texts, key=lambda text: text.get_position())
    assert isinstance(left, Text)
    assert [text.get_color() for text in (left, right)] == [
        views.COLOURS["wrong"],
        views.COLOURS["action"],
    ]
    for text, name in ((left, names[wrong]), (right, names[wrong + 1])):
        assert name.startswith(text.get_text().rstrip("…"))
    boxes = [text.get_window_extent() for text in (left, right)]
    box = ax.get_window_extent()
    assert box.x0 - 1 <= boxes[0].x0 < boxes[0].x1 < boxes[1].x0
    assert boxes[1].x1 <= box.x1 + 1


def test_any_name_of_a_class_can_be_drawn(tmp_path):
    """No name becomes a formula, a warning about the font, or nothing at all."""
    names = ["$x_{$", "猫", "a\nb", "", "Straße", "\U0001f680 rocket"]
    names = views.class_labels(names, 6)
    assert names == ["$x_{$", "1", "2", "3", "Straße", "5"]
    ax = view()
    guess = np.array([0.9, 0.02, 0.02, 0.02, 0.02, 0.02])
    views.draw_probabilities(ax, guess, 4, names, 0, 28)
    save(ax.figure, tmp_path / "a.png")
    assert [text.get_text() for text in ax.texts] == [r"\$x_{\$", "Straße"]


def test_bars_are_the_probabilities():
    """A bar for each class, as high as its probability, in equal distances."""
    ax = view()
    guess = np.array([0.5, 0.2, 0.3])
    views.draw_probabilities(ax, guess, 2, ["a", "b", "c"], 1, 3)
    bars = ax.collections[0].get_segments()
    np.testing.assert_allclose([bar[1, 1] for bar in bars], guess)
    np.testing.assert_allclose([bar[0, 0] for bar in bars], [1.5, 2.5, 3.5])
    assert [text.get_text() for text in ax.texts] == ["a", "c"]


def test_the_path_joins_the_centres_of_the_boxes():
    """Straight lines from one glimpse to the next."""
    boxes = np.array([[0, 0, 2, 2], [4, 4, 6, 6], [4, 0, 6, 2]])
    ax = view()
    views.draw_path(ax, boxes, views.time_colours(3))
    steps = ax.collections[0].get_segments()
    np.testing.assert_array_equal(steps, [[[1, 1], [5, 5]], [[5, 5], [5, 1]]])
