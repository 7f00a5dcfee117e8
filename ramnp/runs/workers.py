"""Processes that share the shards of each batch with the one that trains.

Why processes: a shard makes hundreds of short NumPy calls, and threads hand Python's
lock over at each of them. Why no multiprocessing.Process: a fork copies the locks that
other threads hold at that moment (tqdm's, BLAS's, a notebook's) and keeps the run
folder locked, and Apple's BLAS does not survive it; the other ways of multiprocessing
run the user's own script once more. So a worker is an interpreter of its own,
`python -m ramnp.runs.workers`, that finds parameters and gradients in shared memory without
a name, which is gone with the last process that has it open.

A worker keeps nothing between two batches: a shard comes with the states of its random
streams, and these go back with the answer. It may be killed at any moment, and ends by
itself when the process that it works for does.
"""

import contextlib
import math
import mmap
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from multiprocessing.connection import Connection, Pipe

import numpy as np

from ramnp.learning.gradient import Learner
from ramnp.support import process, signals
from ramnp.support.errors import WorkerError


class Workers:
    """This process and `count` more, over one memory; see shard.Learner.

    Windows can't hand files on to a new process in this way: there, no more are started.
    """

    def __init__(self, count, config, split, vector):
        shape = 1 + config.num_shards, vector.size
        self._workers = []
        if count == 0 or os.name == "nt":
            self.memory = np.empty(shape, vector.dtype)
        else:
            self._start(count, config, split, shape, vector.dtype)
        self.memory[0] = vector
        self._learner = Learner(config, split, self.memory)

    def _start(self, count, config, split, shape, dtype):
        try:
            with _anonymous_file(math.prod(shape) * dtype.itemsize) as file:
                self.memory = _map(file, shape, dtype)
                for _ in range(count):
                    self._workers.append(_Worker(file))
            for worker in self._workers:
                worker.send((config, split, shape, dtype))
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                raise WorkerError(
                    f"cannot start a worker process: {error.strerror}; use --threads 1"
                ) from error
            raise

    def learn(self, jobs):
        """Call Learner.learn for each of a list of arguments; return the list of results.

        Raises what a call raises, and WorkerError if a process has ended. After any
        exception, this process goes on alone.
        """
        count = len(self._workers) + 1
        try:
            for i, worker in enumerate(self._workers, 1):
                worker.send(jobs[i::count])
            results = [None] * len(jobs)
            results[::count] = [self._learner.learn(*job) for job in jobs[::count]]
            for i, worker in enumerate(self._workers, 1):
                results[i::count] = worker.receive()
        except BaseException:
            # An answer that nobody waits for any more must not be taken for the next.
            self.close()
            raise
        return results

    @property
    def pids(self):
        """The numbers of the other processes."""
        return [worker.pid for worker in self._workers]

    def close(self):
        """End the processes; what they were busy with is dropped."""
        while self._workers:
            self._workers.pop().close()


class _Worker:
    """The end of the line to a worker in the process that it works for."""

    def __init__(self, file):
        # Pipes of one direction each: they wake a process in half the time of a socket.
        theirs_in, self._out = Pipe(duplex=False)
        self._in, theirs_out = Pipe(duplex=False)
        with theirs_in, theirs_out, _signals_blocked():
            descriptors = [theirs_in.fileno(), theirs_out.fileno(), file.fileno()]
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-P",
                    "-m",
                    "ramnp.runs.workers",
                    *map(str, descriptors),
                ],
                env=os.environ | {"PYTHONPATH": process.search_path()},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=descriptors,
            )

    @property
    def pid(self):
        return self._process.pid

    def send(self, message):
        with self._loss_told():
            self._out.send(message)

    def receive(self):
        with self._loss_told():
            answer = self._in.recv()
        if isinstance(answer, BaseException):
            raise answer
        return answer

    @contextlib.contextmanager
    def _loss_told(self):
        """Raise a WorkerError if the line breaks, for it does so with the process."""
        try:
            yield
        except (EOFError, OSError) as error:
            code = self._process.wait()
            how = f"exit code {code}" if code >= 0 else signal.Signals(-code).name
            raise WorkerError(
                f"worker process {self.pid} ended by {how}: "
                "where memory is short, use --threads 1"
            ) from error

    def close(self):
        self._out.close()
        self._in.close()
        self._process.kill()
        self._process.wait()


@contextlib.contextmanager
def _signals_blocked():
    """Have a process that is started meanwhile never notice what stops this one."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals.SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _anonymous_file(size):
    """Open a file of so many bytes that has no name, in memory where that is possible."""
    with (
        open(os.memfd_create("ramnp"), "r+b", buffering=0)
        if hasattr(os, "memfd_create")
        else tempfile.TemporaryFile(buffering=0)
    ) as file:
        file.truncate(size)
        yield file


def _map(file, shape, dtype):
    """Return an array over the file's bytes, which lives on when the file is closed."""
    return np.frombuffer(mmap.mmap(file.fileno(), 0), dtype).reshape(shape)


def main(arguments):
    """Work until the other end of the line is closed."""
    receiving, sending, file = map(int, arguments)
    with (
        Connection(receiving, writable=False) as orders,
        Connection(sending, readable=False) as answers,
        open(file, "r+b", buffering=0) as file,
        contextlib.suppress(EOFError, OSError),
        process.limited_blas,
    ):
        config, split, shape, dtype = orders.recv()
        process.reuse_memory()
        learner = Learner(config, split, _map(file, shape, dtype))
        while True:
            jobs = orders.recv()
            try:
                answer = [learner.learn(*job) for job in jobs]
            except Exception as error:  # noqa: BLE001 - it is raised where it is seen
                error.add_note(f"in a worker process:\n{traceback.format_exc()}")
                answer = error
            answers.send(answer)


if __name__ == "__main__":
    main(sys.argv[1:])
