"""The agent through time: what it looks at, what it returns, what its gradients are."""

import numpy as np
import pytest
from scipy import stats

from ramnp.agent import (
    location_network,
    model,
    parameters,
)
from ramnp.learning import optimizers
from ramnp.proofs.complex_step import derivatives, failures, flat, nested
from tests import grid
from tests.helpers import count_bytecodes, layout, order_one_tree, small_config
from tests.reference_trainer import initial_params, roll_out

B, HEIGHT, WIDTH = 5, 10, 12
OPTIONS = [
    {},
    {"policy_into_core": True},
    {"baseline_into_core": True},
    {
        "policy_into_core": True,
        "baseline_into_core": True,
        "locator_hidden_size": 5,
        "locator_bound": "tanh",
    },
]


def agent(rng, config, count=B):
    """Parameters and images of order 1."""
    params = order_one_tree(rng, model.init(rng, config))
    for name in ("W_h", "W_g"):
        params["core"][name] /= 4  # so that T steps don't grow beyond order 1
    params["location"]["W_mu"] /= 8
    return params, rng.random((count, HEIGHT, WIDTH))


def upstream(rng, trajectory):
    """Random gradients of what an agent returns: dlogits, dmu, dbaseline."""
    outputs = trajectory.logits, trajectory.mu, trajectory.baseline
    return [rng.standard_normal(output.shape) for output in outputs]


def assert_close_trees(actual, expected):
    """Equal names, and arrays that are equal but for rounding."""
    actual, expected = flat(actual), flat(expected)
    assert actual.keys() == expected.keys()
    for name, array in expected.items():
        assert np.allclose(actual[name], array, rtol=1e-10, atol=1e-11), name


@pytest.mark.parametrize("name", [n for n in grid.CONFIGS if "whole" not in n])
def test_a_rollout_equals_the_reference(rng, name):
    """Locations, means, baselines and logits, row by row and glimpse by glimpse."""
    config = grid.CONFIGS[name]
    params = grid.reference(config).params
    init = np.random.default_rng(config.seed)
    drawn = model.init(init, config, np.float64)
    assert parameters.shapes(drawn) == model.shapes(config)
    drawn = flat(drawn)
    expected = initial_params(config, np.random.default_rng(config.seed))
    assert all(np.array_equal(drawn[name], expected[name]) for name in expected)
    images = rng.random((3, 6, 5, *config.input_shape[2:]))
    for draws in (True, False):
        one, other = (np.random.default_rng(5) if draws else None for _ in range(2))
        ours = model.rollout(nested(params), images, one, config, 0.4, 2)
        rows = roll_out(params, images, other, config, 0.4, 2)
        for field in ("locations", "logits", "mu", "baseline"):
            expected = np.array([getattr(row, field) for row in rows])
            grid.assert_close(getattr(ours, field), expected.swapaxes(0, 1))


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("T", [1, 2, 4])
def test_shapes(rng, T, options):
    """T glimpses give T logits, T - 1 means and T - 1 baselines."""
    config = small_config(num_glimpses=T, **options)
    params, images = agent(rng, config)
    trajectory = model.rollout(params, images, rng, config, num_rollouts=3)
    N = 3 * B
    assert trajectory.locations.shape == (T, N, 2)
    assert trajectory.logits.shape == (T, N, config.num_classes)
    assert trajectory.mu.shape == (T - 1, N, 2)
    assert trajectory.baseline.shape == (T - 1, N)
    grads = model.backward(*upstream(rng, trajectory), trajectory, config)
    assert parameters.shapes(grads) == parameters.shapes(params)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("first_glimpse", ["random", "center", "near-center"])
@pytest.mark.parametrize("rollouts", [1, 3])
def test_rollout_then_replay_gives_the_same_bits(rng, first_glimpse, dtype, rollouts):
    """Replay at the locations of a rollout repeats it, with all options."""
    config = small_config(first_glimpse=first_glimpse, locator_hidden_size=5)
    params = model.init(rng, config, dtype)
    images = rng.random((B, HEIGHT, WIDTH)).astype(dtype)
    drawn = model.rollout(params, images, rng, config, num_rollouts=rollouts)
    again = model.replay(params, images, drawn.locations, config)
    for one, other in zip(drawn[:4], again[:4]):
        assert one.tobytes() == other.tobytes()
    douts = [dout.astype(dtype) for dout in upstream(rng, drawn)]
    grads, grads_again = (
        flat(model.backward(*douts, trajectory, config))
        for trajectory in (drawn, again)
    )
    assert all(np.array_equal(grads[name], grads_again[name]) for name in grads)


@pytest.mark.parametrize("options", OPTIONS)
def test_permuting_the_batch_permutes_everything(rng, options):
    """No example meets another one's location, class, mean or baseline."""
    config = small_config(**options)
    params, images = agent(rng, config)
    locations = rng.uniform(-1, 1, (config.num_glimpses, B, 2))
    trajectory = model.replay(params, images, locations, config)
    order = [3, 0, 4, 2, 1]
    permuted = model.replay(params, images[order], locations[:, order], config)
    for output, expected in zip(permuted[:4], trajectory[:4]):
        assert np.allclose(output, expected[:, order], rtol=0, atol=1e-12)
    douts = upstream(rng, trajectory)
    assert_close_trees(
        model.backward(*(dout[:, order] for dout in douts), permuted, config),
        model.backward(*douts, trajectory, config),
    )


@pytest.mark.parametrize("options", OPTIONS)
def test_a_batch_equals_its_examples_one_by_one(rng, options):
    """Outputs are those of batches of 1, gradients their sum."""
    config = small_config(**options)
    params, images = agent(rng, config)
    locations = rng.uniform(-1, 1, (config.num_glimpses, B, 2))
    trajectory = model.replay(params, images, locations, config)
    douts = upstream(rng, trajectory)
    total = {}
    for n in range(B):
        one = model.replay(params, images[[n]], locations[:, [n]], config)
        for output, expected in zip(one[:4], trajectory[:4]):
            assert np.allclose(output, expected[:, [n]], rtol=0, atol=1e-12)
        grads = model.backward(*(dout[:, [n]] for dout in douts), one, config)
        total = {k: total.get(k, 0) + array for k, array in flat(grads).items()}
    assert_close_trees(model.backward(*douts, trajectory, config), nested(total))


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
def test_dtype_in_is_dtype_out(rng, dtype, options):
    """Nothing in a rollout or on the way back widens float32."""
    config = small_config(background=0.5, **options)
    params = model.init(rng, config, dtype)
    images = rng.random((B, HEIGHT, WIDTH)).astype(dtype)
    for generator in (rng, None):
        trajectory = model.rollout(params, images, generator, config)
        assert {output.dtype for output in trajectory[:4]} == {np.dtype(dtype)}
    douts = [dout.astype(dtype) for dout in upstream(rng, trajectory)]
    grads = model.backward(*douts, trajectory, config)
    for network in params:
        assert layout(grads[network]) == layout(params[network])


def test_complex_numbers_pass_through(rng):
    """With complex parameters, the real parts of all outputs are as before."""
    config = small_config(locator_bound="tanh")
    params, images = agent(rng, config)
    locations = rng.uniform(-1, 1, (config.num_glimpses, B, 2))
    trajectory = model.replay(params, images, locations, config)
    raised = {k: array + 1e-20j for k, array in flat(params).items()}
    complex_trajectory = model.replay(nested(raised), images, locations, config)
    for output, expected in zip(complex_trajectory[1:4], trajectory[1:4]):
        assert output.dtype == np.complex128
        assert np.allclose(output.real, expected, rtol=0, atol=1e-12)
        assert np.all(output.imag)


def test_gradients_through_time(rng):
    """With every path open, the gradients are the derivatives of the whole unrolling."""
    config = small_config(**OPTIONS[-1])
    params, images = agent(rng, config)
    locations = rng.uniform(-1, 1, (config.num_glimpses, B, 2))

    def replay(arrays):
        return model.replay(nested(arrays), images, locations, config)

    trajectory = replay(flat(params))
    douts = upstream(rng, trajectory)

    def loss(arrays):
        return sum((d * y).sum() for d, y in zip(douts, replay(arrays)[1:4]))

    grads = flat(model.backward(*douts, trajectory, config))
    assert not failures(grads, derivatives(loss, flat(params)))


PATHS = {
    "logits": {"glimpse", "core", "action"},
    "mu": {"location"},
    "baseline": {"baseline"},
}


@pytest.mark.parametrize("options", OPTIONS)
def test_gradient_paths(rng, options):
    """Class, mean and baseline train exactly the networks that the options allow.

    Everything else gets a gradient of exactly 0: no class reaches the location network
    by the sampled location or by where it was, no policy or baseline the core, unless
    the option of that name says so.
    """
    config = small_config(**options)
    allowed = {output: set(networks) for output, networks in PATHS.items()}
    if config.policy_into_core:
        allowed["mu"] |= {"core", "glimpse"}
    if config.baseline_into_core:
        allowed["baseline"] |= {"core", "glimpse"}
    params, images = agent(rng, config)
    trajectory = model.rollout(params, images, rng, config)
    douts = upstream(rng, trajectory)
    for i, output in enumerate(PATHS):
        alone = [dout * (i == j) for j, dout in enumerate(douts)]
        grads = model.backward(*alone, trajectory, config)
        for network, arrays in grads.items():
            for name, array in arrays.items():
                taught = network in allowed[output]
                assert array.any() == taught, (output, network, name)


def test_a_single_glimpse_chooses_nothing(rng):
    """At T = 1 location and baseline networks get gradients of 0, with any option."""
    for options in OPTIONS:
        config = small_config(num_glimpses=1, **options)
        params, images = agent(rng, config)
        trajectory = model.rollout(params, images, rng, config)
        grads = model.backward(*upstream(rng, trajectory), trajectory, config)
        for key, array in flat(grads).items():
            # The recurrence is idle too: h_0 = 0.
            idle = key.startswith(("location", "baseline", "core.W_h"))
            assert array.any() != idle, key


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("T", [1, 6])
def test_parameter_count_is_the_formula(rng, T, options):
    """Weights are shared by all steps: their number does not depend on T."""
    config = small_config(num_glimpses=T, **options)
    rho = config.num_scales * config.patch_size**2
    hg, hl, g, h = config.hg_size, config.hl_size, config.g_size, config.h_size
    hidden, classes = config.locator_hidden_size, config.num_classes
    locator = h * 2 + 2
    if hidden:
        locator = h * hidden + hidden + hidden * 2 + 2
    expected = (
        (rho * hg + hg + 2 * hl + hl + (hg + hl) * g + g)
        + (h * h + g * h + h)
        + locator
        + (h * classes + classes)
        + (h + 1)
    )
    vector, _ = parameters.flatten(model.init(rng, config))
    assert len(vector) == expected


def test_deterministic_rollout_repeats_and_draws_nothing(rng):
    """Without a generator each location is the mean, the first one the centre."""
    for first_glimpse in ("random", "center", "near-center"):
        config = small_config(first_glimpse=first_glimpse, num_rollouts=2)
        params, images = agent(rng, config)
        first, again = (
            model.rollout(params, images, None, config, num_rollouts=2) for _ in "12"
        )
        assert not first.locations[0].any()
        assert np.array_equal(first.locations[1:], first.mu)
        assert np.array_equal(first.locations[:, :B], first.locations[:, B:])
        for one, other in zip(first[:4], again[:4]):
            assert one.tobytes() == other.tobytes()


def test_rollouts_draw_from_the_generator_given(rng):
    """The same generator state gives the same locations; another gives different ones."""
    config = small_config()
    params, images = agent(rng, config)
    first, again, other = (
        model.rollout(params, images, np.random.default_rng(seed), config)
        for seed in (1, 1, 2)
    )
    assert np.array_equal(first.locations, again.locations)
    assert not np.any(first.locations == other.locations)


def test_first_glimpse_is_anywhere_or_at_the_centre(rng):
    """random is uniform over the whole image in x and y; center is (0, 0)."""
    config = small_config(num_glimpses=1)
    params, images = agent(rng, config)
    l = model.rollout(params, images, rng, config, num_rollouts=2000).locations[0]
    for axis in (0, 1):
        counts, _ = np.histogram(l[:, axis], bins=8, range=(-1, 1))
        assert counts.sum() == len(l) and counts.min() > 0.9 * len(l) / 8
    assert abs(np.corrcoef(l.T)[0, 1]) < 0.05
    config = small_config(num_glimpses=1, first_glimpse="center")
    assert not model.rollout(params, images, rng, config).locations.any()


@pytest.mark.parametrize("policy", ["learned", "random"])
def test_first_glimpse_near_the_centre_has_the_noise_of_the_policy(rng, policy):
    """It is Gaussian around (0, 0), with the σ of the rollout, not the settings'."""
    config = small_config(num_glimpses=2, first_glimpse="near-center", policy=policy)
    params, images = agent(rng, config)
    std = 2 * config.location_std
    l = model.rollout(params, images, rng, config, std, num_rollouts=2000).locations[0]
    assert stats.kstest((l / std).ravel(), "norm").pvalue > 1e-3
    assert abs(np.corrcoef(l.T)[0, 1]) < 0.05


@pytest.mark.parametrize("first_glimpse", ["random", "center"])
def test_the_random_policy_looks_anywhere_at_every_glimpse(rng, first_glimpse):
    """Uniform and independent, whatever the mean and σ; only the first has a choice."""
    config = small_config(policy="random", first_glimpse=first_glimpse, num_glimpses=3)
    params, images = agent(rng, config)
    params["location"]["b_mu"][:] = 5.0
    l = model.rollout(params, images, rng, config, 9.0, num_rollouts=800).locations
    assert l[0].any() == (first_glimpse == "random")
    for axis in (0, 1):
        for t in (1, 2):
            counts, _ = np.histogram(l[t, :, axis], bins=8, range=(-1, 1))
            assert counts.sum() == l.shape[1] and counts.min() > 0.85 * l.shape[1] / 8
        assert abs(np.corrcoef(l[1, :, axis], l[2, :, axis])[0, 1]) < 0.1
    assert not model.rollout(params, images, None, config).locations.any()


def constant_policy(rng, config, mean):
    """Parameters of an agent whose policy has this mean everywhere."""
    params = model.init(rng, config, np.float64)
    for array in params["location"].values():
        array[...] = 0
    params["location"]["b_mu"][...] = mean
    return params


def test_location_std_is_the_configured_one_or_the_one_given(rng):
    """It is a standard deviation in units of l, in x and in y, at each later step."""
    config = small_config(location_std=0.3)
    params, images = constant_policy(rng, config, 0.0), np.zeros((1, 6, 6))
    for given, expected in ((None, 0.3), (0.05, 0.05)):
        drawn = model.rollout(params, images, rng, config, given, num_rollouts=4000)
        assert np.allclose(drawn.locations[1:].std(axis=1), expected, rtol=0.05)


@pytest.mark.parametrize("mean", [0.0, 0.5, 0.9])
def test_mean_score_of_a_rollout_is_zero_up_to_the_border(rng, mean):
    """The locations that are scored are the raw samples, beyond the border too."""
    config = small_config(num_glimpses=2, location_std=0.17)
    params, images = constant_policy(rng, config, mean), np.zeros((1, 6, 6))
    drawn = model.rollout(params, images, rng, config, num_rollouts=20_000)
    l = drawn.locations[1:]
    assert mean < 0.9 or (l > 1).mean() > 0.2
    score = location_network.score(l, drawn.mu, config.location_std)
    assert abs(score.mean()) < 4 / 0.17 / np.sqrt(l.size)


@pytest.mark.parametrize(
    "bound, start", [("none", 4.0), ("tanh", 2.0), ("hard-tanh", 0.99)]
)
def test_a_mean_pushed_far_out_returns_under_training(rng, bound, start):
    """Nothing but a hard tanh clips the mean: its gradient is there to bring it back."""
    config = small_config(locator_bound=bound, num_glimpses=2)
    params, images = constant_policy(rng, config, start), np.zeros((1, 6, 6))
    b_mu = params["location"]["b_mu"]
    b_mu[1] *= -1
    state = optimizers.init_state("sgd", b_mu)
    for _ in range(300):
        drawn = model.rollout(params, images, rng, config, num_rollouts=50)
        l = drawn.locations[1:]
        R = -(l**2).sum(axis=-1)  # the centre is best
        advantage = R - R.mean()
        score = location_network.score(l, drawn.mu, config.location_std)
        dmu = -score * advantage[..., None] / len(l[0])
        douts = np.zeros_like(drawn.logits), dmu, np.zeros_like(R)
        db_mu = model.backward(*douts, drawn, config)["location"]["b_mu"]
        optimizers.sgd_step(b_mu, db_mu, state, 0.03, 0.5, 0)
    assert np.abs(b_mu).max() < 0.3


def test_parameters_and_images_are_only_read(rng):
    """A pass forward and back writes over nothing that it is given."""
    config = small_config(**OPTIONS[-1])
    params, images = agent(rng, config)
    locations = rng.uniform(-1, 1, (config.num_glimpses, B, 2))
    inputs = [images, locations, *flat(params).values()]
    for array in inputs:
        array.flags.writeable = False
    trajectory = model.replay(params, images, locations, config)
    douts = upstream(rng, trajectory)
    for array in (*douts, *trajectory[:4]):
        array.flags.writeable = False
    first = flat(model.backward(*douts, trajectory, config))
    again = flat(model.backward(*douts, trajectory, config))
    assert all(np.array_equal(first[name], again[name]) for name in first)


def test_no_python_loop_over_the_batch(rng):
    """Python executes as much for 32 images as for 2, forward and back."""
    config = small_config(**OPTIONS[-1])

    def step(count):
        params, images = agent(rng, config, count)
        trajectory = model.rollout(params, images, rng, config, num_rollouts=2)
        model.backward(*upstream(rng, trajectory), trajectory, config)

    step(2)
    assert count_bytecodes(lambda: step(32)) == count_bytecodes(lambda: step(2))
