"""What a command settles before NumPy is loaded: BLAS threads, and memory reuse."""

import ctypes
import os
import platform
import sys

_BLAS_VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3  # glibc's malloc.h


def configure():
    """Give each thread and process of ours one BLAS thread; reuse memory.

    At these sizes BLAS's own threads gain little; shards in processes of our own do.
    What the user has set in the environment stays. So it does once NumPy is loaded:
    too late for this process, it would only have our workers round in another way.
    """
    if "numpy" not in sys.modules:
        for variable in _BLAS_VARIABLES:
            os.environ.setdefault(variable, "1")
    reuse_memory()


def reuse_memory():
    """Let freed arrays be used again.

    glibc hands a freed array of more than 128 KiB back to the system, whose fresh pages
    then cost a fifth of a training step: told not to, it keeps them.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return  # another C library
    mallopt(_M_MMAP_THRESHOLD, 2**30)
    mallopt(_M_TRIM_THRESHOLD, 2**30)
    mallopt(_M_TOP_PAD, 2**26)


def blas_threads():
    """Return how many threads one matrix product may use, as the environment says."""
    return os.environ.get(_BLAS_VARIABLES[0], "all")


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
    """Return the PYTHONPATH under which a process finds the modules that this one does."""
    here = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
    return os.pathsep.join(os.path.abspath(path) for path in [*sys.path, here])
