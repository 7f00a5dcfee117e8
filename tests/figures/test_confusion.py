"""The confusion matrix: counts and errors as they are, legible for 2 to many classes."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from ramnp.figures.confusion import draw_confusion
from ramnp.figures.style import COLOURS
from tests.figures.conftest import assert_apart, assert_whole

COUNTS = np.array([[8, 0, 2], [1, 3, 0], [0, 0, 0]])  # no image of the last class


def test_rows_are_true_classes_and_columns_answers(tmp_path, drawn):
    """Counts stand in their cells, bars are errors in percent, the title tells all."""
    draw_confusion(COUNTS, ["cat", "dog", "eel"], tmp_path / "a.png")
    ax, bars = drawn[0].axes
    cells = {text.get_position()[::-1]: text.get_text() for text in ax.texts}
    assert cells == {(0, 0): "8", (0, 2): "2", (1, 0): "1", (1, 1): "3"}
    assert ax.get_ylabel() == "true class"
    for axis in (ax.xaxis, ax.yaxis):
        names = [tick.get_text() for tick in axis.get_ticklabels()]
        assert names == ["cat", "dog", "eel"]
    assert [bar.get_width() for bar in bars.patches] == pytest.approx([20, 25, 0])
    assert [bar.get_y() + 0.35 for bar in bars.patches] == pytest.approx([0, 1, 2])
    assert ax.get_ylim() == bars.get_ylim() == (2.5, -0.5)
    assert ax.get_title(loc="left") == "3 of 14 wrong: 21.43 %"


def test_mistakes_are_red_and_hits_blue(tmp_path, drawn):
    """The commonest mistake, as a share of its row, has the full colour."""
    draw_confusion(COUNTS, None, tmp_path / "a.png")
    ax, _ = drawn[0].axes
    colours = np.ones((3, 3, 3))
    for image in ax.images:
        pixels = image.to_rgba(image.get_array())
        shown = pixels[..., 3] == 1
        colours[shown] = pixels[shown][:, :3]
    np.testing.assert_allclose(colours[1, 0], to_rgb(COLOURS["wrong"]), atol=0.01)
    assert colours[0, 2, 0] > colours[0, 2, 2] and colours[0, 2, 1] < 0.5
    assert colours[0, 0, 2] > colours[0, 0, 0]
    np.testing.assert_array_equal(colours[0, 1], 1)
    np.testing.assert_array_equal(colours[2, 2], 1)


@pytest.mark.parametrize(
    ("classes", "name"),
    [(2, "{}"), (10, "a class with a long name {}"), (62, "{}"), (300, "{}")],
)
def test_nothing_is_cut_off_and_no_texts_overlap(tmp_path, drawn, classes, name):
    """Names of classes, counts and titles keep their distance; 60,000 images fit."""
    counts = np.random.default_rng(0).integers(60_000, size=(classes, classes))
    names = [name.format(c) for c in range(classes)]
    path = tmp_path / "a.png"
    draw_confusion(counts, names, path)
    (figure,) = drawn
    assert_whole(figure)
    ax, bars = figure.axes
    texts = [*ax.texts, *ax.get_yticklabels(), ax.yaxis.label, ax.xaxis.label]
    texts += [ax._left_title, bars._left_title, bars.xaxis.label]
    assert_apart([text for text in texts if text.get_text()])
    assert_apart(ax.get_xticklabels())
    assert len(ax.get_yticklabels()) >= min(classes, 60)
    with Image.open(path) as picture:
        assert max(picture.size) < 1500


def test_no_mistake_at_all(tmp_path, drawn):
    """Zero errors give a picture, too."""
    draw_confusion(np.diag([3, 4]), None, tmp_path / "a.png")
    assert drawn[0].axes[0].get_title(loc="left") == "0 of 7 wrong: 0.00 %"
