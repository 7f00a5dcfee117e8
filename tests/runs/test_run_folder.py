"""Resuming a run folder: same data, same settings, known environment."""

import csv
import json
import shlex
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import ramnp
from ramnp import evaluate, train
from ramnp.agent import parameters
from ramnp.datasets import mnist
from ramnp.figures import confusion, curves, film, glimpses
from ramnp.learning import evaluation
from ramnp.runs import agent_file, run_folder, saved_state
from ramnp.support import checkpoint
from ramnp.support.errors import CheckpointError, DataError, UserError
from tests.helpers import TINY_RUN, sealed, small_split, write_digits
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


def test_a_run_begun_before_is_asked_for_by_the_names_of_then(tmp_path):
    """The same settings resume it, others are refused."""
    copy_run(Path(__file__).parent / "begun_before", tmp_path)
    run_folder.read_config(tmp_path, {"locator_tanh": True, "seed": 0})
    run_folder.read_config(tmp_path, {"locator_bound": "tanh"})
    with pytest.raises(CheckpointError, match="--locator-bound tanh, not none"):
        run_folder.read_config(tmp_path, {"locator_tanh": False})


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
        (confusion, "draw_confusion"),
        (glimpses, "draw_glimpses"),
        (glimpses, "draw_mistakes"),
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
    assert name not in line and line.count(str(copy)) == 4


def test_the_result_is_that_of_the_best_agent_on_the_test_digits(
    finished_run, digits_file
):
    """With the rollouts of the configuration, the time of the whole run, its speed."""
    agent, row = agent_file.load_with_training(finished_run)
    digits = mnist.load(digits_file)
    with ThreadPoolExecutor(1) as pool:
        rollouts = agent.config.rollouts
        expected, _ = evaluation.test(agent, row, digits, pool, rollouts)
    result = json.loads((finished_run / "result.json").read_text())
    assert result == expected and result["rollouts"] == 2
    lines = (finished_run / "metrics.jsonl").read_text().splitlines()
    history = [json.loads(line) for line in lines]
    assert row["epoch"] == min(history, key=lambda row: row["valid_error"])["epoch"]
    assert result["seconds"] == history[-1]["seconds"]
    speed = np.mean([row["images_per_second"] for row in history])
    assert result["images_per_second"] == pytest.approx(speed)


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


def rows_of(folder):
    lines = (Path(folder) / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_a_finished_run_is_trained_longer(copy, finished_run, capsys):
    """With the schedule of a run of that many epochs, from where it stands."""
    assert resume(copy, "--epochs", "5") == 0
    out = capsys.readouterr().out
    assert "from epoch 3 of 3 on, this is a run of 5 epochs" in out
    rows = rows_of(copy)
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5]
    assert rows[:3] == rows_of(finished_run)
    rates = [row["learning_rate"] for row in rows]
    # Progress 3/5 at the fourth epoch's end is 16 of 20 steps: the rate rises again.
    assert rates[2] <= rates[4] < rates[3]
    assert json.loads((copy / "result.json").read_text())["epochs"] == 5
    assert json.loads((copy / "config.json").read_text())["epochs"] == 5
    assert resume(copy) == 0 and rows_of(copy) == rows
    with pytest.raises(UserError, match="--epochs 4: the run in .* has 5"):
        resume(copy, "--epochs", "4")


def test_a_run_starts_from_trained_weights(copy, digits_file, tmp_path, capsys):
    """With the agent's settings and data, except those given; resumable at once."""
    folder = tmp_path / "second"
    start = ["--init-from", str(copy), "--run", str(folder), "--learning-rate=1e-30"]
    assert train.main([*start, "--epochs=1", "--average-decay=0"]) == 0
    before, after = (agent_file.load(path) for path in (copy, folder))
    vectors = [parameters.flatten(agent.params)[0] for agent in (before, after)]
    assert np.array_equal(*vectors)
    assert after.config.h_size == before.config.h_size == 16
    assert after.data == before.data
    assert "starting afresh" not in capsys.readouterr().out


def test_a_run_from_trained_weights_may_have_other_classes(copy, tmp_path, capsys):
    """The last layer and networks of other sizes are initialised, and named."""
    split = small_split(3, 126, 12, 12)
    np.savez(tmp_path / "few.npz", images=split.images, labels=split.labels % 3)
    start = ["--init-from", str(copy), "--data", str(tmp_path / "few.npz")]
    few = ["--learning-rate=1e-30", "--epochs=1", "--average-decay=0"]
    folder = tmp_path / "second"
    assert train.main([*start, *few, "--run", str(folder)]) == 0
    assert "initialised anew, because no weights fit: action" in (
        capsys.readouterr().out
    )
    before, after = (agent_file.load(path) for path in (copy, folder))
    assert after.config.num_classes == 3
    for name, array in before.params["core"].items():
        assert np.array_equal(array, after.params["core"][name])
    np.savez(tmp_path / "few.npz", images=split.images, labels=split.labels + 10)
    other = str(tmp_path / "third")
    assert train.main([*start, *few, "--run", other, "--h-size=17"]) == 0
    out = capsys.readouterr().out
    assert "no weights fit: core, location, action, baseline" in out
    with pytest.raises(UserError, match="leave out --init-from"):
        train.main([*start, "--run", other, "--resume"])


def test_confusions_and_mistakes_are_counted_and_drawn(finished_run):
    """In numbers, as a picture, and the surest mistakes with their glimpses."""
    with open(finished_run / "confusion.csv", encoding="utf-8") as file:
        (_, *names), *rows = csv.reader(file)
    counts = np.array([row[1:] for row in rows], int)
    assert names == [row[0] for row in rows] == [str(c) for c in range(10)]
    result = json.loads((finished_run / "result.json").read_text())
    assert counts.sum() == result["num_test"]
    wrong = counts.sum() - counts.trace()
    assert 100 * wrong / counts.sum() == pytest.approx(result["test_error"])
    for name, row, total in zip(names, counts.diagonal(), counts.sum(axis=1)):
        if total:
            error = result["class_errors"][name]
            assert error == pytest.approx(100 * (1 - row / total))
    assert (finished_run / "mistakes.png").stat().st_size > 1000


def test_the_next_command_is_right_when_pasted(digits_file, tmp_path, capsys):
    """Paths are quoted; a user's own data has no error in the paper and no next task."""
    folder = tmp_path / "my run"
    assert train.main([*TINY_RUN, "--data", digits_file, "--run", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "paper" not in out and "--task" not in out
    commands = [
        shlex.split(line.replace("next:", ""))
        for line in out.splitlines()
        if "python -m" in line
    ]
    assert commands == [
        ["python", "-m", "ramnp.evaluate", str(folder)],
        [
            "python",
            "-m",
            "ramnp.train",
            "--run",
            str(folder),
            "--resume",
            "--epochs",
            "6",
        ],
    ]
    assert evaluate.main(commands[0][3:]) == 0
    assert "18 test scenes" in capsys.readouterr().out


def test_mnist_is_compared_with_the_paper(digits_file, tmp_path, monkeypatch, capsys):
    """MNIST is recognised by its SHA-256, in any file format."""
    digits = mnist.load(digits_file)
    monkeypatch.setattr(mnist, "DIGEST", digits.sha256)
    monkeypatch.chdir(tmp_path)
    options = [*TINY_RUN[1:], "--epochs=1", "--data", digits_file, "--num-glimpses=6"]
    assert train.main([*options, "--run", "run"]) == 0
    out = capsys.readouterr().out
    assert "1.12 %  the paper" in out
    assert f"ramnp.train --task translated --data {digits_file}" in out


def test_fit_trains_from_python_and_returns_agent_and_history(digits_file, tmp_path):
    """The call is bit-identical to the command, and the run can be resumed."""
    folder = str(tmp_path / "run")
    settings = {"epochs": 2, "h_size": 16, "num_glimpses": 3, "batch_size": 24}
    agent, history = ramnp.fit(folder, data=digits_file, threads=1, **settings)
    assert [row["epoch"] for row in history] == [1, 2]
    assert (
        agent.config.h_size == 16 and agent.predict(np.zeros((1, 12, 12))).classes >= 0
    )
    with pytest.raises(UserError, match="exists: resume"):
        ramnp.fit(folder, data=digits_file)
    _, history = ramnp.fit(folder, resume=True, epochs=3)
    assert [row["epoch"] for row in history] == [1, 2, 3]
