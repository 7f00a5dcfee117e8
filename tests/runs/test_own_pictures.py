"""Picture files become images like those of the training, and it is said how."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

import ramnp
from ramnp.learning.predictor import Agent
from ramnp.runs import own_pictures
from ramnp.support.errors import UserError

ROOT = Path(__file__).parents[2]


def photo(path, size=(300, 200), paper=230, ink=40):
    """Write a photo of a bar of ink on paper that is darker to one side."""
    image = Image.new("L", size, paper)
    ImageDraw.Draw(image).line([(120, 30), (150, 170)], fill=ink, width=20)
    shade = np.linspace(-15, 15, size[0])[None]
    pixels = np.clip(np.asarray(image) + shade, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).convert("RGB").save(path)
    return str(path)


@pytest.fixture(scope="module")
def agent():
    """An agent trained on digits anywhere on 60 x 60 pixels."""
    return ramnp.load("cluttered")


def test_a_photo_of_ink_becomes_a_digit_in_a_scene(agent, tmp_path):
    """White on black, 20 pixels tall, its mass in the middle; paper is black."""
    (scene,), (words,) = own_pictures.prepare([photo(tmp_path / "a.png")], agent)
    assert scene.shape == (60, 60) and scene.dtype == np.uint8
    rows, _ = np.nonzero(scene > 60)
    assert np.ptp(rows) + 1 == pytest.approx(20, abs=1)
    mass = scene.astype(float)
    y, x = np.mgrid[:60, :60]
    centre = [(mass * y).sum() / mass.sum(), (mass * x).sum() / mass.sum()]
    np.testing.assert_allclose(centre, [29.5, 29.5], atol=1)
    assert scene[:10].max() == 0 and scene.max() > 200
    for word in ("200 x 300 pixels", "inverted", "scaled to 20", "middle of 60 x 60"):
        assert word in words


def test_white_ink_on_black_is_not_inverted(agent, tmp_path):
    """The edge of a picture says which side is its background."""
    dark = photo(tmp_path / "b.png", paper=20, ink=240)
    (one,), (words,) = own_pictures.prepare([dark], agent)
    (other,), _ = own_pictures.prepare([photo(tmp_path / "c.png")], agent)
    assert "inverted" not in words
    assert np.abs(one.astype(int) - other).mean() < 10


def test_the_user_may_decide_what_is_ink(agent, tmp_path):
    """--invert and --no-invert are obeyed."""
    path = photo(tmp_path / "d.png")
    _, (forced,) = own_pictures.prepare([path], agent, invert=True)
    assert "inverted" in forced
    with pytest.raises(UserError, match="has no ink"):  # none lighter than its paper
        own_pictures.prepare([path], agent, invert=False)


def test_a_picture_without_ink_is_named(agent, tmp_path):
    """Among several, it must be found."""
    good, blank = photo(tmp_path / "e.png"), photo(tmp_path / "f.png", ink=230)
    Image.new("L", (50, 50), 255).save(blank)
    with pytest.raises(UserError, match=r"f\.png: the picture has no ink"):
        own_pictures.prepare([good, blank], agent)


def spoiled_by_shade(page):
    """Light that falls off to one side and one corner by more than half."""
    x, y = np.meshgrid(np.linspace(0, 1, 300), np.linspace(0, 1, 400))
    return page * (1 - 0.35 * x - 0.2 * y)


def spoiled_by_a_shadow(page):
    """A hard shadow over one corner."""
    return np.where(np.add(*np.indices(page.shape)) > 500, 0.55 * page, page)


def spoiled_by_a_table(page):
    """A dark table at the left edge."""
    return np.where(np.arange(300) < 25, 50, page)


def spoiled_by_lines(page):
    """Lined paper."""
    return np.where(np.arange(400)[:, None] % 30 == 0, 0.8 * page, page)


def spoiled_by_dim_light(page):
    """Paper that is nearer to black than to white, and pale ink."""
    return 0.4 * page + 20


@pytest.mark.parametrize(
    "spoil",
    [
        spoiled_by_shade,
        spoiled_by_a_shadow,
        spoiled_by_a_table,
        spoiled_by_lines,
        spoiled_by_dim_light,
    ],
)
def test_a_photo_of_a_page_is_read_as_the_digit_on_it(spoil, agent, tmp_path, capsys):
    """A digit in a corner of a page is seen as what it is; no warning is given."""
    with np.load(ROOT / "tutorials" / "digits.npz") as digits:
        digit, label = digits["x_test"][0], digits["y_test"][0]
    page = np.full((400, 300), 220.0)
    ink = Image.fromarray(digit).resize((112, 112), Image.Resampling.BICUBIC)
    page[60:172, 150:262] -= 0.75 * np.asarray(ink)
    noisy = spoil(page) + np.random.default_rng(0).normal(0, 4, page.shape)
    photo = Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
    photo.save(tmp_path / "page.png")
    images, (words,) = own_pictures.prepare([str(tmp_path / "page.png")], agent)
    assert agent.predict(images, prepared=True).classes == [label]
    assert "inverted" in words and capsys.readouterr().err == ""


def test_a_picture_of_no_digit_is_a_warning(agent, tmp_path, capsys):
    """A landscape has no stroke inside the picture."""
    pixels = np.where(np.arange(80)[:, None] < 40, 180, 90) * np.ones((1, 120))
    Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "g.png")
    own_pictures.prepare([str(tmp_path / "g.png")], agent)
    said = capsys.readouterr().err
    assert said.startswith("warning: ") and "one digit on plain paper" in said


def test_a_large_photo_is_none_of_pillows_business(agent, tmp_path, monkeypatch):
    """Its warning of large pictures, an error here, is not shown."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50_000)
    own_pictures.prepare([photo(tmp_path / "h.png")], agent)


def test_a_picture_of_the_size_of_a_scene_is_taken_as_it_is(agent, tmp_path):
    """It may be a scene of the task itself."""
    rng = np.random.default_rng(0)
    pixels = np.zeros((60, 60), np.uint8)
    pixels[20:40, 20:40] = rng.integers(256, size=(20, 20))
    Image.fromarray(pixels).save(tmp_path / "e.png")
    (scene,), (words,) = own_pictures.prepare([str(tmp_path / "e.png")], agent)
    assert np.array_equal(scene, pixels) and words == "60 x 60 pixels, grey"


def test_colour_is_kept_for_an_agent_that_sees_it(agent, tmp_path):
    """And told: kept, turned grey, or the same in all channels."""
    config = dataclasses.replace(
        agent.config, channels=3, image_height=20, image_width=30, canvas_size=40
    )
    data = {"sha256": "0", "brightness": 0.5}
    colourful = Agent({}, config, 0.1, data)
    Image.new("RGB", (60, 40), (250, 120, 0)).save(tmp_path / "a.png")
    Image.new("L", (60, 40), 120).save(tmp_path / "b.png")
    paths = [str(tmp_path / name) for name in ("a.png", "b.png")]
    images, (colour, grey) = own_pictures.prepare(paths, colourful, invert=False)
    assert images.shape == (2, 40, 40, 3)
    assert (images[0, 10:30, 5:35] == (250, 120, 0)).all()
    assert (images[1, 10:30, 5:35] == 120).all() and not images[:, :10].any()
    assert "40 x 60 pixels, in colour" in colour and "grey, in all channels" in grey
    grey = colourful._replace(config=dataclasses.replace(config, channels=1))
    _, (turned, _) = own_pictures.prepare(paths, grey, invert=False)
    assert "turned grey" in turned


def test_photos_are_inverted_as_those_of_the_training_were(agent, tmp_path):
    """The edge of a photo says nothing about ink: a dark one stays dark."""
    data = {"sha256": "0", "brightness": 0.45}
    path = photo(tmp_path / "a.png", paper=30, ink=240)
    for invert in (False, True):
        config = dataclasses.replace(agent.config, invert=invert)
        photographer = Agent({}, config, 0.1, data)
        (one,), (words,) = own_pictures.prepare([path], photographer)
        assert ("inverted" in words) is invert
        assert (one[30, 20] > 128) is np.bool_(invert)


def test_a_picture_far_from_the_training_data_is_a_warning(agent, tmp_path, capsys):
    """White all over is no digit."""
    Image.new("L", (60, 60), 255).save(tmp_path / "f.png")
    own_pictures.prepare([str(tmp_path / "f.png")], agent, invert=False)
    assert "brighter than the images that the agent" in capsys.readouterr().err
