"""Resuming a run folder: same data, same settings, known environment."""

from pathlib import Path

import numpy as np
import pytest

from ramnp import train
from ramnp.datasets import mnist
from ramnp.figures import curves, film, glimpses
from ramnp.runs import run_folder, saved_state
from ramnp.support import checkpoint
from ramnp.support.errors import CheckpointError, DataError, UserError
from tests.helpers import TINY_RUN, sealed, write_digits
from tests.processes import copy_run, metrics, outcome

pytestmark = pytest.mark.usefixtures("no_pictures")
draw = run_folder.draw  # as it is without that fixture


@pytest.fixture
def copy(finished_run, tmp_path):
    """A copy of a finished run that a test may spoil."""
    return copy_run(finished_run, tmp_path)


def resume(folder, *arguments):
    return train.main(["--run", str(folder), "--resume", *arguments])


def test_a_run_begun_by_an_earlier_version_is_resumed(tmp_path, monkeypatch):
    """From step 6 of 12 to the parameters of the same version's uninterrupted run.

    Another processor rounds differently: the last digits may differ.
    """
    copy_run(Path(__file__).parent / "begun_before", tmp_path)
    monkeypatch.chdir(tmp_path)  # config.json says that the data are digits.npz
    assert checkpoint.load("checkpoint.npz")[1]["step"] == 6
    assert resume(".") == 0
    rows = metrics(tmp_path)
    assert [(row["epoch"], row["step"]) for row in rows] == [(1, 4), (2, 8), (3, 12)]
    arrays, _ = checkpoint.load("checkpoint.npz")
    arrays["cross_entropy"] = [row["cross_entropy"] for row in rows]
    with np.load("expected.npz", allow_pickle=False) as expected:
        for name in expected:
            assert np.allclose(arrays[name], expected[name], rtol=1e-3, atol=1e-5)


def test_other_data_are_refused_on_resume(copy, tmp_path):
    """A run resumes with the digits that it began with."""
    data = write_digits(tmp_path / "others.npz", count=133)
    with pytest.raises(DataError, match="is not the data"):
        resume(copy, "--data", data)


def test_leftovers_of_a_killed_writer_are_cleared(copy):
    """No temporary files are left after the next start."""
    leftover = copy / ".checkpoint.npz.0123abcd.tmp"
    leftover.write_bytes(b"half a checkpoint")
    assert resume(copy) == 0
    assert not leftover.exists()


def test_killed_before_its_first_checkpoint_a_run_starts_afresh(copy, finished_run):
    """With the configuration of its folder, and with the same outcome."""
    for name in ("checkpoint.npz", "best.npz", "result.json", "metrics.jsonl"):
        (copy / name).unlink()
    assert resume(copy) == 0
    assert outcome(copy) == outcome(finished_run)


def test_another_environment_is_a_warning_and_with_strict_an_error(
    copy, monkeypatch, capsys
):
    """One line names both values: NumPy, BLAS threads, processor."""
    current = {"numpy": "2.99", "blas_threads": "7", "processor": "abacus"}
    monkeypatch.setattr(saved_state, "environment", lambda: current)
    with pytest.raises(UserError, match="--strict") as error:
        resume(copy, "--strict")
    assert resume(copy) == 0
    warning = capsys.readouterr().err
    assert warning.count("\n") == 1
    for message in (str(error.value), warning):
        assert f"numpy {np.__version__} then, 2.99 now" in message
        assert "7 now" in message and "abacus now" in message


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "{}", "9" * 5000, "[" * 100_000),
        *('{"data": null', '{"data": 5}', '{"data": null, "h_size": -1}'),
        *('{"data": null, "colour": 1}', '{"data": null, "task": "a\\nb"}'),
    ],
)
def test_a_damaged_configuration_is_one_line(copy, text):
    """Whatever is wrong with config.json, the line names it."""
    (copy / "config.json").write_text(text)
    if text == "{}":
        text = "no data"
    with pytest.raises(CheckpointError, match=r"config\.json is damaged") as error:
        resume(copy)
    assert "\n" not in str(error.value)


def test_the_remains_of_a_killed_start_do_not_block_the_next_one(
    digits_file, tmp_path, no_pictures
):
    """A lock and a temporary file without a configuration are not a run."""
    for name in (".lock", ".config.json.0123abcd.tmp"):
        (tmp_path / name).write_text("12")
    arguments = [*TINY_RUN, "--data", digits_file, "--run", str(tmp_path)]
    assert train.main(arguments) == 0
    assert not (tmp_path / ".config.json.0123abcd.tmp").exists()


@pytest.mark.parametrize(
    ("module", "function", "name", "error", "words"),
    [
        (curves, "draw_curves", "curves.png", UserError("no room"), "no room"),
        (glimpses, "draw_glimpses", "glimpses.png", MemoryError(), "not enough memory"),
        (film, "animate_glimpses", "glimpses.gif", OSError("no cache"), "no cache"),
    ],
)
def test_a_picture_that_fails_is_a_warning_after_the_summary(
    copy, monkeypatch, capfd, module, function, name, error, words
):
    """The summary is printed first, the other pictures are drawn, the run is over."""

    def fail(*given):
        print("drawing")
        raise error

    monkeypatch.setattr(run_folder, "draw", draw)
    for other, called in (
        (curves, "draw_curves"),
        (glimpses, "draw_glimpses"),
        (film, "animate_glimpses"),
    ):
        monkeypatch.setattr(other, called, lambda *given: None)
    monkeypatch.setattr(module, function, fail)
    assert resume(copy) == 0
    printed = capfd.readouterr()
    assert printed.err == f"warning: {name} is not drawn: {words}\n"
    summary, _, rest = printed.out.partition("drawing\n")
    assert "one rollout per image" in summary
    (line,) = (line for line in rest.splitlines() if line.startswith("pictures:"))
    assert name not in line and line.count(str(copy)) == 2


def test_the_test_split_is_sealed_until_training_is_over(
    tmp_path, digits_file, monkeypatch
):
    """What is read of it before the best epoch is chosen are shapes alone."""
    finished = []
    digits = mnist.load(digits_file)
    monkeypatch.setattr(mnist, "load", lambda *_, **__: sealed(digits))
    monkeypatch.setattr(run_folder, "finish", lambda *given: finished.append(given))
    folder = tmp_path / "run"
    train.main([*TINY_RUN, "--data", digits_file, "--run", str(folder)])
    assert len(finished) == 1 and (folder / "best.npz").exists()
