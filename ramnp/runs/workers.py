"""Worker processes, which compute shards of each batch beside the training process.

Why processes: a shard makes hundreds of short NumPy calls, and threads exchange
Python's lock at each of them. Why not multiprocessing.Process: a fork copies the locks
that other threads hold at that moment (tqdm's, BLAS's, a notebook's) and keeps the run
folder locked, and Apple's BLAS does not survive it; the other start methods run the
user's script again. A worker is therefore a separate interpreter that calls `main`. It
finds parameters and gradients in shared memory without a name, which disappears with the
last process that has it open.

A worker keeps nothing between batches: a shard arrives with the states of its random
streams, and the answer returns their new states. A worker may be killed at any moment,
and ends when the training process ends.

Choices registered outside of ramnp (learning/choices.py) are registered in a worker by
importing the modules that define them. If that is the script that started training,
it is run once more under another name, so its training must stand under
`if __name__ == "__main__":`.
"""

import contextlib
import importlib.util
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

from ramnp.learning import choices
from ramnp.learning.gradient import ShardGradients
from ramnp.support import process, signals
from ramnp.support.errors import UserError, WorkerError

# The name under which a worker imports the script that started training.
_SCRIPT = "__ramnp_script__"
_PROGRAM = "import sys; from ramnp.runs import workers; workers.main(sys.argv[1:])"


class Workers:
    """Shard gradients by this process and threads - 1 workers, in shared memory.

    A context manager with the interface of learning.gradient.ShardGradients. On
    Windows, which cannot pass open files to a new process, no worker is started.
    """

    def __init__(self, threads, config, split, vector):
        process.refuse_to_train_in_worker()
        count = min(threads, config.num_shards) - 1
        self._workers = []
        if count == 0 or os.name == "nt":
            self._here = ShardGradients.in_this_process(config, split, vector)
        else:
            self._start(count, config, split, vector)
        self.memory = self._here.memory

    def _start(self, count, config, split, vector):
        shape, dtype = (1 + config.num_shards, vector.size), vector.dtype
        try:
            with _anonymous_file(math.prod(shape) * dtype.itemsize) as file:
                memory = _map(file, shape, dtype)
                for _ in range(count):
                    self._workers.append(_Worker(file))
            memory[0] = vector
            self._here = ShardGradients(config, split, memory)
            script = getattr(sys.modules["__main__"], "__file__", None)
            origins = choices.origins(config)
            for worker in self._workers:
                worker.send((origins, script, config, split, shape, dtype))
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                raise WorkerError(
                    f"cannot start a worker process: {error.strerror}; use --threads 1"
                ) from error
            raise

    def __call__(self, shards):
        """Compute the gradients of a list of Shards as ShardGradients does.

        Raises the exception of a worker, and WorkerError if one has ended. After any
        exception, this process continues alone.
        """
        count = len(self._workers) + 1
        try:
            for i, worker in enumerate(self._workers, 1):
                worker.send(shards[i::count])
            results = [None] * len(shards)
            results[::count] = self._here(shards[::count])
            for i, worker in enumerate(self._workers, 1):
                results[i::count] = worker.receive()
        except BaseException:
            # A late answer to this call must not be taken for that of the next.
            self.close()
            raise
        return results

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    @property
    def pids(self):
        """The process ids of the workers."""
        return [worker.pid for worker in self._workers]

    def close(self):
        """End the worker processes; unfinished work is dropped."""
        while self._workers:
            self._workers.pop().close()


class _Worker:
    """A worker process, as the training process sees it."""

    def __init__(self, file):
        # One-way pipes wake a process in half the time of a socket.
        theirs_in, self._out = Pipe(duplex=False)
        self._in, theirs_out = Pipe(duplex=False)
        with theirs_in, theirs_out, _signals_blocked():
            descriptors = [theirs_in.fileno(), theirs_out.fileno(), file.fileno()]
            command = [sys.executable, "-P", "-c", _PROGRAM]
            variables = {"PYTHONPATH": process.search_path(), process.WORKER: "1"}
            self._process = subprocess.Popen(
                [*command, *map(str, descriptors)],
                env=os.environ | variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=descriptors,
            )

    @property
    def pid(self):
        return self._process.pid

    def send(self, message):
        with self._told_if_lost():
            self._out.send(message)

    def receive(self):
        with self._told_if_lost():
            answer = self._in.recv()
        if isinstance(answer, BaseException):
            raise answer
        return answer

    @contextlib.contextmanager
    def _told_if_lost(self):
        """Raise a WorkerError if the worker has died."""
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
    """Block signals in child processes started within."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals.SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _anonymous_file(size):
    """Yield a file of `size` bytes without a name, in memory where that is possible."""
    with (
        open(os.memfd_create("ramnp"), "r+b", buffering=0)
        if hasattr(os, "memfd_create")
        else tempfile.TemporaryFile(buffering=0)
    ) as file:
        file.truncate(size)
        yield file


def _map(file, shape, dtype):
    """Return an array over the file's bytes, valid after the file is closed."""
    return np.frombuffer(mmap.mmap(file.fileno(), 0), dtype).reshape(shape)


def main(arguments):
    """Work until the training process closes its end of the pipe."""
    receiving, sending, file = map(int, arguments)
    with (
        Connection(receiving, writable=False) as orders,
        Connection(sending, readable=False) as answers,
        open(file, "r+b", buffering=0) as file,
        contextlib.suppress(EOFError, OSError),
        process.limited_blas,
    ):
        origins, script, config, split, shape, dtype = orders.recv()
        memory = _map(file, shape, dtype)
        process.reuse_memory()
        shard_gradients = None
        while True:
            shards = orders.recv()
            try:
                if not shard_gradients:
                    _choose_as(origins, script, config)
                    shard_gradients = ShardGradients(config, split, memory)
                answer = shard_gradients(shards)
            except Exception as error:  # noqa: BLE001 - the other process raises it
                error.add_note(f"in a worker process:\n{traceback.format_exc()}")
                answer = error
            answers.send(answer)


def _choose_as(origins, script, config):
    """Import the modules outside ramnp that register a configuration's choices.

    Raises UserError if the choices of this process still differ.
    """
    for module in sorted({module for module, _ in origins.values()}):
        if module == "__main__":
            sys.argv = [script]
            spec = importlib.util.spec_from_file_location(_SCRIPT, script)
            sys.modules[_SCRIPT] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(sys.modules[_SCRIPT])
        elif module.partition(".")[0] != "ramnp":
            importlib.import_module(module)
    for setting, (module, name) in choices.origins(config).items():
        here = "__main__" if module == _SCRIPT else module, name
        if here != origins[setting]:
            raise UserError(
                f"{setting} is {'.'.join(origins[setting])} in the process that "
                f"trains, but {'.'.join(here)} in its workers: register it in the "
                "module that defines it, by ramnp.learning.choices.register, or use "
                "--threads 1"
            )
