"""Stopped anywhere, a run resumes bit-identically, with any number of threads."""

import io
import json
import os
import re
import signal

import numpy as np
import pytest

from ramnp.datasets import scenes
from ramnp.learning import diagnostics
from ramnp.learning import trainer as training
from ramnp.learning.predictor import describe_data
from ramnp.learning.state import initial
from ramnp.learning.trainer import Trainer
from ramnp.runs import agent_file, resumable, saved_state
from ramnp.support import checkpoint, process, signals
from ramnp.support.errors import DivergenceError, WorkerError
from tests.helpers import Watched, sealed, tiny_config, wrong_of

CLOCKS = {"seconds", "images_per_second"}


def train(config, digits, folder, threads=1, save_every=0):
    """Train, or resume from the folder's checkpoint; return the final state."""
    folder.mkdir(exist_ok=True)
    path = folder / "checkpoint.npz"
    current = initial(config, 90)
    if path.exists():
        current, _ = saved_state.load(path, config, 90, digits.sha256)
    resumable.train(config, digits, str(folder), current, threads, save_every)
    return current


def without_clocks(history):
    return [{k: v for k, v in row.items() if k not in CLOCKS} for row in history]


def assert_same_bits(one, other):
    assert one.vector.tobytes() == other.vector.tobytes()
    assert one.average.tobytes() == other.average.tobytes()
    assert without_clocks(one.history) == without_clocks(other.history)
    assert one.best_error == other.best_error


def signal_in_step(monkeypatch, number, steps):
    """Send a signal to this process in the middle of each of these calls of step."""
    calls = iter(range(1000))
    step = Trainer.step

    def step_with_signal(self):
        if next(calls) in steps:
            os.kill(os.getpid(), number)
        step(self)

    monkeypatch.setattr(Trainer, "step", step_with_signal)


@pytest.fixture(scope="module")
def uninterrupted(digits, tmp_path_factory):
    return train(tiny_config(), digits, tmp_path_factory.mktemp("runs") / "whole")


@pytest.mark.parametrize("stop", range(12))
def test_stopped_after_any_step_it_resumes_bit_identically(
    stop, digits, tmp_path, monkeypatch, uninterrupted
):
    """Stop anywhere, resume: the same bits, in the middle of an epoch or at its end."""
    with monkeypatch.context() as patch:
        signal_in_step(patch, signal.SIGINT, {stop})
        with pytest.raises(signals.Interrupted) as interrupted:
            train(tiny_config(), digits, tmp_path)
    assert interrupted.value.exit_code == 130
    saved, _ = saved_state.load(
        tmp_path / "checkpoint.npz", tiny_config(), 90, "0" * 64
    )
    assert saved.step == stop + 1
    assert_same_bits(train(tiny_config(), digits, tmp_path), uninterrupted)


def test_muon_resumes_bit_identically_with_other_threads(digits, tmp_path, monkeypatch):
    """Its matrix products are taken by one thread, and its state is Adam's."""
    config = tiny_config(optimizer="muon", g_size=64, h_size=64)
    whole = train(config, digits, tmp_path / "whole")
    with monkeypatch.context() as patch:
        signal_in_step(patch, signal.SIGINT, {5})
        with pytest.raises(signals.Interrupted):
            train(config, digits, tmp_path / "parts")
    assert_same_bits(train(config, digits, tmp_path / "parts", threads=2), whole)


def test_stopped_during_an_evaluation_it_resumes_bit_identically(
    digits, tmp_path, monkeypatch, uninterrupted
):
    """A signal between two chunks of validation loses nothing."""
    with monkeypatch.context() as patch:
        chunk = scenes.frozen_chunk

        def chunk_with_signal(*arguments):
            os.kill(os.getpid(), signal.SIGTERM)
            return chunk(*arguments)

        patch.setattr(scenes, "frozen_chunk", chunk_with_signal)
        with pytest.raises(signals.Interrupted) as interrupted:
            train(tiny_config(), digits, tmp_path)
    assert interrupted.value.exit_code == 143
    assert_same_bits(train(tiny_config(), digits, tmp_path), uninterrupted)


def test_a_chain_of_stops_is_bit_identical(
    digits, tmp_path, monkeypatch, uninterrupted
):
    """Stopped after every single step, the run still ends bit-identically."""
    for _ in range(12):
        with monkeypatch.context() as patch:
            signal_in_step(patch, signal.SIGINT, {0})
            with pytest.raises(signals.Interrupted):
                train(tiny_config(), digits, tmp_path)
    assert_same_bits(train(tiny_config(), digits, tmp_path), uninterrupted)


@pytest.mark.parametrize("threads", [2, 3])
def test_the_number_of_threads_changes_no_bit(threads, digits, tmp_path, uninterrupted):
    """The result does not depend on how many processes share the shards."""
    assert_same_bits(train(tiny_config(), digits, tmp_path, threads), uninterrupted)


@pytest.mark.parametrize(("first", "then"), [(1, 2), (2, 1)])
def test_resuming_with_another_number_of_threads_changes_no_bit(
    first, then, digits, tmp_path, monkeypatch, uninterrupted
):
    """The checkpoint does not depend on which process computed a shard."""
    with monkeypatch.context() as patch:
        signal_in_step(patch, signal.SIGINT, {5})
        with pytest.raises(signals.Interrupted):
            train(tiny_config(), digits, tmp_path, first)
    assert_same_bits(train(tiny_config(), digits, tmp_path, then), uninterrupted)


@pytest.mark.parametrize("model", ["fc", "conv"])
def test_the_number_of_threads_changes_no_bit_of_a_comparison_network(
    model, digits, tmp_path
):
    """All models take the same path."""
    config = tiny_config(model=model, image_height=12, image_width=12, filter_size=5)
    one, two = (train(config, digits, tmp_path / str(n), n) for n in (1, 2))
    assert_same_bits(one, two)


def test_saving_more_often_changes_no_bit(digits, tmp_path, uninterrupted):
    """--save-every moves no random stream."""
    assert_same_bits(
        train(tiny_config(), digits, tmp_path, save_every=1), uninterrupted
    )


@pytest.mark.parametrize(
    ("options", "steps"),
    [({}, [4, 8, 12]), ({"save_every": 5}, [4, 5, 8, 10, 12])],
)
def test_the_state_is_saved_after_these_steps(
    options, steps, digits, tmp_path, monkeypatch
):
    """After each epoch, and each save_every steps if asked."""
    saved = []
    monkeypatch.setattr(
        saved_state, "save", lambda path, state, *rest: saved.append((path, state.step))
    )
    config = tiny_config()
    resumable.train(config, digits, str(tmp_path), initial(config, 90), **options)
    assert saved == [(str(tmp_path / "checkpoint.npz"), step) for step in steps]


@pytest.mark.parametrize(("options", "count"), [({}, 1), ({"threads": 2}, 2)])
def test_so_many_threads_train_and_evaluate(
    options, count, digits, tmp_path, monkeypatch
):
    """The gradient is taken by that many processes; the rest of a step and the errors by
    that many threads.
    """
    told = []

    def remember(kind, name):
        class Remembered(kind):
            def __init__(self, number, *arguments):
                told.append((name, number))
                super().__init__(number, *arguments)

        return Remembered

    class Watched(Trainer):
        def __init__(self, config, train, state, workers, each):
            told.append(("trainer", type(workers), type(each.__self__)))
            super().__init__(config, train, state, workers, each)

    Workers = remember(resumable.Workers, "workers")
    executor = remember(resumable.ThreadPoolExecutor, "pool")
    monkeypatch.setattr(resumable, "Workers", Workers)
    monkeypatch.setattr(resumable, "ThreadPoolExecutor", executor)
    monkeypatch.setattr(training, "Trainer", Watched)
    config = tiny_config(epochs=1)
    resumable.train(config, digits, str(tmp_path), initial(config, 90), **options)
    assert told == [("pool", count), ("workers", count), ("trainer", Workers, executor)]


def test_each_row_is_told_once_it_is_saved(digits, tmp_path):
    """And the best agent's file says which data it was trained on."""
    config, told = tiny_config(), []

    def on_row(row):
        path = tmp_path / "checkpoint.npz"
        saved, _ = saved_state.load(path, config, 90, digits.sha256)
        assert saved.history[-1] == row
        told.append(row)

    current = initial(config, 90)
    resumable.train(config, digits, str(tmp_path), current, on_row=on_row)
    assert told == current.history and len(told) == 3
    assert agent_file.load(tmp_path).data == describe_data(digits, config)


def test_a_run_that_loses_a_worker_is_saved(digits, tmp_path, monkeypatch):
    """One line says what happened, after which step, and what to do."""

    def lose(trainer):
        if trainer.state.step == 2:
            raise WorkerError("worker 1 has been killed")
        step(trainer)

    step = Trainer.step
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "step", lose)
        with pytest.raises(WorkerError) as error:
            train(tiny_config(), digits, tmp_path)
    assert str(error.value) == (
        "worker 1 has been killed; everything is saved after step 2, resume with --resume"
    )
    assert train(tiny_config(), digits, tmp_path).step == 12


def test_an_extra_evaluation_moves_no_stream(digits, tmp_path, pool, uninterrupted):
    """Evaluation has a separate stream."""
    config = tiny_config()
    current = initial(config, 90)
    trainer = Trainer(config, digits.train, current)
    training.count_errors(trainer.agent, digits.valid, "valid", pool, 3)
    resumable.train(config, digits, str(tmp_path), current)
    assert_same_bits(current, uninterrupted)


def test_the_epoch_is_chosen_on_validation_digits_alone(digits, tmp_path, monkeypatch):
    """Nothing reads the test split before the last epoch is over."""
    splits = []
    count_errors = training.count_errors

    def remember(agent, split, name, *rest, **options):
        splits.append((split, name))
        return count_errors(agent, split, name, *rest, **options)

    monkeypatch.setattr(training, "count_errors", remember)
    train(tiny_config(), sealed(digits), tmp_path)
    assert len(splits) == 3
    assert all(split is digits.valid and name == "valid" for split, name in splits)


def test_an_agent_with_one_glimpse_trains(digits, tmp_path):
    """T = 1 makes no choice: there is nothing to saturate, and nothing breaks."""
    current = train(tiny_config(num_glimpses=1, epochs=1), digits, tmp_path)
    assert current.history[0]["saturation"] == 0


def test_progress_tells_speed_errors_and_time_left(digits):
    """Half of the steps in 60 s leave 60 s to go."""
    config = tiny_config()
    current = initial(config, 90)
    trainer = Trainer(config, digits.train, current)
    trainer.step()
    current.step, current.seconds = 6, 60.0
    current.sums |= {"images": 300, "seconds": 2.0, "wrong": 9, "rows": 300}
    text = resumable.describe(trainer)
    assert text == "train 3.00 %, 150 images/s, 01:00 left"
    text = resumable.describe(trainer, {"valid_error": 2.5, "train_error": 3.0})
    assert text == "valid 2.50 %, train 3.00 %, 01:00 left"


ERRORS = r"valid \d+\.\d\d %, train \d+\.\d\d %, 00:00 left"


@pytest.mark.parametrize("supervised", [False, True])
def test_without_a_terminal_each_epoch_is_a_line(
    supervised, digits, tmp_path, monkeypatch, capsys
):
    """Unless the run is a study's, which has its own."""
    stderr = Watched()
    monkeypatch.setattr("sys.stderr", stderr)
    if supervised:
        monkeypatch.setenv(process.SUPERVISED, "1")
    train(tiny_config(), digits, tmp_path)
    lines = stderr.flushed.splitlines()
    assert len(lines) == (0 if supervised else 3) and capsys.readouterr().out == ""
    for n, line in enumerate(lines, 1):
        assert re.fullmatch(f"epoch {n}/3: {ERRORS}", line)


class Terminal(io.StringIO):
    """A terminal that keeps what is written."""

    def isatty(self):
        return True


def test_on_a_terminal_each_epoch_is_a_bar(digits, tmp_path, monkeypatch):
    """It fits 80 columns, and ends with the errors of the epoch."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.stderr", Terminal())
    train(tiny_config(), digits, tmp_path)
    bars = resumable.sys.stderr.getvalue()
    assert ": valid" not in bars
    for n, text in enumerate(bars.split("\n")[:3], 1):
        first, *between, last = [bar for bar in text.split("\r") if bar.strip()]
        assert re.fullmatch(rf"epoch {n}/3 +0% \|.{{8}}\| ", first)
        assert re.fullmatch(rf"epoch {n}/3 100% \|#{{8}}\| , {ERRORS}", last)
        assert max(map(len, [first, *between, last])) <= 80


@pytest.mark.parametrize(
    ("stream", "columns", "shown"),
    [(Terminal, "80", True), (Terminal, "0", False), (io.StringIO, "80", False)],
)
def test_a_bar_needs_a_terminal_with_columns(
    stream, columns, shown, digits, monkeypatch
):
    """It starts where the epoch was stopped."""
    monkeypatch.setattr("sys.stderr", stream())
    monkeypatch.setattr(os, "get_terminal_size", lambda fd: os.terminal_size((0, 0)))
    monkeypatch.setenv("COLUMNS", columns)
    config = tiny_config()
    current = initial(config, 90)
    current.epoch, current.position = 1, 3
    with resumable.progress_bar(Trainer(config, digits.train, current)) as bar:
        assert bar.disable is not shown
        if shown:
            assert (bar.n, bar.total, bar.desc) == (3, 4, "epoch 2/3")


def test_each_step_is_shown_without_delay(digits, tmp_path, monkeypatch):
    """Speed and time left; the bar itself decides how often it is drawn."""
    shown = []

    class Bar:
        disable = True
        update = close = staticmethod(lambda: shown.append("moved"))

        def set_postfix_str(self, text, refresh=True):
            shown.append((text.split()[-3], refresh))

    monkeypatch.setattr(resumable, "progress_bar", lambda trainer: Bar())
    train(tiny_config(epochs=1), digits, tmp_path)
    assert shown == [("images/s,", False), "moved"] * 4 + [("%,", True), "moved"]


def test_the_best_and_the_last_are_not_mixed_up(digits, tmp_path, monkeypatch):
    """best.npz is the epoch with the lowest validation error, not the last one."""
    errors = iter([30.0, 10.0, 20.0])
    kept = []

    def told(agent, *arguments, **options):
        kept.append(agent.params["core"]["W_h"].astype(np.float16))
        return wrong_of(agent, next(errors))

    monkeypatch.setattr(training, "count_errors", told)
    last = train(tiny_config(), digits, tmp_path)
    best, row = agent_file.load_with_training(tmp_path)
    assert row["epoch"] == 2 and row["valid_error"] == 10.0 == last.best_error
    assert np.array_equal(best.params["core"]["W_h"], kept[1])
    assert not np.array_equal(kept[1], kept[2])
    # Its policy is as wide as it was when it was judged, not as at the end.
    assert 0.1 < best.location_std < 0.2


def test_evaluation_may_use_a_smaller_standard_deviation(digits, tmp_path):
    """Training is bit-identical; best.npz holds the other standard deviation."""
    for std in (0.0, 0.01):
        train(tiny_config(evaluation_location_std=std), digits, tmp_path / str(std))
    one, other = (
        checkpoint.load(tmp_path / name / "checkpoint.npz")[0]
        for name in ("0.0", "0.01")
    )
    assert all(np.array_equal(one[name], other[name]) for name in one)
    assert agent_file.load(tmp_path / "0.01").location_std == 0.01
    assert agent_file.load(tmp_path / "0.0").location_std > 0.1


def test_metrics_are_a_row_an_epoch_with_the_promised_keys(
    digits, tmp_path, uninterrupted
):
    """metrics.jsonl holds an object per epoch, errors in percent."""
    train(tiny_config(), digits, tmp_path)
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert [row["step"] for row in rows] == [4, 8, 12]
    for row in rows:
        assert list(row) == [
            "epoch",
            "step",
            "cross_entropy",
            "baseline_loss",
            "train_error",
            "valid_error",
            "learning_rate",
            "images_per_second",
            "seconds",
            *diagnostics.METRICS,
        ]
        assert 0 <= row["train_error"] <= 100 and 0 <= row["valid_error"] <= 100
        assert row["cross_entropy"] > 0 and row["images_per_second"] > 0
    assert without_clocks(rows) == without_clocks(uninterrupted.history)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "muon"])
def test_a_rate_that_explodes_stops_the_run(optimizer, digits, tmp_path):
    """Divergence names the step and the tensor and leaves the checkpoint alone."""
    config = tiny_config(optimizer=optimizer, learning_rate=1e6, clip_norm=0.0)
    tmp_path.joinpath("checkpoint.npz").write_bytes(b"the last good one")
    current = initial(config, 90)
    with pytest.raises(DivergenceError) as error:
        resumable.train(config, digits, str(tmp_path), current, save_every=1)
    assert error.value.exit_code == 3
    message = str(error.value)
    assert "step" in message and "\n" not in message
    assert any(f"{network}." in message for network in ("glimpse", "core", "action"))
    kept = tmp_path.joinpath("checkpoint.npz")
    if kept.read_bytes() != b"the last good one":  # steps before were still finite
        assert np.isfinite(checkpoint.load(kept)[0]["parameters"]).all()


@pytest.mark.parametrize("pixel", [np.nan, np.inf])
def test_a_pixel_that_is_no_number_stops_the_run_at_once(
    pixel, digits, tmp_path, monkeypatch
):
    """If one gets past the readers, the first step reports it and saves nothing."""
    compose = scenes.compose

    def compose_broken(*arguments, **options):
        images = compose(*arguments, **options)
        images[3] = pixel
        return images

    monkeypatch.setattr(scenes, "compose", compose_broken)
    with pytest.raises(DivergenceError, match=r"^step 1: the gradient of \w+\.\w+ is"):
        train(tiny_config(), digits, tmp_path, save_every=1)
    assert list(tmp_path.iterdir()) == []
