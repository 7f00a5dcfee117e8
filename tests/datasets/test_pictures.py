"""Pictures of any format, mode and size come out upright, in one size and undistorted."""

import numpy as np
import pytest
from PIL import Image

from ramnp.datasets import pictures
from ramnp.support.errors import DataError, UserError


def halves(width=40, height=20, colours=((255, 0, 0), (0, 0, 255))):
    """A picture, red on the left and blue on the right."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 2], pixels[:, width // 2 :] = colours
    return Image.fromarray(pixels)


def saved(path, image, **options):
    image.save(path, **options)
    return path


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "CMYK", "1", "LA", "I;16"])
def test_every_mode_gives_the_grey_that_one_sees(tmp_path, mode):
    """Palettes, alpha, print colours, 1 and 16 bits."""
    image = halves(colours=((255, 255, 255), (0, 0, 0)))
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image.convert("L"), np.uint16) * 257)
    path = saved(tmp_path / "a.tif", image if mode == "I;16" else image.convert(mode))
    (pixels,), notes = pictures.read_pictures([path])
    assert pixels.dtype == np.uint8 and pixels.shape == (20, 40) and notes == []
    assert (pixels[:, :20] == 255).all() and (pixels[:, 20:] == 0).all()


@pytest.mark.parametrize("mode", ["RGB", "P", "RGBA", "CMYK"])
def test_colour_that_is_lost_is_told(tmp_path, mode):
    """It is what one sees that counts, not the mode, nor traces as a JPEG has them."""
    coloured = saved(tmp_path / "a.tif", halves().convert(mode))
    assert pictures.in_colour(coloured)
    (note,) = pictures.read_pictures([coloured])[1]
    assert note == "pictures in colour are turned grey: --channels 3 trains in colour"
    assert pictures.read_pictures([coloured], channels=3)[1] == []
    if mode == "P":
        return  # its palette has no faint colours
    faint = halves(colours=((99, 101, 100), (220, 220, 228))).convert(mode)
    faint = saved(tmp_path / "b.tif", faint)
    assert not pictures.in_colour(faint) and pictures.read_pictures([faint])[1] == []
    many = [faint] * 50 + [coloured] * 10
    assert len(pictures.read_pictures(many)[1]) == 1


def test_dark_16_bit_pictures_stay_dark(tmp_path):
    """The scale is that of the mode, not of the brightest pixel."""
    dim = Image.fromarray(np.full((4, 4), 257 * 9, np.uint16))
    assert (pictures.read_pictures([saved(tmp_path / "a.png", dim)])[0] == 9).all()


def test_what_is_transparent_shows_white_paper(tmp_path):
    """Ink on nothing is seen as ink on white."""
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (2, 2, 6, 6))
    (pixels,), _ = pictures.read_pictures([saved(tmp_path / "a.png", image)])
    assert (pixels == 255).sum() == 48 and (pixels == 0).sum() == 16


def test_a_picture_is_turned_as_the_camera_says(tmp_path):
    """Phones store pictures sideways and write so into the file."""
    exif = Image.Exif()
    exif[0x0112] = 6  # the top is at the right
    path = saved(tmp_path / "a.png", halves(), exif=exif)
    (pixels,), _ = pictures.read_pictures([path], channels=3)
    assert pixels.shape == (40, 20, 3)
    assert (pixels[:20] == (255, 0, 0)).all() and (pixels[20:] == (0, 0, 255)).all()


def test_the_aspect_is_kept_and_the_rest_is_background(tmp_path):
    """A dark square on light ground stays a square, on that ground."""
    image = Image.new("L", (80, 40), 200)
    image.paste(0, (30, 10, 50, 30))
    path = saved(tmp_path / "a.png", image)
    (pixels,), (note,) = pictures.read_pictures([path], size=(40, 40))
    assert "80 pixels are resized to 40 x 40" in note
    dark = pixels < 100
    assert dark.any(axis=0).sum() == dark.any(axis=1).sum() == 10
    assert (pixels[:10] == 200).all() and (pixels[-10:] == 200).all()
    assert np.array_equal(pictures.resize(np.asarray(image)[None], (40, 40))[0], pixels)


def test_a_line_is_a_picture_too(tmp_path):
    """However thin, it keeps a pixel of its width; a path without a picture is told."""
    for size in ((1, 3000), (3000, 1)):
        path = saved(tmp_path / "a.png", Image.new("L", size, 200))
        assert pictures.read_pictures([path], (20, 20))[0].shape == (1, 20, 20)
    for path in (tmp_path / "b.png", tmp_path):
        with pytest.raises(DataError, match=f"{path}: .*; check the path"):
            pictures.read_pictures([path])


def test_the_size_is_the_pictures_own_or_their_median(tmp_path):
    """Up to 128 pixels a side unless it is chosen."""
    paths = [
        saved(tmp_path / f"{side}.png", Image.new("L", (2 * side, side)))
        for side in (100, 200, 900)
    ]
    assert pictures.read_pictures(paths)[0].shape == (3, 64, 128)
    assert pictures.read_pictures(paths, (7, 9))[0].shape == (3, 7, 9)
    assert pictures.read_pictures(paths, (7, 9), 3)[0].shape == (3, 7, 9, 3)
    small = saved(tmp_path / "small.png", Image.new("L", (30, 50)))
    assert pictures.read_pictures([small])[0].shape == (1, 50, 30)


@pytest.mark.parametrize(
    "content", [b"", b"GIF89a", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"\x89PNG\r\n\x1a\n" * 9]
)
def test_a_broken_picture_is_named_in_one_line(tmp_path, content):
    """Empty, cut, of a format that another program would have to open."""
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.png.*remove it") as error:
        pictures.read_pictures([tmp_path / "a.png"])
    assert "\n" not in str(error.value)


def test_a_picture_cut_anywhere_is_refused_or_read(tmp_path):
    """Pillow has many exceptions for bad bytes; the user sees one."""
    whole = saved(tmp_path / "a.jpg", halves()).read_bytes()
    for stop in range(0, len(whole) - 2, 9):
        (tmp_path / "a.jpg").write_bytes(whole[:stop])
        with pytest.raises(DataError, match=r"a\.jpg"):
            pictures.read_pictures([tmp_path / "a.jpg"])


def test_a_digit_is_prepared_as_those_of_mnist_were():
    """20 pixels at the longer side, the centre of mass in the middle, paper black."""
    page = np.full((90, 150), 20, np.uint8)
    page[30:70, 100:110] = 220
    digit, plain = pictures.as_digit(page, (28, 28))
    assert plain and not pictures.has_dark_ink(page)
    assert pictures.has_dark_ink(255 - page)
    assert digit.shape == (28, 28) and digit.max() > 250
    rows, columns = np.nonzero(digit)
    assert (rows.min(), rows.max()) == (4, 23)
    assert columns.min() + columns.max() in (26, 27, 28)
    with pytest.raises(UserError, match="has no ink"):
        pictures.as_digit(np.full((9, 9), 7, np.uint8), (28, 28))
