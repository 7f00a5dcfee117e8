"""Rewards, returns, advantages, and the hybrid loss with its gradient."""

import dataclasses
import math

import numpy as np
import pytest
from scipy.stats import norm

from ramnp.agent import location_network, model, parameters
from ramnp.learning import optimizers, reinforce
from ramnp.proofs.complex_step import derivatives, failures, flat, nested
from tests import grid
from tests.helpers import order_one_tree, small_config
from tests.reference_trainer import advantages_of, loss_of, returns_of, roll_out

B, HEIGHT, WIDTH, CLASSES = 6, 10, 12, 5
STD = 0.2
# Each option that changes a loss term or a gradient path.
OPTIONS = {
    "paper": {},
    "shared core": {"policy_into_core": True, "baseline_into_core": True},
    "weights": {"policy_weight": 0.3, "baseline_weight": 0.7},
    "dense": {
        "classify_every_step": True,
        "reward": "gain",
        "discount": 0.5,
        "policy_into_core": True,
        "policy_weight": 0.1,
        "locator_hidden_size": 5,
        "locator_bound": "tanh",
    },
    "leave-one-out": {
        "reward": "log-probability",
        "baseline": "leave-one-out",
        "num_rollouts": 2,
    },
    "no baseline": {"baseline": "none"},
    "one glimpse": {"num_glimpses": 1, "policy_into_core": True},
}
every_option = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)


class Episode:
    """A batch that an agent has looked at, with its rewards, held fixed."""

    def __init__(self, rng, config):
        self.config = config
        self.params = order_one_tree(rng, model.init(rng, config))
        for name in ("W_h", "W_g"):
            self.params["core"][name] /= 4  # so that T steps don't grow
        self.params["location"]["W_mu"] /= 8
        self.params["action"]["W_a"] /= 4
        self.images = rng.random((B, HEIGHT, WIDTH))
        M = config.num_rollouts
        self.labels = np.tile(rng.integers(CLASSES, size=B), M)
        drawn = model.rollout(self.params, self.images, rng, config, num_rollouts=M)
        self.trajectory, self.locations = drawn, drawn.locations
        reward = reinforce.rewards(drawn.logits, self.labels, config.reward)
        self.R = reinforce.returns_to_go(reward, config.discount)
        self.advantage = reinforce.advantages(
            self.R, drawn.baseline, config.baseline, M
        )

    def losses(self, params, config=None):
        """Return the Losses of an agent that looks where this one looked."""
        config = config or self.config
        trajectory = model.replay(params, self.images, self.locations, config)
        fixed = self.labels, self.R, self.advantage
        losses, _ = reinforce.hybrid_loss_forward(trajectory, *fixed, config, STD)
        return losses

    def grads(self, config=None):
        """Return the gradients of the hybrid loss."""
        config = config or self.config
        fixed = self.labels, self.R, self.advantage
        _, cache = reinforce.hybrid_loss_forward(self.trajectory, *fixed, config, STD)
        douts = reinforce.hybrid_loss_backward(cache)
        return model.backward(*douts, self.trajectory, config)


@pytest.mark.parametrize("name", [n for n in grid.CONFIGS if "whole" not in n])
def test_the_learning_signal_equals_the_reference(rng, name):
    """Returns, advantages and losses, with the options and the σ that are given."""
    config, std, total = grid.CONFIGS[name], 0.4, 11
    params = grid.reference(config).params
    images, M = rng.random((3, 6, 5, *config.input_shape[2:])), config.num_rollouts
    labels = np.tile([2, 0, 1], M)
    seed = rng.integers(1000)
    signal = reinforce.learning_signal(
        model.rollout(
            nested(params), images, np.random.default_rng(seed), config, std, M
        ),
        labels,
        config,
        std,
        total,
    )
    rows = roll_out(params, images, np.random.default_rng(seed), config, std, M)
    R = [returns_of(row, label, config) for row, label in zip(rows, labels)]
    A = [advantages_of(rows, R, n, 3, config) for n in range(len(rows))]
    grid.assert_close(signal.R.T, R)
    grid.assert_close(signal.advantage.T, A)
    losses = [loss_of(*each, config, std) for each in zip(rows, labels, R, A)]
    grid.assert_close(signal.losses, np.sum(losses, axis=0) / total)


def test_final_reward_is_1_for_the_right_class_at_the_end(rng):
    """0 or 1 after the last glimpse and 0 before, for any earlier predictions."""
    logits = rng.standard_normal((3, B, CLASSES))
    labels = logits[-1].argmax(axis=-1)
    labels[::2] = (labels[::2] + 1) % CLASSES
    reward = reinforce.rewards(logits, labels, "final")
    assert reward.tolist() == [[0] * B, [0] * B, [0, 1] * (B // 2)]


def test_dense_rewards_are_log_probabilities_and_their_gains(rng):
    """log p(right class) after each glimpse, or what the glimpse added to it."""
    logits = rng.standard_normal((3, B, CLASSES))
    labels = rng.integers(CLASSES, size=B)
    log_p = np.empty((3, B))
    for t, n in np.ndindex(3, B):
        p = np.exp(logits[t, n])
        log_p[t, n] = math.log(p[labels[n]] / p.sum())
    reward = reinforce.rewards(logits, labels, "log-probability")
    assert np.allclose(reward, log_p)
    gain = reinforce.rewards(logits, labels, "gain")
    assert np.allclose(gain[1:], log_p[1:] - log_p[:-1])
    assert not gain[0].any()  # no choice led to it


@pytest.mark.parametrize("discount", [0.0, 0.5, 1.0])
def test_return_is_the_discounted_sum_of_what_a_choice_leads_to(rng, discount):
    """R_t = Σ_{s > t} γ^(s-t-1) r_s: the reward before a choice is not its own."""
    reward = rng.standard_normal((4, B))
    before = reward.copy()
    R = reinforce.returns_to_go(reward, discount)
    assert R.shape == (3, B)
    for t in range(3):
        terms = [discount ** (s - t - 1) * reward[s] for s in range(t + 1, 4)]
        assert np.allclose(R[t], sum(terms))
    assert np.array_equal(reward, before)
    assert reinforce.returns_to_go(reward[:1], discount).shape == (0, B)


def test_gains_add_up_to_what_all_glimpses_after_a_choice_brought(rng):
    """Undiscounted, the return is log p at the end minus log p before the choice."""
    logits = rng.standard_normal((4, B, CLASSES))
    labels = rng.integers(CLASSES, size=B)
    log_p = reinforce.rewards(logits, labels, "log-probability")
    R = reinforce.returns_to_go(reinforce.rewards(logits, labels, "gain"), 1.0)
    assert np.allclose(R, log_p[-1] - log_p[:-1])


def test_advantages(rng):
    """R minus the learned baseline, minus the mean of the other rollouts, or R."""
    R, baseline = rng.standard_normal((2, 3, 2 * B))
    assert np.array_equal(reinforce.advantages(R, baseline, "none", 2), R)
    learned = reinforce.advantages(R, baseline, "learned", 2)
    assert np.array_equal(learned, R - baseline)
    R = rng.standard_normal((3, 4 * B))
    left_out = reinforce.advantages(R, None, "leave-one-out", 4)
    for t, n in np.ndindex(R.shape):
        others = [R[t, m] for m in range(n % B, 4 * B, B) if m != n]
        assert left_out[t, n] == pytest.approx(R[t, n] - np.mean(others))


@every_option
def test_loss_is_the_formula(rng, options):
    """Each term, added up number by number over time and averaged over rows."""
    config = small_config(location_std=STD, **options)
    episode = Episode(rng, config)
    locations, logits, mu, baseline, _ = episode.trajectory
    T, N, _ = logits.shape
    cross_entropy = policy = squares = 0.0
    for t, n in np.ndindex(T, N):
        if config.classify_every_step or t == T - 1:
            p = np.exp(logits[t, n])
            cross_entropy -= math.log(p[episode.labels[n]] / p.sum())
        if t < T - 1:
            log_pi = norm.logpdf(locations[t + 1, n], mu[t, n], STD).sum()
            policy -= episode.advantage[t, n] * log_pi
            squares += (baseline[t, n] - episode.R[t, n]) ** 2
    losses = episode.losses(episode.params)
    assert losses.cross_entropy == pytest.approx(cross_entropy / N)
    assert losses.policy == pytest.approx(config.policy_weight * policy / N)
    assert losses.baseline == pytest.approx(config.baseline_weight * squares / N)
    terms = losses.cross_entropy + losses.policy + losses.baseline
    assert losses.total == pytest.approx(terms)


@every_option
def test_gradients_of_the_hybrid_loss(rng, options):
    """Under replay, each network's gradient is the derivative of its loss terms.

    Locations, returns and advantages stand fixed. Where an option keeps a loss term
    out of the core and the glimpse network, that term weighs nothing for them.
    """
    config = small_config(location_std=STD, **options)
    episode = Episode(rng, config)
    grads, params = flat(episode.grads()), flat(episode.params)
    below = dataclasses.replace(
        config,
        policy_weight=config.policy_weight * config.policy_into_core,
        baseline_weight=config.baseline_weight * config.baseline_into_core,
    )
    for networks, terms in (
        (("glimpse", "core"), below),
        (("location", "action", "baseline"), config),
    ):
        names = [name for name in params if name.startswith(networks)]

        def loss(arrays, terms=terms):
            return episode.losses(nested(params | arrays), terms).total

        expected = derivatives(loss, {name: params[name] for name in names})
        assert not failures({name: grads[name] for name in names}, expected)
    chooses = config.num_glimpses > 1
    assert np.any(grads["location.W_mu"]) == chooses


@every_option
def test_upstream_gradients_of_the_hybrid_loss(rng, options):
    """dlogits, dmu and dbaseline are the derivatives by what the agent returned."""
    config = small_config(location_std=STD, **options)
    episode = Episode(rng, config)
    fixed = episode.labels, episode.R, episode.advantage, config, STD
    trajectory = episode.trajectory
    outputs = {name: getattr(trajectory, name) for name in ("logits", "mu", "baseline")}

    def loss(arrays):
        moved = trajectory._replace(**arrays)
        return reinforce.hybrid_loss_forward(moved, *fixed)[0].total

    _, cache = reinforce.hybrid_loss_forward(trajectory, *fixed)
    douts = dict(zip(outputs, reinforce.hybrid_loss_backward(cache)))
    assert not failures(douts, derivatives(loss, outputs))


@every_option
def test_each_term_reaches_the_networks_that_it_may(rng, options):
    """The matrix loss x network, with exact zeros wherever no path is open.

    The policy loss leaves the baseline network at exactly 0, though a learned baseline
    is in its advantage; the cross-entropy leaves the location network at exactly 0.
    """
    config = small_config(location_std=STD, **options)
    episode = Episode(rng, config)
    trajectory = episode.trajectory
    silent = dataclasses.replace(config, policy_weight=0.0, baseline_weight=0.0)
    cross_entropy_alone = flat(episode.grads(silent))
    shared = ("core", "glimpse")
    policy_reaches = ("location", *(shared if config.policy_into_core else ()))
    baseline_reaches = ("baseline", *(shared if config.baseline_into_core else ()))
    rows = {
        "cross-entropy": (0.0, 0.0, ("action", *shared)),
        "policy": (1.0, 0.0, policy_reaches),
        "baseline": (0.0, 1.0, baseline_reaches),
    }
    for term, (policy_weight, baseline_weight, reaches) in rows.items():
        alone = dataclasses.replace(
            config, policy_weight=policy_weight, baseline_weight=baseline_weight
        )
        fixed = episode.labels, episode.R, episode.advantage, alone, STD
        _, cache = reinforce.hybrid_loss_forward(trajectory, *fixed)
        dlogits, dmu, dbaseline = reinforce.hybrid_loss_backward(cache)
        if term != "cross-entropy":
            dlogits = np.zeros_like(dlogits)
        grads = flat(model.backward(dlogits, dmu, dbaseline, trajectory, alone))
        for name, array in grads.items():
            if not name.startswith(reaches):
                assert not array.any(), (term, name)
            elif config.num_glimpses > 1 and name != "core.W_h":
                assert array.any(), (term, name)
    for name, array in cross_entropy_alone.items():
        assert name.startswith(("action", *shared)) or not array.any(), name


def test_only_the_last_step_is_classified_by_default(rng):
    """Earlier logits get a gradient of exactly 0, unless every step is classified."""
    for every_step in (False, True):
        config = small_config(classify_every_step=every_step)
        episode = Episode(rng, config)
        fixed = episode.labels, episode.R, episode.advantage, config, STD
        _, cache = reinforce.hybrid_loss_forward(episode.trajectory, *fixed)
        dlogits, _, _ = reinforce.hybrid_loss_backward(cache)
        assert dlogits[-1].all()
        assert dlogits[:-1].any() == every_step


def test_the_first_location_has_no_score(rng):
    """Moving the first, random location in the loss changes no policy term."""
    episode = Episode(rng, small_config(reward="log-probability"))
    trajectory = episode.trajectory
    moved = trajectory.locations.copy()
    moved[0] += 0.3
    fixed = episode.labels, episode.R, episode.advantage, episode.config, STD
    first, other = (
        reinforce.hybrid_loss_backward(
            reinforce.hybrid_loss_forward(trajectory._replace(locations=l), *fixed)[1]
        )
        for l in (trajectory.locations, moved)
    )
    assert len(episode.R) == len(first[1]) == len(trajectory.locations) - 1
    assert all(np.array_equal(one, two) for one, two in zip(first, other))


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "muon"])
def test_a_rewarded_choice_becomes_more_likely(rng, optimizer):
    """With reward 1 and baseline 0, a step raises log π of what was sampled.

    With reward -1 it lowers it: the minus of REINFORCE appears once.
    """
    for reward in (1.0, -1.0):
        episode = Episode(rng, small_config(baseline="none", location_std=STD))
        episode.R[...] = reward
        episode.advantage = reinforce.advantages(episode.R, None, "none", 1)
        vector, location = parameters.flatten({"location": episode.params["location"]})
        grads = {"location": episode.grads()["location"]}
        gradient, _ = parameters.flatten(grads)
        state = optimizers.init_state(optimizer, vector)
        shapes = parameters.shapes(grads)
        optimizers.OPTIMIZERS[optimizer].step(
            vector, gradient, state, 1e-5, 0.9, 1, shapes
        )
        log_pi = []
        for params in (episode.params, episode.params | location):
            seen = model.replay(
                params, episode.images, episode.locations, episode.config
            )
            log_pi.append(
                location_network.log_pi(episode.locations[1:], seen.mu, STD).sum()
            )
        assert np.sign(log_pi[1] - log_pi[0]) == reward


@pytest.mark.parametrize("baseline", ["learned", "none"])
def test_two_rollouts_give_the_mean_of_two_gradients(rng, baseline):
    """M = 2 is not one rollout with averaged rewards: gradients are averaged."""
    config = small_config(num_rollouts=2, baseline=baseline, policy_into_core=True)
    both = Episode(rng, config)
    total = 0
    for r in range(2):
        rows = slice(r * B, (r + 1) * B)
        locations = both.locations[:, rows]
        trajectory = model.replay(both.params, both.images, locations, config)
        labels = both.labels[rows]
        reward = reinforce.rewards(trajectory.logits, labels, config.reward)
        R = reinforce.returns_to_go(reward, config.discount)
        advantage = reinforce.advantages(R, trajectory.baseline, baseline, 1)
        fixed = labels, R, advantage, config, STD
        _, cache = reinforce.hybrid_loss_forward(trajectory, *fixed)
        douts = reinforce.hybrid_loss_backward(cache)
        grads = model.backward(*douts, trajectory, config)
        total = total + parameters.flatten(grads)[0]
    gradient, _ = parameters.flatten(both.grads())
    assert np.allclose(gradient, total / 2, rtol=1e-10, atol=1e-12)


def test_the_random_policy_has_no_loss_and_no_gradient(rng):
    """Class and baseline are trained as usual; the location network is unchanged."""
    config = small_config(policy="random", policy_into_core=True, reward="gain")
    episode = Episode(rng, config)
    losses, grads = episode.losses(episode.params), episode.grads()
    assert losses.policy == 0
    assert losses.cross_entropy > 0 and losses.baseline > 0
    for network, arrays in grads.items():
        for name, array in arrays.items():
            assert array.any() == (network != "location"), (network, name)


@pytest.mark.parametrize("kind", ["final", "log-probability", "gain"])
@pytest.mark.parametrize("baseline", ["learned", "leave-one-out", "none"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_in_is_dtype_out(rng, dtype, baseline, kind):
    """From rewards to upstream gradients, nothing widens float32."""
    config = small_config(
        reward=kind, baseline=baseline, num_rollouts=2, discount=0.5, policy_weight=0.1
    )
    params = model.init(rng, config, dtype)
    images = rng.random((B, HEIGHT, WIDTH)).astype(dtype)
    labels = rng.integers(CLASSES, size=2 * B)
    trajectory = model.rollout(params, images, rng, config, num_rollouts=2)
    reward = reinforce.rewards(trajectory.logits, labels, kind)
    R = reinforce.returns_to_go(reward, config.discount)
    advantage = reinforce.advantages(R, trajectory.baseline, baseline, 2)
    losses, cache = reinforce.hybrid_loss_forward(
        trajectory, labels, R, advantage, config, STD
    )
    douts = reinforce.hybrid_loss_backward(cache)
    arrays = [reward, R, advantage, *losses, *douts]
    assert {array.dtype for array in arrays} == {np.dtype(dtype)}
    shapes = [output.shape for output in trajectory[1:4]]
    assert [dout.shape for dout in douts] == shapes


def test_loss_stays_finite_far_from_the_mean(rng):
    """At a tiny σ the log-probability is finite and exact, where the density is 0."""
    episode = Episode(rng, small_config(reward="log-probability"))
    trajectory = episode.trajectory
    fixed = episode.labels, episode.R, episode.advantage, episode.config
    losses, cache = reinforce.hybrid_loss_forward(trajectory, *fixed, 0.001)
    assert np.isfinite(losses.total)
    assert all(
        np.isfinite(dout).all() for dout in reinforce.hybrid_loss_backward(cache)
    )
