"""glimpses.gif: a frame for each glimpse, and all that was seen up to it."""

import matplotlib
import numpy as np
import pytest
from PIL import Image

from ramnp.figures import film
from ramnp.support.errors import UserError
from tests.figures.conftest import (
    assert_apart,
    assert_whole,
    drawn_boxes,
    scenario,
    sensor_windows,
)
from tests.figures.test_glimpses import LAYOUTS


def test_what_was_seen_stays(tmp_path, drawn):
    """The windows of the last glimpse on the image; of all glimpses the finest cells."""
    images, labels, seen, config = scenario(
        1, patch_size=4, num_scales=2, num_glimpses=3
    )
    seen.locations[0] = (-0.5, -0.5), (0.5, 0.5), (0.0, 0.0)
    film.animate_glimpses(images, labels, seen, config, tmp_path / "a.gif")
    scene, retina = (ax for ax in drawn[0].axes if ax.images)
    boxes = sensor_windows(images[0], seen.locations[0], config)
    np.testing.assert_array_equal(drawn_boxes(scene), boxes[-1])
    assert len(scene.collections[0].get_segments()) == 2
    (picture,) = retina.images
    left, _, _, top = picture.get_extent()
    shown = picture.get_array().filled(np.nan)
    for start in (5, 12, 19):  # the three fine patches, of 4 pixels each
        row, column = round(2 * (start - top)), round(2 * (start - left))
        fine = shown[row : row + 8 : 2, column : column + 8 : 2]
        patch = images[0, start : start + 4, start : start + 4]
        np.testing.assert_array_equal(fine, patch)


@pytest.mark.parametrize("T", [1, 3])
def test_there_is_a_frame_for_each_glimpse(tmp_path, T):
    """It loops for ever, counts, holds the last frame, merges none, however alike."""
    images, labels, seen, config = scenario(num_glimpses=T)
    seen.locations[:] = 0
    seen.step_probabilities[:] = seen.step_probabilities[:, :1]
    film.animate_glimpses(images, labels, seen, config, tmp_path / "a.gif")
    durations, headings = [], set()
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == T
        assert gif.info["loop"] == 0
        for t in range(T):
            gif.seek(t)
            durations.append(gif.info["duration"])
            frame = gif.convert("RGB")
            assert frame.getpixel((0, 0)) == (255, 255, 255)
            headings.add(frame.crop((0, 0, 170, 40)).tobytes())
    assert len(headings) == T
    assert durations[:-1] == [durations[0]] * (T - 1)
    assert durations[-1] > 2000
    assert T == 1 or durations[0] < 1000


def test_noise_gives_a_small_file_that_keeps_its_colours(tmp_path):
    """All levels of grey: solid white around, each glimpse's box in its colour."""
    scene = scenario(
        4, (60, 60), spread=0.3, patch_size=12, num_scales=3, num_glimpses=4
    )
    film.animate_glimpses(*scene, tmp_path / "a.gif")
    assert (tmp_path / "a.gif").stat().st_size < 400_000
    colours = 255 * matplotlib.colormaps["plasma"](np.linspace(0.4, 0.92, 4))[:, :3]
    with Image.open(tmp_path / "a.gif") as gif:
        for t, colour in enumerate(colours):
            gif.seek(t)
            pixels = np.asarray(gif.convert("RGB"))
            assert (pixels[0] == 255).all()
            distance = np.abs(pixels - colour).max(axis=2)
            assert np.count_nonzero(distance < 6) > 300


@pytest.mark.parametrize("name", LAYOUTS)
def test_nothing_is_cut_off_and_no_texts_overlap(tmp_path, drawn, name):
    """Every text and view lies inside the picture; heading and key are apart."""
    film.animate_glimpses(*scenario(**LAYOUTS[name]), tmp_path / "a.gif")
    (figure,) = drawn
    assert_whole(figure)
    assert_apart([*figure.texts, *figure.legends[0].get_texts()])


def test_a_film_that_cannot_be_written_is_one_line(tmp_path):
    """A missing folder is a UserError that names the file."""
    path = tmp_path / "missing" / "a.gif"
    with pytest.raises(UserError, match=r"^cannot write .*missing.a\.gif: [^\n]*$"):
        film.animate_glimpses(*scenario(images=1, num_glimpses=1), path)
