"""python -m ramnp.reproduce: which runs it does, their outcome, how they stop."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest

from ramnp import reproduce, train
from ramnp.datasets import mnist
from ramnp.learning.recipes import make_config
from ramnp.runs import run_folder
from ramnp.study import error_by_cost, error_by_glimpses, jobs, rows
from ramnp.support import signals
from ramnp.support.errors import UserError
from tests.helpers import TINY_RUN, Inline
from tests.processes import ROOT, is_alive, metrics, outcome, saved, wait_until
from tests.study.test_jobs import need_dask


def tiny_config(**changes):
    """The configuration of a run of TINY_RUN."""
    options = vars(train.parse(TINY_RUN))
    names = {field.name for field in dataclasses.fields(make_config())}
    given = {n: v for n, v in options.items() if n in names and v is not None}
    return make_config(**(given | changes))


def leave_out_the_figures(monkeypatch):
    """Drawing takes longer than all the rest, and has its own tests."""
    for figure in (error_by_glimpses, error_by_cost):
        path = f"{{}}/{figure.FIGURE}".format
        monkeypatch.setattr(figure, "draw_figure", path)


@pytest.fixture
def tiny_study(tmp_path, monkeypatch, digits_file, no_pictures):
    """The command in an empty folder, with tiny rows in this process.

    The value is the list of the folders of the runs that were started.
    """
    started = []

    @contextmanager
    def inline_executor(count):
        yield Inline(), Event()

    def train_here(options, folder, directory, stop):
        started.append(folder)
        resumed = ["--resume"] if os.path.exists(f"{folder}/config.json") else []
        return jobs.Outcome(train.main([*options, "--run", folder, *resumed]), "")

    leave_out_the_figures(monkeypatch)
    load = mnist.load
    monkeypatch.setattr(
        mnist, "load", lambda data=None, **named: load(data or digits_file, **named)
    )
    monkeypatch.setattr(jobs, "local_executor", inline_executor)
    monkeypatch.setattr(jobs, "supervise", train_here)
    monkeypatch.setattr(
        rows,
        "row_config",
        lambda table, row, **changes: tiny_config(h_size=16 + len(row), **changes),
    )
    monkeypatch.chdir(tmp_path)
    return started


def test_missing_rows_are_trained_and_none_twice(tiny_study, tmp_path, capsys):
    """Results, the table, a line per run; the second time, nothing is left to do."""
    asked = ["--table", "1a", "--rows", "best", "conv", "--epochs", "1"]
    assert reproduce.main(asked) == 0
    folders = [f"runs/reproduce/1a/{row}/seed-0" for row in ("conv", "best")]
    assert tiny_study == folders
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "runs to do: 2, done before: 0"
    assert printed[-2:] == [
        "the table: results/TABLE.md",
        "the figures: results/glimpses.png, results/cost.png",
    ]
    for row in ("conv", "best"):
        (line,) = [line for line in printed if line.startswith(f"1a {row} seed 0: ")]
        error = json.loads(
            (tmp_path / f"results/1a/{row}/seed-0/result.json").read_text()
        )["test_error"]
        assert f"test error {error:.2f} %, 1 epochs, " in line
    table = (tmp_path / "results/TABLE.md").read_text()
    assert table.count("not run yet") == table.count("\n| `") - 2

    assert reproduce.main(asked) == 0
    assert tiny_study == folders
    assert capsys.readouterr().out.startswith("runs to do: 0, done before: 2\n")

    assert reproduce.main([*asked, "--seeds", "2"]) == 0
    assert tiny_study[2:] == [f.replace("seed-0", "seed-1") for f in folders]


def test_another_number_of_epochs_is_not_taken_for_done(tiny_study):
    """One line says what to remove, before any run starts."""
    asked = ["--table", "1a", "--rows", "best", "--epochs"]
    assert reproduce.main([*asked, "1"]) == 0
    with pytest.raises(UserError, match="--epochs 1, not 2: remove results/1a/best"):
        reproduce.main([*asked, "2"])
    assert len(tiny_study) == 1


def test_a_damaged_result_is_reported_before_any_run(tiny_study, tmp_path):
    """In any table: TABLE.md needs all results."""
    damaged = tmp_path / "results/2b/conv/seed-0/result.json"
    damaged.parent.mkdir(parents=True)
    damaged.write_text("{}")
    with pytest.raises(UserError, match=r"2b/conv/seed-0/result\.json is damaged"):
        reproduce.main(["--table", "1a", "--rows", "best", "--epochs", "1"])
    assert tiny_study == []


def test_only_table_trains_nothing(tiny_study, tmp_path, capsys):
    """It rebuilds the table and the figures from the results there are."""
    assert reproduce.main(["--only-table"]) == 0
    assert tiny_study == []
    assert capsys.readouterr().out == (
        "results/TABLE.md\nresults/glimpses.png\nresults/cost.png\n"
    )
    assert "not run yet" in (tmp_path / "results/TABLE.md").read_text()


def test_smoke_tries_everything_beside_the_study(tiny_study, tmp_path, monkeypatch):
    """One row of each kind on few digits; no other file is touched."""
    monkeypatch.setattr(reproduce, "SMOKE_DIGITS", 70)
    kept = tmp_path / "runs/smoke/mine.txt"
    kept.parent.mkdir(parents=True)
    kept.write_text("")
    for arguments in (["--table", "1a", "--smoke"], ["--smoke"]):
        assert reproduce.main(arguments) == 0
    rows = ["fc-256", "conv", "ram-2", "quick", "best"]
    assert tiny_study == 2 * [f"runs/smoke/runs/1a/{row}/seed-0" for row in rows]
    assert kept.exists() and not (tmp_path / "results").exists()
    table = (tmp_path / "runs/smoke/results/TABLE.md").read_text()
    lines = len(rows) + 1  # quick has one more, for its task
    assert table.count("not run yet") == table.count("\n| `") - lines
    result = (tmp_path / "runs/smoke/results/1a/best/seed-0/result.json").read_text()
    assert json.loads(result)["epochs"] == reproduce.SMOKE_EPOCHS
    assert json.loads(result)["num_test"] == 10


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--table is missing: choose one of 1a, 1b, 2a, 2b, all; "),
        (["--table", "3"], "--table"),
        (["--table", "1a", "--rows", "ram-8"], "--rows ram-8: table 1a has fc-256, "),
        (["--table", "1a", "--seeds", "0"], "--seeds 0: must be between 1 and"),
        (["--table", "1a", "--jobs", "-1"], "--jobs -1: must be between 1 and"),
        (["--table", "1a", "--epochs", "0"], "--epochs 0: must be between 1 and"),
        (["--table", "1a", "--jobs", "2", "--scheduler", "x"], "--jobs and --sched"),
        (["--smoke", "--only-table"], "--smoke and --only-table"),
    ],
)
def test_bad_input_is_one_line(arguments, words, tmp_path, monkeypatch):
    """It names the option, and no file is created."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as error:
        reproduce.main(arguments)
    (line,) = str(error.value).splitlines()
    assert words in line
    assert [*tmp_path.iterdir()] == []


def names_of(*arguments):
    return [str(job) for job in reproduce.chosen_jobs(reproduce.parse(arguments))]


def test_the_chosen_jobs_are_ordered_by_seed():
    """All rows with one seed come before those with the next."""
    assert names_of("--table", "2b") == [
        f"2b {row} seed 0"
        for row in (
            *("conv", "ram-4", "ram-6", "ram-8", "random-8"),
            *("quick", "quick-long", "quick-plain"),
            *("best", "best-plain", "conv-best"),
        )
    ]
    assert names_of("--table", "all", "--rows", "best", "ram-7", "--seeds", "2") == [
        f"{row} seed {seed}"
        for seed in (0, 1)
        for row in ("1a ram-7", "1a best", "1b best", "2a best", "2b best")
    ]
    rows = ("fc-64", "conv", "ram-4", "random-8", "quick", "best")
    assert names_of("--table", "2a", "--smoke") == [f"2a {row} seed 0" for row in rows]


@pytest.fixture
def scripted(monkeypatch, tmp_path):
    """A function that does two jobs whose processes end as a script says."""
    place = rows.Place(str(tmp_path / "runs"), str(tmp_path / "results"))
    kept = []

    def keep_result(job, place):
        kept.append(str(job))
        return rows.Result(job.config, None, {"test_error": 1.0, "seconds": 60})

    leave_out_the_figures(monkeypatch)
    monkeypatch.setattr(rows, "keep_result", keep_result)

    def do(script):
        def supervise(options, folder, directory, stop):
            return jobs.Outcome(*script[os.path.basename(folder)].pop(0))

        monkeypatch.setattr(jobs, "supervise", supervise)
        left = [rows.Job("1a", "best", tiny_config(seed=seed)) for seed in (0, 1)]
        runs = reproduce.runs_of(left, place)
        return jobs.do_with(Inline(), Event(), *runs, threads=1), kept

    return do


@pytest.mark.parametrize(
    ("first", "code", "words"),
    [
        ([(-9, ""), (143, ""), (0, "")], 0, "its process was killed; it is resumed"),
        ([(-9, "")] * 3, 1, "killed 3 times"),
        ([(3, "error: step 5: it diverged")], 3, "error: step 5: it diverged"),
    ],
)
def test_only_killed_runs_are_resumed_and_at_most_twice(
    scripted, capsys, first, code, words
):
    """A run that fails passes on its message and exit code; the other one is done."""
    ended, kept = scripted({"seed-0": first, "seed-1": [(0, "")]})
    assert ended == code
    assert sorted(kept) == [
        f"1a best seed {seed}" for seed in (0, 1) if seed or not code
    ]
    assert f"1a best seed 0: {words}\n" in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_an_interrupt_stops_every_run_and_says_how_to_resume(
    number, code, tmp_path, monkeypatch
):
    """It waits for the runs to save, and starts no others."""
    ended = []

    def supervise(options, folder, directory, stop):
        if "conv" in folder:
            os.kill(os.getpid(), number)
        assert stop.wait(60)
        ended.append(folder)
        return jobs.Outcome(143, "")

    leave_out_the_figures(monkeypatch)
    monkeypatch.setattr(jobs, "supervise", supervise)
    monkeypatch.setattr(mnist, "load", lambda data: None)
    monkeypatch.chdir(tmp_path)
    arguments = ["--table", "1a", "--rows", "best", "conv", "--jobs", "2"]
    with pytest.raises(signals.Interrupted) as interrupted, signals.raised():
        reproduce.main(arguments)
    assert len(ended) == 2 and interrupted.value.exit_code == code
    (line,) = interrupted.value.__notes__
    assert line.endswith(f"resume with python -m ramnp.reproduce {' '.join(arguments)}")


# The tests below start real processes.

STUDY = """
import json, sys
from ramnp import reproduce
from ramnp.learning.config import Config
from ramnp.study import jobs, rows
from ramnp.support import command_line

def main(arguments):
    place, configs, options = map(json.loads, arguments)
    place = rows.Place(*place)
    asked = [rows.Job("1a", "best", Config(**fields)) for fields in configs]
    left = [job for job in (rows.still_to_do(job, place) for job in asked) if job]
    return jobs.do(*reproduce.runs_of(left, place), *options)

command_line.run(main)
"""


EPOCHS = 200  # some seconds: neither run may end before the other is under way


def brief_config(seed):
    """The configuration of a run of some seconds without glimpses to draw."""
    sizes = {"fc_size": 16, "image_height": 12, "image_width": 12}
    return tiny_config(seed=seed, epochs=EPOCHS, model="fc", **sizes)


class Study:
    """Two runs of some seconds each, done by another process."""

    def __init__(self, folder, digits_file, scheduler=None):
        self.place = [str(folder / "runs"), str(folder / "results"), digits_file]
        self.runs = [folder / f"runs/1a/best/seed-{seed}" for seed in (0, 1)]
        self.results = [folder / f"results/1a/best/seed-{seed}" for seed in (0, 1)]
        self.options = [2, scheduler]

    def start(self):
        """Start the process, which does what is left to do."""
        configs = [dataclasses.asdict(brief_config(seed)) for seed in (0, 1)]
        arguments = map(json.dumps, (self.place, configs, self.options))
        return subprocess.Popen(
            [sys.executable, "-c", STUDY, *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_until_both_are_under_way(self):
        """Wait for both checkpoints; return the process ids of the runs."""
        for folder in self.runs:
            wait_until((folder / "checkpoint.npz").exists)
        return [int((folder / ".lock").read_text()) for folder in self.runs]

    @property
    def outcomes(self):
        return [outcome(folder) for folder in self.runs]


@pytest.fixture(scope="module")
def uninterrupted(digits_file, tmp_path_factory):
    """The outcomes of the two runs, done by `ramnp.train` without interruption."""
    outcomes = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_folder, "draw", lambda *given: [])
        for seed in (0, 1):
            folder = tmp_path_factory.mktemp("whole") / "run"
            options = rows.train_options(brief_config(seed))
            options += ["--data", digits_file, "--run", str(folder)]
            assert train.main(options) == 0
            outcomes.append(outcome(folder))
    return outcomes


@pytest.mark.slow
def test_a_killed_process_loses_nothing(digits_file, tmp_path, uninterrupted):
    """At most the last epoch is repeated, and the outcome is bit-identical."""
    tiny = Study(tmp_path, digits_file)
    with tiny.start() as process:
        pid, _ = tiny.wait_until_both_are_under_way()
        wait_until(lambda: len(metrics(tiny.runs[0])) >= 3, pause=0.001)
        os.kill(pid, signal.SIGKILL)
        before = metrics(tiny.runs[0])
        said, complaint = process.communicate()
    assert process.returncode == 0, complaint
    assert "1a best seed 0: its process was killed; it is resumed" in said
    assert "seed 1: its process" not in said  # the other was left alone
    # Including clocks; a kill may fall between the last row and its checkpoint.
    assert 3 <= len(before) < EPOCHS
    kept = before[:-1]
    assert metrics(tiny.results[0])[: len(kept)] == kept
    assert tiny.outcomes == uninterrupted


@pytest.mark.slow
@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda n: n.name
)
def test_a_stopped_study_leaves_no_process_and_resumes(
    number, digits_file, tmp_path, uninterrupted
):
    """Stopped by a signal or killed: its runs save and end; the next one resumes."""
    tiny = Study(tmp_path, digits_file)
    with tiny.start() as process:
        pids = tiny.wait_until_both_are_under_way()
        process.send_signal(number)
        _, complaint = process.communicate()
    codes = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}
    assert process.returncode == codes[number], complaint
    if number == signal.SIGKILL:
        wait_until(lambda: not any(map(is_alive, pids)))
    assert not any(map(is_alive, pids))
    assert all(0 < saved(folder)[0] < 4 * EPOCHS for folder in tiny.runs)
    with tiny.start() as process:
        _, complaint = process.communicate()
    assert process.returncode == 0, complaint
    assert tiny.outcomes == uninterrupted


CLUSTER = """
import sys
from distributed import LocalCluster

if __name__ == "__main__":
    with LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def cluster(tmp_path):
    """The address of a Dask cluster of two worker processes on this machine."""
    need_dask()
    program = tmp_path / "cluster.py"  # its workers import it
    program.write_text(CLUSTER)
    with subprocess.Popen(
        [sys.executable, str(program)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        yield process.stdout.readline().strip()
        process.stdin.close()


def parent_of(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.slow
def test_a_dask_worker_killed_in_the_middle_loses_nothing(
    cluster, digits_file, tmp_path, uninterrupted
):
    """Its run saves and stops, and another worker resumes it bit-identically."""
    tiny = Study(tmp_path, digits_file, cluster)
    with tiny.start() as process:
        pid, _ = tiny.wait_until_both_are_under_way()
        os.kill(parent_of(pid), signal.SIGKILL)
        before = metrics(tiny.runs[0])
        _, complaint = process.communicate()
    assert process.returncode == 0, complaint
    assert int((tiny.runs[0] / ".lock").read_text()) != pid  # another process finished
    assert metrics(tiny.results[0])[: len(before)] == before
    assert tiny.outcomes == uninterrupted


@pytest.mark.slow
def test_an_interrupt_reaches_the_runs_on_a_dask_cluster(
    cluster, digits_file, tmp_path, uninterrupted
):
    """They have saved and ended when the command ends; it can resume elsewhere."""
    tiny = Study(tmp_path, digits_file, cluster)
    with tiny.start() as process:
        pids = tiny.wait_until_both_are_under_way()
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate()
    assert process.returncode == 130, complaint
    assert not any(map(is_alive, pids))
    tiny.options[1] = None
    with tiny.start() as process:
        _, complaint = process.communicate()
    assert process.returncode == 0, complaint
    assert tiny.outcomes == uninterrupted
