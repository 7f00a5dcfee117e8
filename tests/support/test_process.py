"""What is settled before NumPy is loaded."""

import os
import subprocess
import sys

import ramnp
from ramnp.support import process


def test_each_thread_gets_one_blas_thread_unless_the_user_says_otherwise(monkeypatch):
    """The environment is completed, never overruled."""
    monkeypatch.setattr(os, "environ", {"MKL_NUM_THREADS": "3"})
    monkeypatch.delitem(sys.modules, "numpy")
    process.configure()
    assert os.environ["OPENBLAS_NUM_THREADS"] == "1" == process.blas_threads()
    assert os.environ["MKL_NUM_THREADS"] == "3"


def test_once_numpy_is_loaded_the_environment_stays_true(monkeypatch):
    """What it says is what this process does, and what a worker will do."""
    monkeypatch.setattr(os, "environ", {})
    assert "numpy" in sys.modules
    process.configure()
    assert os.environ == {} and process.blas_threads() == "all"


def test_freed_arrays_are_used_again():
    """Making and freeing an array again and again takes no fresh pages."""
    program = """
import sys
from ramnp.support import process
if sys.argv[1] == "configured":
    process.configure()
import resource
import numpy as np
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(200):
        kept = [np.ones(100_000, np.float32) for _ in range(4)]
        del kept
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""
    counts = {
        how: int(subprocess.check_output([sys.executable, "-c", program, how]))
        for how in ("plain", "configured")
    }
    assert counts["configured"] < 100
    assert counts["configured"] <= counts["plain"]


def test_a_new_process_finds_the_same_modules(tmp_path, monkeypatch):
    """Ours, and those of folders that were added since; wherever it starts."""
    (tmp_path / "added.py").write_text("")
    monkeypatch.chdir(tmp_path.parent)
    monkeypatch.syspath_prepend(tmp_path.name)
    program = "import added, ramnp; print(ramnp.__file__)"
    found = subprocess.check_output(
        [sys.executable, "-P", "-c", program],
        cwd="/",
        env=os.environ | {"PYTHONPATH": process.search_path()},
        text=True,
    )
    assert os.path.samefile(os.path.dirname(found), os.path.dirname(ramnp.__file__))


def test_the_processor_has_a_name():
    """It goes into checkpoints, to be compared on resume."""
    assert process.processor()
