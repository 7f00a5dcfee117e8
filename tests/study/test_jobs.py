"""Runs in processes of their own: started, stopped, killed, and gone on with."""

import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ramnp.study import jobs
from ramnp.support import checkpoint
from ramnp.support.errors import UserError
from ramnp.support.files import RunLock
from tests.helpers import TINY_RUN

ROOT = Path(__file__).parents[2]


@pytest.fixture
def options(digits_file):
    return [*TINY_RUN, "--data", digits_file, "--threads=1"]


def supervise(options, folder, stop=None):
    stop = stop or threading.Event()
    return jobs.supervise(options, folder.name, str(folder.parent), stop)


def epochs_saved(folder):
    return checkpoint.load(folder / "checkpoint.npz")[1]["epoch"]


def wait_for(path):
    """Wait until a file is there."""
    deadline = time.monotonic() + 120
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def wait_for_the_end_of(pid):
    """Wait until a process is over, whether or not its parent has taken note."""
    deadline = time.monotonic() + 120
    while is_alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_alive(pid):
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def test_a_run_in_a_process_of_its_own_gives_the_same_bits(
    options, finished_run, tmp_path
):
    """As `ramnp.train` itself."""
    folder = tmp_path / "run"
    assert supervise(options, folder) == jobs.Outcome(0, "")
    saved = (
        checkpoint.load(path / "checkpoint.npz")[0]["parameters"].tobytes()
        for path in (folder, finished_run)
    )
    assert len({*saved}) == 1


def test_a_run_that_is_told_to_stop_saves_and_can_go_on(options, tmp_path):
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
        wait_for(folder / "metrics.jsonl")
    finally:
        stop.set()
        worker.join()
    assert outcome[0].code == 143 and outcome[0].was_stopped
    assert "everything is saved" in outcome[0].complaint
    with RunLock(folder):
        assert epochs_saved(folder) >= 1
    # Going on, it meets its own settings again.
    assert "--epochs 100000, not 3" in supervise(options, folder).complaint


def test_after_the_end_nothing_is_started(options, tmp_path):
    """A worker that comes to its next job finds that the study has stopped."""
    stop = threading.Event()
    stop.set()
    assert supervise(options, tmp_path / "run", stop).was_stopped
    assert not (tmp_path / "run").exists()


def test_what_went_wrong_is_told(options, tmp_path):
    """The run's exit code and its one line."""
    outcome = supervise([*options, "--epochs=0"], tmp_path / "run")
    assert outcome == jobs.Outcome(2, "error: --epochs 0: must be at least 1")
    assert not outcome.was_stopped


def test_a_run_waits_for_the_one_before_to_leave_its_folder(tmp_path, monkeypatch):
    """One whose supervisor was killed may still be saving."""
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
    """Nothing is lost, nothing goes on unseen, and the next supervisor takes over."""
    folder = tmp_path / "run"
    program = (
        "import sys, threading\n"
        "from ramnp.study import jobs\n"
        "jobs.supervise(sys.argv[2:], 'run', sys.argv[1], threading.Event())"
    )
    long = [*options, "--epochs=100000"]
    command = [sys.executable, "-c", program, str(tmp_path), *long]
    with subprocess.Popen(command, cwd=ROOT) as supervisor:
        wait_for(folder / "metrics.jsonl")
        pid = int((folder / ".lock").read_text())
        assert pid != supervisor.pid
        supervisor.kill()
    epochs = len((folder / "metrics.jsonl").read_text().splitlines())
    stop = threading.Event()
    worker = threading.Thread(target=supervise, args=(long, folder, stop))
    worker.start()
    try:
        wait_for_the_end_of(pid)
        assert epochs_saved(folder) >= epochs
        # The supervisor, in this process, holds the lock before its run does.
        others = ("", str(pid), str(os.getpid()))
        deadline = time.monotonic() + 120
        while (folder / ".lock").read_text() in others:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        stop.set()
        worker.join()


def test_without_dask_one_line_says_what_to_install(monkeypatch):
    """It is an extra."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UserError, match="pip install distributed"):
        jobs.dask_executor("tcp://127.0.0.1:1").__enter__()


@pytest.mark.slow
@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense", "nothing://x"])
def test_an_address_where_no_scheduler_answers_is_one_line(address):
    """It is named, and the exit code is 2."""
    need_dask()
    program = (
        "import sys\n"
        "from ramnp.study import jobs\n"
        "from ramnp.support import command_line as command\n"
        "command.run(lambda arguments: jobs.dask_executor(*arguments).__enter__())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, address],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: --scheduler {address}: no Dask scheduler answers")


def need_dask():
    if not importlib.util.find_spec("distributed"):
        pytest.fail("this test needs the extra `study`: pip install distributed")


def test_the_executor_here_has_as_many_workers_as_it_is_told():
    """They are told to stop when the block ends, however it does."""
    with pytest.raises(ZeroDivisionError), jobs.local_executor(2) as (executor, stop):
        both = threading.Barrier(2)
        together = [executor.submit(both.wait, 60) for _ in range(2)]
        assert {future.result() for future in together} == {0, 1}
        waiting = executor.submit(stop.wait, 60)
        raise ZeroDivisionError
    assert waiting.result() is True


def test_a_run_that_was_stopped_is_told_from_one_that_failed():
    """Signals from outside, as the system and as `ramnp.train` report them."""
    for code in (-signal.SIGKILL, -signal.SIGTERM, 130, 143):
        assert jobs.Outcome(code, "").was_stopped
    for code in (0, 1, 2, 3):
        assert not jobs.Outcome(code, "").was_stopped
