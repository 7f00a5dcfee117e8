"""The comparison networks see the whole image and learn by cross-entropy alone."""

import numpy as np
import pytest

from ramnp.agent import parameters
from ramnp.comparison import whole_image
from ramnp.learning import reinforce
from ramnp.proofs.complex_step import derivatives, failures, flat, nested
from ramnp.support.errors import UserError
from tests import grid
from tests.helpers import order_one_tree, small_config
from tests.reference_trainer import initial_params, roll_out

B, HEIGHT, WIDTH, CLASSES = 3, 6, 5, 4
MODELS = ["fc", "conv"]
# What trains the agent in any way must not reach a baseline.
REWARDED = {
    "classify_every_step": True,
    "reward": "gain",
    "policy_into_core": True,
    "baseline_into_core": True,
}


def small_baseline(model, **changes):
    """Return settings of a comparison network whose dimensions all differ."""
    settings = {
        "model": model,
        "image_height": HEIGHT,
        "image_width": WIDTH,
        "num_classes": CLASSES,
        "fc_size": 9,
        "num_filters": 2,
        "filter_size": 3,
        "filter_stride": 2,
    }
    return small_config(**(settings | changes))


def drawn(rng, config):
    """Parameters and images of order 1, and labels."""
    params = order_one_tree(rng, whole_image.init(rng, config, np.float64))
    labels = rng.integers(CLASSES, size=B)
    return params, rng.standard_normal((B, HEIGHT, WIDTH)), labels


@pytest.mark.parametrize("name", [n for n in grid.CONFIGS if "whole" in n])
def test_it_equals_the_reference(rng, name):
    """Initial parameters, and the logits of two rollouts, row by row."""
    config = grid.CONFIGS[name]
    params = initial_params(config, np.random.default_rng(5))
    drawn = whole_image.init(np.random.default_rng(5), config, np.float64)
    assert all(np.array_equal(flat(drawn)[name], params[name]) for name in params)
    assert parameters.shapes(drawn) == whole_image.shapes(config)
    images = rng.random((3, *config.input_shape))
    ours = whole_image.rollout(drawn, images, None, config, None, 2)
    rows = roll_out(params, images, None, config, None, 2)
    grid.assert_close(ours.logits[0], [row.logits[0] for row in rows])


@pytest.mark.parametrize("rollouts", [1, 3])
@pytest.mark.parametrize("model", MODELS)
def test_a_trajectory_of_one_step_without_a_choice(rng, model, rollouts):
    """Logits (1, N, classes), no location, no mean, no baseline; rollouts agree."""
    config = small_baseline(model)
    params, images, _ = drawn(rng, config)
    trajectory = whole_image.rollout(params, images, rng, config, 0.1, rollouts)
    N = rollouts * B
    assert trajectory.locations.shape == trajectory.mu.shape == (0, N, 2)
    assert trajectory.logits.shape == (1, N, CLASSES)
    assert trajectory.baseline.shape == (0, N)
    logits = trajectory.logits.reshape(rollouts, B, CLASSES)
    assert np.allclose(logits, logits[0])
    assert len({tuple(row) for row in logits[0]}) == B


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("settings", [{}, REWARDED], ids=["the paper's", "rewarded"])
@pytest.mark.parametrize("rollouts", [1, 2])
def test_the_hybrid_loss_is_the_cross_entropy_and_its_gradients_are_proved(
    rng, model, settings, rollouts
):
    """The training loop's gradients, against the complex step."""
    config = small_baseline(model, num_rollouts=rollouts, **settings)
    params, images, labels = drawn(rng, config)
    labels = np.tile(labels, rollouts)

    def forward(tree):
        trajectory = whole_image.rollout(
            tree, images, None, config, num_rollouts=rollouts
        )
        reward = reinforce.rewards(trajectory.logits, labels, config.reward)
        R = reinforce.returns_to_go(reward, config.discount)
        advantage = reinforce.advantages(R, trajectory.baseline, "learned", rollouts)
        losses, cache = reinforce.hybrid_loss_forward(
            trajectory, labels, R, advantage, config, 0.2
        )
        return losses, cache, trajectory

    def cross_entropy(arrays):
        logits = whole_image.rollout(nested(arrays), images, None, config).logits[0]
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        return -np.log(p[np.arange(B), labels[:B]]).mean()

    losses, cache, trajectory = forward(params)
    assert losses.policy == losses.baseline == 0
    assert np.isclose(losses.total, cross_entropy(flat(params)))
    douts = reinforce.hybrid_loss_backward(cache)
    grads = whole_image.backward(*douts, trajectory, config)
    assert parameters.shapes(grads) == parameters.shapes(params)
    assert not failures(flat(grads), derivatives(cross_entropy, flat(params)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("model", MODELS)
def test_the_dtype_goes_through(rng, model, dtype):
    """The dtype chosen at init is that of all outputs, gradients included."""
    config = small_baseline(model)
    params = whole_image.init(rng, config, dtype)
    images = rng.random((B, HEIGHT, WIDTH)).astype(dtype)
    trajectory = whole_image.rollout(params, images, rng, config)
    grads = whole_image.backward(*trajectory[1:4], trajectory, config)
    for array in (*trajectory[:4], *flat(params).values(), *flat(grads).values()):
        assert array.dtype == dtype


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"fc_size": 11, "num_classes": 3},
        {"canvas_size": 13, "filter_size": 4},
        {"num_filters": 5, "filter_stride": 1},
        {"filter_size": 5, "filter_stride": 3},
    ],
)
@pytest.mark.parametrize("model", MODELS)
def test_parameters_are_counted_without_being_drawn(rng, model, settings):
    """num_parameters says how many init draws."""
    config = small_baseline(model, **settings)
    vector, _ = parameters.flatten(whole_image.init(rng, config))
    assert parameters.size(whole_image.shapes(config)) == len(vector)


@pytest.mark.parametrize(
    ("model", "scene", "count"),
    [
        ("fc", {}, 785 * 256 + 257 * 256 + 257 * 10),
        ("fc", {"canvas_size": 60, "fc_size": 64}, 3601 * 64 + 65 * 64 + 65 * 10),
        ("conv", {}, 101 * 16 + (4 * 4 * 16 + 1) * 256 + 257 * 10),
        ("conv", {"canvas_size": 60}, 101 * 16 + (11**2 * 16 + 1) * 256 + 257 * 10),
    ],
)
def test_the_defaults_are_the_papers_comparison_networks(model, scene, count):
    """2 x 64 or 2 x 256 units; 16 filters of 10 x 10 every 5 pixels, then 256."""
    config = small_config(model=model, num_classes=10, **scene)
    assert parameters.size(whole_image.shapes(config)) == count


@pytest.mark.parametrize("model", MODELS)
def test_images_of_another_size_are_one_line(rng, model):
    """Unlike the agent, a comparison network is made for one size."""
    config = small_baseline(model)
    params, _, _ = drawn(rng, config)
    images = rng.random((B, WIDTH, HEIGHT))
    with pytest.raises(UserError, match="5 x 6 pixels: .* takes 6 x 5$"):
        whole_image.rollout(params, images, rng, config)
