"""Whole processes: runs stopped, killed, out of disk space, or started twice."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from ramnp import train
from ramnp.figures import curves, film, glimpses
from ramnp.learning import evaluation
from ramnp.runs import run_folder
from ramnp.support import checkpoint, signals
from ramnp.support.errors import CheckpointError, DataError, DivergenceError, UserError
from tests.helpers import TINY_RUN, small_split
from tests.processes import ROOT, copy_run, is_alive, outcome, saved

EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}

# Forks a process for each run, which saves the time to load NumPy and matplotlib.
NURSERY = """
import hashlib, json, os, resource, sys
from ramnp import train
from ramnp.learning import trainer
from ramnp.runs import run_folder
from ramnp.support import command_line

step = trainer.Trainer.step

def step_and_tell(self):
    step(self)
    digest = hashlib.sha256(self.state.vector).hexdigest()
    os.write(1, f"step {self.state.step} {digest}\\n".encode())

def main(arguments):
    os.write(1, b"ready\\n")
    return train.main(arguments)

trainer.Trainer.step = step_and_tell
for line in sys.stdin:
    arguments, out, pictures, largest_file = json.loads(line)
    child = os.fork()
    if child == 0:
        for number, name in ((1, out), (2, out + ".err")):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        if not pictures:
            run_folder.draw = lambda *ignored: []
        if largest_file:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
        sys.argv[1:] = arguments
        command_line.run(main)
    print(child, flush=True)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


class Nursery:
    """Starts training runs one after the other, each in a separate process."""

    def __init__(self, process, out):
        self.process, self.out = process, out

    def start(self, folder, *arguments, pictures=False, largest_file=0):
        """Start a run, or resume the one in the folder; return when it is ready."""
        if (folder / "config.json").exists():
            arguments = ["--resume", *arguments]
        self.out.write_text("")
        line = [["--run", str(folder), *arguments], str(self.out)]
        print(
            json.dumps([*line, pictures, largest_file]),
            file=self.process.stdin,
            flush=True,
        )
        self.pid = int(self.process.stdout.readline())
        self.wait_for("ready")

    def wait_for(self, text):
        """Wait until the run has printed this or ended."""
        while text not in self.printed and self._alive():
            time.sleep(0.002)

    def wait_for_step(self, number):
        """Wait until the run has done this step or ended."""
        while self.last_step < number and self._alive():
            time.sleep(0.002)

    def send(self, number):
        with contextlib.suppress(ProcessLookupError):  # it has ended
            os.kill(self.pid, number)

    def wait_until_a_second_one_counts(self, number):
        """Wait until the run has handled a signal: two pending ones are merged."""
        while self._alive():
            with open(f"/proc/{self.pid}/status") as file:
                (caught,) = (line[7:] for line in file if line.startswith("SigCgt"))
            if not int(caught, 16) >> number - 1 & 1:
                return

    def end(self):
        """Wait for the end of the run; return its exit code."""
        return int(self.process.stdout.readline())

    def _alive(self):
        return is_alive(self.pid)

    @property
    def printed(self):
        return self.out.read_text()

    @property
    def complaint(self):
        """What it wrote to stderr besides the progress of its epochs."""
        lines = self.out.with_name(f"{self.out.name}.err").read_text().splitlines()
        return "\n".join(line for line in lines if not line.startswith("epoch "))

    @property
    def steps(self):
        """{step: SHA-256 of the parameters after it} of this run."""
        whole_lines = self.printed.rpartition("\n")[0].splitlines()
        told = (line.split() for line in whole_lines if line.startswith("step "))
        return {int(step): digest for _, step, digest in told}

    @property
    def last_step(self):
        return max(self.steps, default=0)


@pytest.fixture(scope="module")
def nursery(tmp_path_factory):
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    command = [sys.executable, "-c", NURSERY]
    with subprocess.Popen(command, cwd=ROOT, env=environment, **pipes) as process:
        yield Nursery(process, tmp_path_factory.mktemp("nursery") / "out")


def arguments(digits_file, epochs, save_every=1):
    return [
        *TINY_RUN,
        f"--epochs={epochs}",
        f"--save-every={save_every}",
        f"--data={digits_file}",
        "--threads=1",
    ]


def temporary_files(folder):
    return [*folder.glob(".*.tmp")]


@pytest.mark.parametrize("chains", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_chains_of_five_stops(nursery, digits_file, tmp_path, chains):
    """A run stopped five times at random, kills included, ends bit-identically.

    Each time, one or two threads resume it.
    """
    settings = arguments(digits_file, epochs=60, save_every=7)
    nursery.start(tmp_path / "whole", *settings)
    assert nursery.end() == 0
    chance = random.Random(chains)
    for chain in range(chains):
        folder = tmp_path / f"chain-{chain}"
        for stop in sorted(chance.sample(range(1, 60), 5)):
            number = chance.choice([*EXIT_CODES])
            nursery.start(folder, *settings, f"--threads={chance.choice([1, 2])}")
            nursery.wait_for_step(stop)
            time.sleep(chance.uniform(0, 0.004))
            nursery.send(number)
            assert nursery.end() == EXIT_CODES[number], nursery.complaint
        nursery.start(folder, *settings)
        assert nursery.end() == 0, nursery.complaint
        assert outcome(folder) == outcome(tmp_path / "whole")


@pytest.mark.parametrize("kills", [8, pytest.param(200, marks=pytest.mark.slow)])
def test_kill_9_of_a_run_that_saves_every_step(nursery, digits_file, tmp_path, kills):
    """No damaged file, at most one step lost, the same bits, no temporary file left."""
    settings = arguments(digits_file, epochs=2000)
    folder = tmp_path / "run"
    chance = random.Random(kills)
    history = {}
    before = 0
    for _ in range(kills):
        nursery.start(folder, *settings)
        nursery.wait_for(", into ")
        nursery.wait_for_step(chance.choice([0, before + chance.randint(1, 6)]))
        time.sleep(chance.uniform(0, 0.02))
        nursery.send(signal.SIGKILL)
        assert nursery.end() == -signal.SIGKILL
        done = max(before, nursery.last_step)
        if done <= 1 and not (folder / "checkpoint.npz").exists():
            continue
        step, history[step] = saved(folder)
        assert max(before, done - 1) <= step <= done
        before = step
    assert before > kills / 4
    nursery.start(folder, *settings)
    nursery.wait_for_step(before + 1)
    nursery.send(signal.SIGTERM)
    assert nursery.end() == 143
    assert temporary_files(folder) == []
    nursery.start(tmp_path / "whole", *settings)
    nursery.wait_for_step(before + 1)
    nursery.send(signal.SIGKILL)
    nursery.end()
    assert history.items() <= nursery.steps.items()


@pytest.mark.parametrize(
    ("count", "epochs", "pictures"),
    [(4, 12, False), pytest.param(50, 100, True, marks=pytest.mark.slow)],
)
def test_interrupts_at_random_moments(
    nursery, digits_file, tmp_path, count, epochs, pictures
):
    """SIGINT and SIGTERM lose nothing at any moment: one line, exit 130 or 143.

    Half of them are followed by a second signal, which ends the run within half a
    second. What it was saving may be lost, but not what it had saved before.
    """
    settings = arguments(digits_file, epochs, save_every=0)
    last = 4 * epochs
    nursery.start(tmp_path / "whole", *settings, pictures=pictures)
    nursery.wait_for_step(last)
    began = time.monotonic()
    assert nursery.end() == 0
    duration_of_the_rest = time.monotonic() - began
    whole = nursery.steps
    chance = random.Random(count)
    landed = 0
    while landed < count:
        folder = tmp_path / f"run-{chance.random()}"
        number = chance.choice(signals.SIGNALS)
        threads = f"--threads={chance.choice([1, 2])}"
        nursery.start(folder, *settings, threads, pictures=pictures)
        step = chance.randint(0, 2 * last)
        nursery.wait_for_step(min(step, last))
        time.sleep(chance.uniform(0, 0.01 if step < last else duration_of_the_rest))
        nursery.send(number)
        twice = chance.random() < 0.5
        if twice:
            nursery.wait_until_a_second_one_counts(number)
            nursery.send(number)
        sent = time.monotonic()
        code = nursery.end()
        seconds = time.monotonic() - sent
        if "next:" in nursery.printed:
            continue  # it had ended already
        landed += 1
        if twice:
            assert seconds < 0.5 or count < 50
            assert code in (EXIT_CODES[number], -number)
        else:
            assert code == EXIT_CODES[number], nursery.complaint
            (line,) = nursery.complaint.splitlines()
            assert line.startswith("interrupted")
            assert f"--run {folder} --resume" in line or not nursery.steps
        if (folder / "checkpoint.npz").exists():
            step, digest = saved(folder)
            assert whole[step] == digest
            assert twice or step == nursery.last_step
        else:
            assert twice or not nursery.steps
        assert twice or temporary_files(folder) == []


@pytest.fixture(scope="module")
def stopped_run(nursery, digits_file, tmp_path_factory):
    """The folder of a run that was stopped in the middle."""
    folder = tmp_path_factory.mktemp("stopped") / "run"
    nursery.start(folder, *arguments(digits_file, epochs=400))
    nursery.wait_for_step(6)
    nursery.send(signal.SIGINT)
    assert nursery.end() == 130
    return folder


@pytest.fixture
def copy(stopped_run, tmp_path):
    """A copy of the stopped run that a test may spoil."""
    return copy_run(stopped_run, tmp_path)


def resume(folder, *more):
    return train.main(["--run", str(folder), "--resume", *more])


def test_a_disk_that_is_full_from_the_start(nursery, digits_file, tmp_path):
    """The configuration cannot be written: one line names it and says what to do."""
    folder = tmp_path / "run"
    nursery.start(folder, *arguments(digits_file, epochs=3), largest_file=300)
    assert nursery.end() == 2
    (line,) = nursery.complaint.splitlines()
    assert f"cannot write {folder}/config.json: File too large; make room" in line
    assert os.listdir(folder) == [".lock"]
    nursery.start(folder, *arguments(digits_file, epochs=3))
    assert nursery.end() == 0, nursery.complaint


def test_a_disk_that_fills_up_during_a_run(nursery, copy):
    """The previous checkpoint loads, one line names the path, no other file stays."""
    before = saved(copy)
    # The memory shared with a worker would exceed the limit as well.
    nursery.start(copy, "--save-every=1", "--threads=1", largest_file=8192)
    assert nursery.end() == 2
    (line,) = nursery.complaint.splitlines()
    assert f"cannot write {copy}/checkpoint.npz: File too large; make room" in line
    assert saved(copy) == before
    assert temporary_files(copy) == []
    nursery.start(copy, "--save-every=1")
    nursery.wait_for_step(before[0] + 5)
    nursery.send(signal.SIGINT)
    assert nursery.end() == 130
    assert saved(copy)[0] >= before[0] + 5


@pytest.mark.slow
def test_a_disk_that_is_full_at_the_end(nursery, digits_file, tmp_path):
    """Each picture that does not fit is a warning; the trained agent stays."""
    settings = arguments(digits_file, epochs=3)
    nursery.start(tmp_path, *settings, pictures=True, largest_file=40_000)
    assert nursery.end() == 0
    curves, *others = nursery.complaint.splitlines()
    assert (
        f"curves.png is not drawn: cannot write {tmp_path}/curves.png: File" in curves
    )
    assert all(line.startswith("warning: glimpses.") for line in others)
    assert outcome(tmp_path)["saved"][0] == 12


def test_one_process_a_folder_and_a_stale_lock(nursery, copy):
    """While a run trains, another is refused; once it is killed, the folder is free."""
    nursery.start(copy, "--save-every=1")
    nursery.wait_for_step(1)
    with pytest.raises(UserError, match=f"in use by process {nursery.pid}: wait"):
        resume(copy)
    nursery.send(signal.SIGKILL)
    assert nursery.end() == -signal.SIGKILL
    assert (copy / ".lock").read_text() == str(nursery.pid)
    before, _ = saved(copy)
    nursery.start(copy, "--save-every=1")
    nursery.wait_for_step(before + 2)
    nursery.send(signal.SIGTERM)
    assert nursery.end() == 143
    assert saved(copy)[0] >= before + 2


def test_a_folder_that_is_filled_while_the_data_are_read(
    digits_file, tmp_path, monkeypatch
):
    """Of two runs started at once in a new folder, the slower one writes nothing."""
    load = run_folder.mnist.load

    def load_slowly(*given, **named):
        (tmp_path / "config.json").write_text("of the faster run")
        return load(*given, **named)

    monkeypatch.setattr(run_folder.mnist, "load", load_slowly)
    with pytest.raises(UserError, match="exists: resume its run with --resume"):
        train.main([*TINY_RUN, "--data", digits_file, "--run", str(tmp_path)])
    assert (tmp_path / "config.json").read_text() == "of the faster run"


def test_another_number_of_blas_threads(copy):
    """One warning names both numbers and the run is resumed; --strict refuses."""
    command = [sys.executable, "-m", "ramnp.train", "--run", str(copy), "--resume"]
    options = {
        "cwd": ROOT,
        "env": os.environ | {"OPENBLAS_NUM_THREADS": "2"},
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "text": True,
    }
    refused = subprocess.run([*command, "--strict"], check=False, **options)
    assert refused.returncode == 2 and refused.stdout == ""
    (line,) = refused.stderr.splitlines()
    assert "blas threads 1 then, 2 now" in line and "leave out --strict" in line
    with subprocess.Popen(command, **options) as process:
        warning = process.stderr.readline()
        assert process.stdout.readline().startswith("centered, recipe quick")
        process.terminate()
        _, rest = process.communicate()
    assert process.returncode == 143 and rest.startswith("interrupted")
    assert warning.startswith("warning: ") and "blas threads 1 then, 2 now" in warning


def test_a_nan_pixel_in_own_data_is_refused_before_the_first_step(tmp_path):
    """The line names the file and the reason; no run folder is created."""
    split = small_split(0, 126, 12, 12)
    images = split.images / 255
    images[100, 3, 4] = np.nan
    np.savez(tmp_path / "own.npz", images=images, labels=split.labels)
    given = ["--data", str(tmp_path / "own.npz"), "--run", str(tmp_path / "run")]
    with pytest.raises(DataError, match=r"own\.npz: images hold NaN pixels"):
        train.main([*TINY_RUN, *given])
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("weight", "error", "words"),
    [
        (np.inf, CheckpointError, "array parameters holds a NaN or an infinity"),
        (np.nan, CheckpointError, "array parameters holds a NaN or an infinity"),
        (1e30, DivergenceError, r"^step \d+: \w+\.\w+ is no longer finite"),
    ],
)
def test_a_weight_beyond_all_bounds_in_a_checkpoint(copy, weight, error, words):
    """Refused when read, or named by the first step; the file is left alone."""
    path = copy / "checkpoint.npz"
    arrays, meta = checkpoint.load(path)
    arrays["parameters"][700] = weight
    path.write_bytes(checkpoint._encode(arrays, meta))
    spoiled = path.read_bytes()
    with pytest.raises(error, match=words) as caught:
        resume(copy)
    assert caught.value.exit_code == {CheckpointError: 2, DivergenceError: 3}[error]
    if error is DivergenceError:
        assert str(caught.value).startswith(f"step {meta['step'] + 1}: ")
    assert path.read_bytes() == spoiled


@pytest.mark.parametrize(
    ("module", "function"),
    [
        (evaluation, "count_errors"),
        (evaluation, "test"),
        (curves, "draw_curves"),
        (glimpses, "draw_glimpses"),
        (film, "animate_glimpses"),
    ],
)
def test_stopped_while_it_tests_or_draws(
    module, function, finished_run, tmp_path, monkeypatch
):
    """Nothing is lost, one line says how to resume, and resuming completes the run."""
    copy_run(finished_run, tmp_path, leave_out=("result.json",))

    def interrupt(*given, **named):
        os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(curves, "draw_curves", lambda *given: None)
        patch.setattr(glimpses, "draw_glimpses", lambda *given: None)
        patch.setattr(film, "animate_glimpses", lambda *given: None)
        patch.setattr(module, function, interrupt)
        with pytest.raises(signals.Interrupted) as stopped, signals.raised():
            resume(tmp_path)
    assert stopped.value.exit_code == 143
    (line,) = stopped.value.__notes__
    assert line.endswith(f"python -m ramnp.train --run {tmp_path} --resume")
    assert temporary_files(tmp_path) == []
    monkeypatch.setattr(run_folder, "draw", lambda *given: [])
    assert resume(tmp_path) == 0
    assert outcome(tmp_path) == outcome(finished_run)
