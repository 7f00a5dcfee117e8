"""Diagnostics of a policy, against plain loops and known cases."""

import math

import numpy as np
import pytest

from ramnp.agent import model
from ramnp.agent.model import Trajectory
from ramnp.comparison import whole_image
from ramnp.learning import diagnostics, reinforce
from tests.helpers import small_config


def trajectory_of(locations, baseline=None, logits=None):
    """A trajectory of T glimpses at N images: (T, N, 2), (T - 1, N), (T, N, 3)."""
    T, N, _ = np.shape(locations)
    return Trajectory(
        locations=np.asarray(locations, np.float32),
        logits=np.zeros((T, N, 3)) if logits is None else logits,
        mu=np.zeros((T - 1, N, 2)),
        baseline=np.zeros((T - 1, N)) if baseline is None else baseline,
        caches={},
    )


def summary(trajectory, labels=None, **settings):
    N = trajectory.locations.shape[1]
    labels = np.zeros(N, int) if labels is None else labels
    behaviour = diagnostics.observe(trajectory, labels, small_config(**settings))
    return diagnostics.summarize(behaviour)


def test_a_fixed_location_has_no_spread_and_no_entropy():
    """The first location, which is not chosen, does not count."""
    locations = np.full((3, 40, 2), 0.3)
    locations[0] = np.random.default_rng(0).uniform(-1, 1, (40, 2))
    found = summary(trajectory_of(locations))
    assert found["location_spread"] == pytest.approx(0, abs=1e-6)
    assert found["location_entropy"] == 0


def test_a_uniform_choice_has_the_largest_entropy():
    """log2 100 bits for 100 cells, and the spread of the uniform distribution."""
    middles = (np.arange(10) + 0.5) / 5 - 1
    grid = np.stack(np.meshgrid(middles, middles), axis=-1).reshape(1, 100, 2)
    found = summary(trajectory_of(np.concatenate([0 * grid, grid])))
    assert found["location_entropy"] == pytest.approx(math.log2(100))
    assert found["location_spread"] == pytest.approx(middles.std(), rel=1e-6)


def test_out_of_frame_locations_count_in_the_nearest_cell():
    """Four corners have an entropy of two bits."""
    corners = [[[0, 0]] * 4, [[-1e30, -5], [5, -1], [-1, 1.01], [1e9, 1e9]]]
    assert summary(trajectory_of(corners))["location_entropy"] == pytest.approx(2)


def test_the_variance_that_the_baseline_explains(rng):
    """All of the return's, none of it, and half; a constant offset does not matter."""
    logits = rng.normal(size=(3, 500, 3))
    labels = rng.integers(3, size=500)
    settings = {"reward": "log-probability", "discount": 0.5}
    reward = reinforce.rewards(logits, labels, "log-probability")
    R = reinforce.returns_to_go(reward, 0.5)
    noise = rng.permutation(R.ravel()).reshape(R.shape)
    locations = np.zeros((3, 500, 2))
    for baseline, known in ((R + 3, 1), (0 * R, 0), (R / 2, 0.75), (R - noise, 0)):
        found = summary(trajectory_of(locations, baseline, logits), labels, **settings)
        assert found["explained_variance"] == pytest.approx(known, abs=1e-9)
        assert found["first_return"] == pytest.approx(R[0].mean())


def test_parts_sum_to_the_whole(rng):
    """Chunk by chunk or all at once gives the same Behaviour."""
    config = small_config()
    params = model.init(rng, config)
    images = rng.random((30, 11, 13), np.float32)
    labels = rng.integers(config.num_classes, size=30)
    whole = model.rollout(params, images, rng, config)
    behaviours = []
    for part in (slice(0, 7), slice(7, 30)):
        piece = model.replay(params, images[part], whole.locations[:, part], config)
        behaviours.append(diagnostics.observe(piece, labels[part], config))
    together = diagnostics.summarize(behaviours[0] + behaviours[1])
    alone = diagnostics.summarize(diagnostics.observe(whole, labels, config))
    assert together == pytest.approx(alone, rel=1e-4)
    assert all(value != 0 for value in alone.values())


@pytest.mark.parametrize("settings", [{"num_glimpses": 1}, {"model": "fc"}])
def test_without_a_choice_all_metrics_are_zero(settings, rng):
    """With one glimpse, or a comparison network."""
    config = small_config(image_height=11, image_width=13, **settings)
    chosen = whole_image if config.model == "fc" else model
    images = rng.random((5, 11, 13), np.float32)
    trajectory = chosen.rollout(chosen.init(rng, config), images, rng, config)
    behaviour = diagnostics.observe(trajectory, np.zeros(5, int), config)
    assert set(diagnostics.summarize(behaviour).values()) == {0}


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_non_finite_inputs_give_non_finite_metrics(value, rng):
    """In the locations or in the class probabilities."""
    locations = np.zeros((3, 4, 2))
    locations[1, 2, 0] = value
    found = summary(trajectory_of(locations))
    assert not math.isfinite(found["location_spread"])
    baseline = np.zeros((2, 4))
    baseline[0, 0] = value
    logits = rng.normal(size=(3, 4, 3))
    settings = {"reward": "log-probability"}
    found = summary(
        trajectory_of(0 * rng.normal(size=(3, 4, 2)), baseline, logits), **settings
    )
    assert not math.isfinite(found["explained_variance"])


def test_all_metrics_are_listed(rng):
    """METRICS has every name of a summary."""
    found = summary(trajectory_of(np.zeros((2, 3, 2))))
    assert found.keys() <= {*diagnostics.METRICS}
