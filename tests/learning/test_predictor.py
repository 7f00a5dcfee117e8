"""An agent's predictions, and the images that it refuses."""

import dataclasses

import numpy as np
import pytest
from scipy.stats import kstest

from ramnp.agent import model
from ramnp.comparison import whole_image
from ramnp.datasets.images import as_images
from ramnp.datasets.splits import Digits
from ramnp.learning import predictor
from ramnp.learning.config import Config
from ramnp.learning.predictor import Agent
from ramnp.support.errors import UserError
from tests.helpers import small_config, small_split


def test_seen_has_the_promised_shapes(agent, images):
    """.classes (B,), .probabilities (B, classes), .locations (B, T, 2)."""
    seen = agent.predict(images)
    assert seen.classes.shape == (7,)
    assert seen.probabilities.shape == (7, 5)
    assert seen.locations.shape == (7, 4, 2)
    assert seen.step_probabilities.shape == (7, 4, 5)
    assert np.array_equal(seen.classes, seen.probabilities.argmax(axis=1))
    assert np.array_equal(seen.step_probabilities[:, -1], seen.probabilities)
    assert np.allclose(seen.step_probabilities.sum(axis=-1), 1, atol=1e-6)


def test_an_agent_is_shown_in_one_line(agent):
    """A notebook that ends with it does not print its weights."""
    assert repr(agent) == (
        f"<Agent: model ram, task {agent.config.task}, recipe {agent.config.recipe}, "
        f"{agent.num_parameters:,} parameters>"
    )


def test_bytes_and_floats_are_the_same_images(agent, images):
    """uint8 in 0..255 and float32 or float64 in 0..1 give the same prediction."""
    seen = agent.predict(images)
    for dtype in (np.float32, np.float64):
        as_floats = agent.predict((images / 255).astype(dtype))
        assert np.allclose(as_floats.probabilities, seen.probabilities, atol=1e-5)


def test_the_same_seed_gives_the_same_prediction_and_another_seed_another(
    agent, images
):
    """A prediction is random but repeatable."""
    first, again = agent.predict(images), agent.predict(images)
    assert np.array_equal(first.locations, again.locations)
    assert not np.array_equal(first.locations, agent.predict(images, seed=1).locations)


def test_locations_spread_with_the_standard_deviation_of_the_agent(agent, images):
    """The agent's value overrides its configuration's; the first location is uniform."""
    narrow, wide = (
        agent._replace(location_std=std).predict(images).locations for std in (0.1, 2.0)
    )
    assert np.array_equal(narrow[:, 0], wide[:, 0])
    assert np.std(wide[:, 1:]) > 5 * np.std(narrow[:, 1:])


def test_deterministic_draws_nothing(agent, images):
    """No location noise: any seed, and one image alone, give the same path."""
    seen = agent.predict(images, deterministic=True)
    other = agent.predict(images[2:3], seed=9, deterministic=True)
    assert np.allclose(seen.locations[2], other.locations[0], atol=1e-6)
    assert np.array_equal(seen.locations[:, 0], np.zeros((7, 2)))


def test_rollouts_are_averaged_as_probabilities(agent, images):
    """M rollouts: the mean of M different probabilities."""
    one, many = agent.predict(images), agent.predict(images, rollouts=20)
    assert np.array_equal(one.locations, many.locations)
    assert not np.allclose(one.probabilities, many.probabilities, atol=1e-7)
    assert np.allclose(many.probabilities.sum(axis=1), 1, atol=1e-6)


def test_chunks_change_no_deterministic_prediction(agent, images, monkeypatch):
    """Chunks only bound the memory."""
    whole = agent.predict(images, deterministic=True)
    monkeypatch.setattr(predictor, "CHUNK", 3)
    chunks = agent.predict(images, deterministic=True)
    assert np.allclose(whole.probabilities, chunks.probabilities, atol=1e-6)


@pytest.mark.parametrize(
    "pixels, chunks", [(10**6, [7]), (300, [2] * 3 + [1]), (9, 7 * [1])]
)
def test_large_images_are_processed_in_smaller_chunks(
    agent, images, monkeypatch, pixels, chunks
):
    """A chunk has at most CHUNK_PIXELS pixels, but at least one image."""
    seen, as_floats = [], predictor._as_floats

    def count(part):
        seen.append(len(part))
        return as_floats(part)

    monkeypatch.setattr(predictor, "_as_floats", count)
    monkeypatch.setattr(predictor, "CHUNK_PIXELS", pixels)
    whole = agent.predict(images, deterministic=True, threads=1)
    assert seen == chunks
    assert whole.classes.shape == (7,)


def test_threads_change_no_result(agent, images, monkeypatch):
    """Each chunk has its own random stream."""
    monkeypatch.setattr(predictor, "CHUNK", 2)
    alone, together = (agent.predict(images, threads=n) for n in (1, 3))
    assert all(map(np.array_equal, alone, together))


def test_an_empty_batch_gives_empty_arrays(agent):
    """Their shapes are those of any other batch."""
    seen = agent.predict(np.zeros((0, 9, 9), np.uint8))
    assert seen.classes.shape == (0,) and seen.locations.shape == (0, 4, 2)


@pytest.mark.parametrize(
    "images",
    [np.zeros((11, 13), np.uint8), np.zeros((2, 0, 9), np.uint8), [["a"]], [[[256]]]],
)
def test_other_arrays_are_refused(agent, images):
    """A wrong shape, type or range is one line."""
    with pytest.raises(UserError, match=r"images|pixels") as error:
        agent.predict(images)
    assert "\n" not in str(error.value)


def test_every_form_of_an_image_gives_the_same_answer(agent, images):
    """One reader for predict and --data: other integers, lists, an axis of length 1."""
    seen = agent.predict(images)
    for form in (images.astype(int), images.tolist(), images[..., None]):
        assert all(map(np.array_equal, seen, agent.predict(form)))
    black_and_white = np.where(images > 99, 255, 0).astype(np.uint8)
    as_bool = agent.predict(images > 99)
    assert all(map(np.array_equal, as_bool, agent.predict(black_and_white)))


def test_an_agent_in_colour_takes_colour_alone(images, rng):
    """In every form; grey images, or a single image, are one line."""
    config = small_config(channels=3)
    agent = Agent(model.init(rng, config), config, 0.1)
    colour = np.stack([images, ~images, images // 2], axis=3)
    seen = agent.predict(colour)
    for form in (np.moveaxis(colour, 3, 1), colour.tolist(), colour.astype(int)):
        assert all(map(np.array_equal, seen, agent.predict(form)))
    assert not np.allclose(
        seen.probabilities, agent.predict(colour[..., ::-1]).probabilities
    )
    for wrong in (images, images[..., None], colour[0]):
        with pytest.raises(UserError, match="trained in colour; give .*images.None"):
            agent.predict(wrong)


def test_an_agent_in_grey_sees_the_grey_of_colour(agent, images):
    """As its training images were read."""
    colour = np.stack([images, ~images, images // 2], axis=3)
    seen = agent.predict(colour)
    assert all(map(np.array_equal, seen, agent.predict(as_images(colour))))


def test_an_image_gets_the_same_answer_in_any_batch(agent, rng):
    """Noise is drawn per image: alone, in a batch, in another order."""
    images = rng.integers(256, size=(50, 11, 13), dtype=np.uint8)
    seen = agent.predict(images, rollouts=3)
    order = rng.permutation(50)
    shuffled = agent.predict(images[order], rollouts=3)
    for one in (shuffled.locations, shuffled.step_probabilities):
        assert np.abs(one).max() > 0
    assert np.allclose(shuffled.locations, seen.locations[order], atol=1e-5)
    alone = [agent.predict(image[None], rollouts=3) for image in images]
    assert np.array_equal([one.classes[0] for one in alone], seen.classes)
    locations = np.concatenate([one.locations for one in alone])
    assert np.allclose(locations, seen.locations, atol=1e-5)
    # Each image and each glimpse has different noise.
    assert len(np.unique(seen.locations[:, 0], axis=0)) == 50
    assert len(np.unique(seen.locations[0], axis=0)) == 4


def test_the_noise_of_images_is_normal_and_uniform(rng):
    """Even for images that differ in one pixel by one."""
    images = np.zeros((4000, 40, 100), np.uint8)
    images.reshape(4000, 4000)[np.arange(4000), np.arange(4000)] = 1
    noise = predictor.ImageNoise(images, seed=0)
    normal, uniform = (
        noise.standard_normal((4000, 2), "f4"),
        noise.random((4000, 2), "f4"),
    )
    assert normal.dtype == uniform.dtype == np.float32
    assert kstest(normal.ravel(), "norm").pvalue > 0.01
    assert kstest(uniform.ravel(), "uniform").pvalue > 0.01
    together = np.corrcoef(np.concatenate([normal, uniform], axis=1).T)
    assert np.abs(together - np.eye(4)).max() < 0.06


def test_the_noise_of_images_is_split_mix_64():
    """Column n of an image with the key k is the n-th output of the generator k."""
    noise = predictor.ImageNoise(np.arange(12, dtype=np.uint8).reshape(2, 2, 3), seed=4)
    weights = predictor._hash_weights(4, 6)
    keys = [sum(int(w) * p for w, p in zip(weights, range(i, i + 6))) for i in (0, 6)]
    found = np.concatenate([noise.random((2, n), "f8") for n in (1, 2, 15)], axis=1)
    for row, key in zip(found, keys):
        for n, number in enumerate(row, 1):
            z = (key + n * 0x9E3779B97F4A7C15) % 2**64
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
            z ^= z >> 31
            assert number == ((z >> 11) + 0.5) / 2**53


def known(agent, **changes):
    """The agent as a run leaves it, with what it knows of its data."""
    data = {
        "path": None,
        "sha256": "ab",
        "class_names": list("abcde"),
        "brightness": 0.1,
    }
    config = dataclasses.replace(agent.config, image_height=11, image_width=13)
    return agent._replace(data=data | changes, config=config)


def test_images_of_another_size_than_in_training_are_refused(agent, images):
    """With the size that is expected; on a canvas, that of the scene."""
    known(agent).predict(images // 9)
    message = (
        "^images of 13 x 11 pixels: the agent was trained on 11 x 13; resize them, or "
        "train on images of their size$"
    )
    with pytest.raises(UserError, match=message):
        known(agent).predict(images.swapaxes(1, 2))
    canvas = agent._replace(config=dataclasses.replace(agent.config, canvas_size=60))
    with pytest.raises(UserError, match="11 x 13 pixels: .* trained on 60 x 60"):
        canvas.predict(images)


def test_images_that_look_inverted_are_told(agent, images):
    """By their brightness; what the agent was trained on gives no warning."""
    dark = images // 9
    agent.predict(255 - dark)  # knows nothing of its data
    known(agent).predict(dark)
    for inverted in (255 - dark, (255 - dark) / 255):
        with pytest.warns(UserWarning, match=r"7 of 7 images look inverted: .* 0\.10"):
            known(agent).predict(inverted)
    mixed = np.concatenate([dark, 255 - dark[:2]])
    with pytest.warns(UserWarning, match=r"2 of 9 .* give 255 - images"):
        known(agent).predict(mixed)


def test_an_agent_trained_on_inverted_images_inverts(agent, images):
    """It takes images as the user has them, or as prepared for training."""
    inverting = known(agent, brightness=0.5)
    inverting = inverting._replace(
        config=dataclasses.replace(inverting.config, invert=True)
    )
    expected = known(agent, brightness=0.5).predict(255 - images)
    assert all(map(np.array_equal, expected, inverting.predict(images)))
    prepared = inverting.predict(255 - images, prepared=True)
    assert all(map(np.array_equal, expected, prepared))
    as_floats = inverting.predict(images / 255)
    assert np.allclose(as_floats.probabilities, expected.probabilities, atol=1e-5)


def test_classes_are_named(agent, images):
    """By the data's names, or by their numbers."""
    seen = agent.predict(images)
    assert seen.names.tolist() == [str(c) for c in seen.classes]
    seen = known(agent, brightness=0.5).predict(images)
    assert seen.names.tolist() == ["abcde"[c] for c in seen.classes]


def test_what_is_kept_of_the_data_describes_the_scenes():
    """Names, SHA-256, path and the mean pixel."""
    split = small_split(0, 9)
    digits = Digits(split, split, split, "ab", ("cat", "dog"), (), "/here")
    about = predictor.describe_data(digits, Config())
    assert about.pop("brightness") == pytest.approx(split.images.mean() / 255, rel=1e-5)
    assert about == {"path": "/here", "sha256": "ab", "class_names": ["cat", "dog"]}


def test_fewer_than_one_rollout_is_refused(agent, images):
    """rollouts must be at least 1."""
    with pytest.raises(UserError, match="rollouts 0"):
        agent.predict(images, rollouts=0)


@pytest.mark.parametrize("model", ["fc", "conv"])
def test_a_comparison_network_is_an_agent_without_glimpses(model, images, rng):
    """It predicts like any other; .locations is (B, 0, 2)."""
    config = small_config(
        model=model, image_height=11, image_width=13, filter_size=4, fc_size=6
    )
    agent = Agent(whole_image.init(rng, config), config, 0.1)
    seen = agent.predict(images, rollouts=2)
    assert np.array_equal(seen.classes, agent.predict(images).classes)
    assert seen.probabilities.shape == (7, 5)
    assert seen.step_probabilities.shape == (7, 1, 5)
    assert seen.locations.shape == (7, 0, 2)
    assert agent.predict(images[:0]).locations.shape == (0, 0, 2)
    with pytest.raises(UserError, match="13 x 11 pixels: .* 11 x 13"):
        agent.predict(images.swapaxes(1, 2))
