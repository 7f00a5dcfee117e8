"""The problems are hard enough: nothing is equal, 0 or left out by chance."""

import numpy as np
import pytest

from ramnp.agent import location_network, model
from ramnp.learning import reinforce
from ramnp.learning.config import Config
from ramnp.proofs import subjects
from ramnp.proofs.complex_step import flat

EVERYTHING = subjects.LAYERS | subjects.NETWORKS | subjects.AGENT
# One glimpse makes no choice of a location, and the core's recurrence sees h_0 = 0.
ONE_GLIMPSE = {
    *("location.W_mu", "location.b_mu", "baseline.W_b", "baseline.b_b", "core.W_h")
}


@pytest.mark.parametrize("name", EVERYTHING)
def test_every_gradient_shows(name):
    """Each tensor has a gradient of its shape that is not 0; its values are of order 1.

    Weights and inputs of order 1 let small mistakes show. Another seed gives others.
    """
    subject, other = (subjects.draw(EVERYTHING[name], seed) for seed in (0, 1))
    gradients = subject.gradients()
    assert gradients.keys() == subject.arrays.keys()
    for tensor, array in subject.arrays.items():
        assert array.dtype == gradients[tensor].dtype == np.float64
        assert array.shape == gradients[tensor].shape
        assert 0.1 < np.sqrt((array**2).mean()) < 3
        assert not np.array_equal(array, other.arrays[tensor])
    zero = {tensor for tensor, gradient in gradients.items() if not gradient.any()}
    assert zero == (ONE_GLIMPSE if name == "hybrid loss, one glimpse" else set())


def test_loss_takes_any_precision():
    """One forward pass serves float32, float64 and complex128."""
    subject = subjects.draw(subjects.AGENT["hybrid loss, all at once"], seed=0)
    elsewhere = {name: a + 0.1 for name, a in subject.arrays.items()}
    exact = subject.loss(elsewhere)
    for dtype, tolerance in ((np.float32, 1e-4), (np.complex128, 1e-14)):
        arrays = {name: a.astype(dtype) for name, a in elsewhere.items()}
        assert abs(subject.loss(arrays) - exact) < tolerance * abs(exact)


def test_dimensions_all_differ():
    """No two axes have the same length, so that none can be taken for another."""
    config = subjects.small_config(locator_hidden_size=11, num_rollouts=3)
    drawn = subjects.episode(np.random.default_rng(0), config)
    T, N, xy = drawn.locations.shape
    B, height, width = drawn.images.shape
    rho = config.num_scales * config.patch_size**2
    sizes = [T, N, xy, T - 1, B, height, width, rho, config.num_classes]
    sizes += [config.hg_size, config.hl_size, config.g_size, config.h_size]
    sizes.append(config.locator_hidden_size)
    assert len(set(sizes)) == len(sizes)


def test_some_locations_lie_beyond_the_border():
    """Samples are not clipped; inside the image a clip would not show."""
    drawn = subjects.episode(np.random.default_rng(0), subjects.small_config())
    assert (np.abs(drawn.locations) > 1).any()


def test_settings_open_every_path():
    """Each option that changes a gradient path is proved, alone or with others."""
    proved = {
        (name, value)
        for settings in subjects.SETTINGS.values()
        for name, value in settings.items()
    }
    paths = "policy_into_core", "baseline_into_core"
    for name in (*paths, "classify_every_step"):
        assert (name, True) in proved
    for bound in location_network.BOUNDS:
        assert bound == "none" or ("locator_bound", bound) in proved
    assert {"locator_hidden_size", "num_rollouts", "discount"} <= dict(proved).keys()
    rewards = {value for name, value in proved if name == "reward"}
    ours = {
        k for k, f in reinforce.REWARDS.items() if f.__module__ == reinforce.__name__
    }
    assert rewards | {Config().reward} == ours


def test_a_cut_path_moves_nothing():
    """A coordinate below a cut path changes the loss through its own term alone."""
    subject = subjects.draw(subjects.AGENT["hybrid loss, the paper's"], seed=0)
    whole = subjects.draw(subjects.AGENT["hybrid loss, policy into core"], seed=0)
    moved = {name: array.copy() for name, array in subject.arrays.items()}
    moved["core.b_h"] += 0.1
    assert subject.loss(subject.arrays) == 0 != subject.loss(moved)
    assert subject.loss(moved) != whole.loss(moved)
    above = {name: array.copy() for name, array in subject.arrays.items()}
    above["location.b_mu"] += 0.1
    assert subject.loss(above) == whole.loss(above)


def test_all_of_the_agent_is_there():
    """Every parameter of the agent is a tensor of its proofs."""
    subject = subjects.draw(subjects.AGENT["hybrid loss, all at once"], seed=0)
    config = subjects.small_config(locator_hidden_size=11)
    params = flat(model.init(np.random.default_rng(0), config))
    assert subject.arrays.keys() == params.keys()
