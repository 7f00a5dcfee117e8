"""Runs in separate processes: started, stopped, killed and resumed."""

import importlib.util
import os
import signal
import subprocess
import sys
import threading

import pytest

from ramnp.study import jobs
from ramnp.support.errors import UserError
from ramnp.support.files import RunLock
from tests.helpers import TINY_RUN
from tests.processes import ROOT, is_alive, metrics, saved, wait_until


@pytest.fixture
def options(digits_file):
    return [*TINY_RUN, "--data", digits_file, "--threads=1"]


def supervise(options, folder, stop=None):
    stop = stop or threading.Event()
    return jobs.supervise(options, folder.name, str(folder.parent), stop)


def test_a_run_in_a_process_of_its_own_gives_the_same_bits(
    options, finished_run, tmp_path, no_pictures_in_processes
):
    """The same as training in this process."""
    folder = tmp_path / "run"
    assert supervise(options, folder) == jobs.Outcome(0, "")
    assert saved(folder) == saved(finished_run)


def test_a_run_that_is_told_to_stop_saves_and_can_be_resumed(options, tmp_path):
    """It ends before its supervisor does."""
    folder = tmp_path / "run"
    stop = threading.Event()
    outcome = []
    long = [*options, "--epochs=100000"]
    worker = threading.Thread(
        target=lambda: outcome.append(supervise(long, folder, stop))
    )
    worker.start()
    try:
        wait_until((folder / "metrics.jsonl").exists)
    finally:
        stop.set()
        worker.join()
    assert outcome[0].code == 143 and outcome[0].was_stopped
    assert "everything is saved" in outcome[0].complaint
    with RunLock(folder):
        assert saved(folder)[0] >= 4  # an epoch
    # Resumed, it finds its own settings.
    assert "the run in run has 100000" in supervise(options, folder).complaint


def test_a_stopped_study_starts_no_run(options, tmp_path):
    """A worker checks before its next job."""
    stop = threading.Event()
    stop.set()
    assert supervise(options, tmp_path / "run", stop).was_stopped
    assert not (tmp_path / "run").exists()


def test_a_failure_is_reported(options, tmp_path):
    """The run's exit code and its one line."""
    outcome = supervise([*options, "--epochs=0"], tmp_path / "run")
    assert outcome == jobs.Outcome(2, "error: --epochs 0: must be at least 1")
    assert not outcome.was_stopped


def test_a_run_waits_until_its_folder_is_free(tmp_path, monkeypatch):
    """A run whose supervisor was killed may still be saving."""
    lock = RunLock(tmp_path)
    lock.__enter__()
    monkeypatch.setattr(jobs, "POLL", 0.01)
    waited = []

    def sleep(seconds):
        waited.append(seconds)
        if len(waited) == 3:
            lock.__exit__()

    monkeypatch.setattr(jobs.time, "sleep", sleep)
    jobs._wait_until_free(tmp_path, threading.Event())
    assert waited == [0.01] * 3


@pytest.mark.slow
def test_a_run_saves_and_stops_when_its_supervisor_is_killed(options, tmp_path):
    """Nothing is lost, no process stays, and the next supervisor takes over."""
    folder = tmp_path / "run"
    program = (
        "import sys, threading\n"
        "from ramnp.study import jobs\n"
        "jobs.supervise(sys.argv[2:], 'run', sys.argv[1], threading.Event())"
    )
    long = [*options, "--epochs=100000"]
    command = [sys.executable, "-c", program, str(tmp_path), *long]
    with subprocess.Popen(command, cwd=ROOT) as supervisor:
        wait_until((folder / "metrics.jsonl").exists)
        pid = int((folder / ".lock").read_text())
        assert pid != supervisor.pid
        supervisor.kill()
    epochs = len(metrics(folder))
    stop = threading.Event()
    worker = threading.Thread(target=supervise, args=(long, folder, stop))
    worker.start()
    try:
        wait_until(lambda: not is_alive(pid))
        assert saved(folder)[0] >= 4 * epochs
        # The supervisor, in this process, holds the lock before its run does.
        others = ("", str(pid), str(os.getpid()))
        wait_until(lambda: (folder / ".lock").read_text() not in others)
    finally:
        stop.set()
        worker.join()


def test_without_dask_one_line_says_what_to_install(monkeypatch):
    """Dask is an extra."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UserError, match="pip install distributed"):
        jobs.dask_executor("tcp://127.0.0.1:1").__enter__()


@pytest.mark.slow
@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense", "nothing://x"])
def test_an_address_where_no_scheduler_answers_is_one_line(address):
    """The line names it; exit code 2."""
    need_dask()
    program = (
        "from ramnp.study import jobs\n"
        "from ramnp.support import command_line\n"
        "command_line.run(lambda given: jobs.dask_executor(*given).__enter__())"
    )
    command = [sys.executable, "-c", program, address]
    done = subprocess.run(
        command, cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: --scheduler {address}: no Dask scheduler answers")


def need_dask():
    if not importlib.util.find_spec("distributed"):
        pytest.fail("this test needs the extra `study`: pip install distributed")


def test_the_local_executor_has_the_given_number_of_workers():
    """They are told to stop when the block ends in any way."""
    with pytest.raises(ZeroDivisionError), jobs.local_executor(2) as (executor, stop):
        both = threading.Barrier(2)
        together = [executor.submit(both.wait, 60) for _ in range(2)]
        assert {future.result() for future in together} == {0, 1}
        waiting = executor.submit(stop.wait, 60)
        raise ZeroDivisionError
    assert waiting.result() is True


def test_stopped_runs_differ_from_failed_ones():
    """By the exit codes of signals, of the system and of `ramnp.train`."""
    for code in (-signal.SIGKILL, -signal.SIGTERM, 130, 143):
        assert jobs.Outcome(code, "").was_stopped
    for code in (0, 1, 2, 3):
        assert not jobs.Outcome(code, "").was_stopped


def test_finished_epochs_are_counted(tmp_path):
    """By the lines of metrics.jsonl; 0 before there is one."""
    run = jobs.Run("a name", str(tmp_path), [], 3)
    assert run.epochs_done == 0
    (tmp_path / "metrics.jsonl").write_text("{}\n{}\n")
    assert run.epochs_done == 2


def test_a_failure_has_a_reason():
    """What the run said last; a killed one says nothing."""
    assert jobs.Outcome(2, "error: no disk").reason == "error: no disk"
    assert jobs.Outcome(-9, "").reason == "killed 3 times"
