"""Pictures show what happened, are whole and legible, and leave nothing behind."""

import json
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from PIL import Image

from ramnp.agent import glimpse_sensor
from ramnp.figures import pictures
from ramnp.learning.config import Config
from ramnp.learning.predictor import Seen
from ramnp.support.errors import UserError


def scenario(images=2, shape=(28, 28), spread=0.5, classes=10, **settings):
    """Draw random images, labels, and what an agent could have seen of them."""
    config = Config(num_classes=classes, **{"num_glimpses": 2} | settings)
    rng = np.random.default_rng(3)
    probabilities = rng.dirichlet(np.ones(classes), (images, config.num_glimpses))
    final = probabilities[:, -1]
    seen = Seen(
        classes=final.argmax(axis=1),
        probabilities=final,
        locations=rng.normal(0, spread, (images, config.num_glimpses, 2)),
        step_probabilities=probabilities,
    )
    labels = rng.integers(classes, size=images).astype(np.uint8)
    return rng.random((images, *shape)), labels, seen, config


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
            "learning_rate": 1e-3 * (1 - epoch / epochs),
            "images_per_second": 5000.0,
            "seconds": 10.0,
            "saturation": 0.1 / epoch,
            "location_spread": 0.2 + 0.01 / epoch,
            "location_entropy": 5.0 - 1 / epoch,
            "first_return": 1.0 - 1 / epoch,
            "explained_variance": -1 / epoch,
            "gradient_norms": {"core": 1 / epoch, "location": 2 / epoch},
            "valid_error_after_glimpse": [60.0 / epoch, 30.0 / epoch, 9.0 / epoch],
        }
        for epoch in range(1, epochs + 1)
    ]


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were made, in order."""
    made = []

    class Kept(Figure):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            made.append(self)

    monkeypatch.setattr(pictures, "Figure", Kept)
    return made


def views(figure):
    """The axes in pixels of the image, in the order in which they were made."""
    return [ax for ax in figure.axes if ax.images]


def drawn_boxes(ax):
    """Edges (n, 4) of the boxes in axes, in the order in which they were drawn."""
    boxes = [p.get_bbox().extents for p in ax.patches if isinstance(p, Rectangle)]
    return np.array(boxes)


def windows(image, locations, config):
    """The sensor's own windows (T, k, 4) at locations (T, 2) of an image."""
    return glimpse_sensor.windows(
        locations,
        image.shape,
        config.patch_size,
        config.num_scales,
        config.scale_factor,
    )


def texts(figure):
    """The visible texts that are not empty, of the axes too."""
    found = figure.findobj(lambda a: isinstance(a, Text) and a.get_visible())
    return [text for text in found if text.get_text()]


SENSORS = {
    "one scale": {"patch_size": 8},
    "nested, wide": {"patch_size": 6, "num_scales": 3, "shape": (20, 33)},
    "odd, tall": {"patch_size": 5, "num_scales": 2, "shape": (33, 20)},
    "beyond": {"patch_size": 3, "num_scales": 2, "scale_factor": 3, "spread": 1.5},
}


@pytest.mark.parametrize("name", SENSORS)
def test_boxes_are_the_windows_of_the_sensor(tmp_path, drawn, name):
    """On the sheet the path has the finest windows, and each retina has its own.

    Inside a box of a retina each cell is the mean of the image behind it; outside is
    nothing. The boxes are read off the picture, each cell is averaged by itself, and
    everything is enlarged twice, since half pixels count.
    """
    images, labels, seen, config = scenario(background=0.25, **SENSORS[name])
    pictures.draw_glimpses(images, labels, seen, config, tmp_path / "a.png")
    sheet = iter(views(drawn[0]))
    for ax in views(drawn[0]):
        (left, top), (right, bottom) = ax.transData.transform([(0, 0), (1, 1)])
        assert right > left and top > bottom  # (0, 0) is the upper left on the page
        assert right - left == pytest.approx(top - bottom)
    far = 200
    for image, locations in zip(images, seen.locations):
        boxes = windows(image, locations, config)
        scene = next(sheet)
        np.testing.assert_array_equal(drawn_boxes(scene), boxes[:, 0])
        np.testing.assert_array_equal(scene.images[0].get_array(), image)
        height, width = image.shape
        assert scene.images[0].get_extent() == [0, width, height, 0]
        world = np.pad(image, far, constant_values=0.25).repeat(2, 0).repeat(2, 1)
        for expected_boxes in boxes:
            retina = next(sheet)
            np.testing.assert_array_equal(drawn_boxes(retina), expected_boxes)
            left, right, bottom, top = retina.images[0].get_extent()
            expected = np.full(
                (round(2 * (bottom - top)), round(2 * (right - left))), np.nan
            )
            row0, column0 = round(2 * (far + top)), round(2 * (far + left))
            for scale, box in reversed(list(enumerate(drawn_boxes(retina)))):
                cell = 2 * config.scale_factor**scale
                x0, y0 = (2 * (box[:2] + far)).astype(int)
                for y in range(y0, y0 + cell * config.patch_size, cell):
                    for x in range(x0, x0 + cell * config.patch_size, cell):
                        rows = slice(max(y - row0, 0), max(y - row0 + cell, 0))
                        columns = slice(max(x - column0, 0), max(x - column0 + cell, 0))
                        mean = world[y : y + cell, x : x + cell].mean()
                        expected[rows, columns] = mean
            shown = retina.images[0].get_array().filled(np.nan)
            np.testing.assert_allclose(shown, expected, atol=1e-12)


def test_the_animation_keeps_what_was_seen(tmp_path, drawn):
    """Boxes of all glimpses and all scales of the last; the finest that was seen."""
    images, labels, seen, config = scenario(
        1, patch_size=4, num_scales=2, num_glimpses=3
    )
    seen.locations[0] = (-0.5, -0.5), (0.5, 0.5), (0.0, 0.0)
    pictures.animate_glimpses(images, labels, seen, config, tmp_path / "a.gif")
    scene, retina = views(drawn[0])
    boxes = windows(images[0], seen.locations[0], config)
    expected = np.concatenate([boxes[:, 0], boxes[-1]])
    np.testing.assert_array_equal(drawn_boxes(scene), expected)
    (picture,) = retina.images
    left, _, _, top = picture.get_extent()
    shown = picture.get_array().filled(np.nan)
    for start in (5, 12, 19):  # the three fine patches, of 4 pixels each
        row, column = round(2 * (start - top)), round(2 * (start - left))
        fine = shown[row : row + 8 : 2, column : column + 8 : 2]
        patch = images[0, start : start + 4, start : start + 4]
        np.testing.assert_array_equal(fine, patch)


@pytest.mark.parametrize("T", [1, 3])
def test_the_animation_has_a_frame_for_each_glimpse(tmp_path, T):
    """It loops for ever, counts, holds the last frame, merges none, however alike."""
    images, labels, seen, config = scenario(num_glimpses=T)
    seen.locations[:] = 0
    seen.step_probabilities[:] = seen.step_probabilities[:, :1]
    pictures.animate_glimpses(images, labels, seen, config, tmp_path / "a.gif")
    durations, headings = [], set()
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == T
        assert gif.info["loop"] == 0
        for t in range(T):
            gif.seek(t)
            durations.append(gif.info["duration"])
            frame = gif.convert("RGB")
            assert frame.getpixel((0, 0)) == (255, 255, 255)
            headings.add(frame.crop((0, 0, 150, 40)).tobytes())
    assert len(headings) == T
    assert durations[:-1] == [durations[0]] * (T - 1)
    assert durations[-1] > 2000
    assert T == 1 or durations[0] < 1000


def test_large_scenes_give_small_files_and_keep_their_colours(tmp_path):
    """Noise of all levels of gray: solid white around, each glimpse's box in colour."""
    scene = scenario(
        4, (60, 60), spread=0.3, patch_size=12, num_scales=3, num_glimpses=4
    )
    pictures.draw_glimpses(*scene, tmp_path / "a.png")
    pictures.animate_glimpses(*scene, tmp_path / "a.gif")
    for path in (tmp_path / "a.png", tmp_path / "a.gif"):
        assert path.stat().st_size < 400_000
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("RGBA"))
        assert (pixels[..., 3] == 255).all()
        assert (pixels[0] == 255).all()
    colours = 255 * matplotlib.colormaps["plasma"](np.linspace(0.4, 0.92, 4))[:, :3]
    with Image.open(tmp_path / "a.gif") as gif:
        for t, colour in enumerate(colours):
            gif.seek(t)
            distance = np.abs(np.asarray(gif.convert("RGB")) - colour).max(axis=2)
            assert np.count_nonzero(distance < 6) > 500


def test_wrong_predictions_are_red(tmp_path, drawn):
    """A wrong class is named in red with the true one; a right one is in ink."""
    images, labels, seen, config = scenario()
    labels[:] = seen.classes
    labels[1] = (labels[1] + 1) % 10
    pictures.draw_glimpses(images, labels, seen, config, tmp_path / "a.png")
    colour = {t.get_text(): to_hex(t.get_color()).upper() for t in drawn[0].texts}
    assert seen.classes[0] != seen.classes[1]
    assert colour[str(seen.classes[0])] == pictures.COLOURS["ink"]
    assert colour[str(seen.classes[1])] == pictures.COLOURS["wrong"]
    assert colour[f"wrong: it is {labels[1]}"] == pictures.COLOURS["wrong"]
    assert sum(text.startswith("wrong") for text in colour) == 1


@pytest.mark.parametrize("classes", [3, 10, 26, 200])
def test_names_of_classes_stay_apart(tmp_path, drawn, classes):
    """The true class and a wrong favourite next to it are both legible."""
    images, labels, seen, config = scenario(1, classes=classes, num_glimpses=1)
    seen.step_probabilities[:] = 0
    seen.step_probabilities[..., 1] = 1
    labels[:] = 2
    pictures.draw_glimpses(images, labels, seen, config, tmp_path / "a.png")
    bars = drawn[0].axes[1]
    wrong, right = sorted(bars.texts, key=Text.get_text)
    assert (wrong.get_text(), right.get_text()) == ("1", "2")
    assert to_hex(wrong.get_color()).upper() == pictures.COLOURS["wrong"]
    assert to_hex(right.get_color()).upper() == pictures.COLOURS["action"]
    assert wrong.get_window_extent().x1 < right.get_window_extent().x0


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
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_nothing_is_cut_off_and_no_texts_overlap(tmp_path, drawn, name):
    """Every text and view lies inside the picture; headings, verdicts, key are apart.

    Only numbers of glimpses beyond the view may be cut.
    """
    scene = scenario(**LAYOUTS[name])
    pictures.draw_glimpses(*scene, tmp_path / "a.png")
    pictures.animate_glimpses(*scene, tmp_path / "a.gif")
    for figure in drawn:
        everything = [t for t in texts(figure) if not (t.axes and t.get_clip_on())]
        everything += figure.axes
        for artist in everything:
            box = artist.get_window_extent()
            assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1, artist
            assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1, artist
        apart = [*figure.texts, *figure.legends[0].get_texts()]
        boxes = [text.get_window_extent() for text in apart]
        for i, box in enumerate(boxes):
            for j in range(i):
                assert not box.overlaps(boxes[j]), (apart[i], apart[j])


@pytest.mark.parametrize("epochs", [1, 999])
def test_curves_have_every_point(tmp_path, drawn, epochs):
    """Each metric is drawn as it is, over whole epochs; errors on a logarithmic axis."""
    rows = history(epochs)
    pictures.draw_curves(rows, tmp_path / "a.png", title="centered")
    (figure,) = drawn
    lines = {
        ax.get_ylabel(): [line for line in ax.lines if line.get_linestyle() == "-"]
        for ax in figure.axes
    }
    for label, metrics in {
        "error (%)": ("train_error", "valid_error"),
        "cross-entropy": ("cross_entropy",),
        "baseline loss": ("baseline_loss",),
        "learning rate": ("learning_rate",),
        "where it looks (half sides)": ("location_spread", "saturation"),
        "entropy (bits)": ("location_entropy",),
        "return": ("first_return",),
        "explained variance": ("explained_variance",),
    }.items():
        for line, metric in zip(lines[label], metrics, strict=True):
            expected = [(row["epoch"], row[metric]) for row in rows]
            np.testing.assert_array_equal(line.get_xydata(), expected)
    for line, network in zip(lines["gradient norm"], ("core", "location"), strict=True):
        expected = [(row["epoch"], row["gradient_norms"][network]) for row in rows]
        np.testing.assert_array_equal(line.get_xydata(), expected)
    (glimpses,) = lines["validation error after it (%)"]
    best = rows[-1]["valid_error_after_glimpse"]
    np.testing.assert_array_equal(glimpses.get_xydata(), [*enumerate(best, start=1)])
    assert figure.axes[-1].get_title(loc="left") == f"epoch {epochs}"
    for ax in figure.axes:
        low, high = ax.get_xlim()
        assert low < 1 <= epochs < high or ax is figure.axes[-1]
        assert all(tick == round(tick) for tick in ax.get_xticks() if low < tick < high)
        box = ax.get_tightbbox()
        assert 0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert 0 <= box.y0 < box.y1 <= figure.bbox.y1
    errors, _, rate, *_ = figure.axes
    assert errors.get_yscale() == ("log" if epochs > 1 else "linear")
    assert rate.get_yscale() == "linear"
    low, high = errors.get_ylim()
    named = [tick for tick in errors.get_yticks() if low <= tick <= high]
    assert len(named) >= 3
    assert f"lowest {rows[-1]['valid_error']:.2f}, epoch {epochs})" in str(
        [text.get_text() for text in errors.get_legend().get_texts()]
    )


def test_curves_leave_out_what_is_not_a_number(tmp_path, drawn):
    """Missing, null, NaN and infinite values leave a gap; unknown keys are ignored."""
    rows = history(6)
    rows[1]["valid_error"] = None
    rows[2]["valid_error"] = float("nan")
    rows[3]["valid_error"] = float("inf")
    del rows[4]["valid_error"]
    for row in rows:
        row["train_error"] = 0.0
        row["cross_entropy"] = -1.0
        row["baseline_loss"] = None
        row["of_a_later_version"] = [1, {"a": 2}]
    rows = [json.loads(json.dumps(row)) for row in rows]
    pictures.draw_curves(rows, tmp_path / "a.png")
    errors, cross_entropy, _, _, _, _, baseline, *_ = drawn[0].axes
    valid = errors.lines[-1].get_xydata()
    expected = [(row["epoch"], row["valid_error"]) for row in (rows[0], rows[-1])]
    np.testing.assert_array_equal(valid, expected)
    assert cross_entropy.get_ylim()[0] < -1 < cross_entropy.get_ylim()[1]
    assert not baseline.lines


def test_errors_by_glimpses_are_drawn_as_they_are(tmp_path, drawn):
    """A panel for each title, with every line under its name, and one legend."""
    lines = {
        "one": [
            pictures.Line("lines", "action", range(1, 4), [40.0, 2.0, 1.5]),
            pictures.Line("points", "policy", [2, 3], [3.0, 2.0], "o"),
        ],
        "two": [pictures.Line("lines", "muted", [1], [7.0])],
    }
    path = tmp_path / "glimpses.png"
    pictures.draw_error_by_glimpses(lines, path)
    (figure,) = drawn
    for ax, (title, expected) in zip(figure.axes, lines.items(), strict=True):
        assert ax.get_title(loc="left") == title
        assert len(ax.lines) == len(expected)
        for line, (name, colour, glimpses, errors, _) in zip(ax.lines, expected):
            assert line.get_label() == name
            assert np.array_equal(line.get_xydata(), np.transpose([glimpses, errors]))
            assert to_hex(line.get_color()) == pictures.COLOURS[colour].lower()
    assert figure.axes[0].lines[1].get_linestyle() == "None"
    with Image.open(path) as picture:
        assert picture.size == (1540, 429)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["lines", "points"]


def test_curves_of_nothing_are_empty(tmp_path):
    """A run without a finished epoch gives a picture all the same."""
    pictures.draw_curves([], tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        picture.load()


def draw_all(folder):
    """Draw one of each kind and return their bytes."""
    scene = scenario(images=1)
    pictures.draw_curves(history(3), folder / "curves.png", "centered")
    pictures.draw_glimpses(*scene, folder / "glimpses.png")
    pictures.animate_glimpses(*scene, folder / "glimpses.gif")
    names = ("curves.png", "glimpses.png", "glimpses.gif")
    return [(folder / name).read_bytes() for name in names]


def test_pictures_do_not_depend_on_the_users_settings(tmp_path, drawn):
    """A dark style with a font that nobody has gives the same bytes, and stays set.

    Every font is one that comes with matplotlib.
    """
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    plain = draw_all(tmp_path / "a")
    pyplot = sys.modules.get("matplotlib.pyplot")
    dark = {
        "font.family": "a font that nobody has",
        "figure.facecolor": "black",
        "savefig.transparent": True,
        "savefig.dpi": 30,
        "image.origin": "lower",
        "axes.prop_cycle": matplotlib.cycler(color=["red"]),
    }
    with matplotlib.rc_context(dark):
        before = settings()
        assert draw_all(tmp_path / "b") == plain
        assert settings() == before
    assert sys.modules.get("matplotlib.pyplot") is pyplot
    everything = [text for figure in drawn for text in texts(figure)]
    assert {name for text in everything for name in text.get_fontfamily()} == {
        "DejaVu Sans"
    }
    fonts = {findfont(text.get_fontproperties()) for text in everything}
    assert all(font.startswith(matplotlib.get_data_path()) for font in fonts)


def settings():
    """All of matplotlib's settings but the backend, which would be chosen by a look."""
    return {k: matplotlib.rcParams[k] for k in matplotlib.rcParams if k != "backend"}


def test_a_picture_that_cannot_be_written_is_one_line(tmp_path):
    """A missing folder is a UserError that names the file."""
    path = tmp_path / "missing" / "a.png"
    scene = scenario(images=1, num_glimpses=1)
    for draw in (
        lambda: pictures.draw_curves(history(1), path),
        lambda: pictures.draw_glimpses(*scene, path),
        lambda: pictures.animate_glimpses(*scene, path),
    ):
        with pytest.raises(UserError) as error:
            draw()
        (line,) = str(error.value).splitlines()
        assert str(path) in line
