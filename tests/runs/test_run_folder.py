"""Resuming a run folder: same data, same settings, known environment."""

import csv
import dataclasses
import json
import shlex
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import ramnp
from ramnp import evaluate, train
from ramnp.agent import parameters
from ramnp.datasets import mnist, scenes
from ramnp.figures import confusion, curves, film, glimpses
from ramnp.learning import evaluation
from ramnp.learning.choices import model_of
from ramnp.learning.recipes import make_config
from ramnp.learning.state import initial
from ramnp.runs import agent_file, run_folder, saved_state
from ramnp.support import checkpoint, signals
from ramnp.support.errors import CheckpointError, DataError, UserError
from tests.helpers import TINY_RUN, Watched, sealed, small_split, write_digits
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
    before = saved_state.environment()
    current = {"numpy": "2.99", "blas_threads": "7", "processor": "abacus"}
    monkeypatch.setattr(saved_state, "environment", lambda: current)
    with pytest.raises(UserError, match="--strict") as error:
        resume(copy, "--strict")
    assert resume(copy) == 0
    warning = capsys.readouterr().err
    assert warning.count("\n") == 1
    changes = (
        "the last bits may differ from the interrupted run: "
        f"numpy {np.__version__} then, 2.99 now; blas threads {before['blas_threads']} "
        f"then, 7 now; processor {before['processor'][:60]} then, abacus now"
    )
    assert warning == f"warning: {changes}\n"
    run_folder.run(*run_folder.read_run(copy, {}), copy, threads=1, resume=True)
    remedy = "resume where it began, or leave out --strict"
    assert str(error.value) == f"{changes}; {remedy}"


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
    path = copy / "config.json"
    path.write_text(text)
    with pytest.raises(CheckpointError) as error:
        resume(copy)
    message = f"{path} is damaged: restore it, or start a new run"
    assert str(error.value) == message


def test_messages_of_a_run_that_cannot_be_resumed_or_begun(copy, digits_file, tmp_path):
    """Each names the folder or the setting, and says what to do."""
    empty, file = tmp_path / "empty", tmp_path / "file"
    file.touch()
    config, prepared = copy / "config.json", run_folder.prepare_run({}, digits_file)
    no_run = "leave out --resume, or choose another --run"
    longer = "give more to train it longer, or leave the option out"
    same = "resume with the same settings, or start a new run"
    resume_it = "resume its run with --resume, or choose another folder with --run"
    for call, message in (
        (lambda: resume(empty), f"there is no run in {empty}: {no_run}"),
        (
            lambda: resume(copy, "--seed=1"),
            f"{config} was trained with --seed 0, not 1: {same}",
        ),
        (
            lambda: resume(copy, "--epochs=2"),
            f"--epochs 2: the run in {copy} has 3; {longer}",
        ),
        (
            lambda: run_folder.refuse_if_in_use(copy),
            f"{copy} exists: {resume_it}",
        ),
        (
            lambda: run_folder.refuse_if_in_use(file),
            f"cannot use the folder {file}: Not a directory; choose another by --run",
        ),
        (
            lambda: ramnp.fit(file / "run", data=digits_file),
            f"cannot use the folder {file}/run: Not a directory; choose another by --run",
        ),
        (
            lambda: run_folder.run(*prepared, file / "run", threads=1),
            f"cannot make the folder {file}/run: Not a directory; choose another by --run",
        ),
    ):
        with pytest.raises(UserError) as error:
            call()
        assert str(error.value) == message
    run_folder.refuse_if_in_use(empty)


def test_settings_that_are_wrong_for_any_data_are_refused_before_it_is_read(tmp_path):
    """Which may take minutes; the size of images is the data's business."""
    nowhere = str(tmp_path / "nowhere")
    for settings in ({"num_shards": 999}, {"num_shards": 999, "resize": True}):
        with pytest.raises(UserError, match="--num-shards 999 is more"):
            run_folder.prepare_run(settings, nowhere)
    large = {"model": "conv", "filter_size": 90, "task": "own"}
    with pytest.raises(DataError, match="nowhere does not exist"):
        run_folder.prepare_run(large, nowhere)
    size = {"resize": True, "image_height": 20, "image_width": 30}
    with pytest.raises(UserError, match="--filter-size 90"):
        run_folder.prepare_run(large | size, nowhere)


def test_images_are_resized_to_the_size_that_is_asked_for(digits_file):
    """From Python the size may be left to the default."""
    for size, expected in (((20, 30), (20, 30)), (None, (28, 28))):
        settings = {"resize": True}
        settings |= dict(zip(("image_height", "image_width"), size or ()))
        config, digits = run_folder.prepare_run(settings, digits_file)
        assert digits.train.images.shape[1:] == expected
        assert (config.image_height, config.image_width) == expected


def test_a_run_whose_data_has_moved_is_told_where(copy, digits_file, tmp_path):
    """The same images elsewhere are the same data; its record stays as it was."""
    config = json.loads((copy / "config.json").read_text())
    moved = {"data": str(tmp_path / "gone.npz")}
    (copy / "config.json").write_text(json.dumps(config | moved))
    with pytest.raises(DataError, match=rf"gone\.npz does not exist, but {copy} was"):
        run_folder.read_run(copy, {})
    _, history = ramnp.fit(copy, data=digits_file, resume=True)
    assert len(history) == 3
    read, digits = run_folder.read_run(copy, {"epochs": 4}, digits_file)
    assert (read.epochs, digits.sha256) == (4, config["data_sha256"])
    (copy / "config.json").write_text(json.dumps(config | {"data_sha256": "12"}))
    with pytest.raises(DataError, match=f"{copy} was trained on, or has changed"):
        run_folder.read_run(copy, {})


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
    for path in (finished_run / "result.json", finished_run / "config.json"):
        text = path.read_text()
        assert text == json.dumps(json.loads(text), indent=2) + "\n"
    lines = (finished_run / "metrics.jsonl").read_text().splitlines()
    history = [json.loads(line) for line in lines]
    assert row["epoch"] == min(history, key=lambda row: row["valid_error"])["epoch"]
    assert result["seconds"] == history[-1]["seconds"]
    speed = np.mean([row["images_per_second"] for row in history])
    assert result["images_per_second"] == pytest.approx(speed)


def watch_stdout(monkeypatch):
    """Watch what a run prints, and that it is to be seen before each long wait."""
    stream = Watched()
    monkeypatch.setattr("sys.stdout", stream)
    train_as_before = run_folder.resumable.train

    def train_then(*given):
        assert stream.flushed == stream.getvalue()
        return train_as_before(*given)

    def draw_then(folder, *given):
        assert stream.flushed == stream.getvalue()
        return [f"{folder}/a.png", "b.png"]

    monkeypatch.setattr(run_folder.resumable, "train", train_then)
    monkeypatch.setattr(run_folder, "draw", draw_then)
    return stream


def test_what_a_run_prints(digits_file, tmp_path, monkeypatch):
    """What is trained on what, all notes, the test result, pictures, next commands."""
    stdout, folder = watch_stdout(monkeypatch), tmp_path / "my run"
    options = ["--data", digits_file, "--run", str(folder), "--patch-size=1"]
    assert train.main([*TINY_RUN, *options]) == 0
    result = json.loads((folder / "result.json").read_text())
    agent, row = agent_file.load_with_training(folder)
    (note,) = mnist.load(digits_file).notes
    assert stdout.getvalue().splitlines() == [
        (
            f"centered, recipe quick, seed 0: {agent.num_parameters:,} parameters, "
            f"90 training images, 3 epochs, into {folder}"
        ),
        "10 classes: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9",
        f"note: {note}",
        (
            "note: a glimpse covers 1 x 1 of 12 x 12 pixels: raise --num-scales or "
            "--patch-size, or use --task own"
        ),
        "",
        *evaluation.summary(result).splitlines(),
        (
            f"best epoch {row['epoch']} of 3, chosen on validation; "
            f"{result['seconds'] / 60:.1f} minutes"
        ),
        "",
        f"pictures:  '{folder}/a.png'  b.png",
        f"next:      python -m ramnp.evaluate '{folder}'",
        f"           python -m ramnp.train --run '{folder}' --resume --epochs 6",
    ]


def test_what_a_longer_run_prints_first(copy, monkeypatch):
    """That its schedules are those of the longer run, from this epoch on."""
    stdout = watch_stdout(monkeypatch)
    assert resume(copy, "--epochs=5") == 0
    assert stdout.getvalue().startswith(
        "from epoch 3 of 3 on, this is a run of 5 epochs: step size, location noise and "
        "augmentation take the values that they have there in such a run\ncentered, "
    )


def test_what_a_run_on_mnist_prints(digits_file, tmp_path, monkeypatch):
    """No classes, which are known; the paper's error; the next task, unless begun."""
    monkeypatch.setattr(mnist, "DIGEST", mnist.load(digits_file).sha256)
    monkeypatch.chdir(tmp_path)
    options = [*TINY_RUN[1:], "--epochs=1", "--data", digits_file, "--num-glimpses=6"]
    (tmp_path / "runs" / "centered").mkdir(parents=True)
    for run, more in (("a", f" --data {digits_file}"), ("b", None)):
        with monkeypatch.context() as patch:
            stdout = watch_stdout(patch)
            assert train.main([*options, "--run", run]) == 0
        out = stdout.getvalue()
        assert "10 classes:" not in out and "\n  1.12 %  the paper (arXiv; NIPS:" in out
        lines = ["next:      python -m ramnp.evaluate " + run]
        if more:
            lines.append("           python -m ramnp.train --task translated" + more)
            (tmp_path / "runs" / "translated").mkdir()
        assert out.endswith("\n".join(["", *lines, ""]))


def test_an_interrupted_run_says_how_to_resume(digits_file, tmp_path, monkeypatch):
    """The command can be pasted."""
    told = []

    def interrupt(config, digits, folder, state, *rest):
        state.step = 1234
        told.append(rest)
        raise signals.Interrupted(2)

    monkeypatch.setattr(run_folder.resumable, "train", interrupt)
    folder = tmp_path / "my run"
    prepared = run_folder.prepare_run({}, digits_file)
    with pytest.raises(signals.Interrupted) as interrupted:
        run_folder.run(*prepared, folder, threads=1)
    with pytest.raises(UserError, match="exists: resume"):  # unless asked
        run_folder.run(*prepared, folder, threads=1)
    with pytest.raises(signals.Interrupted):
        run_folder.run(
            *prepared, folder, threads=3, resume=True, save_every=5, on_row=print
        )
    assert told == [(1, 0, None), (3, 5, print)]
    assert interrupted.value.__notes__ == [
        (
            "after step 1,234: everything is saved; resume with python -m ramnp.train --run "
            f"'{folder}' --resume"
        )
    ]


def test_the_end_of_a_run_takes_its_rows(copy, digits_file, monkeypatch, capsys):
    """For the time that it took, its mean speed, and the curves."""
    drawn = []
    monkeypatch.setattr(run_folder, "draw", lambda *given: drawn.append(given) or [])
    history = [
        row | {"seconds": 1000.0 + n, "images_per_second": 10.0 * n}
        for n, row in enumerate(rows_of(copy))
    ]
    digits = mnist.load(digits_file)
    with ThreadPoolExecutor(1) as pool:
        run_folder.finish(str(copy), digits, history, pool)
    assert "; 16.7 minutes\n" in capsys.readouterr().out
    (given,) = drawn
    agent = agent_file.load(copy)
    assert given[:2] == (str(copy), digits) and given[3] == history
    assert given[2].config == agent.config
    assert given[4].shape == digits.test.labels.shape
    result = json.loads((copy / "result.json").read_text())
    assert (result["seconds"], result["images_per_second"]) == (1002.0, 10.0)
    monkeypatch.setattr(mnist, "DIGEST", digits.sha256)
    monkeypatch.chdir(copy)
    with ThreadPoolExecutor(1) as pool:
        run_folder.finish(str(copy), digits._replace(path=None), history, pool)
    assert capsys.readouterr().out.endswith("-m ramnp.train --task translated\n")


def test_the_test_is_shared_by_as_many_threads(copy, monkeypatch):
    """As the training was."""
    counts = []

    class Pool(ThreadPoolExecutor):
        def __init__(self, count):
            counts.append(count)
            super().__init__(count)

    monkeypatch.setattr(run_folder, "ThreadPoolExecutor", Pool)
    prepared = run_folder.read_run(copy, {})
    run_folder.run(*prepared, copy, threads=3, resume=True)
    assert counts == [3]


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (
            {"task": "centered", "num_glimpses": 6},
            "  1.12 %  the paper (arXiv; NIPS: 1.29 %)\n",
        ),
        ({"task": "centered", "model": "conv"}, "  1.21 %  the paper (arXiv)\n"),
        ({"task": "centered", "num_glimpses": 9}, ""),
        ({"task": "own"}, ""),
    ],
)
def test_the_papers_error_is_that_of_the_same_row(settings, line):
    """By task, model and number of glimpses, if the paper has it."""
    assert run_folder._comparison(make_config(**settings)) == line


def test_the_next_task_is_that_after_it_in_the_paper():
    """After the last one, and after one's own images, the first."""
    tasks = ["centered", "translated", "cluttered", "cluttered-100"]
    assert list(map(run_folder._next_task, tasks)) == [*tasks[1:], tasks[0]]
    assert run_folder._next_task("own") == "centered"


def test_fit_trains_with_all_cores_unless_told(digits_file, tmp_path, monkeypatch):
    """It hands folder, threads and --resume on."""
    told = []
    monkeypatch.setattr(run_folder, "run", lambda *a, **named: told.append((a, named)))
    monkeypatch.setattr(run_folder.agent_file, "load", lambda folder: f"best: {folder}")
    monkeypatch.setattr(run_folder, "read_history", lambda folder: f"rows: {folder}")
    monkeypatch.setattr(run_folder.process, "num_cores", lambda: 7)
    folder = str(tmp_path / "run")
    for options, threads in (({}, 7), ({"threads": 3}, 3)):
        answer = ramnp.fit(folder, data=digits_file, seed=4, **options)
        assert answer == (f"best: {folder}", f"rows: {folder}")
        (config, digits, where), named = told.pop()
        assert (config.seed, where) == (4, folder)
        assert named == {"threads": threads, "resume": False}
        assert digits.path == digits_file


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


def test_weights_are_taken_where_they_fit(copy, digits_file):
    """Also into the running average; the last layer only for the same classes."""
    agent, digits = agent_file.load(copy), mnist.load(digits_file)
    state = initial(agent.config, 90)
    notes = run_folder.start_from(state, agent.config, digits, agent)
    assert notes == ()
    vector, _ = parameters.flatten(agent.params)
    assert np.array_equal(state.vector, vector)
    assert np.array_equal(state.average, vector)
    others = digits._replace(class_names=tuple("abcdefghij"))
    state = initial(agent.config, 90)
    (note,) = run_folder.start_from(state, agent.config, others, agent)
    assert note == "initialised anew, because no weights fit: action"
    differ = state.vector != vector
    shapes = model_of(agent.config).shapes(agent.config)
    fresh = parameters.views(differ, shapes)
    assert fresh["action"]["W_a"].all() and not fresh["core"]["W_h"].any()
    settings = {"hg_size": 9, "hl_size": 9, "g_size": 17, "h_size": 17}
    config = dataclasses.replace(agent.config, **settings, locator_hidden_size=9)
    with pytest.raises(UserError) as error:
        run_folder.start_from(initial(config, 90), config, others, agent)
    assert str(error.value) == (
        "--init-from: no network of that agent has the shape of one of this run"
    )


def test_a_run_from_trained_weights_is_resumable_at_once(
    copy, digits_file, tmp_path, monkeypatch
):
    """Killed before its first step, it still starts from them."""

    def interrupt(*given):
        raise signals.Interrupted(2)

    folder = tmp_path / "second"
    start = ["--init-from", str(copy), "--run", str(folder), "--learning-rate=1e-30"]
    with monkeypatch.context() as patch:
        patch.setattr(run_folder.resumable, "train", interrupt)
        with pytest.raises(signals.Interrupted):
            train.main([*start, "--epochs=1", "--average-decay=0"])
    assert resume(folder) == 0
    agents = (agent_file.load(path) for path in (copy, folder))
    assert np.array_equal(*(parameters.flatten(agent.params)[0] for agent in agents))


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


def frozen_scenes(digits, config):
    starts = range(0, len(digits.test.labels), scenes.FROZEN_CHUNK)
    chunks = [scenes.frozen_chunk(digits.test, "test", n, config) for n in starts]
    return map(np.concatenate, zip(*chunks))


def test_what_is_drawn(finished_run, digits_file, tmp_path, monkeypatch):
    """The first scenes of the test, as sheet and film; the first mistakes of all."""
    monkeypatch.setattr(scenes, "FROZEN_CHUNK", 4)
    monkeypatch.setattr(run_folder, "NUM_PICTURED", 3)
    monkeypatch.setattr(run_folder, "MOST_MISTAKES", 7)
    drawn = {}
    for module, name in (
        (curves, "draw_curves"),
        (confusion, "draw_confusion"),
        (glimpses, "draw_glimpses"),
        (glimpses, "draw_mistakes"),
        (film, "animate_glimpses"),
    ):
        remember = lambda *given, name=name: drawn.update({name: given})
        monkeypatch.setattr(module, name, remember)
    agent, digits = agent_file.load(finished_run), mnist.load(digits_file)
    agent = agent._replace(
        config=dataclasses.replace(agent.config, invert=True),  # once is enough
        data=agent.data | {"class_names": list("abcdefghij")},
    )
    images, labels = frozen_scenes(digits, agent.config)
    classes = labels.copy()
    wrong = [0, 2, 3, 5, 8, 9, 13, 17]
    classes[wrong] = (classes[wrong] + 1) % 10
    history = rows_of(finished_run)
    assert (
        draw(str(tmp_path), digits, agent, history, classes) == []
    )  # no file is there

    def path(name):
        return str(tmp_path / name)

    assert drawn["draw_curves"] == (history, path("curves.png"), "centered")
    counts, names, where = drawn["draw_confusion"]
    assert (names, where) == (list("abcdefghij"), path("confusion.png"))
    assert counts.sum() == 18 and counts.trace() == 10
    for name, file, index in (
        ("draw_glimpses", "glimpses.png", [0, 1, 2]),
        ("animate_glimpses", "glimpses.gif", [0, 1, 2]),
        ("draw_mistakes", "mistakes.png", wrong[:7]),
    ):
        (pictures, classes_of, seen, config, *rest) = drawn[name]
        assert np.array_equal(pictures, images[index])
        assert np.array_equal(classes_of, labels[index])
        expected = agent.predict(images[index], prepared=True)
        assert all(map(np.array_equal, seen, expected)) and config == agent.config
        assert rest == [path(file), list("abcdefghij")]
    lines = (tmp_path / "confusion.csv").read_bytes().decode().split("\n")
    assert lines[0] == "true \\ predicted,a,b,c,d,e,f,g,h,i,j" and lines[11:] == [""]
    assert lines[1] == "a," + ",".join(map(str, counts[0]))


@pytest.mark.parametrize(
    ("model", "right", "names"),
    [
        ("ram", True, ["curves.png", "confusion.png", "glimpses.png", "glimpses.gif"]),
        ("fc", False, ["curves.png", "confusion.png"]),
    ],
)
def test_nothing_is_drawn_of_what_is_not_there(
    model, right, names, finished_run, digits_file, tmp_path, monkeypatch
):
    """No mistakes where there are none, no glimpses of a network without them."""
    for module, name, place in (
        (curves, "draw_curves", 1),
        (confusion, "draw_confusion", 2),
        (glimpses, "draw_glimpses", 4),
        (film, "animate_glimpses", 4),
    ):
        touch = lambda *given, place=place: Path(given[place]).touch()
        monkeypatch.setattr(module, name, touch)
    agent, digits = agent_file.load(finished_run), mnist.load(digits_file)
    agent = agent._replace(config=dataclasses.replace(agent.config, model=model))
    classes = (digits.test.labels + (not right)) % 10
    drawn = draw(str(tmp_path), digits, agent, rows_of(finished_run), classes)
    assert drawn == [str(tmp_path / name) for name in names]


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
