"""Settings of each process: cores, BLAS threads, memory reuse, module path."""

import contextlib
import ctypes
import functools
import os
import platform
import sys
import threading

from threadpoolctl import ThreadpoolController

from ramnp.support.errors import UserError

# Set in the environment of a supervised process: it stops when its stdin is closed, and
# writes only errors to stderr.
SUPERVISED = "RAMNP_SUPERVISED"
# Set in the environment of a worker, which must not train on its own.
WORKER = "RAMNP_WORKER"
_BLAS_VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3  # glibc's malloc.h


def num_cores():
    """Return the number of cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1


class _LimitedBlas(contextlib.ContextDecorator):
    """Limit each matrix product to one thread, or to the environment's number.

    BLAS's own threads gain little on matrices of these sizes; our threads and processes
    gain more. The limit holds for the whole process until its last user leaves, in any
    order and from any thread. It costs about 30 microseconds.
    """

    def __init__(self):
        self._lock, self._users, self._limiter = threading.Lock(), 0, None

    def __enter__(self):
        with self._lock:
            if self._users == 0:
                self._limiter = _blas().limit(limits=int(blas_threads()))
            self._users += 1

    def __exit__(self, *exception):
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._limiter.restore_original_limits()


limited_blas = _LimitedBlas()  # for `with`, and as a decorator


@functools.cache
def _blas():
    return ThreadpoolController().select(user_api="blas")


def blas_threads():
    """Return the number of threads of a matrix product, as checkpoints record it."""
    given = map(os.environ.get, _BLAS_VARIABLES)
    return next((n for n in given if n and n.isdecimal() and int(n)), "1")


def reuse_memory():
    """Keep freed memory in the process instead of returning it to the system.

    By default, glibc returns freed arrays of more than 128 KiB. Getting fresh pages for
    the next ones takes a fifth of a training step.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return  # another C library
    mallopt(_M_MMAP_THRESHOLD, 2**30)
    mallopt(_M_TRIM_THRESHOLD, 2**30)
    mallopt(_M_TOP_PAD, 2**26)


def refuse_to_train_in_worker():
    """Raise UserError if a worker, importing a user's script, is about to train."""
    if WORKER in os.environ:
        raise UserError(
            "a script that registers its own functions is imported by every worker: "
            'put the training call under if __name__ == "__main__":'
        )


def processor():
    """Return the name of the processor."""
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def search_path():
    """Return a PYTHONPATH that gives a new process the modules of this one."""
    here = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
    return os.pathsep.join(os.path.abspath(path) for path in [*sys.path, here])
