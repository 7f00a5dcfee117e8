"""Worker processes: identical results, and no process is left behind."""

import contextlib
import errno
import os
import resource
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ramnp import train
from ramnp.datasets.mnist import Digits
from ramnp.learning import reinforce, trainer
from ramnp.learning.gradient import Shard
from ramnp.learning.state import initial
from ramnp.runs import resumable, run_folder, saved_state, workers
from ramnp.support import checkpoint
from ramnp.support.errors import DataError, UserError, WorkerError
from tests.helpers import TINY_RUN, small_config, small_split
from tests.processes import ROOT, is_alive, wait_until

CONFIG = small_config(num_classes=10, num_shards=5, batch_size=12, num_rollouts=2)
SPLIT = small_split(0, 40, 12, 12)


@pytest.fixture
def current():
    return initial(CONFIG, 40)


@pytest.fixture
def team(current):
    """This process and one more."""
    with contextlib.closing(workers.Workers(2, CONFIG, SPLIT, current.vector)) as team:
        yield team


def jobs(current, *indices):
    return [
        Shard(shard, np.array(index), current.streams_of(shard), 12, 0.2, True)
        for shard, index in enumerate(indices)
    ]


def is_there(pid):
    """Tell whether a process exists, be it as a zombie."""
    return Path(f"/proc/{pid}").exists()


def status(pid):
    """Return the fields of a process's /proc/PID/stat from its state, one letter, on."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def is_at_rest(pid):
    """Tell whether a process sleeps for 50 looks in a row, or is stopped, without any work."""
    looks = []
    for _ in range(50):
        state, *fields = status(pid)
        looks.append((state in "ST", fields[10:12]))  # its time in user and system mode
        time.sleep(0.005)
    return looks == [(True, looks[0][1])] * 50


@pytest.mark.parametrize("count", [2, 4])
def test_any_number_of_processes_gives_the_same_answers(count, current):
    """The sums, the states and every bit of the gradients, fewer shards included."""
    alone = workers.Workers(1, CONFIG, SPLIT, current.vector)
    several = workers.Workers(count + 1, CONFIG, SPLIT, current.vector)
    assert alone.pids == [] and len(several.pids) == count
    with contextlib.closing(several):
        for asked in (
            jobs(current, [3, 1], [4], [1], [5, 9], [2]),
            jobs(current, [9, 2, 6]),
        ):
            assert several(asked) == alone(asked)
            assert several.memory.tobytes() == alone.memory.tobytes()
            alone.memory[0] += 0.01
            several.memory[0] += 0.01


def test_there_are_no_more_processes_than_shards(current):
    """Five shards: this process and four; on Windows this process alone."""
    with workers.Workers(9, CONFIG, SPLIT, current.vector) as team:
        assert len(team.pids) == 4
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "name", "nt")
        alone = workers.Workers(9, CONFIG, SPLIT, current.vector)
    assert alone.pids == []
    alone(jobs(current, [3], [1]))


def test_a_worker_is_woken_by_pipes(team):
    """They take half the time of sockets."""
    (worker,) = team._workers
    for end in (worker._in, worker._out):
        assert stat.S_ISFIFO(os.fstat(end.fileno()).st_mode)


def test_a_worker_neither_reads_nor_prints(current):
    """What is typed and printed at the terminal is the training process's."""
    before, (reading, writing) = os.dup(0), os.pipe()
    os.dup2(reading, 0)  # pytest's own standard input is /dev/null already
    try:
        with workers.Workers(2, CONFIG, SPLIT, current.vector) as team:
            files = [os.readlink(f"/proc/{team.pids[0]}/fd/{n}") for n in (0, 1)]
    finally:
        os.dup2(before, 0)
        for descriptor in (before, reading, writing):
            os.close(descriptor)
    assert files == ["/dev/null"] * 2


def test_closed_nothing_is_left(current):
    """No process, no zombie, what was learned stays; nor is a file, without the memory."""
    files = os.listdir("/proc/self/fd")
    team = workers.Workers(3, CONFIG, SPLIT, current.vector)
    pids = team.pids
    assert all(map(is_there, pids))
    team(jobs(current, [3], [1], [4], [1], [5]))
    team.close()
    assert not any(map(is_there, pids)) and team.pids == []
    assert (
        np.array_equal(team.memory[0], current.vector) and team.memory[1:].any(1).all()
    )
    del team
    assert os.listdir("/proc/self/fd") == files


def test_a_worker_that_is_killed_is_named(team, current):
    """One line names its process id and the signal; this process continues alone."""
    (pid,) = team.pids
    os.kill(pid, signal.SIGKILL)
    asked = jobs(current, [3], [1], [4])
    with pytest.raises(
        WorkerError, match=f"process {pid} ended by SIGKILL: where"
    ) as e:
        team(asked)
    assert e.value.exit_code == 2 and "\n" not in str(e.value)
    assert not is_there(pid)
    assert team(asked) == workers.Workers(1, CONFIG, SPLIT, current.vector)(asked)


def test_a_worker_does_not_notice_what_stops_others(team, current):
    """SIGINT and SIGTERM, which Ctrl-C and systems send to all, are not for it."""
    team(jobs(current, [3], [1]))
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(team.pids[0], number)
    time.sleep(0.05)
    assert len(team(jobs(current, [3], [1]))) == 2
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == set()


def test_a_bug_in_a_worker_shows_where_it_is(team, current):
    """The training process raises the exception, with the worker's traceback."""
    with pytest.raises(IndexError, match="40") as error:
        team(jobs(current, [3], [40]))
    (note,) = error.value.__notes__
    assert note.startswith("in a worker process:\nTraceback") and "gradient.py" in note


def test_a_user_error_in_a_worker_is_raised_unchanged(current):
    """A DataError of a worker is a DataError here."""
    few = SPLIT._replace(images=SPLIT.images[:1], labels=SPLIT.labels[:1])
    config = small_config(num_classes=10, canvas_size=20, num_clutter=2, clutter_size=3)
    current = initial(config, 1)
    team = workers.Workers(2, config, few, current.vector)
    team._here = lambda shards: [None] * len(shards)  # this process finds nothing wrong
    with contextlib.closing(team), pytest.raises(DataError, match="clutter"):
        team(jobs(current, [0], [0]))


def test_a_worker_without_memory_says_so(team, current):
    """As a MemoryError, and it ends with the others."""
    team(jobs(current, [3], [1]))
    (pid,) = team.pids
    held = (
        int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()
    )
    # For the question, which may take malloc 64 MiB at once, not for the answer.
    room = held + 2**27
    resource.prlimit(pid, resource.RLIMIT_AS, (room, room))
    with pytest.raises(MemoryError):
        team(jobs(current, [3], [1] * 200_000))
    assert not is_there(pid)


def test_an_answer_that_comes_late_is_not_taken_for_the_next(team, current):
    """Where this process fails in its own part, the others' answers are dropped."""
    with pytest.raises(IndexError):
        team(jobs(current, [40], [1]))
    asked = jobs(current, [3], [4])
    assert team(asked) == workers.Workers(1, CONFIG, SPLIT, current.vector)(asked)


@contextlib.contextmanager
def small_files():
    """No file of this process can grow beyond 300 bytes, pytest's own output included."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_without_shared_memory_one_line_says_so(current):
    """One line says how to do without."""
    with (
        pytest.raises(UserError, match="cannot start a worker .*: File too large; use"),
        small_files(),
    ):
        workers.Workers(2, CONFIG, SPLIT, current.vector)


def test_where_one_more_process_cannot_be_started(current, monkeypatch):
    """One line says how to do without; the ones before end, and nothing stays open."""
    files = os.listdir("/proc/self/fd")
    started = []

    class Popen(subprocess.Popen):
        def __init__(self, *given, **named):
            if started:
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            super().__init__(*given, **named)
            started.append(self.pid)

    monkeypatch.setattr(subprocess, "Popen", Popen)
    with pytest.raises(UserError, match="cannot start a worker .*; use --threads 1"):
        workers.Workers(3, CONFIG, SPLIT, current.vector)
    assert len(started) == 1 and not is_there(started[0])
    assert os.listdir("/proc/self/fd") == files


def test_a_worker_that_fails_to_start_is_named(current, monkeypatch, capfd, tmp_path):
    """Its complaint is on stderr, its exit code in the message."""
    broken = "raise ImportError('No module named ramnp')"
    (tmp_path / "ramnp.py").write_text(broken)
    monkeypatch.setattr(workers.process, "search_path", lambda: str(tmp_path))
    with pytest.raises(WorkerError, match=r"ended by exit code 1"):
        workers.Workers(2, CONFIG, SPLIT, current.vector)(jobs(current, [3], [1]))
    assert "No module named ramnp" in capfd.readouterr().err


def test_without_the_call_that_makes_files_in_memory(current, monkeypatch):
    """Where the system has none, an unnamed file in the temporary folder does."""
    monkeypatch.delattr(os, "memfd_create")
    team = workers.Workers(2, CONFIG, SPLIT, current.vector)
    with contextlib.closing(team):
        asked = jobs(current, [3], [1])
        alone = workers.Workers(1, CONFIG, SPLIT, current.vector)
        assert team(asked) == alone(asked)


def test_the_state_is_saved_when_a_worker_is_lost(tmp_path, monkeypatch):
    """Earlier steps are kept, and the resumed run ends bit-identically."""
    config = small_config(num_classes=10, batch_size=12, epochs=2)
    digits = Digits(SPLIT, SPLIT, SPLIT, sha256="0" * 64)
    whole = initial(config, 40)
    resumable.train(config, digits, str(tmp_path), whole)
    step = trainer.Trainer.step

    def step_and_kill(self):
        step(self)
        if self.state.step == 3:
            os.kill(self.shard_gradients.pids[0], signal.SIGKILL)

    with monkeypatch.context() as patch:
        patch.setattr(trainer.Trainer, "step", step_and_kill)
        with pytest.raises(
            WorkerError, match="saved after step 3, resume with --resume"
        ):
            resumable.train(config, digits, str(tmp_path), initial(config, 40), 2)
    current, _ = saved_state.load(
        tmp_path / "checkpoint.npz", config, 40, digits.sha256
    )
    assert current.step == 3
    resumable.train(config, digits, str(tmp_path), current, 2)
    assert current.vector.tobytes() == whole.vector.tobytes()
    assert current.streams_of(1) == whole.streams_of(1)


PROGRAM = """
import sys, threading
sys.path.insert(0, {root!r})
from ramnp.learning.state import initial
from ramnp.learning.trainer import Trainer
from ramnp.runs.workers import Workers
from ramnp.datasets.mnist import Split
import numpy as np
from tests.runs.test_workers import CONFIG, SPLIT

threading.Thread(target=threading.Event().wait, daemon=True).start()
current = initial(CONFIG, 40)
with Workers(3, CONFIG, SPLIT, current.vector) as workers:
    trainer = Trainer(CONFIG, SPLIT, current, workers)
    trainer.step()
    print(*workers.pids, flush=True)
    for _ in range({steps}):
        trainer.step()
        trainer.state.position = 0
"""


def test_a_script_without_a_guard_runs_once_and_anywhere(tmp_path):
    """Beside other threads, and where other modules of the same names lie."""
    for name in ("ramnp", "numpy"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('the wrong one')")
    script = tmp_path / "scripts" / "mine.py"
    script.parent.mkdir()
    script.write_text(PROGRAM.format(root=str(ROOT), steps=3))
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = done.stdout.splitlines()
    assert len(line.split()) == 2 and not any(map(is_there, line.split()))


# On a busy machine, the end of a process may take its share of more than a second.
@pytest.mark.parametrize("seconds", [10, pytest.param(1, marks=pytest.mark.slow)])
def test_workers_end_when_the_training_process_is_killed(seconds):
    """By themselves; no shared memory has a name that could stay."""
    named = os.listdir("/dev/shm")
    command = [sys.executable, "-c", PROGRAM.format(root=str(ROOT), steps=10**9)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        pids = process.stdout.readline().split()
        time.sleep(0.1)
        process.kill()
    assert len(pids) == 2
    wait_until(lambda: not any(map(is_alive, pids)), seconds=seconds)
    assert os.listdir("/dev/shm") == named


def children(pid):
    """Return the numbers of a process's workers.

    From Python 3.14 on, tqdm's lock has multiprocessing start another child.
    """
    pids = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    commands = [Path(f"/proc/{pid}/cmdline").read_text() for pid in pids]
    return [pid for pid, command in zip(pids, commands) if "workers" in command]


@pytest.fixture
def run(digits_file, tmp_path):
    """A long run with a worker, in a separate process group, after a few steps."""
    command = [sys.executable, "-m", "ramnp.train", *TINY_RUN, "--epochs=4000"]
    command += ["--data", digits_file, "--run", str(tmp_path / "run"), "--threads=2"]
    with subprocess.Popen(
        [*command, "--save-every=1"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            wait_until((tmp_path / "run" / "checkpoint.npz").exists)
            yield process
        finally:
            process.kill()


def test_a_signal_to_all_processes_stops_the_run_like_one_to_the_first(run, tmp_path):
    """Ctrl-C at a terminal: one line, all saved, the exit code, and no process left."""
    pids = children(run.pid)
    os.killpg(run.pid, signal.SIGINT)
    _, complaint = run.communicate(timeout=60)
    assert run.returncode == 130, complaint
    (line,) = complaint.splitlines()
    assert line.startswith("interrupted after step ")
    assert len(pids) == 1 and not is_there(pids[0])
    step = checkpoint.load(tmp_path / "run" / "checkpoint.npz")[1]["step"]
    assert f"after step {step:,}: everything is saved" in line


def test_a_second_signal_ends_all_processes_at_once(run):
    """The first process by it, the worker by itself."""
    (pid,) = children(run.pid)
    os.kill(int(pid), signal.SIGSTOP)  # a step that does not end, this one or the next
    wait_until(lambda: is_at_rest(pid) and is_at_rest(run.pid))
    os.killpg(run.pid, signal.SIGINT)
    time.sleep(0.1)
    assert run.poll() is None
    os.killpg(run.pid, signal.SIGINT)
    assert run.wait(timeout=10) == -signal.SIGINT
    with contextlib.suppress(ProcessLookupError):
        os.kill(int(pid), signal.SIGCONT)
    wait_until(lambda: not is_alive(pid), seconds=10)


def test_a_killed_worker_stops_the_command_with_one_line(run, tmp_path):
    """Exit code 2; the last step is saved."""
    (pid,) = children(run.pid)
    os.kill(int(pid), signal.SIGKILL)
    _, complaint = run.communicate(timeout=60)
    assert run.returncode == 2
    (line,) = complaint.splitlines()
    assert line.startswith(f"error: worker process {pid} ended by SIGKILL: ")
    step = checkpoint.load(tmp_path / "run" / "checkpoint.npz")[1]["step"]
    assert line.endswith(
        f"everything is saved after step {step:,}, resume with --resume"
    )


REWARD = """
from ramnp.learning import choices, reinforce

def half_reward(logits, labels):
    return 0.5 * reinforce.final_reward(logits, labels)

choices.register("reward", "half", half_reward)
"""
TRAIN = """
import sys
from ramnp import train
from ramnp.runs import run_folder

run_folder.draw = lambda *given: []  # pictures take longer than all the rest
if __name__ == "__main__":
    train.main(sys.argv[1:])
"""


def trained_by(script, folder, digits_file):
    """Train by a script with two threads; return the parameters and the complaint."""
    options = [*TINY_RUN, "--reward=half", "--data", digits_file, "--epochs=1"]
    done = subprocess.run(
        [sys.executable, script, *options, "--run", folder, "--threads=2"],
        cwd=script.parent,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    path = folder / "checkpoint.npz"
    return path.exists() and checkpoint.load(path)[0]["parameters"], done.stderr


@pytest.fixture(scope="module")
def trained_alone(digits_file, tmp_path_factory):
    """The parameters trained with that reward by one process, this one."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_folder, "draw", lambda *given: [])
        half = lambda *given: 0.5 * reinforce.final_reward(*given)
        patch.setitem(reinforce.REWARDS, "half", half)
        options = [*TINY_RUN, "--reward=half", "--data", digits_file, "--epochs=1"]
        assert train.main([*options, "--run", str(folder), "--threads=1"]) == 0
    return checkpoint.load(folder / "checkpoint.npz")[0]["parameters"]


@pytest.mark.parametrize("place", ["module", "script"])
def test_a_reward_from_outside_the_package_reaches_the_workers(
    place, digits_file, tmp_path, trained_alone
):
    """Registered in a module or in the script itself: one thread, two, the same bits."""
    script = tmp_path / "mine.py"
    if place == "module":
        (tmp_path / "rewards_of_mine.py").write_text(REWARD)
        script.write_text("import rewards_of_mine\n" + TRAIN)
    else:
        script.write_text(REWARD + TRAIN)
    parameters, complaint = trained_by(script, tmp_path / "run", digits_file)
    assert parameters.tobytes() == trained_alone.tobytes(), complaint


def test_a_reward_that_workers_do_not_find_is_refused(digits_file, tmp_path):
    """Put over another one where only one process sees it: no wrong answer in silence."""
    script = tmp_path / "mine.py"
    over = """
if __name__ == "__main__":
    reinforce.REWARDS["half"] = lambda logits, labels: half_reward(logits, labels) - 1
"""
    script.write_text(REWARD + over + TRAIN)
    _, complaint = trained_by(script, tmp_path / "run", digits_file)
    message = (
        "reward is __main__.<lambda> in the process that trains, but "
        "__main__.half_reward in its workers: register it in the module that defines it, "
        "by ramnp.learning.choices.register, or use --threads 1\n"
    )
    assert message in complaint


def test_training_without_a_guard_in_a_script_that_registers_is_refused(
    digits_file, tmp_path
):
    """A worker imports the script: it must not start to train there."""
    script = tmp_path / "mine.py"
    script.write_text(REWARD + TRAIN.replace('if __name__ == "__main__":', "if True:"))
    _, complaint = trained_by(script, tmp_path / "run", digits_file)
    assert 'put the training call under if __name__ == "__main__":' in complaint
