"""Settings of a process: BLAS threads, memory, module path."""

import contextlib
import os
import subprocess
import sys

import numpy as np
import pytest

import ramnp
from ramnp import train
from ramnp.agent import model
from ramnp.support import process
from tests.helpers import TINY_RUN


def threads_of_a_product():
    (number,) = {library["num_threads"] for library in process._blas().info()}
    return number


@pytest.fixture
def three_threads(monkeypatch):
    """BLAS with three threads, and an environment that sets no number."""
    monkeypatch.setattr(os, "environ", {})
    with process._blas().limit(limits=3):
        yield


def test_blas_uses_one_thread_only_within_the_block(three_threads):
    """A program that imports ramnp keeps its BLAS threads for everything else."""
    with process.limited_blas:
        assert threads_of_a_product() == 1 == int(process.blas_threads())
    assert threads_of_a_product() == 3


@pytest.mark.parametrize("variable", process._BLAS_VARIABLES)
def test_the_environment_sets_the_number_of_blas_threads(variable, three_threads):
    """By any of the usual variables, even after NumPy was loaded."""
    os.environ[variable] = "2"
    with process.limited_blas:
        assert threads_of_a_product() == 2 == int(process.blas_threads())
    for nonsense in ("", "0", "many"):
        os.environ[variable] = nonsense
        assert process.blas_threads() == "1"


def test_overlapping_limits_of_blas_leave_no_trace(three_threads):
    """The first to enter may leave first, by an exception too: the last one ends it."""
    with contextlib.ExitStack() as later:
        with pytest.raises(KeyError), process.limited_blas:
            later.enter_context(process.limited_blas)
            raise KeyError
        assert threads_of_a_product() == 1
    assert threads_of_a_product() == 3


def test_training_evaluation_and_prediction_limit_blas(
    three_threads, digits_file, tmp_path, monkeypatch, no_pictures
):
    """Whoever calls them, such as a notebook, gets one BLAS thread there."""
    during = set()
    rollout = model.rollout

    def recording(*given, **named):
        caller = sys._getframe(1).f_globals["__name__"].rpartition(".")[2]
        during.add((caller, threads_of_a_product()))
        return rollout(*given, **named)

    monkeypatch.setattr(model, "rollout", recording)
    folder = str(tmp_path / "run")
    given = ["--epochs=1", "--threads=1", "--data", digits_file, "--run", folder]
    assert train.main([*TINY_RUN, *given]) == 0
    ramnp.load(folder).predict(np.zeros((1, 12, 12), np.uint8))
    assert during == {("gradient", 1), ("evaluation", 1), ("predictor", 1)}
    assert threads_of_a_product() == 3


def test_freed_memory_is_reused():
    """Repeated creation of an array takes no fresh pages."""
    program = """
import sys
from ramnp.support import process
if sys.argv[1] == "reused":
    process.reuse_memory()
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
        for how in ("plain", "reused")
    }
    assert counts["reused"] < 100
    assert counts["reused"] <= counts["plain"]


def test_a_new_process_finds_the_same_modules(tmp_path, monkeypatch):
    """Ours, and those of folders added to sys.path, from any working directory."""
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
    """It is saved in checkpoints and compared on resume."""
    assert process.processor()
