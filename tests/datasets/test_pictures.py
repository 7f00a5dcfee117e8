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
    faint = halves(colours=((84, 100, 100), (204, 220, 220))).convert(mode)
    faint = saved(tmp_path / "b.tif", faint)
    assert not pictures.in_colour(faint) and pictures.read_pictures([faint])[1] == []
    for many in ([faint, coloured], [faint] * 10 + [coloured] * 10):
        assert len(pictures.read_pictures(many)[1]) == 1


def test_dark_16_bit_pictures_stay_dark(tmp_path):
    """The scale is that of 16 bits, not of the brightest pixel; beyond it is clipped."""
    dim = np.array([[0, 9 * 257, 10 * 257 - 1]], np.uint16)
    wide = np.array([[-5000, 9 * 257, 70000]], np.int32)
    for stored, seen in ((dim, [0, 9, 9]), (wide, [0, 9, 255])):
        path = saved(tmp_path / "a.tif", Image.fromarray(stored))
        assert pictures.read_pictures([path])[0].tolist() == [[seen]]


def test_a_picture_of_floats_is_refused(tmp_path):
    """Nothing says which of its values is white."""
    path = saved(tmp_path / "a.tif", Image.new("F", (4, 4), 0.5))
    with pytest.raises(
        DataError, match=": its pixels are floats: save it with 8 bits;"
    ):
        pictures.read_pictures([path])


def test_what_is_transparent_shows_white_paper(tmp_path):
    """Ink on nothing is seen as ink on white."""
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (2, 2, 6, 6))
    (pixels,), _ = pictures.read_pictures([saved(tmp_path / "a.png", image)])
    assert (pixels == 255).sum() == 48 and (pixels == 0).sum() == 16


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_the_camera_says(tmp_path, orientation):
    """Phones store pictures sideways or mirrored and write so into the file."""
    stored = np.arange(20 * 40 * 3, dtype=np.uint8).reshape(20, 40, 3)
    upright = stored[:, ::-1] if orientation in (2, 4, 5, 7) else stored
    upright = np.rot90(upright, (0, 0, 2, 2, 1, 3, 3, 1)[orientation - 1])
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path / "a.png", Image.fromarray(stored), exif=exif)
    assert pictures.size_of(path) == upright.shape[:2]
    assert np.array_equal(pictures.read_pictures([path], channels=3)[0][0], upright)


@pytest.mark.parametrize("tall", [False, True])
def test_the_aspect_is_kept_and_the_rest_is_background(tmp_path, tall):
    """A dark square on light ground stays a square, on that ground, without a halo."""
    image = np.full((41, 80), 200, np.uint8)
    image[10:30, 10:30] = 0
    dark = np.zeros((40, 40), bool)
    dark[15:25, 5:15] = True
    image, dark = (image.T, dark.T) if tall else (image, dark)
    path = saved(tmp_path / "a.png", Image.fromarray(image))
    (pixels,), (note,) = pictures.read_pictures([path], size=(40, 40))
    own = "80 x 41" if tall else "41 x 80"
    assert note.startswith(f"pictures of {own} pixels are resized to 40 x 40 (choose")
    assert np.array_equal(pixels < 100, dark) and pixels.max() == 200
    assert np.array_equal(pictures.resize(image[None], (40, 40))[0], pixels)


def test_a_line_is_a_picture_too(tmp_path):
    """However thin, it keeps a pixel of its width; a path without a picture is told."""
    line = np.full((1, 3000), 200, np.uint8)
    line[:, :900] = 0
    for image in (line, line.T):
        path = saved(tmp_path / "a.png", Image.fromarray(image))
        (pixels,), _ = pictures.read_pictures([path], (20, 20))
        assert pixels.shape == (20, 20) and (pixels < 100).sum() == 6
        assert sorted(pictures.read_pictures([path])[0].shape) == [1, 1, 128]
    for path in (tmp_path / "b.png", tmp_path):
        with pytest.raises(DataError, match=f"{path}: .*; check the path"):
            pictures.read_pictures([path])


def test_the_size_is_the_pictures_own_or_their_median(tmp_path, monkeypatch):
    """Up to 128 pixels a side unless it is chosen; a huge picture warns of nothing."""
    paths = [
        saved(tmp_path / f"{side}.png", Image.new("L", (2 * side, side)))
        for side in (100, 200, 900)
    ]
    assert pictures.read_pictures(paths)[0].shape == (3, 64, 128)
    images, (note,) = pictures.read_pictures(paths[:2], (7, 9))
    assert images.shape == (2, 7, 9)
    assert note == (
        "pictures of 100 x 200 to 200 x 400 pixels are resized to 7 x 9, padded with "
        "their background (choose by --size H W)"
    )
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10**6)
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


def seven(grain=((255,),)):
    """The ink of a 7, which is as wide as high."""
    ink = np.zeros((20, 20), np.uint8)
    ink[:4] = ink[:, 18:] = 1
    return np.kron(ink, np.array(grain, np.uint8))


def page(ink):
    """A black page of 90 x 156 pixels with ink on it."""
    pixels = np.zeros((90, 156), np.uint8)
    pixels[10 : 10 + len(ink), 60 : 60 + len(ink[0])] = ink
    return pixels


@pytest.mark.parametrize("grain", [[[255]], [[255, 255, 254]] * 3])
@pytest.mark.parametrize(
    ("quarters", "top", "left"), [(0, 8, 1), (1, 7, 8), (2, 0, 7), (3, 1, 0)]
)
def test_a_digit_is_prepared_as_those_of_mnist_were(grain, quarters, top, left):
    """In 20 pixels, the centre of mass in the middle if it then fits, paper black."""
    ink = page(np.rot90(seven(grain), quarters))
    digit, plain = pictures.as_digit(ink, (28, 28))
    expected = np.zeros((28, 28), np.uint8)
    expected[top : top + 20, left : left + 20] = np.rot90(seven(), quarters)
    assert plain and digit.dtype == np.uint8 and np.array_equal(digit, expected)


def test_what_is_not_the_digit_is_dropped():
    """A speck, a shadow, the table at each edge of the page."""
    image = page(seven())
    image[80:82, 140:142] = image[[0, -1], 20:70] = image[20:70, [0, -1]] = 255
    image[10:20, 10:30] = 80
    digit, plain = pictures.as_digit(image, (28, 28))
    assert plain
    assert np.array_equal(digit, pictures.as_digit(page(seven()), (28, 28))[0])


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ([12], False),
        ([13], True),
        ([16] * 4, True),
        ([16] * 5, False),
        ([16] * 4 + [2], False),
        ([18] * 4 + [2], True),
    ],
)
def test_a_digit_has_few_strokes_and_is_not_tiny(lengths, expected):
    """Up to 4, the longest a twelfth of the page; shorter than an eighth are specks."""
    image = np.zeros((90, 156), np.uint8)
    for i, n in enumerate(lengths):  # hairlines at a slant
        np.fill_diagonal(image[30 : 30 + n, 20 + 20 * i : 20 + 20 * i + n], 255)
    assert pictures.as_digit(image, (28, 28))[1] == expected


def test_ink_at_the_edge_is_read_if_there_is_no_other():
    """The picture may be cut close to the digit, but is no plain page then."""
    image = np.zeros((12, 12), np.uint8)
    image[2:10, :2] = 255
    digit, plain = pictures.as_digit(image, (28, 28))
    assert not plain and (digit[4:24, 12:17] == 255).all()
    assert digit.sum() == 20 * 5 * 255


def test_slanting_light_is_not_ink():
    """The light on the paper may grow and fade over the page."""
    y, x = np.mgrid[-1:1:90j, -1:1:156j]
    light = (100 + 40 * x * (1 + x) - 30 * y * y + 20 * x * y).astype(np.uint8)
    digit, plain = pictures.as_digit(light + page(seven(((100,),))), (28, 28))
    bright = pictures.as_digit(page(seven()), (28, 28))[0]
    assert plain and np.allclose(digit, bright, atol=5)


def test_faint_ink_is_found_and_blank_paper_has_none():
    """Nine levels from the paper are ink, however much or thin it is; eight are none."""
    for width, columns in ((60, 20), (1, 1)):
        ink = page(np.ones((50, width), np.uint8))
        digit, plain = pictures.as_digit(20 + 9 * ink, (28, 28))
        assert plain and digit.max() > 250 and digit.any(axis=0).sum() == columns
    for blank in (20 + 0 * ink, 20 + 8 * ink):
        with pytest.raises(UserError, match="^the picture has no ink: give a digit on"):
            pictures.as_digit(blank, (28, 28))


def test_dark_ink_is_what_differs_most_from_its_paper():
    """Not a shadow, which may be larger; a blank page has no ink."""
    image = page(seven()) // 2 + 100
    image[10:80, 100:150] -= 20
    assert not pictures.has_dark_ink(image) and pictures.has_dark_ink(255 - image)
    assert not pictures.has_dark_ink(np.zeros((90, 156), np.uint8))
