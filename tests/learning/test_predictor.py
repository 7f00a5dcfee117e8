"""What an agent says of images, and which it refuses."""

import numpy as np
import pytest

from ramnp.agent import model
from ramnp.comparison import whole_image
from ramnp.learning import predictor
from ramnp.learning.predictor import Agent
from ramnp.support.errors import UserError
from tests.helpers import small_config


@pytest.fixture
def agent(rng):
    config = small_config()
    return Agent(model.init(rng, config), config, 0.1)


@pytest.fixture
def images(rng):
    return rng.integers(256, size=(7, 11, 13), dtype=np.uint8)


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


def test_bytes_and_floats_are_the_same_images(agent, images):
    """uint8 in 0..255 and float32 or float64 in 0..1 give the same answer."""
    seen = agent.predict(images)
    for dtype in (np.float32, np.float64):
        as_floats = agent.predict((images / 255).astype(dtype))
        assert np.allclose(as_floats.probabilities, seen.probabilities, atol=1e-5)


def test_the_same_seed_gives_the_same_answer_and_another_seed_another(agent, images):
    """A prediction is random, and repeatable."""
    first, again = agent.predict(images), agent.predict(images)
    assert np.array_equal(first.locations, again.locations)
    assert not np.array_equal(first.locations, agent.predict(images, seed=1).locations)


def test_deterministic_draws_nothing(agent, images):
    """No location noise: any seed, and one image alone, give the same path."""
    seen = agent.predict(images, deterministic=True)
    other = agent.predict(images[2:3], seed=9, deterministic=True)
    assert np.allclose(seen.locations[2], other.locations[0], atol=1e-6)
    assert np.array_equal(seen.locations[:, 0], np.zeros((7, 2)))


def test_rollouts_are_averaged_as_probabilities(agent, images):
    """M rollouts: the mean of M different probabilities, not of one repeated."""
    one, many = agent.predict(images), agent.predict(images, rollouts=20)
    assert np.array_equal(one.locations, many.locations)
    assert not np.allclose(one.probabilities, many.probabilities, atol=1e-7)
    assert np.allclose(many.probabilities.sum(axis=1), 1, atol=1e-6)


def test_more_images_than_a_chunk_are_all_looked_at(agent, images, monkeypatch):
    """Chunks are an affair of memory alone: what is deterministic stays the same."""
    whole = agent.predict(images, deterministic=True)
    monkeypatch.setattr(predictor, "CHUNK", 3)
    chunks = agent.predict(images, deterministic=True)
    assert np.allclose(whole.probabilities, chunks.probabilities, atol=1e-6)


@pytest.mark.parametrize(
    "pixels, chunks", [(10**6, [7]), (300, [2] * 3 + [1]), (9, 7 * [1])]
)
def test_large_images_are_looked_at_in_smaller_chunks(
    agent, images, monkeypatch, pixels, chunks
):
    """A chunk holds no more pixels than the limit, but at least one image."""
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
    """Chunks draw from streams of their own, whichever thread looks at them."""
    monkeypatch.setattr(predictor, "CHUNK", 2)
    alone, together = (agent.predict(images, threads=n) for n in (1, 3))
    assert all(map(np.array_equal, alone, together))


def test_no_images_are_seen_as_none(agent):
    """An empty batch gives empty arrays."""
    seen = agent.predict(np.zeros((0, 9, 9), np.uint8))
    assert seen.classes.shape == (0,) and seen.locations.shape == (0, 4, 2)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((9, 9), np.uint8),
        np.zeros((2, 9, 9, 1), np.uint8),
        np.zeros((2, 0, 9), np.uint8),
        np.zeros((2, 9, 9), np.int64),
        np.zeros((2, 9, 9), object),
        np.full((2, 9, 9), 1.5),
        np.full((2, 9, 9), -0.1),
        np.full((2, 9, 9), np.nan),
    ],
)
def test_what_is_no_batch_of_images_is_refused(agent, images):
    """Wrong shape, type or range: one line that says so."""
    with pytest.raises(UserError, match="images") as error:
        agent.predict(images)
    assert "\n" not in str(error.value)


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
    with pytest.raises(UserError, match="13 x 11 pixels: this model takes 11 x 13"):
        agent.predict(images.swapaxes(1, 2))
