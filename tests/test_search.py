"""python -m ramnp.search: which runs it does, how they end, and how it resumes."""

import json
import os
import signal
from contextlib import contextmanager
from threading import Event
from types import SimpleNamespace

import pytest

from ramnp import search, train
from ramnp.figures import trials
from ramnp.study import jobs
from ramnp.support import signals
from ramnp.support.errors import UserError
from ramnp.support.files import RunLock
from tests.helpers import TINY_RUN, Inline

SAMPLES = ["--sample=learning_rate=log:1e-3:0.1", "--sample=h-size=uniform:8:16"]
FIXED = [word for word in TINY_RUN if not word.startswith(("--learning", "--h-"))]
FIXED.append("--epochs=1")


@pytest.fixture
def tiny(tmp_path, monkeypatch, digits_file, no_pictures):
    """Do a search in an empty folder and in this process; see what it started.

    `script` says how the runs in some folders end instead of being trained.
    """
    known = SimpleNamespace(started=[], script={})

    @contextmanager
    def inline_executor(count):
        yield Inline(), Event()

    def supervise(options, folder, directory, stop):
        name = os.path.basename(folder)
        known.started.append(name)
        if known.script.get(name):
            os.makedirs(folder, exist_ok=True)
            (tmp_path / folder / "config.json").write_text("{}")
            return jobs.Outcome(*known.script[name].pop(0))
        resumed = ["--resume"] if os.path.exists(f"{folder}/metrics.jsonl") else []
        return jobs.Outcome(train.main([*options, "--run", folder, *resumed]), "")

    def do(*arguments):
        given = [*SAMPLES, *FIXED, "--results=found", "--data", digits_file]
        code = search.main([*given, *arguments])
        lines = (tmp_path / "found" / "TRIALS.md").read_text().splitlines()
        return code, [line for line in lines if line.startswith("| ")][2:]

    monkeypatch.setattr(trials, "draw_trials", lambda *given: None)
    monkeypatch.setattr(jobs, "local_executor", inline_executor)
    monkeypatch.setattr(jobs, "supervise", supervise)
    monkeypatch.chdir(tmp_path)
    known.do, known.folder = do, tmp_path / "found"
    return known


def test_trials_are_trained_and_none_twice(tiny, capsys):
    """More trials add to those that are done."""
    code, table = tiny.do("--trials=2")
    assert code == 0 and len(table) == 2
    assert tiny.started == ["trial-000", "trial-001"]
    printed = capsys.readouterr().out
    assert printed.startswith("trials to do: 2, done before: 0\n")
    errors = [float(line.split(" | ")[1]) for line in table]
    assert errors == sorted(errors)
    assert f"validation error {errors[0]:.2f} %" in printed
    configs = [
        json.loads((tiny.folder / name / "config.json").read_text())
        for name in tiny.started
    ]
    assert len({config["learning_rate"] for config in configs}) == 2
    assert all(8 <= config["h_size"] <= 16 for config in configs)
    assert all(config["epochs"] == 1 for config in configs)

    before = (tiny.folder / "TRIALS.md").read_text()
    tiny.do("--trials=2")
    assert tiny.started == ["trial-000", "trial-001"]
    assert (tiny.folder / "TRIALS.md").read_text() == before
    assert capsys.readouterr().out.startswith("trials to do: 0, done before: 2\n")

    _, longer = tiny.do("--trials=3")
    assert tiny.started[2:] == ["trial-002"]
    assert {*table} <= {*longer}


def test_the_test_errors_take_no_part(tiny):
    """The table stays the same whatever the test says."""
    _, table = tiny.do("--trials=2")
    for path in tiny.folder.glob("trial-*/result.json"):
        path.write_text("{}")
    assert tiny.do("--trials=2") == (0, table)


def test_a_bad_trial_is_a_row(tiny, capsys):
    """A run that diverges is not repeated; one that fails otherwise is, next time."""
    tiny.script["trial-000"] = [(3, "error: step 5: it diverged")]
    tiny.script["trial-001"] = [(-9, ""), (143, ""), (-9, "")]
    code, table = tiny.do("--trials=3")
    assert code == 1  # of the trial that was killed
    assert table[0].startswith("| 2 | ")
    assert table[1].startswith("| 0 | ") and table[1].endswith(
        " | step 5: it diverged |"
    )
    assert table[2].startswith("| 1 | ") and table[2].endswith(" | killed 3 times |")
    printed = capsys.readouterr()
    assert "trial 0: step 5: it diverged\n" in printed.out
    assert "trial 1: killed 3 times\n" in printed.err

    tiny.started.clear()
    tiny.script["trial-001"] = [(3, "error: it diverged, too")]
    code, table = tiny.do("--trials=3")
    assert code == 0 and tiny.started == ["trial-001"]
    assert [line[:4] for line in table] == ["| 2 ", "| 0 ", "| 1 "]


def test_impossible_settings_are_a_row(tiny):
    """They are not trained; a search that has no others is an error."""
    given = ["--baseline=leave-one-out", "--trials=4"]
    code, table = tiny.do(*given, "--sample=num_rollouts=choice:1,2")
    impossible = [line for line in table if "set --training-rollouts to 2" in line]
    assert code == 0 and 0 < len(impossible) < 4
    assert len(tiny.started) == 4 - len(impossible)
    with pytest.raises(
        UserError, match="no trial can be trained: --baseline leave-one"
    ):
        tiny.do(*given, "--results=other")
    assert not (tiny.folder.parent / "other").exists()


def test_settings_that_do_not_fit_the_data_are_a_row(tiny, monkeypatch, capsys):
    """The run says so before it begins, and is not started again."""
    real = jobs.supervise

    def supervise(*given):
        try:
            return real(*given)
        except UserError as error:
            return jobs.Outcome(2, f"error: {error}")

    monkeypatch.setattr(jobs, "supervise", supervise)
    given = ["--trials=5", "--sample=canvas_size=choice:5,14"]
    code, table = tiny.do(*given)
    assert code == 0 and 0 < sum("canvas" in line for line in table) < 5
    tiny.started.clear()
    assert tiny.do(*given) == (0, table)
    assert tiny.started == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--sample is missing"),
        (["--sample=momentum=log:0:1"], "--sample momentum=log:0:1: the logarithm"),
        ([*SAMPLES, "--h-size=9"], "--sample h_size and --h-size: give one of them"),
        ([*SAMPLES, "--h-size=0"], "give one of them"),
        ([*SAMPLES, "--epochs=0"], "--epochs 0: must be at least 1"),
        ([*SAMPLES, "--seed=-1"], "--seed -1: must be at least 0"),
        ([*SAMPLES, "--trials=0"], "--trials 0: must be between 1 and"),
        ([*SAMPLES, "--jobs=0"], "--jobs 0: must be between 1 and"),
        ([*SAMPLES, "--jobs=2", "--scheduler=x"], "--jobs and --scheduler"),
        ([*SAMPLES, "--core=lstm"], "--core"),
        (
            ["--sample=task=choice:centered,own", "--task=own"],
            "--sample task and --task",
        ),
    ],
)
def test_bad_input_is_one_line(arguments, words, tmp_path, monkeypatch):
    """It names the option, and no file is created."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as error:
        search.main(arguments)
    (line,) = str(error.value).splitlines()
    assert words in line
    assert [*tmp_path.iterdir()] == []


def test_what_is_not_said_is_as_in_training():
    """Task, recipe, seed and folder; the seed of all runs can be sampled."""
    found = search.prepare(search.parse(SAMPLES))
    assert found.fixed == {"task": "centered", "recipe": "quick", "seed": 0}
    assert found.folder == os.path.join("runs", "search", "centered")
    given = ["--task=cluttered", "--seed=4", "--sample=seed=choice:7"]
    found = search.prepare(search.parse(given))
    assert found.folder == os.path.join("runs", "search", "cluttered")
    assert found.trial(0).config.seed == 7 and found.fixed["seed"] == 4


def test_one_search_per_folder_at_a_time(tiny):
    """A second one would train the same trials."""
    tiny.do("--trials=1")
    with RunLock(tiny.folder), pytest.raises(UserError, match="is in use"):
        tiny.do("--trials=2")


def test_an_interrupt_says_how_to_resume(tiny, monkeypatch):
    """What is done stays done, and the next command does the rest."""

    def supervise(options, folder, directory, stop):
        os.kill(os.getpid(), signal.SIGINT)
        return jobs.Outcome(143, "")

    with monkeypatch.context() as patch, signals.raised():
        patch.setattr(jobs, "supervise", supervise)
        with pytest.raises(signals.Interrupted) as interrupted:
            tiny.do("--trials=1")
    (line,) = interrupted.value.__notes__
    assert "and saved; resume with python -m ramnp.search --sample=learning" in line
    assert tiny.do("--trials=1")[0] == 0
    assert tiny.started == ["trial-000"]
