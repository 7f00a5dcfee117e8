"""Saving the state of a run in a checkpoint, and loading it."""

import dataclasses
import math

import numpy as np

from ramnp.learning import diagnostics
from ramnp.learning import state as run_state
from ramnp.learning.config import Config, option_name
from ramnp.runs.agent_file import METRICS, is_number
from ramnp.support import checkpoint, process
from ramnp.support.errors import CheckpointError, UserError, brief

# The fields of a State that are saved as they are, in JSON.
_PLAIN = ("epoch", "position", "step", "sums", "history", "seconds")


def save(path, state, config, data_sha256):
    """Write a State with the configuration and data that it belongs to."""
    arrays = {
        "parameters": state.vector,
        "average": state.average,
        "order": state.order.astype(np.int64),
        **{f"optimizer/{name}": array for name, array in state.optimizer.items()},
    }
    meta = _meta(state, config, data_sha256, environment())
    checkpoint.save(path, arrays, meta)


def _meta(state, config, data_sha256, environment):
    return {
        "config": dataclasses.asdict(config),
        "data_sha256": data_sha256,
        "environment": environment,
        "streams": {
            name: [rng.bit_generator.state for rng in rngs]
            for name, rngs in state.streams.items()
        },
        "best_error": None if math.isinf(state.best_error) else state.best_error,
        **{name: getattr(state, name) for name in _PLAIN},
    }


def load(path, config, num_images, data_sha256):
    """Return the State saved at `path` and the environment that it was saved in.

    Raises CheckpointError if it belongs to another configuration (naming the field)
    or to other data, or is inconsistent.
    """
    arrays, meta = checkpoint.load(path)
    state = run_state.initial(config, num_images)
    try:
        # Completed by settings added since it was saved; more epochs make a run longer.
        meta["config"] = dataclasses.asdict(Config(**meta["config"]))
        meta["config"]["epochs"] = max(meta["config"]["epochs"], config.epochs)
        check_same_config(path, meta["config"], dataclasses.asdict(config))
        if meta["data_sha256"] != data_sha256:
            raise CheckpointError(
                f"{path} was trained on other data: point --data to the same digits"
            )
        _fill(state.vector, arrays.pop("parameters"))
        _fill(state.average, arrays.pop("average"))
        _fill(state.order, arrays.pop("order"))
        for name, array in state.optimizer.items():
            _fill(array, arrays.pop(f"optimizer/{name}"))
        for name, rngs in state.streams.items():
            for rng, saved in zip(rngs, meta["streams"][name], strict=True):
                rng.bit_generator.state = saved
        for name in _PLAIN:
            setattr(state, name, _same_form(getattr(state, name), meta[name]))
        if meta["best_error"] is not None:
            state.best_error = float(meta["best_error"])
        saved_environment = dict(meta["environment"])
        expected = _meta(state, config, data_sha256, saved_environment)
        if arrays or meta != expected or not _is_consistent(state, config, num_images):
            raise ValueError("not a state that a run can be in")
    except CheckpointError:
        raise
    except (
        *(KeyError, TypeError, ValueError, AttributeError, OverflowError),
        UserError,
    ) as error:
        raise CheckpointError(
            f"{path} does not hold the state of a run: use another checkpoint"
        ) from error
    return state, saved_environment


def check_same_config(path, saved, given):
    """Raise a CheckpointError that names the first field in which they differ."""
    for name in given:
        if saved[name] != given[name]:
            raise CheckpointError(
                f"{path} was trained with {option_name(name)} {brief(saved[name])}, "
                f"not {brief(given[name])}: resume with the same settings, "
                "or start a new run"
            )


def environment():
    """Return the properties of the machine on which the last bits of a result depend."""
    return {
        "numpy": np.__version__,
        "blas_threads": process.blas_threads(),
        "processor": process.processor(),
    }


def _is_consistent(state, config, num_images):
    """Return whether a run with this configuration can be in this state."""
    steps = run_state.steps_per_epoch(config, num_images)
    images = min(state.position * config.batch_size, num_images)
    numbers = [state.seconds, *state.sums.values()]
    return (
        0 <= state.epoch <= config.epochs
        and 0 <= state.position <= steps
        and state.step == state.epoch * steps + state.position
        and (state.position == 0 or state.epoch < config.epochs)
        and all(map(_is_row, state.history))
        and [row["epoch"] for row in state.history] == [*range(1, state.epoch + 1)]
        and all(type(n) in (int, float) and 0 <= n < 1e300 for n in numbers)
        and state.sums["images"] == images
        and state.sums["rows"] == images * config.num_rollouts
        and (state.sums["seconds"] > 0) == (images > 0)
        and np.array_equal(np.sort(state.order), np.arange(num_images))
    )


def _fill(target, source):
    if source.shape != target.shape or source.dtype != target.dtype:
        raise ValueError(f"an array of shape {source.shape} for {target.shape}")
    target[...] = source


def _same_form(current, saved):
    if type(current) is not type(saved):
        raise TypeError(f"{saved!r} is not a {type(current).__name__}")
    if type(current) is dict and current.keys() != saved.keys():
        raise ValueError("other names")
    return saved


def _is_row(row):
    """Return whether `row`, read from a file, is a row of metrics.jsonl."""
    names = [*METRICS, *diagnostics.METRICS]
    if type(row) is not dict or [*row] not in (names, names[:-1]):
        return False
    numbers = dict(row)
    norms = numbers.pop("gradient_norms")
    errors = numbers.pop("valid_error_after_glimpse")
    return (
        type(norms) is dict
        and type(errors) is list
        and all(map(is_number, [*numbers.values(), *norms.values(), *errors]))
    )
