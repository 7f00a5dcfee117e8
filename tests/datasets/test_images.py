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
BYTES[0, 0, :2] = 0, 255
SQUARES = np.random.default_rng(1).integers(0, 256, (6, 5, 5), np.uint8)
COLOUR = np.random.default_rng(2).integers(0, 256, (6, 5, 7, 3), np.uint8)
RESIZE = "resize them, or give a folder of pictures"
DTYPES = "give bool, integers from 0 to 255 or floats from 0 to 1"


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
    found = as_images(BYTES > 99)
    assert found.dtype == np.uint8 and np.array_equal(found, 255 * (BYTES > 99))
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
    for rows, message in (
        (colour, "taken for 4 x 8 x 8, in colour"),
        (colour / 255, "taken for 4 x 8 x 8, in colour"),
        (colour[..., :3], "taken for 3 x 8 x 8, in colour"),
        (COLOUR[:, :2, :2], "taken for 3 x 2 x 2, in colour"),
        (COLOUR, "no squares"),
    ):
        with pytest.raises(
            DataError, match=rf"^rows of \d+ values are {message}: give an \.npz of"
        ):
            as_images(rows.reshape(6, -1))


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((6, 8, 8)),
        np.zeros((0, 8, 8)),
        np.ones((6, 1, 1)),
        np.insert(BYTES, 3, 255, axis=2),
    ],
    ids=["blank", "none", "one pixel", "4 x 4 with a white right edge"],
)
def test_rows_of_grey_are_not_taken_for_colour(images):
    """Not even where every fourth value is the highest, as alpha is."""
    count, side, _ = images.shape
    assert np.array_equal(as_images(images.reshape(count, side**2)), images)


@pytest.mark.parametrize("images", [BYTES[..., None], COLOUR[:, :4]])
def test_channels_are_last_where_they_can_be(images):
    """Images 3 or 4 pixels high are not taken for images with their channels first."""
    found = as_images(images, channels=3)
    assert found.shape[:3] == images.shape[:3] and (found == images).all()


def test_colour_is_made_grey_as_pillow_does_or_kept():
    """Channels first or last, with or without alpha; grey is repeated."""
    grey = np.array(
        [np.asarray(Image.fromarray(image).convert("L")) for image in COLOUR]
    )
    alpha = np.full((*COLOUR.shape[:3], 1), 255, np.uint8)
    last = COLOUR, np.append(COLOUR, alpha, axis=3)
    for images in (*last, *(np.moveaxis(images, 3, 1) for images in last)):
        found = as_images(images)
        assert found.dtype == np.uint8 and np.abs(found.astype(int) - grey).max() <= 1
        assert np.array_equal(as_images(images, channels=3), COLOUR)
    floats = as_images((COLOUR / 255).astype(np.float32))
    assert floats.dtype == np.float32 and np.allclose(floats, grey / 255, atol=0.005)
    repeated = as_images(BYTES, channels=3)
    assert repeated.shape == (*BYTES.shape, 3)
    assert (repeated == BYTES[..., None]).all()


def test_channels_stay_as_they_are_where_none_are_asked_for():
    """None keeps grey grey and colour in colour, uncopied; in_colour tells which."""
    for images, colour in ((BYTES, False), (COLOUR, True)):
        assert np.array_equal(as_images(images, channels=None), images)
        assert np.shares_memory(as_images(images, channels=None), images)
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
        (with_value(np.nan, "f4"), "images hold NaN pixels: replace them"),
        (with_value(np.inf, "f8"), "from 0 to inf: replace the infinite ones"),
        (with_value(-np.inf, "f4"), "from -inf to 1: replace the infinite ones"),
        (with_value(1.001, "f8"), "[0, 1], but go from 0 to 1.001: divide them by 255"),
        (BYTES.astype("f4"), "from 0 to 255: divide them by 255"),
        (with_value(256, "f4"), "to 256: give (images - low) / (high - low)"),
        (with_value(-0.001, "f4"), "from -0.001 to 1: give (images + 1) / 2"),
        (with_value(-1, "f8"), "from -1 to 1: give (images + 1) / 2"),
        (with_value(-1.5, "f4"), "to 1: give (images - low) / (high - low)"),
        (BYTES / 85 - 1, "from -1 to 2: give (images - low) / (high - low)"),
        (with_value(256, "i4"), "0..255, but go from 0 to 256: give images / 65535"),
        (with_value(65535, "i4"), "from 0 to 65535: give images / 65535"),
        (with_value(65536, "i4"), "from 0 to 65536: scale them"),
        (with_value(-1, "i4"), "from -1 to 1: scale them"),
        ([None], "images are Python objects, not numbers: " + RESIZE),
        (BYTES[0], "(count, height, width); a single image is images[None]"),
        (np.zeros((2, 0)), "(count, height, width); a single image is images[None]"),
        (np.uint8(3), "3) in colour; a single image is images[None]"),
        (np.zeros((2, 0, 3)), "3) in colour; a single image is images[None]"),
        (np.zeros((2, 6, 4, 5)), "3) in colour; a single image is images[None]"),
        (BYTES.astype("c8"), "the dtype complex64: " + DTYPES),
        (BYTES.astype("U3"), "the dtype <U3: " + DTYPES),
        (np.array([BYTES[0], BYTES[0, 1:]], object), "not all of one shape: " + RESIZE),
        ([[[1, 2]], [[1, 2, 3]]], "images are not all of one shape: " + RESIZE),
    ],
)
def test_other_arrays_are_refused_with_advice(images, message):
    """Each mistake has its one line."""
    with pytest.raises(DataError) as error:
        as_images(images)
    assert str(error.value).endswith(message) and "\n" not in str(error.value)


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
    found = as_labels(labels)
    assert found.dtype.kind == "i" and found.tolist() == [0, 2, 1]


def test_labels_may_be_bool_or_text():
    """False is 0 and True is 1; names stay names."""
    found = as_labels([False, True])
    assert found.dtype.kind == "i" and found.tolist() == [0, 1]
    assert as_labels(["cat", "dog"]).tolist() == ["cat", "dog"]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0.5, 1], "are float64 and not classes: give integers or names"),
        ([np.nan, 1], "are float64 and not classes: give integers or names"),
        ([1j], "are complex128 and not classes: give integers or names"),
        ([b"a"], "are |S1 and not classes: give integers or names, labels.astype(str)"),
        (np.ones((3, 2)), "have the shape (3, 2): give (N,), one class for each image"),
        (np.int64(3), "have the shape (): give (N,), one class for each image"),
        ([[1], [1, 2]], "are not all of one shape: give one class for each image"),
    ],
)
def test_labels_that_are_no_classes_are_refused(labels, message):
    """Measurements, several classes an image, ragged lists."""
    with pytest.raises(DataError) as error:
        as_labels(labels)
    assert str(error.value) == f"labels {message}"


@pytest.mark.parametrize(
    "images",
    [
        np.full((5, 8, 8), 200, np.uint8),
        (BYTES / 255 / 255 * 255).astype(np.uint8),
        BYTES // 8,
        200 + BYTES // 10,
    ],
    ids=["constant", "divided by 255 twice", "0 to 31", "200 to 225"],
)
def test_images_almost_without_contrast_are_refused(images):
    """Training on them would give a worse result without an error."""
    with pytest.raises(DataError, match="scale the pixels"):
        doubts(images)


def framed(background, ink):
    images = np.full((9, 8, 8), background, np.uint8)
    images[:, 2:6, 2:6] = ink
    return images


def test_suspicious_images_give_warnings_and_usual_ones_do_not():
    """Dim, blank or inverted ones, each with its remedy."""
    images = framed(0, 250)
    assert doubts(images) == doubts(framed(0, 96)) == doubts(framed(159, 0)) == []
    (inverted,) = doubts(~images)
    assert inverted.endswith("(255 of 255): for dark ink on white, use --invert")
    (inverted,) = doubts(framed(160, 0), inverted=True)
    assert inverted.endswith("(160 of 255): for white ink on black, leave out --invert")
    (dim,) = doubts(framed(100, 195))
    assert "only go from 100 to 195 of 255: scale" in dim
    (dim,) = doubts(framed(0, 32))  # dim, but not blank
    assert "only go from 0 to 32 of 255: scale" in dim
    images[[4, 7]] = 3
    (blank,) = doubts(images)
    assert "2 of 9 images" in blank and "index 4" in blank
    colour = np.repeat(images[..., None], 3, axis=3)
    colour[4:8:3] = (255, 0, 0)  # one colour all over is blank, too
    assert "2 of 9 images" in doubts(colour)[0]


def test_images_unlike_the_training_images_are_doubted():
    """Test images scaled or inverted otherwise would only give a worse result."""
    images = framed(0, 250)
    assert differences(images, images) == []
    assert differences(framed(0, 80), framed(10, 250)) == []  # a third of the range
    assert differences(framed(170, 255), framed(10, 250)) == []  # 160 apart
    (dim,) = differences(framed(50, 129), framed(10, 250))
    assert "from 50 to 129, those of the training images from 10 to 250: scale" in dim
    for one, other in ((images, ~images), (~images, images)):
        (inverted,) = differences(one, other)
        assert inverted.endswith("invert one of them")
    with pytest.raises(DataError, match="from 0 to 1 of 255, almost without contrast"):
        differences(images // 250, images)


def test_the_border_is_the_background():
    """The median of all four edges, whatever they frame; in colour, of all channels."""
    images = np.zeros((4, 6, 6), np.uint8)
    images[:, :, 3:] = 100
    images[:, 1:-1, 1:-1] = 255
    for turns in range(4):  # the dark half lies at each edge in turn
        assert border(np.rot90(images, turns, axes=(1, 2))) == 50
    images = np.full((4, 6, 7), 90, np.uint8)
    images[:, 1:-1, 1:-1] = 255
    assert border(images) == 90
    assert border(np.repeat(images[..., None], 3, axis=3)) == 90
