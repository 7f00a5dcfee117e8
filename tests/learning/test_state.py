"""The state before the first step, and which parameters are validated."""

import numpy as np
import pytest

from ramnp.learning.state import STREAMS, initial, steps_per_epoch
from tests import grid


@pytest.mark.parametrize("name", grid.CONFIGS)
def test_a_run_starts_as_the_reference_does(name):
    """Initial parameters, order and every random stream follow from the seed."""
    config = grid.CONFIGS[name]
    state, reference = initial(config, 5, np.float64), grid.reference(config)
    assert np.array_equal(state.vector, grid.flat(reference.params))
    assert np.array_equal(state.order, reference.order)
    assert tuple(reference.streams) == STREAMS == tuple(state.streams)
    for stream, rngs in reference.streams.items():
        draws = [rng.random() for rng in state.streams[stream]]
        assert draws == [rng.random() for rng in rngs]
    numbers = (state.epoch, state.position, state.step, state.seconds)
    assert numbers == (0, 0, 0, 0) and state.history == []
    assert state.best_error == float("inf") and not any(state.sums.values())
    assert not any(array.any() for array in state.optimizer.values())
    if config.average_decay:
        assert np.array_equal(state.average, state.vector)
        assert state.evaluated is state.average
        assert not np.shares_memory(state.average, state.vector)
    else:
        assert state.average.size == 0 and state.evaluated is state.vector


def test_parameters_are_float32_unless_asked_otherwise():
    """One dtype, chosen once, for parameters, average and optimiser."""
    config = grid.CONFIGS["the paper"]
    for dtype in (np.float32, np.float64):
        state = initial(config, 5, dtype)
        arrays = [state.vector, state.average, *state.optimizer.values()]
        assert {array.dtype for array in arrays} == {np.dtype(dtype)}
    assert initial(config, 5).vector.dtype == np.float32


def test_the_streams_of_a_shard_are_taken_and_put_back():
    """Shard by shard, for what a shard draws from: scenes and policy."""
    state = initial(grid.CONFIGS["the paper"], 5)
    before = state.streams_of(0)
    assert before.keys() == {"scenes", "policy"}
    draws = [state.streams[name][0].random() for name in before]
    assert all(state.streams_of(0)[name] != before[name] for name in before)
    state.set_streams_of(0, before)
    assert draws == [state.streams[name][0].random() for name in before]


@pytest.mark.parametrize(("images", "steps"), [(5, 2), (6, 2), (7, 3), (1, 1)])
def test_the_last_batch_may_be_short(images, steps):
    """Batches of 3: none is dropped."""
    assert steps_per_epoch(grid.CONFIGS["the paper"], images) == steps
