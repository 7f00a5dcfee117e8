"""Scenes are composed as the authors' generator composes them, anew for each batch."""

import dataclasses
import hashlib

import numpy as np
import pytest

from ramnp.datasets import scenes
from ramnp.datasets.deformation import deform
from ramnp.datasets.mnist import Split
from ramnp.learning.config import Config
from ramnp.learning.recipes import TASKS, make_config
from ramnp.support.errors import DataError
from tests import grid, reference_trainer
from tests.helpers import count_bytecodes, small_split

CANVAS_60 = Config(canvas_size=60)
FROZEN_SHA256 = "2c8f119b7d851c405fb9e552eed423f6bfc94d1d8aa4f539a21665aea91a5891"


def split_of(images):
    """A split of these images, as bytes, whose labels count up."""
    return Split(np.array(images, np.uint8), np.arange(len(images), dtype=np.uint8))


def flat_split(values):
    """A split whose image n is values[n] all over."""
    return split_of(
        np.broadcast_to(np.reshape(values, (-1, 1, 1)), (len(values), 28, 28))
    )


def spot_split(row, column):
    """A split of one image, black but for one white pixel."""
    image = np.zeros((1, 28, 28))
    image[0, row, column] = 255
    return split_of(image)


def composed(split, index, rng, config, **options):
    """Compose in byte values, which are exact."""
    return np.rint(scenes.compose(split, index, rng, config, **options) * 255)


def places_of_spot(split, rng, config, count, **options):
    """Return {(row, column): how often} of the white pixel in `count` scenes."""
    places = {}
    for _ in range(count // 1000):
        images = composed(split, np.zeros(1000, int), rng, config, **options)
        scene, rows, columns = np.nonzero(images)
        assert np.array_equal(scene, np.arange(1000))  # one in each scene
        for place in zip(rows.tolist(), columns.tolist()):
            places[place] = places.get(place, 0) + 1
    return places


@pytest.mark.parametrize("name", grid.CONFIGS)
def test_scenes_equal_the_reference(name, float64):
    """Place, clutter, shift, deformation and clipping, pixel by pixel."""
    config = grid.CONFIGS[name]
    split = grid.digits_of(config).train
    for augmented in (False, True):
        one, other = np.random.default_rng(5), np.random.default_rng(5)
        index = np.array([4, 0, 0, 2])
        composed = scenes.compose(split, index, one, config, augmented)
        expected = reference_trainer.compose(split, index, other, config, augmented)
        grid.assert_close(composed, expected)
        assert one.random() == other.random()


@pytest.mark.parametrize("task", TASKS)
def test_shape_dtype_and_range(rng, task):
    """Scenes are float32 in 0..1, of the task's size."""
    config = make_config(task)
    images = scenes.compose(small_split(0, 20), np.arange(7), rng, config)
    size = config.canvas_size or 28
    assert images.shape == (7, size, size) and images.dtype == np.float32
    assert images.min() == 0 and 0.5 < images.max() <= 1


def test_centered_scenes_are_the_digits(rng):
    """Without a canvas, scene b is digit index[b] divided by 255, repeats included."""
    split = small_split(0, 20)
    index = np.array([3, 19, 3, 0])
    images = scenes.compose(split, index, rng, Config())
    assert np.allclose(images, split.images[index] / 255, rtol=1e-6, atol=0)


def test_a_digit_lies_whole_on_its_canvas(rng):
    """Each translated scene holds all pixels of its own digit, and nothing else."""
    split = small_split(1, 30)
    index = rng.integers(30, size=50)
    images = composed(split, index, rng, CANVAS_60)
    for scene, digit in zip(images, split.images[index]):
        rows, columns = np.nonzero(scene)
        digit_rows, digit_columns = np.nonzero(digit)
        top, left = rows[0] - digit_rows[0], columns[0] - digit_columns[0]
        assert np.array_equal(scene[top : top + 28, left : left + 28], digit)
        assert scene.sum() == digit.sum()


def test_all_33_by_33_places_are_reached_alike(rng):
    """A digit's place on 60 pixels is uniform over 0..32 both ways, ends included."""
    places = places_of_spot(spot_split(5, 20), rng, CANVAS_60, 20_000)
    everywhere = np.ndindex(33, 33)
    assert places.keys() == {(5 + y, 20 + x) for y, x in everywhere}
    assert max(places.values()) < 20_000 / 33**2 * 2.5


def test_all_21_by_21_crops_are_reached(rng):
    """Clutter is any 8 x 8 square of another digit, ends included."""
    pattern = rng.integers(1, 256, (28, 28))
    offsets = {
        pattern[y : y + 8, x : x + 8].tobytes(): (y, x) for y, x in np.ndindex(21, 21)
    }
    split = split_of([np.zeros((28, 28)), pattern])
    config = Config(canvas_size=60, num_clutter=1)
    reached, tops, lefts = {}, set(), set()
    for _ in range(8):
        images = composed(split, np.zeros(1000, int), rng, config).astype(int)
        for scene in images:
            top, left = np.argmax(scene.any(axis=1)), np.argmax(scene.any(axis=0))
            crop = scene[top : top + 8, left : left + 8]
            assert np.count_nonzero(scene) == 64
            offset = offsets[crop.tobytes()]
            reached[offset] = reached.get(offset, 0) + 1
            tops.add(top)
            lefts.add(left)
    assert len(reached) == 21 * 21
    assert max(reached.values()) < 8000 / 21**2 * 3
    assert tops == lefts == set(range(53))  # and lies anywhere on the canvas


def test_clutter_comes_from_other_digits_of_the_split(rng):
    """A piece is never cut from the scene's own digit, and from each other one."""
    values = np.array([1, 5, 20, 70])
    split = flat_split(values)
    index = rng.integers(4, size=400)
    config = Config(canvas_size=60, num_clutter=1)
    totals = composed(split, index, rng, config).sum(axis=(1, 2))
    clutter = (totals - 28 * 28 * values[index]) / 64
    assert np.all(np.isin(clutter, values))
    pairs = set(zip(values[index].tolist(), clutter.tolist()))
    assert pairs == {(own, other) for own in values for other in values if own != other}


@pytest.mark.parametrize("num_clutter", [4, 8])
def test_the_number_of_pieces_is_the_setting(rng, num_clutter):
    """Exactly that number of pieces of 8 x 8 pixels is added."""
    split = flat_split([0, 1])
    config = Config(canvas_size=100, num_clutter=num_clutter)
    images = composed(split, np.zeros(50, int), rng, config)
    assert np.all(images.sum(axis=(1, 2)) == num_clutter * 64)


def test_clutter_is_added_to_the_digit(rng):
    """Some pixels of the digit are changed by clutter; none is overwritten."""
    split = flat_split([100, 30])
    config = Config(canvas_size=60, num_clutter=4)
    images = composed(split, np.zeros(200, int), rng, config)
    assert set(np.unique(images)) <= {n + 30 * k for n in (0, 100) for k in range(5)}
    assert np.all((images >= 100).sum(axis=(1, 2)) >= 28 * 28)  # the digit is whole
    assert (images > 100).any(axis=(1, 2)).mean() > 0.5


def test_sums_are_clipped_at_white(rng):
    """Where digit and clutter add up to more than white, the scene is white."""
    split = flat_split([200, 255])
    config = Config(canvas_size=60, num_clutter=8)
    images = scenes.compose(split, np.zeros(100, int), rng, config)
    assert images.max() == 1
    assert set(np.unique(np.rint(images * 255))) == {0, 200, 255}


def test_each_batch_is_composed_anew_from_the_generator(rng):
    """The same digits come in other scenes; the same generator state in the same."""
    split, index = small_split(0, 20), np.arange(20)
    config = make_config("cluttered")
    first, second = (scenes.compose(split, index, rng, config) for _ in range(2))
    assert not any(np.array_equal(a, b) for a, b in zip(first, second))
    again, once_more = (
        scenes.compose(split, index, np.random.default_rng(5), config) for _ in "12"
    )
    assert np.array_equal(again, once_more)


@pytest.mark.parametrize("task", TASKS)
def test_composing_leaves_the_digits_as_they_are(rng, task):
    """The split is only read."""
    split = small_split(0, 20)
    split.images.flags.writeable = False
    scenes.compose(split, np.arange(20), rng, make_config(task))


def test_max_shift_moves_digits_up_to_so_many_pixels(rng):
    """All (2 m + 1)² shifts are reached, what leaves the image is cut off."""
    split, config = spot_split(10, 12), Config(max_shift=3)
    places = places_of_spot(split, rng, config, 3000, augmented=True)
    assert places.keys() == {
        (10 + y, 12 + x) for y in range(-3, 4) for x in range(-3, 4)
    }
    split, config = spot_split(0, 27), Config(max_shift=2)
    images = composed(split, np.zeros(500, int), rng, config, augmented=True)
    assert images.shape == (500, 28, 28)
    assert images[:, 0, 27].any()
    assert not images.any(axis=(1, 2)).all()


def test_max_shift_leaves_a_canvas_alone():
    """On a canvas digits move already: the option changes nothing there."""
    split, index = small_split(0, 20), np.arange(20)
    config = dataclasses.replace(CANVAS_60, max_shift=5)
    plain, shifted = (
        scenes.compose(split, index, np.random.default_rng(1), c, augmented=True)
        for c in (CANVAS_60, config)
    )
    assert np.array_equal(plain, shifted)


def test_deformation_bends_the_digits_of_training_alone():
    """What is bent is the digit, before it is placed; clutter is cut from digits as
    they are; and who does not ask for augmented scenes gets none.
    """
    split, index = small_split(0, 20), np.arange(20)
    bent = Config(deformation=1.5)
    images = scenes.compose(split, index, np.random.default_rng(1), bent)
    assert np.array_equal(
        images, scenes.compose(split, index, np.random.default_rng(1), Config())
    )
    images = composed(split, index, np.random.default_rng(1), bent, augmented=True)
    digits = deform(split.images, 1.5, np.random.default_rng(1))
    assert np.array_equal(images, np.rint(digits))
    assert not np.array_equal(images, split.images)
    black = flat_split([0] * 20)
    black.images[1:] = 255  # clutter for digit 0 is white, wherever it is cut
    cluttered = dataclasses.replace(bent, canvas_size=60, num_clutter=1)
    images = composed(
        black, [0] * 9, np.random.default_rng(1), cluttered, augmented=True
    )
    assert np.all((images == 255).sum(axis=(1, 2)) == cluttered.clutter_size**2)


def everything(split, name, config):
    """All frozen scenes and labels of a split."""
    starts = scenes.frozen_starts(split)
    chunks = [scenes.frozen_chunk(split, name, start, config) for start in starts]
    return tuple(np.concatenate(arrays) for arrays in zip(*chunks))


def test_frozen_scenes_are_the_same_bits_every_time():
    """They depend on the split and the scene's settings, never on the run."""
    split = small_split(0, 2 * scenes.FROZEN_CHUNK + 3)
    config = make_config("cluttered")
    images, labels = everything(split, "test", config)
    assert images.shape == (len(split.labels), 60, 60)
    assert np.array_equal(labels, split.labels)
    assert labels.dtype == np.intp
    np.random.default_rng(0).random(10)
    for changes in (
        {},
        {"seed": 5, "epochs": 3, "batch_size": 7},
        {"max_shift": 4, "deformation": 2.0, "num_glimpses": 3},
    ):
        other = dataclasses.replace(config, **changes)
        assert np.array_equal(everything(split, "test", other)[0], images)


def test_frozen_scenes_have_seeds_of_their_own():
    """Validation and test are drawn apart, and so are the chunks of one split."""
    images = np.repeat(small_split(0, 1).images, 2 * scenes.FROZEN_CHUNK, axis=0)
    split = Split(images, np.zeros(len(images), np.uint8))
    test, _ = everything(split, "test", CANVAS_60)
    valid, _ = everything(split, "valid", CANVAS_60)
    assert not np.array_equal(test, valid)
    half = scenes.FROZEN_CHUNK
    assert not np.array_equal(test[:half], test[half:])


def test_frozen_scenes_keep_their_bits():
    """The scenes that results are measured on are these, in every version."""
    split = split_of(np.arange(8 * 28 * 28).reshape(8, 28, 28) % 251)
    pixels = []
    for name in ("valid", "test"):
        images, _ = everything(split, name, make_config("cluttered"))
        pixels.append(np.rint(images * 255).astype(np.uint8))
    assert hashlib.sha256(np.array(pixels)).hexdigest() == FROZEN_SHA256


def test_a_canvas_smaller_than_the_digits_is_one_line(rng):
    """The error names both sizes and what to do."""
    split = small_split(0, 5, height=20, width=28)
    for size in (1, 27):
        with pytest.raises(DataError, match=r"--canvas-size .* 20 x 28 .* 28") as error:
            scenes.compose(split, np.arange(5), rng, Config(canvas_size=size))
        assert len(str(error.value).splitlines()) == 1
    assert scenes.compose(split, np.arange(5), rng, Config(canvas_size=28)).any()


@pytest.mark.parametrize("model", ["fc", "conv"])
def test_a_comparison_network_for_another_size_is_one_line(rng, model):
    """It says which size it takes; a canvas has its own, and the agent needs none."""
    split, index = small_split(0, 5, height=20, width=28), np.arange(5)
    with pytest.raises(DataError, match="takes 28 x 28 pixels, .* 20 x 28") as error:
        scenes.compose(split, index, rng, Config(model=model))
    assert len(str(error.value).splitlines()) == 1
    for settings in (
        {"model": model, "image_height": 20},
        {"model": model, "canvas_size": 30},
        {},
    ):
        config = Config(**settings)
        composed = scenes.compose(split, index, rng, config)
        assert composed.shape[1:] == config.scene_shape or config.model == "ram"


def test_clutter_larger_than_the_digits_is_one_line(rng):
    """The error names both sizes and what to do."""
    split = small_split(0, 5, height=20, width=28)
    config = Config(canvas_size=60, num_clutter=1, clutter_size=21)
    with pytest.raises(DataError, match=r"--clutter-size 21 .* 20 x 28 .* 20") as error:
        scenes.compose(split, np.arange(5), rng, config)
    assert len(str(error.value).splitlines()) == 1
    whole = dataclasses.replace(config, clutter_size=20)
    assert scenes.compose(split, np.arange(5), rng, whole).any()
    without = dataclasses.replace(config, num_clutter=0)
    assert scenes.compose(split, np.arange(5), rng, without).any()


def test_clutter_from_a_split_of_one_image_is_one_line(rng):
    """There is no other digit to cut it from."""
    with pytest.raises(DataError, match="--num-clutter 2 .* only one") as error:
        config = Config(canvas_size=60, num_clutter=2)
        scenes.compose(small_split(0, 1), np.array([0]), rng, config)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("task", TASKS)
def test_no_python_loop_over_the_batch(rng, task):
    """Python executes as much for 64 scenes as for 2: NumPy goes over the batch."""
    split, config = small_split(0, 64), make_config(task)

    def compose(count):
        scenes.compose(split, np.arange(count), rng, config)

    compose(2)
    assert count_bytecodes(lambda: compose(64)) == count_bytecodes(lambda: compose(2))
