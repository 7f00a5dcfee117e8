"""The loop: honest sums, the schedules, and what stops it."""

import copy

import numpy as np
import pytest

from ramnp.agent import model
from ramnp.datasets import scenes
from ramnp.learning import reinforce
from ramnp.learning.state import initial
from ramnp.learning.trainer import Trainer
from ramnp.runs.workers import Workers
from ramnp.support.errors import DivergenceError
from tests.helpers import relative_error, tiny_config, wrong_of


def test_a_step_moves_the_streams_of_the_shards_it_used(digits):
    """And of no other: a short last batch of one image is one shard."""
    config = tiny_config(batch_size=89)
    now = initial(config, 90)
    trainer = Trainer(config, digits.train, now)
    for moved in ([True, True], [True, False]):
        before = [now.streams_of(shard)["policy"] for shard in (0, 1)]
        trainer.step()
        after = [now.streams_of(shard)["policy"] for shard in (0, 1)]
        assert [b != a for b, a in zip(before, after)] == moved


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("augmented", [{"deformation": 2.0}, {"max_shift": 2}])
def test_in_its_plain_epochs_digits_are_as_they_are(augmented, threads, digits):
    """The last epoch of three is plain: until then, the run is the one that bends or
    moves digits to the end, and from there on the one that never does, whoever works
    on the shards.
    """

    def trained(epochs, now=None, **changes):
        config = tiny_config(epochs=3, **augmented | changes)
        now = now or initial(config, 90)
        with Workers(threads, config, digits.train, now.vector) as workers:
            trainer = Trainer(config, digits.train, now, workers)
            for _ in range(epochs):
                for _ in range(trainer.steps_per_epoch):
                    trainer.step()
                trainer.end_epoch(wrong_of(trainer.agent))
        return now

    always, plain = trained(2), trained(2, plain_share=0.4)
    assert np.array_equal(plain.vector, always.vector)
    assert not np.array_equal(trained(2, plain_share=0.6).vector, always.vector)
    never = dict.fromkeys(augmented, 0)
    go_on = {"plain": {"plain_share": 0.4}, "never": never, "always": {}}
    ends = {
        name: trained(1, copy.deepcopy(plain), **changes).vector
        for name, changes in go_on.items()
    }
    assert np.array_equal(ends["plain"], ends["never"])
    assert not np.array_equal(ends["plain"], ends["always"])


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "muon"])
def test_weights_decay_with_the_rate_of_the_step(optimizer, digits):
    """After one step the weights differ from those of a run without decay by rate ·
    decay of what they were, whichever the optimiser; biases not at all.
    """
    decay, trees = 0.4, []
    for weight_decay in (0.0, decay):
        config = tiny_config(optimizer=optimizer, weight_decay=weight_decay)
        now = initial(config, 90)
        trainer = Trainer(config, digits.train, now)
        start = copy.deepcopy(trainer.params)
        shrink = trainer.learning_rate * decay
        trainer.step()
        trees.append(trainer.params)
    for network, arrays in start.items():
        for name, array in arrays.items():
            less = trees[0][network][name] - trees[1][network][name]
            expected = shrink * array if array.ndim > 1 else 0 * array
            np.testing.assert_allclose(less, expected, atol=1e-6)


@pytest.mark.parametrize("num_shards", [1, 2, 3, 24])
def test_shards_make_up_the_gradient_of_the_whole_batch(
    num_shards, digits, monkeypatch
):
    """Cut into shards, a batch of 24 and the short one of 18 give the mean over it."""
    config = tiny_config(num_shards=num_shards, final_location_std=0.0)
    now = initial(config, 90)
    trainer = Trainer(config, digits.train, now)
    seen = []
    rollout = model.rollout

    def remember(params, images, *arguments):
        trajectory = rollout(params, images, *arguments)
        seen.append((images, trajectory.locations))
        return trajectory

    monkeypatch.setattr(model, "rollout", remember)
    for position, size in ((0, 24), (3, 18)):
        seen.clear()
        now.position = position
        before = now.vector.copy()
        trainer.step()
        taken = trainer.gradients[0].copy()
        moved, now.vector[:] = now.vector.copy(), before
        images = np.concatenate([i for i, _ in seen])
        locations = np.concatenate([l for _, l in seen], axis=1)
        batch = now.order[position * 24 : position * 24 + 24]
        assert len(images) == len(batch) == size
        labels = digits.train.labels[batch].astype(np.intp)
        whole = gradient(trainer.params, images, locations, labels, config)
        assert relative_error(taken, whole) < 1e-4
        now.vector[:] = moved


def gradient(params, images, locations, labels, config):
    trajectory = model.replay(params, images, locations, config)
    signal = reinforce.learning_signal(trajectory, labels, config, config.location_std)
    grads = model.backward(*signal.upstream, trajectory, config)
    arrays = [grads[network][name] for network in params for name in params[network]]
    return np.concatenate([array.ravel() for array in arrays])


def test_every_image_is_used_once_an_epoch(digits, monkeypatch):
    """The last short batch is not dropped, and no image comes twice."""
    config = tiny_config()
    now = initial(config, 90)
    trainer = Trainer(config, digits.train, now)
    used = []
    compose = scenes.compose

    def remember(split, index, *arguments, **options):
        used.extend(index)
        return compose(split, index, *arguments, **options)

    monkeypatch.setattr(scenes, "compose", remember)
    for _ in range(trainer.steps_per_epoch):
        trainer.step()
    assert sorted(used) == list(range(90))
    row = trainer.end_epoch(wrong_of(trainer.agent))
    assert not np.array_equal(now.order, np.asarray(used))
    assert row["step"] == 4


@pytest.mark.parametrize(("mean", "saturation"), [(0.5, 0), (0.96, 0.5), (3.0, 0.5)])
def test_saturation_is_logged(mean, saturation, digits):
    """The share of the policy's means at the border or beyond, here those of x."""
    config = tiny_config(learning_rate=1e-9)
    now = initial(config, 90)
    trainer = Trainer(config, digits.train, now)
    trainer.params["location"]["W_mu"][:] = 0
    trainer.params["location"]["b_mu"][:] = -mean, 0.2
    trainer.step()
    row = trainer.end_epoch(wrong_of(trainer.agent))
    assert row["saturation"] == pytest.approx(saturation)


@pytest.mark.parametrize("model", ["ram", "fc"])
def test_gradient_norms_are_logged(model, digits):
    """For each network, the mean over the steps of the norm of its gradient."""
    config = tiny_config(model=model, image_height=12, image_width=12)
    now = initial(config, 90)
    trainer = Trainer(config, digits.train, now)
    norms = []
    for _ in range(trainer.steps_per_epoch):
        trainer.step()
        norms.append(
            {
                network: np.linalg.norm(
                    np.concatenate([array.ravel() for array in arrays.values()])
                )
                for network, arrays in trainer.grads.items()
            }
        )
    logged = trainer.end_epoch(wrong_of(trainer.agent))["gradient_norms"]
    assert logged.keys() == trainer.params.keys()
    for network, norm in logged.items():
        mean = np.mean([each[network] for each in norms])
        assert norm > 0 and norm == pytest.approx(mean, rel=1e-5)


@pytest.mark.parametrize("every_step", [False, True])
@pytest.mark.parametrize("model", ["ram", "fc"])
def test_the_cross_entropy_that_is_logged_is_of_one_class(model, every_step, digits):
    """However often a model classifies: log 10 where it finds 10 classes alike."""
    config = tiny_config(
        model=model, image_height=12, image_width=12, classify_every_step=every_step
    )
    now = initial(config, 90)
    trainer = Trainer(config, digits.train, now)
    trainer.params["action"]["W_a"][:] = 0
    trainer.step()
    row = trainer.end_epoch(wrong_of(trainer.agent))
    assert row["cross_entropy"] == pytest.approx(np.log(10), rel=1e-5)


def test_an_agent_that_does_nothing_finite_stops_the_run(digits):
    """Weights may be finite when what they make of an image is not."""
    config = tiny_config()
    now = initial(config, 90)
    trainer = Trainer(config, digits.train, now)
    trainer.step()
    trainer.evaluated["core"]["W_g"][:] = 1e38
    with pytest.raises(DivergenceError, match="step 1: what the agent does is no"):
        trainer.end_epoch(wrong_of(trainer.agent))
    assert now.epoch == 0 and now.history == []


def test_an_infinite_weight_is_named(digits):
    """The broken weight is named, not what it breaks downstream."""
    config = tiny_config()
    now = initial(config, 90)
    trainer = Trainer(config, digits.train, now)
    trainer.params["core"]["W_g"][2, 3] = np.inf
    with pytest.raises(DivergenceError, match=r"step 1: core\.W_g is no longer"):
        trainer.step()
    assert now.step == 0
