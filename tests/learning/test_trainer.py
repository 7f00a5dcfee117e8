"""The training loop: correct sums, schedules, and divergence."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ramnp.agent import parameters
from ramnp.learning import optimizers
from ramnp.learning.state import initial
from ramnp.learning.trainer import Hooks, Trainer, train
from ramnp.support.errors import DivergenceError
from tests import grid
from tests.helpers import tiny_config, wrong_of


class Compared(Hooks):
    """Compares a run with the reference after every step and every epoch."""

    def __init__(self, config):
        self.reference = grid.reference(config)
        self.began, self.asked = time.perf_counter(), 0

    def before_step(self, trainer):
        assert trainer.steps_per_epoch
        self.asked += 1

    def after_step(self, trainer):
        state = trainer.state
        self.reference.step()
        assert state.sums["images"] == min(3 * state.position, 5)
        self.speed = state.sums["images"] / state.sums["seconds"]
        self.seconds = state.seconds
        grid.assert_close(state.vector, grid.flat(self.reference.params))
        grid.assert_close(state.evaluated, grid.flat(self.reference.average))

    def after_epoch(self, trainer, agent, row, is_best):
        expected = self.reference.end_epoch()
        best, _, std = self.reference.best
        assert row.keys() == expected.keys() | {"seconds", "images_per_second"}
        assert row["images_per_second"] == self.speed
        assert row["seconds"] == trainer.state.seconds > self.seconds
        assert row["seconds"] < time.perf_counter() - self.began
        assert trainer.state.history[-1] is row
        assert self.asked > trainer.state.step  # before parts of the validation, too
        for name, value in expected.items():
            assert row[name] == pytest.approx(value, rel=1e-9, abs=1e-12), name
        assert is_best == (best is expected)
        if is_best:
            assert agent.location_std == pytest.approx(std, rel=1e-12)
            assert agent.params is trainer.evaluated


@pytest.mark.parametrize("name", grid.CONFIGS)
def test_a_run_equals_the_reference(name, float64):
    """Parameters, average, metrics and choice of the best, step by step.

    Every digit once an epoch, a short last batch, shards, plain epochs, all schedules.
    """
    config = grid.CONFIGS[name]
    state, compared = initial(config, 5, np.float64), Compared(config)
    trainer = Trainer(config, grid.digits_of(config).train, state)
    if config.model == "ram":  # let means of the policy reach the border
        for vector in filter(len, (state.vector, state.average)):
            parameters.views(vector, trainer.shapes)["location"]["W_mu"] *= 10
        compared.reference.params["location.W_mu"] *= 10
    with ThreadPoolExecutor(1) as pool:
        train(trainer, grid.digits_of(config).valid, pool, compared)
    assert compared.reference.epoch == config.epochs


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


@pytest.mark.parametrize("optimizer, calls", [("muon", 1), ("adam", 0)])
def test_a_step_spreads_what_can_be_spread(optimizer, calls, digits):
    """An optimiser that works matrix by matrix is given `each`, and no other is."""
    config = tiny_config(optimizer=optimizer)
    asked = []

    def each(function, items):
        asked.append(function)
        return map(function, items)

    trainer = Trainer(config, digits.train, initial(config, 90), each=each)
    trainer.step()
    assert asked == calls * [optimizers.orthogonalize]


def test_moments_without_a_gradient_are_dropped(digits):
    """Every tenth step, before they are subnormal and slow."""
    config = tiny_config(policy_weight=0.0, batch_size=9, optimizer="sgd")
    now = initial(config, 90)
    trainer = Trainer(config, digits.train, now)
    velocity = parameters.views(now.optimizer["velocity"], trainer.shapes)
    velocity["location"]["W_mu"][:] = 1e-30
    for step in range(1, 11):
        assert now.step == step - 1 and velocity["location"]["W_mu"].all()
        trainer.step()
    assert not velocity["location"]["W_mu"].any()
    assert velocity["action"]["W_a"].all()


def test_an_agent_that_does_nothing_finite_stops_the_run(digits):
    """Weights may be finite when what they make of an image is not."""
    config = tiny_config()
    now = initial(config, 90)
    trainer = Trainer(config, digits.train, now)
    trainer.step()
    trainer.evaluated["core"]["W_g"][:] = 1e38
    with pytest.raises(DivergenceError, match="step 1: the agent's behaviour is no"):
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


def test_of_finite_weights_the_largest_is_named(digits):
    """Where squares are infinite and weights are not."""
    trainer = Trainer(tiny_config(), digits.train, initial(tiny_config(), 90))
    trainer.params["location"]["b_mu"][1] = 2.0
    trainer.params["action"]["b_a"][1] = 3.0
    with pytest.raises(DivergenceError) as error:
        trainer._check_finite(7, np.inf, trainer.params, "gradient of ")
    assert str(error.value).startswith("step 7: action.b_a is no longer")
    assert str(error.value).endswith(" (the last checkpoint is untouched)")
