"""The command that lets an agent look at picture files."""

import numpy as np
import pytest
from PIL import Image

from ramnp import look, train
from ramnp.support.errors import UserError


@pytest.fixture
def picture(tmp_path):
    """A picture file: a white bar on black."""
    pixels = np.zeros((60, 60), np.uint8)
    pixels[20:40, 28:32] = 255
    path = tmp_path / "bar.png"
    Image.fromarray(pixels).save(path)
    return str(path)


def test_it_names_the_class_and_draws_sheet_and_film(picture, tmp_path, capsys):
    """One line for what was done, one for the class; both pictures open."""
    folder = tmp_path / "looks"
    assert look.main(["translated", picture, "--output", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{picture}: 60 x 60 pixels, grey"
    assert lines[1].startswith(f"{picture}: 1, ") and lines[1].endswith(" %")
    for name in ("looks.png", "looks.gif"):
        with Image.open(folder / name) as drawn:
            assert drawn.width > 400 and getattr(drawn, "n_frames", 1) in (1, 8)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["translated"], "IMAGE"),
        (["translated", "nothing.png"], "nothing.png"),
        (["nowhere", "{picture}"], "nowhere does not exist"),
        (["translated", *["{picture}"] * 17], "17 pictures: give at most 16"),
    ],
)
def test_bad_input_is_one_line_that_names_it(arguments, words, picture, tmp_path):
    """Nothing is drawn."""
    given = [argument.format(picture=picture) for argument in arguments]
    with pytest.raises(UserError, match=words) as error:
        look.main([*given, "--output", str(tmp_path / "looks")])
    assert "\n" not in str(error.value) and not (tmp_path / "looks").exists()


def test_a_network_that_sees_the_whole_image_does_not_look(
    picture, digits_file, tmp_path, no_pictures
):
    """One line says so."""
    options = ["--model=fc", "--epochs=1", "--data", digits_file]
    train.main([*options, "--run", str(tmp_path / "fc")])
    with pytest.raises(UserError, match="has no glimpses"):
        look.main([str(tmp_path / "fc"), picture])
