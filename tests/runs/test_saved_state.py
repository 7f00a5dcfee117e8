"""A state comes back from its checkpoint as it was, or not at all."""

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ramnp.learning import state as run_state
from ramnp.learning import trainer as training
from ramnp.learning.diagnostics import METRICS as DIAGNOSTICS
from ramnp.runs import saved_state as state
from ramnp.runs.agent_file import METRICS
from ramnp.support import checkpoint, process
from ramnp.support.errors import CheckpointError, DivergenceError
from tests.fuzzing import spoil
from tests.helpers import small_config, small_split, wrong_of

CONFIG = small_config(optimizer="adam", average_decay=0.9, num_shards=3)
SUM = "0" * 64
NESTED = {
    "epoch": 1,
    "gradient_norms": {"core": 1 / 7},
    "valid_error_after_glimpse": [1 / 7, 1 / 9],
}


@pytest.fixture
def saved(tmp_path):
    """A state in the middle of a run, and the file that it was saved in."""
    current = run_state.initial(CONFIG, 50)
    for rngs in current.streams.values():
        for shard, rng in enumerate(rngs):
            rng.random(3 + shard)
    current.vector += 0.1
    current.average += 0.2
    current.optimizer["second_moment"] += 0.3
    current.epoch, current.position, current.step, current.seconds = 1, 2, 5, 1 / 3
    current.sums |= {"cross_entropy": 0.1 + 0.2, "seconds": 0.1, "images": 40.0}
    current.sums["rows"] = 40.0
    current.history.append(dict.fromkeys([*METRICS, *DIAGNOSTICS], 1 / 7) | NESTED)
    current.best_error = 1 / 7
    path = tmp_path / "checkpoint.npz"
    state.save(path, current, CONFIG, SUM)
    return current, path


def test_everything_comes_back_bit_for_bit(saved):
    """Arrays, counters, sums, history and every random stream."""
    current, path = saved
    back, environment = state.load(path, CONFIG, 50, SUM)
    for name in ("vector", "average", "order"):
        assert getattr(back, name).tobytes() == getattr(current, name).tobytes()
        assert getattr(back, name).dtype == getattr(current, name).dtype
    assert back.optimizer.keys() == current.optimizer.keys()
    for name, array in current.optimizer.items():
        assert back.optimizer[name].tobytes() == array.tobytes()
    for name in ("epoch", "position", "step", "sums", "history", "seconds"):
        assert getattr(back, name) == getattr(current, name)
    assert back.best_error == current.best_error
    for name in run_state.STREAMS:
        assert len(current.streams[name]) == 3
        for one, other in zip(current.streams[name], back.streams[name], strict=True):
            assert one.random(5).tobytes() == other.random(5).tobytes()
    assert environment == state.environment()


def test_no_best_yet_comes_back_too(tmp_path):
    """Before the first evaluation every error is an improvement."""
    path = tmp_path / "checkpoint.npz"
    state.save(path, run_state.initial(CONFIG, 50), CONFIG, SUM)
    assert state.load(path, CONFIG, 50, SUM)[0].best_error == np.inf


def test_what_the_last_bits_depend_on_is_saved(saved, monkeypatch):
    """NumPy's version, BLAS's threads and the processor, by these names."""
    monkeypatch.setattr(np, "__version__", "9.8")
    monkeypatch.setattr(process, "blas_threads", lambda: 7)
    monkeypatch.setattr(process, "processor", lambda: "a chip")
    current, path = saved
    state.save(path, current, CONFIG, SUM)
    assert state.load(path, CONFIG, 50, SUM)[1] == {
        "numpy": "9.8",
        "blas_threads": 7,
        "processor": "a chip",
    }


def stopped(row, config, epoch, position):
    """Return the state of a run on 50 images after these steps of an epoch."""
    current = run_state.initial(config, 50)
    current.epoch, current.position = epoch, position
    current.step = epoch * run_state.steps_per_epoch(config, 50) + position
    current.history = [row | {"epoch": n + 1} for n in range(epoch)]
    images = float(min(position * config.batch_size, 50))
    current.sums |= {"images": images, "rows": images * config.num_rollouts}
    current.sums["seconds"] = 0.1 if position else 0.0
    return current


@pytest.mark.parametrize(
    ("batch_size", "epoch", "position", "accepted"),
    [
        (20, 0, 0, True),
        (1, 1, 1, True),  # one image, two rollouts of it
        (20, 1, 3, True),  # the last step of an epoch, of ten images
        (20, 1, 4, False),
        (20, 2, 0, True),  # the end
        (20, 2, 1, False),
        (20, 3, 0, False),
    ],
)
def test_a_run_may_be_stopped_anywhere_within_its_epochs(
    saved, batch_size, epoch, position, accepted
):
    """Of two epochs; a step beyond them is refused."""
    current, path = saved
    settings = {"epochs": 2, "num_rollouts": 2, "num_shards": 1}
    config = small_config(batch_size=batch_size, **settings)
    expected = stopped(current.history[0], config, epoch, position)
    state.save(path, expected, config, SUM)
    with contextlib.nullcontext() if accepted else pytest.raises(CheckpointError):
        back, _ = state.load(path, config, 50, SUM)
        assert back.step == expected.step and back.sums == expected.sums


@pytest.mark.parametrize(
    ("changes", "option"),
    [
        ({"learning_rate": 0.5}, "--learning-rate 0.01, not 0.5"),
        ({"seed": 1}, "--seed 0, not 1"),
        ({"policy_into_core": True}, "--policy-into-core False, not True"),
    ],
)
def test_another_configuration_is_refused_by_name(saved, changes, option):
    """Resuming with a changed configuration names the field and both values."""
    settings = {"optimizer": "adam", "average_decay": 0.9, "num_shards": 3}
    with pytest.raises(CheckpointError, match=option):
        state.load(saved[1], small_config(**(settings | changes)), 50, SUM)


def test_a_setting_added_since_the_checkpoint_has_its_default(saved):
    """A run resumes under a version that has more settings."""
    arrays, meta = checkpoint.load(saved[1])
    config = _without(meta["config"], "plain_share")
    checkpoint.save(saved[1], arrays, meta | {"config": config})
    settings = {"optimizer": "adam", "average_decay": 0.9, "num_shards": 3}
    back, _ = state.load(saved[1], small_config(**settings), 50, SUM)
    assert back.vector.tobytes() == saved[0].vector.tobytes()
    with pytest.raises(CheckpointError, match="--plain-share 0.0, not 0.1"):
        state.load(saved[1], small_config(**settings, plain_share=0.1), 50, SUM)


def test_rows_of_an_earlier_version_lack_a_metric(saved):
    """They stay as they are, beside later ones."""
    arrays, meta = checkpoint.load(saved[1])
    (row,) = meta["history"]
    for name, accepted in (("deterministic_minus_sampled", True), ("epoch", False)):
        del row[name]
        checkpoint.save(saved[1], arrays, meta)
        with contextlib.nullcontext() if accepted else pytest.raises(CheckpointError):
            assert state.load(saved[1], CONFIG, 50, SUM)[0].history == [row]


def test_the_message_says_what_to_do(saved):
    """Of another configuration, of other data, of no state at all."""
    path = saved[1]
    remedy = "resume with the same settings, or start a new run"
    for meta, data, words in (
        ({"config": {"seed": 1}}, SUM, f"was trained with --seed 1, not 0: {remedy}"),
        ({}, "1", "was trained on other data: point --data to the same digits"),
        ({"step": 0}, SUM, "does not hold the state of a run: use another checkpoint"),
    ):
        arrays, sound = checkpoint.load(path)
        config = sound["config"] | meta.get("config", {})
        other = path.with_name("other.npz")
        checkpoint.save(other, arrays, sound | meta | {"config": config})
        with pytest.raises(CheckpointError) as error:
            state.load(other, CONFIG, 50, data)
        assert str(error.value) == f"{other} {words}"


def test_other_data_are_refused(saved):
    """The digits must be those that the run began with."""
    with pytest.raises(CheckpointError, match="other data"):
        state.load(saved[1], CONFIG, 50, "1" * 64)


def _without(meta, name):
    return {key: value for key, value in meta.items() if key != name}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda arrays, meta: (_without(arrays, "order"), meta),
        lambda arrays, meta: (_without(arrays, "optimizer/first_moment"), meta),
        lambda arrays, meta: (arrays | {"more": arrays["order"]}, meta),
        lambda arrays, meta: (arrays | {"order": arrays["order"][1:]}, meta),
        lambda arrays, meta: (
            arrays | {"parameters": arrays["parameters"].astype(np.float64)},
            meta,
        ),
        lambda arrays, meta: (arrays, _without(meta, "streams")),
        lambda arrays, meta: (arrays, meta | {"streams": {}}),
        lambda arrays, meta: (arrays, meta | {"streams": 7}),
        lambda arrays, meta: (
            arrays,
            meta | {"streams": meta["streams"] | {"policy": [{}, {}, {}]}},
        ),
        lambda arrays, meta: (
            arrays,
            meta | {"streams": meta["streams"] | {"policy": [1, 2, 3]}},
        ),
        lambda arrays, meta: (arrays, meta | {"epoch": "two"}),
        lambda arrays, meta: (arrays, meta | {"epoch": -1}),
        lambda arrays, meta: (arrays, meta | {"position": 10**6}),
        lambda arrays, meta: (arrays, meta | {"step": 10**9}),
        lambda arrays, meta: (arrays, meta | {"sums": {}}),
        lambda arrays, meta: (arrays, meta | {"sums": meta["sums"] | {"rows": "x"}}),
        lambda arrays, meta: (arrays, meta | {"history": [1]}),
        lambda arrays, meta: (arrays, meta | {"history": []}),
        lambda arrays, meta: (arrays, meta | {"history": [{"epoch": "one"}]}),
        lambda arrays, meta: (arrays, meta | {"history": [meta["history"]]}),
        lambda arrays, meta: (arrays, meta | {"history": meta["history"] * 2}),
        lambda arrays, meta: (
            arrays,
            meta | {"history": [meta["history"][0] | {"step": 10**400}]},
        ),
        lambda arrays, meta: (
            arrays,
            meta | {"history": [meta["history"][0] | {"more": 1}]},
        ),
        lambda arrays, meta: (arrays, meta | {"sums": meta["sums"] | {"rows": 0.0}}),
        lambda arrays, meta: (arrays, meta | {"sums": meta["sums"] | {"images": 0.0}}),
        lambda arrays, meta: (arrays, meta | {"sums": meta["sums"] | {"seconds": 0.0}}),
        lambda arrays, meta: (
            arrays,
            meta | {"sums": meta["sums"] | {"wrong": 10**400}},
        ),
        lambda arrays, meta: (arrays, meta | {"seconds": None}),
        lambda arrays, meta: (arrays, meta | {"seconds": 1e300}),
        lambda arrays, meta: (arrays, meta | {"best_error": "0.5"}),
        lambda arrays, meta: (arrays, meta | {"more": 1}),
        lambda arrays, meta: (arrays, meta | {"environment": []}),
        lambda arrays, meta: (arrays, _without(meta, "environment")),
        lambda arrays, meta: (
            arrays,
            meta | {"config": meta["config"] | {"task": "a\nb" * 10**5}},
        ),
        lambda arrays, meta: (arrays, meta | {"best_error": "low"}),
        lambda arrays, meta: (arrays, meta | {"config": 5}),
        lambda arrays, meta: (arrays, meta | {"config": {}}),
        lambda arrays, meta: (arrays, {}),
        lambda arrays, meta: (arrays | {"order": arrays["order"] + 40}, meta),
        lambda arrays, meta: (arrays | {"order": arrays["order"] * 0}, meta),
    ],
)
def test_a_sound_file_with_a_foreign_state_is_refused(saved, spoil):
    """What passes as a checkpoint but holds no state of this run is one line."""
    _, path = saved
    checkpoint.save(path, *spoil(*checkpoint.load(path)))
    with pytest.raises(CheckpointError, match=r"checkpoint\.npz") as error:
        state.load(path, CONFIG, 50, SUM)
    message = str(error.value)
    assert "\n" not in message and len(message) < 300 + len(str(path))


@pytest.mark.parametrize(
    "examples", [200, pytest.param(100_000, marks=pytest.mark.slow)]
)
def test_fuzzed_states(saved, examples):
    """At most one kind of error, and a run can resume from any accepted state."""
    _, path = saved
    sound = checkpoint.load(path)
    split = small_split(0, 50, 12, 12)
    split = split._replace(labels=split.labels % CONFIG.num_classes)

    @settings(max_examples=examples, deadline=None, database=None)
    @given(st.binary(max_size=60))
    def check(script):
        path.write_bytes(checkpoint._encode(*spoil(script, *sound)))
        try:
            current, environment = state.load(path, CONFIG, 50, SUM)
        except CheckpointError as error:
            message = str(error)
            assert message.isprintable() and len(message) < 300 + len(str(path))
            return
        assert type(environment) is dict
        trainer = training.Trainer(CONFIG, split, current)
        with contextlib.suppress(DivergenceError):
            left = current.position < trainer.steps_per_epoch
            if left and current.epoch < CONFIG.epochs:
                trainer.step()
                trainer.end_epoch(wrong_of(trainer.agent))

    check()
