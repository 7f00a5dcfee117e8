"""Training runs as processes: the workers of an executor start, watch and stop them.

A worker is a thread, here or in a Dask cluster. It holds one end of a pipe to each of
its runs. When that end is closed, because the study stops or the worker was killed, the
run saves its state and stops.
"""

import concurrent.futures
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import Any, NamedTuple

from tqdm import tqdm

from ramnp.runs import run_folder
from ramnp.support import process, signals
from ramnp.support.errors import UserError
from ramnp.support.files import RunLock

POLL = 0.2  # seconds
ATTEMPTS = 3  # at a run that is killed again and again
PATIENCE = 60  # seconds for a run to save after its supervisor was killed


class Outcome(NamedTuple):
    """How a run's process ended."""

    code: int  # its exit code; -N: killed by signal N
    complaint: str  # its stderr

    @property
    def was_stopped(self):
        """Whether it was stopped or killed from outside, and can be resumed."""
        return self.code < 0 or self.code in (130, 143)

    @property
    def reason(self):
        """Why it failed, in one line."""
        return self.complaint or f"killed {ATTEMPTS} times"


class Run(NamedTuple):
    """A training run to do."""

    what: Any  # whose str is its name
    folder: str
    options: list  # of ramnp.train
    epochs: int

    @property
    def epochs_done(self):
        """The number of epochs that it has finished."""
        path = os.path.join(self.folder, run_folder.METRICS)
        with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
            return file.read().count(b"\n")
        return 0


def do(runs, ended, num_jobs=None, scheduler=None):
    """Do the runs, several at a time; return 0, or the exit code of the first failure.

    ended is called with each run's `what` and Outcome. It returns what there is to say
    about it, or None if the run has failed. scheduler: the address of a Dask cluster.
    """
    cores = process.num_cores()
    count = min(num_jobs or cores, len(runs))
    if scheduler:
        opened, threads = dask_executor(scheduler), 1
    else:
        opened, threads = local_executor(count), max(1, cores // count)
    with opened as (executor, stop):
        return do_with(executor, stop, runs, ended, threads)


def do_with(executor, stop, runs, ended, threads):
    """Do the runs with the workers of an executor; return as `do` does."""

    def submit(run):
        options = [*run.options, "--threads", str(threads)]
        return executor.submit(supervise, options, run.folder, os.getcwd(), stop)

    code, running = 0, {}
    progress = tqdm(
        total=sum(run.epochs for run in runs),
        initial=sum(run.epochs_done for run in runs),
        unit="epoch",
        disable=None,
    )
    with progress as bar, signals.held_back() as stop_if_asked:
        running |= {submit(run): (run, 1) for run in runs}
        while running:
            stop_if_asked()
            over, _ = concurrent.futures.wait(
                running, POLL, concurrent.futures.FIRST_COMPLETED
            )
            for future in over:
                run, attempt = running.pop(future)
                outcome = future.result()
                if outcome.was_stopped and attempt < ATTEMPTS:
                    bar.write(f"{run.what}: its process was killed; it is resumed")
                    running[submit(run)] = run, attempt + 1
                elif words := ended(run.what, outcome):
                    bar.write(f"{run.what}: {words}")
                else:
                    code = code or max(outcome.code, 1)
                    bar.write(f"{run.what}: {outcome.reason}", file=sys.stderr)
                sys.stdout.flush()
            if not bar.disable:
                bar.n = sum(run.epochs_done for run in runs)
                bar.set_postfix_str(f"{len(running)} runs left")
    return code


def supervise(options, folder, directory, stop):
    """Train or resume in a run folder until it is done or stop.is_set().

    Returns the Outcome. A run that is stopped saves first. Paths are relative to
    `directory`.
    """
    path = os.path.join(directory, folder)
    options = [*options, "--run", folder]
    if os.path.exists(os.path.join(path, "config.json")):
        options.append("--resume")
        _wait_until_free(path, stop)
    if stop.is_set():
        return Outcome(128 + signal.SIGTERM, "")
    variables = {"PYTHONPATH": process.search_path(), process.SUPERVISED: "1"}
    with (
        tempfile.TemporaryFile() as complaint,
        subprocess.Popen(
            [sys.executable, "-m", "ramnp.train", *options],
            cwd=directory,
            env=os.environ | variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=complaint,
            start_new_session=True,  # Ctrl-C at the terminal reaches only the study
        ) as run,
    ):
        with run.stdin:
            while run.poll() is None and not stop.is_set():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    run.wait(POLL)
        code = run.wait()
        complaint.seek(0)
        return Outcome(code, complaint.read().decode(errors="replace").strip())


def _wait_until_free(folder, stop):
    """Wait for a run whose supervisor was killed: it may still be saving."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and not stop.is_set():
        try:
            with RunLock(folder):
                return
        except UserError:
            time.sleep(POLL)


@contextlib.contextmanager
def local_executor(count):
    """Yield an executor of `count` runs at a time, and the event that stops them.

    Its workers are threads that supervise processes: a killed process takes no other
    with it.
    """
    stop = threading.Event()
    with ThreadPoolExecutor(count) as executor:
        try:
            yield executor, stop
        finally:
            stop.set()


@contextlib.contextmanager
def dask_executor(address):
    """Yield the executor of a Dask cluster, and the event that stops its runs.

    The cluster's workers must see the same files under the same paths.
    """
    try:
        from distributed import Client, Event  # an optional package
        from distributed.scheduler import KilledWorker
    except ImportError as error:
        raise UserError(
            "--scheduler needs the package distributed: pip install distributed"
        ) from error
    try:
        client = Client(address, timeout=10)
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"--scheduler {address}: no Dask scheduler answers there; "
            "start one with `dask scheduler` and give the address that it prints"
        ) from error
    with client:
        stop = Event(client=client)
        try:
            with client.get_executor(pure=False) as executor:
                try:
                    yield executor, stop
                finally:
                    stop.set()
        except (KilledWorker, CancelledError) as error:
            raise UserError(
                f"the cluster at {address} lost its scheduler or too many workers: "
                "repair it and run the same command again"
            ) from error
        except RuntimeError as error:
            if "deserialization" not in str(error):
                raise
            raise UserError(
                f"the cluster at {address} cannot import ramnp: start its scheduler "
                "and workers with PYTHONPATH set to the folder that contains ramnp"
            ) from error
