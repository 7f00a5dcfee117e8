"""The initial state: a random stream for each purpose and shard."""

import numpy as np
import pytest

from ramnp.learning import state as run_state
from tests.helpers import small_config

CONFIG = small_config(num_shards=3)


def test_streams_are_apart_and_depend_on_the_seed_alone():
    """A named stream each, different from all others, the same in each run."""
    drawn = [
        tuple(rng.integers(2**62, size=2))
        for now in (run_state.initial(CONFIG, 50), run_state.initial(CONFIG, 50))
        for name in ("scenes", "policy")
        for rng in now.streams[name]
    ]
    assert drawn[:6] == drawn[6:]
    assert len(set(drawn)) == 6
    assert run_state.STREAMS == ("initialisation", "shuffling", "scenes", "policy")


@pytest.mark.parametrize(("count", "steps"), [(24, 1), (25, 2), (48, 2), (1, 1)])
def test_the_last_batch_may_be_short(count, steps):
    """No digit is left out of an epoch."""
    assert run_state.steps_per_epoch(small_config(batch_size=24), count) == steps


def test_the_evaluated_parameters_are_the_average_if_there_is_one():
    """A copy of the parameters, not the parameters themselves."""
    plain = run_state.initial(CONFIG, 50)
    averaged = run_state.initial(small_config(average_decay=0.9), 50)
    assert plain.evaluated is plain.vector and plain.average.size == 0
    assert averaged.evaluated is averaged.average
    assert np.array_equal(averaged.average, averaged.vector)
    assert not np.shares_memory(averaged.average, averaged.vector)
