"""Arrays of images and labels: every common form is read, or refused in one line."""

import numpy as np
import pytest
from PIL import Image

from ramnp.datasets.images import (
    as_images,
    as_labels,
    border,
    differences,
    doubts,
    in_channels,
    in_colour,
    to_bytes,
)
from ramnp.support.errors import DataError

BYTES = np.random.default_rng(0).integers(0, 256, (6, 4, 3), np.uint8)
SQUARES = np.random.default_rng(1).integers(0, 256, (6, 5, 5), np.uint8)
COLOUR = np.random.default_rng(2).integers(0, 256, (6, 5, 7, 3), np.uint8)


@pytest.mark.parametrize("dtype", ["u1", "i2", ">i8", "u4", "<f4", ">f4", "f8"])
def test_numbers_of_any_type_are_the_same_bytes(dtype):
    """Integers are in 0..255, floats in 0..1, of any size and byte order."""
    scale = 255 if np.dtype(dtype).kind == "f" else 1
    images = (BYTES / scale).astype(dtype)
    objects = images.astype(object)
    for each in (images, images.tolist(), np.asfortranarray(images), objects):
        found = to_bytes(as_images(each))
        assert found.dtype == np.uint8 and found.flags.c_contiguous
        assert np.array_equal(found, BYTES)


def test_bool_is_black_and_white_and_floats_are_rounded():
    """True is 255; a float becomes the nearest of 256 levels."""
    assert np.array_equal(as_images(BYTES > 99), np.where(BYTES > 99, 255, 0))
    assert (to_bytes(as_images(np.full((2, 3, 3), 99.6 / 255))) == 100).all()


@pytest.mark.parametrize(
    "images",
    [SQUARES[..., None], SQUARES[:, None], SQUARES.reshape(6, 25)],
    ids=["(B, H, W, 1)", "(B, 1, H, W)", "(B, H * W)"],
)
def test_grey_images_come_in_several_shapes(images):
    """An axis of length 1 goes; rows of a square number of pixels are squares."""
    assert np.array_equal(as_images(images), SQUARES)


def test_rows_of_colour_are_not_taken_for_grey():
    """3 x 8 x 8 is no square, but 4 x 8 x 8 is that of 16: its alpha gives it away."""
    colour = np.random.default_rng(3).integers(0, 250, (6, 8, 8, 4), np.uint8)
    grey = colour.reshape(6, -1)
    assert as_images(grey).shape == as_images(grey > 9).shape == (6, 16, 16)
    colour[..., 3] = 255
    for rows in (colour, colour[..., :3], colour / 255, np.moveaxis(COLOUR, 3, 1)):
        with pytest.raises(
            DataError, match=r"^rows of \d+ values .* an \.npz of images"
        ):
            as_images(rows.reshape(6, -1))
    with pytest.raises(DataError, match=r"taken for 3 x 8 x 8, in colour"):
        as_images(colour[..., :3].reshape(6, -1))


def test_colour_is_made_grey_as_pillow_does_or_kept():
    """Channels first or last, with or without alpha; grey is repeated."""
    grey = np.array(
        [np.asarray(Image.fromarray(image).convert("L")) for image in COLOUR]
    )
    alpha = np.full((*COLOUR.shape[:3], 1), 255, np.uint8)
    for images in (COLOUR, np.moveaxis(COLOUR, 3, 1), np.append(COLOUR, alpha, axis=3)):
        assert np.abs(as_images(images).astype(int) - grey).max() <= 1
        assert np.array_equal(as_images(images, channels=3), COLOUR)
    assert np.allclose(as_images(COLOUR / 255), grey / 255, atol=0.005)
    repeated = as_images(BYTES, channels=3)
    assert repeated.shape == (*BYTES.shape, 3)
    assert (repeated == BYTES[..., None]).all()


def test_channels_stay_as_they_are_where_none_are_asked_for():
    """None keeps grey grey and colour in colour; in_colour tells them apart."""
    for images, colour in ((BYTES, False), (COLOUR, True)):
        assert np.array_equal(as_images(images, channels=None), images)
        assert in_colour(images) is colour
        assert in_colour(in_channels(images, 3)) is colour
        assert not in_colour(in_channels(images, 1))


def with_value(value, dtype):
    images = (BYTES / 255).astype(dtype)
    images[3, 2, 1] = value
    return images


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (with_value(np.nan, "f4"), "NaN"),
        (with_value(np.inf, "f8"), r"\[0, 1\]"),
        (with_value(1.001, "f8"), "divide them by 255"),
        (with_value(-0.001, "f4"), r"give \(images \+ 1\) / 2"),
        (with_value(-7, "f4"), "low"),
        (BYTES.astype("f4"), "divide them by 255"),
        (with_value(256, "i4"), "give images / 65535"),
        (with_value(-1, "i4"), "-1 .* scale them"),
        (with_value(np.inf, "f4"), "replace the infinite ones"),
        ([None], "Python objects"),
        (BYTES[0], r"images\[None\]"),
        (np.uint8(3), "shape"),
        (np.zeros((2, 0, 3)), "shape"),
        (np.zeros((2, 6, 4, 5)), "shape"),
        (BYTES.astype(complex), "complex"),
        (BYTES.astype(str), "<U"),
        (np.array([BYTES[0], BYTES[0, 1:]], object), "resize them"),
        ([[[1, 2]], [[1, 2, 3]]], "resize them"),
    ],
)
def test_other_arrays_are_refused_with_advice(images, message):
    """Each mistake has its one line."""
    with pytest.raises(DataError, match=message) as error:
        as_images(images)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "labels",
    [
        [0, 2, 1],
        np.array([[0], [2], [1]]),
        np.array([0.0, 2.0, 1.0]),
        np.eye(3)[[0, 2, 1]],
        np.eye(3, dtype=bool)[[0, 2, 1]],
    ],
    ids=["list", "column", "float", "one-hot", "one-hot bool"],
)
def test_labels_come_in_several_forms(labels):
    """All of them say the classes 0, 2 and 1."""
    assert as_labels(labels).tolist() == [0, 2, 1]


def test_labels_may_be_bool_or_text():
    """False is 0 and True is 1; names stay names."""
    assert as_labels([False, True]).tolist() == [0, 1]
    assert as_labels(["cat", "dog"]).tolist() == ["cat", "dog"]


@pytest.mark.parametrize(
    "labels",
    [[0.5, 1], [np.nan, 1], np.ones((3, 2)), np.int64(3), [[1], [1, 2]], [1j], [b"a"]],
)
def test_labels_that_are_no_classes_are_refused(labels):
    """Measurements, several classes an image, ragged lists."""
    with pytest.raises(DataError, match="labels"):
        as_labels(labels)


@pytest.mark.parametrize(
    "images",
    [
        np.full((5, 8, 8), 200, np.uint8),
        (BYTES / 255 / 255 * 255).astype(np.uint8),
        (BYTES / 255 * 16).astype(np.uint8),
        200 + BYTES // 10,
    ],
    ids=["constant", "divided by 255 twice", "0 to 16", "200 to 225"],
)
def test_images_almost_without_contrast_are_refused(images):
    """Training on them would give a worse result without an error."""
    with pytest.raises(DataError, match="scale the pixels"):
        doubts(images)


def test_suspicious_images_give_warnings_and_usual_ones_do_not():
    """Dim, blank or inverted ones, each with its remedy."""
    images = np.zeros((9, 8, 8), np.uint8)
    images[:, 2:6, 2:6] = 250
    assert doubts(images) == []
    (inverted,) = doubts(~images)
    assert "bright (255 of 255)" in inverted and "--invert" in inverted
    (inverted,) = doubts(~images, inverted=True)
    assert "for white ink on black, leave out --invert" in inverted
    (dim,) = doubts(images // 4)
    assert "only go from 0 to 62 of 255: scale" in dim
    images[[4, 7]] = 3
    (blank,) = doubts(images)
    assert "2 of 9 images" in blank and "index 4" in blank
    colour = np.repeat(images[..., None], 3, axis=3)
    colour[4:8:3] = (255, 0, 0)  # one colour all over is blank, too
    assert "2 of 9 images" in doubts(colour)[0]


def test_images_unlike_the_training_images_are_doubted():
    """Test images scaled or inverted otherwise would only give a worse result."""
    images = np.zeros((9, 8, 8), np.uint8)
    images[:, 2:6, 2:6] = 250
    assert differences(images, images) == differences(images // 2, images) == []
    (dim,) = differences(images // 4, images)
    assert "from 0 to 62, those of the training images from 0 to 250: scale" in dim
    for one, other in ((images, ~images), (~images, images)):
        (inverted,) = differences(one, other)
        assert inverted.endswith("invert one of them")
    with pytest.raises(DataError, match="from 0 to 1 of 255, almost without contrast"):
        differences(images // 250, images)


def test_the_border_is_the_background():
    """Whatever stands in the middle; in colour, over all channels."""
    images = np.full((4, 6, 7), 90, np.uint8)
    images[:, 1:-1, 1:-1] = 255
    assert border(images) == 90
    assert border(np.repeat(images[..., None], 3, axis=3)) == 90
