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
    placed = "scaled to 20 x 30, put in the middle of 40 x 40"
    assert colour == f"40 x 60 pixels, in colour, {placed}"
    assert grey == f"40 x 60 pixels, grey, in all channels, {placed}"
    grey = colourful._replace(config=dataclasses.replace(config, channels=1))
    _, (turned, _) = own_pictures.prepare(paths, grey, invert=False)
    assert turned == f"40 x 60 pixels, turned grey, {placed}"


def plain_picture(folder, grey, size=(20, 20)):
    """Write a picture of one grey, of size (height, width); return its path."""
    path = str(folder / f"{grey}.png")
    Image.new("L", size[::-1], grey).save(path)
    return path


def trained_on(agent, brightness, **changes):
    """Return an agent trained on images of 20 x 20 pixels with this mean brightness."""
    images = {"task": "own", "image_height": 20, "image_width": 20, "canvas_size": 0}
    config = dataclasses.replace(agent.config, **(images | changes))
    return Agent({}, config, 0.1, {"sha256": "0", "brightness": brightness})


@pytest.mark.parametrize(
    ("brightness", "edge", "changes", "inverted"),
    [
        (0.13, 127, {}, False),
        (0.13, 128, {}, True),
        (0.9, 127, {}, True),
        (0.9, 128, {}, False),
        (0.76, 20, {}, True),
        (0.75, 20, {}, False),
        (0.25, 230, {}, False),
        (0.75, 20, {"invert": True}, True),
        (0.13, 230, {"channels": 3}, False),
        (0.13, 230, {"channels": 3, "invert": True}, True),
    ],
)
def test_the_edge_of_a_picture_says_what_its_ink_is(
    brightness, edge, changes, inverted, agent, tmp_path
):
    """For an agent of grey images that are mostly background; else the training does."""
    path = plain_picture(tmp_path, edge)
    images, (words,) = own_pictures.prepare(
        [path], trained_on(agent, brightness, **changes)
    )
    assert (images == (255 - edge if inverted else edge)).all()
    kind = "grey, in all channels" if "channels" in changes else "grey"
    assert words == f"20 x 20 pixels, {kind}" + ", inverted" * inverted


@pytest.mark.parametrize(
    ("brightness", "grey", "said"),
    [
        (0.3, 51, ""),
        (0.65, 255, ""),
        (0.648, 255, "brighter"),
        (0.6, 25, "darker"),
        (0.35, 0, ""),
    ],
)
def test_brightness_is_compared_with_that_of_the_training(
    brightness, grey, said, agent, tmp_path, capsys
):
    """A difference of more than 0.35 is a warning, of one line."""
    path = plain_picture(tmp_path, grey)
    own_pictures.prepare([path], trained_on(agent, brightness))
    line = f"warning: {path} is {said} than the images that the agent was trained on\n"
    assert capsys.readouterr().err == (line if said else "")


def test_a_picture_is_scaled_to_the_size_of_the_training_images(agent, tmp_path):
    """And it says to which height and width; one of that size stays as it is."""
    training = trained_on(agent, 0.5, image_height=10, image_width=30)
    for size, words in (
        ((40, 90), "40 x 90 pixels, grey, scaled to 10 x 30"),
        ((10, 30), "10 x 30 pixels, grey"),
    ):
        path = plain_picture(tmp_path, 120, size)
        images, notes = own_pictures.prepare([path], training)
        assert images.shape == (1, 10, 30) and (images == 120).all()
        assert notes == [words]


def test_a_large_scene_is_not_reduced(agent, tmp_path):
    """Pictures of more than 128 pixels a side are, when they need not be a scene."""
    config = dataclasses.replace(agent.config, canvas_size=150)
    pixels = np.zeros((150, 150), np.uint8)
    pixels[::7, 3::5] = 200
    Image.fromarray(pixels).save(tmp_path / "a.png")
    (scene,), (words,) = own_pictures.prepare(
        [str(tmp_path / "a.png")], agent._replace(config=config)
    )
    assert np.array_equal(scene, pixels) and words == "150 x 150 pixels, grey"


def test_the_agent_of_an_earlier_version_knows_digits_only(agent, tmp_path):
    """Its file does not describe its data: it is MNIST, white ink on black."""
    former = agent._replace(data=None)
    path = plain_picture(tmp_path, 240, (60, 60))
    (scene,), (words,) = own_pictures.prepare([path], former)
    assert (scene == 15).all() and words == "60 x 60 pixels, grey, inverted"
    own = former._replace(config=dataclasses.replace(agent.config, task="own"))
    with pytest.raises(UserError) as error:
        own_pictures.prepare([path], own)
    assert str(error.value) == (
        "the agent's file has no description of its training images: train it anew"
    )


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
