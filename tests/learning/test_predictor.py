"""Loading an agent and looking at images with it."""

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ramnp
from ramnp.agent import model
from ramnp.comparison import whole_image
from ramnp.learning import predictor as agents
from ramnp.learning.recipes import TASKS, make_config
from ramnp.support import checkpoint
from ramnp.support.errors import CheckpointError, UserError
from tests.fuzzing import spoil
from tests.helpers import small_config

ROW = dict.fromkeys(agents.METRICS, 0.5) | {"epoch": 3}


@pytest.fixture
def agent(rng):
    config = small_config()
    return agents.Agent(model.init(rng, config), config, 0.1)


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
    monkeypatch.setattr(agents, "CHUNK", 3)
    chunks = agent.predict(images, deterministic=True)
    assert np.allclose(whole.probabilities, chunks.probabilities, atol=1e-6)


@pytest.mark.parametrize(
    "pixels, chunks", [(10**6, [7]), (300, [2] * 3 + [1]), (9, 7 * [1])]
)
def test_large_images_are_looked_at_in_smaller_chunks(
    agent, images, monkeypatch, pixels, chunks
):
    """A chunk holds no more pixels than the limit, but at least one image."""
    seen, as_floats = [], agents._as_floats

    def count(part):
        seen.append(len(part))
        return as_floats(part)

    monkeypatch.setattr(agents, "_as_floats", count)
    monkeypatch.setattr(agents, "CHUNK_PIXELS", pixels)
    whole = agent.predict(images, deterministic=True, threads=1)
    assert seen == chunks
    assert whole.classes.shape == (7,)


def test_threads_change_no_result(agent, images, monkeypatch):
    """Chunks draw from streams of their own, whichever thread looks at them."""
    monkeypatch.setattr(agents, "CHUNK", 2)
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


def test_an_agent_is_loaded_as_it_was_saved(agent, images, tmp_path):
    """ramnp.load takes the run folder or the file and gives the same agent.

    In the file, weights are rounded to two bytes.
    """
    for arrays in agent.params.values():
        for array in arrays.values():
            array[...] = array.astype(np.float16)
    agents.save_agent(tmp_path / "best.npz", agent, ROW)
    for where in (tmp_path, str(tmp_path), tmp_path / "best.npz"):
        loaded = ramnp.load(where)
        assert loaded.config == agent.config and loaded.location_std == 0.1
        seen, expected = loaded.predict(images), agent.predict(images)
        assert np.array_equal(seen.probabilities, expected.probabilities)
    assert agents.load_with_training(tmp_path)[1] == ROW


def test_weights_beyond_the_range_of_two_bytes_are_kept(agent, tmp_path):
    """65,504 is the largest; with a larger one among them, all take four bytes."""
    agent.params["action"]["b_a"][0] = 65_504
    for largest, kept in ((0, np.float16), (65_520, np.float32)):
        agent.params["action"]["b_a"][1] = largest
        agents.save_agent(tmp_path / "best.npz", agent, ROW)
        arrays, _ = checkpoint.load(tmp_path / "best.npz")
        assert arrays["parameters"].dtype == kept
        params = ramnp.load(tmp_path).params
        assert params["action"]["b_a"][1] == largest
        for network, name in (("core", "W_h"), ("glimpse", "b_g")):
            expected = agent.params[network][name].astype(kept)
            assert np.array_equal(params[network][name], expected)


def test_the_name_of_a_task_means_its_trained_agent(agent, tmp_path, monkeypatch):
    """Unless something of that name is there; a path is always a path."""
    monkeypatch.setattr(agents, "TRAINED", str(tmp_path / "trained"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trained").mkdir()
    agents.save_agent(tmp_path / "trained" / "cluttered.npz", agent, ROW)
    assert ramnp.load("cluttered").location_std == 0.1
    for missing in ("translated", "./cluttered", "trained/cluttered"):
        with pytest.raises(CheckpointError, match="does not exist: train first"):
            ramnp.load(missing)
    (tmp_path / "cluttered").mkdir()
    agents.save_agent(
        tmp_path / "cluttered" / "best.npz", agent._replace(location_std=0.2), ROW
    )
    assert ramnp.load("cluttered").location_std == 0.2


@pytest.mark.parametrize(
    "task", [task for task in TASKS if Path(agents.TRAINED, f"{task}.npz").exists()]
)
def test_the_agents_that_come_with_the_project(task):
    """Small, of the strongest recipe as it stands, each beside its test result."""
    path = Path(agents.find(task))
    assert path.stat().st_size <= 1_500_000
    agent = ramnp.load(task)
    assert agent.config == make_config(task, "best", seed=agent.config.seed)
    result = json.loads(path.with_suffix(".json").read_text())
    assert result["num_parameters"] == agent.num_parameters
    assert result["num_test"] == 10_000
    for name in ("task", "recipe", "seed", "epochs"):
        assert result[name] == getattr(agent.config, name)
    seen = agent.predict(np.zeros((1, 100, 100), np.uint8))
    assert seen.locations.shape == (1, agent.config.num_glimpses, 2)


@pytest.mark.parametrize("model", ["fc", "conv"])
def test_a_baseline_is_an_agent_that_looks_nowhere(model, images, rng, tmp_path):
    """Saved, loaded and asked like any other; .locations is (B, 0, 2)."""
    config = small_config(
        model=model, image_height=11, image_width=13, filter_size=4, fc_size=6
    )
    agent = agents.Agent(whole_image.init(rng, config), config, 0.1)
    agents.save_agent(tmp_path / "best.npz", agent, ROW)
    seen = ramnp.load(tmp_path).predict(images, rollouts=2)
    assert np.array_equal(seen.classes, agent.predict(images).classes)
    assert seen.probabilities.shape == (7, 5)
    assert seen.step_probabilities.shape == (7, 1, 5)
    assert seen.locations.shape == (7, 0, 2)
    assert agent.predict(images[:0]).locations.shape == (0, 0, 2)
    with pytest.raises(UserError, match="13 x 11 pixels: this model takes 11 x 13"):
        agent.predict(images.swapaxes(1, 2))


def test_a_baseline_for_images_of_another_size_is_refused(rng, tmp_path):
    """The size belongs to the configuration, and the parameters must fit it."""
    config = small_config(model="fc", image_height=11, image_width=13, fc_size=6)
    path = tmp_path / "best.npz"
    agents.save_agent(
        path, agents.Agent(whole_image.init(rng, config), config, 0.1), ROW
    )
    arrays, meta = checkpoint.load(path)
    for changes in ({"image_width": 14}, {"image_height": 2**14}, {"model": "conv"}):
        changed = {"config": meta["config"] | changes}
        checkpoint.save(path, arrays, meta | changed)
        with pytest.raises(CheckpointError, match="does not fit its own config"):
            ramnp.load(path)


def test_what_holds_no_agent_is_refused_in_one_line(agent, tmp_path):
    """Missing, foreign, or not fitting its own configuration."""
    path = tmp_path / "best.npz"
    agents.save_agent(path, agent, ROW)
    arrays, meta = checkpoint.load(path)
    short = {"parameters": arrays["parameters"][1:]}
    double = {"parameters": arrays["parameters"].astype(np.float64)}
    config = meta["config"]
    for bad_arrays, bad_meta in (
        (short, meta),
        (double, meta),
        ({}, meta),
        (arrays, {}),
        (arrays, meta | {"location_std": 0.0}),
        (arrays, meta | {"location_std": "wide"}),
        (arrays, meta | {"location_std": 10**400}),
        (arrays, meta | {"training": 3}),
        (arrays, meta | {"training": {"epoch": 3}}),
        (arrays, meta | {"training": ROW | {"more": 3}}),
        (arrays, meta | {"training": ROW | {"seconds": "long"}}),
        (arrays, meta | {"config": config | {"a\nb" * 10**5: 1}}),
        (arrays, meta | {"config": config | {"task": "a\nb" * 10**5}}),
        (arrays, meta | {"config": config | {"h_size": 10**4000}}),
        (arrays, meta | {"config": [["h_size", 9]]}),
        (arrays, meta | {"config": config | {"h_size": -1}}),
        (arrays, meta | {"config": config | {"colour": "red"}}),
        (arrays, meta | {"config": config | {"h_size": 10**9}}),
    ):
        checkpoint.save(path, bad_arrays, bad_meta)
        with pytest.raises(CheckpointError, match=r"best\.npz") as error:
            ramnp.load(path)
        message = str(error.value)
        assert "\n" not in message and len(message) < 300 + len(str(path))
    with pytest.raises(CheckpointError, match="nowhere"):
        ramnp.load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "examples", [200, pytest.param(100_000, marks=pytest.mark.slow)]
)
def test_fuzzed_agents(agent, images, tmp_path, examples):
    """One kind of error at most, and what is accepted can look at images."""
    path = tmp_path / "best.npz"
    agents.save_agent(path, agent, ROW)
    sound = checkpoint.load(path)

    @settings(max_examples=examples, deadline=None, database=None)
    @given(st.binary(max_size=60))
    def check(script):
        path.write_bytes(checkpoint._encode(*spoil(script, *sound)))
        try:
            loaded, training = agents.load_with_training(path)
        except CheckpointError as error:
            message = str(error)
            assert message.isprintable() and len(message) < 300 + len(str(path))
            return
        assert json.dumps(training)
        if loaded.config.num_glimpses < 100:
            with contextlib.suppress(UserError), np.errstate(all="ignore"):
                loaded.predict(images[:1])

    check()
