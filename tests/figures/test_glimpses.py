"""glimpses.png: the windows, what the retina saw, and the verdict, whole and legible."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from ramnp.figures import glimpses
from ramnp.figures.style import COLOURS
from tests.figures.conftest import (
    assert_apart,
    assert_whole,
    drawn_boxes,
    scenario,
    sensor_windows,
)

LAYOUTS = {
    "one glimpse, far off a tall image": {
        "images": 1,
        "num_glimpses": 1,
        "shape": (60, 10),
        "spread": 1e8,
        "classes": 2,
    },
    "wide": {"shape": (10, 60), "images": 5, "num_glimpses": 1},
    "many": {"images": 1, "num_glimpses": 13, "classes": 200},
    "colour": {"shape": (20, 20, 3)},
}


def test_each_glimpse_has_its_windows(tmp_path, drawn):
    """The path has the finest windows; each retina shows its own, as large as all."""
    images, labels, seen, config = scenario(shape=(300, 200), num_scales=2)
    glimpses.draw_glimpses(images, labels, seen, config, tmp_path / "a.png")
    sheet = iter(ax for ax in drawn[0].axes if ax.images)
    sizes = set()
    for image, locations in zip(images, seen.locations):
        boxes = sensor_windows(image, locations, config)
        np.testing.assert_array_equal(drawn_boxes(next(sheet)), boxes[:, 0])
        for expected in boxes:
            retina = next(sheet)
            np.testing.assert_array_equal(drawn_boxes(retina), expected)
            left, top, right, bottom = expected[-1]
            x, y = retina.transData.transform([(left, top), (right, bottom)]).T
            sizes.add((round(x[1] - x[0]), round(y[0] - y[1])))
    assert sizes == {(102, 102)}  # pixels, of the coarsest window


def test_wrong_predictions_are_red(tmp_path, drawn):
    """A wrong class is named in red with the true one; a right one is in ink."""
    images, labels, seen, config = scenario()
    labels[:] = seen.classes
    labels[1] = (labels[1] + 1) % 10
    glimpses.draw_glimpses(images, labels, seen, config, tmp_path / "a.png")
    colour = {t.get_text(): to_hex(t.get_color()).upper() for t in drawn[0].texts}
    assert seen.classes[0] != seen.classes[1]
    assert colour[str(seen.classes[0])] == COLOURS["ink"]
    assert colour[str(seen.classes[1])] == COLOURS["wrong"]
    assert colour[f"wrong: it is {labels[1]}"] == COLOURS["wrong"]
    assert sum(text.startswith("wrong") for text in colour) == 1


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("names", [None, "the left hand of the class {}"])
def test_nothing_is_cut_off_and_no_texts_overlap(tmp_path, drawn, name, names):
    """Every text and view lies inside the picture; headings, verdicts, key are apart."""
    scene = scenario(**LAYOUTS[name])
    if names:
        names = [names.format(c) for c in range(scene[3].num_classes)]
    path = tmp_path / "a.png"
    glimpses.draw_glimpses(*scene, path, class_names=names)
    (figure,) = drawn
    assert_whole(figure)
    assert_apart([*figure.texts, *figure.legends[0].get_texts()])
    with Image.open(path) as picture:
        assert (np.asarray(picture.convert("RGBA"))[0] == 255).all()


def test_the_worst_mistakes_come_first(tmp_path, drawn):
    """The surest of the wrong predictions, in this order, no right one."""
    images, labels, seen, config = scenario(6)
    labels[:] = seen.classes
    labels[[1, 2, 4]] = (seen.classes[[1, 2, 4]] + 1) % 10
    sure = seen.probabilities.max(axis=1)
    path = tmp_path / "a.png"
    places = glimpses.draw_mistakes(images, labels, seen, config, path, count=2)
    assert [*places] == sorted([1, 2, 4], key=lambda i: -sure[i])[:2]
    scenes = [ax for ax in drawn[0].axes if ax.images][:: 1 + config.num_glimpses]
    for ax, i in zip(scenes, places, strict=True):
        np.testing.assert_array_equal(ax.images[0].get_array(), images[i])
    path.unlink()
    assert not glimpses.draw_mistakes(images, seen.classes, seen, config, path).size
    assert not path.exists()
