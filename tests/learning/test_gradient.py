"""The gradient of one shard."""

import numpy as np
import pytest

from ramnp.agent import model, parameters
from ramnp.learning.gradient import Shard, ShardGradients
from ramnp.learning.state import initial
from tests import grid
from tests.helpers import small_config, small_split
from tests.reference_trainer import gradient_of_batch


@pytest.mark.parametrize("name", grid.CONFIGS)
def test_the_gradient_of_a_batch_is_that_of_the_plain_loss(name, float64):
    """For every pair of options: the complex step of the loss, summed over shards."""
    config, std = grid.CONFIGS[name], 0.2
    split = grid.digits_of(config).train
    state, reference = initial(config, 5, np.float64), grid.reference(config)
    state.vector *= 2  # so that means of the policy reach the border
    params = {key: 2 * array for key, array in reference.params.items()}
    compute = ShardGradients.in_this_process(config, split, state.vector)
    parts = np.array_split(state.order[:3], config.num_shards)
    for augmented in (True, False) if config.deformation else (True,):
        shards = [
            Shard(s, part, state.streams_of(s), 3, std, augmented)
            for s, part in enumerate(parts)
        ]
        sums, states = zip(*compute(shards))
        expected, expected_sums = gradient_of_batch(
            params, split, parts, reference.streams, config, std, augmented
        )
        total = {key: sum(each[key] for each in sums) for key in sums[0]}
        assert total == pytest.approx(expected_sums, rel=1e-12)
        grid.assert_close(compute.memory[1:].sum(axis=0), grid.flat(expected))
        for s, after in enumerate(states):
            state.set_streams_of(s, after)
            for stream in after:
                moved = reference.streams[stream][s].bit_generator.state
                assert after[stream] == moved


@pytest.fixture
def config():
    return small_config(num_classes=10, num_shards=3, batch_size=12, canvas_size=14)


@pytest.fixture
def now(config):
    return initial(config, 40)


@pytest.fixture
def memory(config, now):
    memory = np.zeros((1 + config.num_shards, now.vector.size), np.float32)
    memory[0] = now.vector
    return memory


@pytest.fixture
def learner(config, memory):
    return ShardGradients(config, small_split(0, 40, 12, 12), memory)


def learn(learner, now, which, index, batch_size=12):
    shard = Shard(which, np.array(index), now.streams_of(which), batch_size, 0.2, True)
    return learner([shard])[0]


def test_the_gradient_goes_into_the_row_of_the_shard(learner, memory, now, config):
    """Row 1 + s and no other is written; named views show it."""
    learn(learner, now, 1, [3, 1, 4, 1])
    vector, g_0, g_1, g_2 = memory
    assert np.array_equal(vector, now.vector)
    assert not g_0.any() and g_1.any() and not g_2.any()
    shapes = model.shapes(config)
    W_h = parameters.views(g_1, shapes)["core"]["W_h"]
    assert np.shares_memory(W_h, learner._grads[1]["core"]["W_h"]) and W_h.any()


def test_nothing_is_kept_from_one_call_to_the_next(learner, memory, now):
    """The same arguments give the same result after other calls in between."""
    first = learn(learner, now, 0, [3, 1, 4])
    gradient = memory[1].copy()
    learn(learner, now, 1, [5, 9, 2])
    again = learn(learner, now, 0, [3, 1, 4])
    assert again == first
    assert np.array_equal(memory[1], gradient)


def test_the_states_that_come_back_lead_to_other_draws(learner, now):
    """Both streams have moved, and neither is the other's."""
    before = now.streams_of(2)
    _, after = learn(learner, now, 2, [3, 1, 4])
    assert after.keys() == before.keys() == {"scenes", "policy"}
    for name in after:
        assert after[name] != before[name]
    now.set_streams_of(2, after)
    assert now.streams_of(2) == after != now.streams_of(1)
