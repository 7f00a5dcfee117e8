"""Fixtures for all tests."""

import os
import signal
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ramnp import train
from ramnp.agent import model
from ramnp.datasets import deformation, scenes
from ramnp.datasets.mnist import Digits
from ramnp.learning import optimizers
from ramnp.learning.predictor import Agent
from ramnp.proofs import suite
from ramnp.runs import run_folder
from ramnp.study import speed
from ramnp.support import files, process
from ramnp.support.signals import SIGNALS
from tests import grid
from tests.helpers import TINY_RUN, small_config, small_split, write_digits
from tests.processes import copy_run


def refuse_network(event, arguments):
    """Fail a test that uses the network: none beyond this machine, none without mark.

    An audit hook, since Python reports every use to it, whatever the function. The
    failure is no Exception, which the code under test could take for a bad network.
    """
    if event in ("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg"):
        used, address = arguments
        if used.family not in (socket.AF_INET, socket.AF_INET6):
            return
        host = address[0]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
    else:
        return
    if not loopback or host not in (None, "", "localhost", "127.0.0.1", "::1"):
        pytest.fail(f"a test used the network: {event} {host}")


loopback = False  # whether the present test has that mark
sys.addaudithook(refuse_network)

# Several processes test at a time: with threads of BLAS as well, they would wait for
# each other's cores.
_one_thread = process._blas().limit(limits=1)
# Nor does a run start a second process, slower than all of a tiny run, unless it is told.
process.num_cores = lambda: 1


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Let a test with the mark loopback use the network of this machine."""
    global loopback
    loopback = item.get_closest_marker("loopback") is not None


def pytest_xdist_auto_num_workers(config):
    """Run single files in this process, because workers take seconds to start."""
    return 0 if any(".py" in argument for argument in config.args) else None


@pytest.fixture(autouse=True)
def signals_as_before():
    """After a test that sent itself one, Ctrl-C ends the tests as it should."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number, handler in before.items():
        if handler is signal.SIG_IGN:  # as nohup leaves SIGHUP
            signal.signal(number, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def rng():
    """A generator with the same seed in each test."""
    return np.random.default_rng(2014)


@pytest.fixture
def agent(rng):
    """An agent as it is before training, whose dimensions all differ."""
    config = small_config()
    return Agent(model.init(rng, config), config, 0.1)


@pytest.fixture
def images(rng):
    """Images for that agent, as bytes."""
    return rng.integers(256, size=(7, 11, 13), dtype=np.uint8)


@pytest.fixture(scope="session")
def digits_file(tmp_path_factory):
    """A .npz of small bars, as a user's own data."""
    return write_digits(tmp_path_factory.mktemp("data") / "bars.npz")


@pytest.fixture(scope="session")
def finished_run(digits_file, tmp_path_factory):
    """The folder of a tiny run that is over, trained once for all workers of xdist."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder = shared / "finished"
    with open(shared / "finished.lock", "w") as lock:
        while not files._try_lock(lock):
            time.sleep(0.05)
        if not folder.exists():
            options = ["--data", digits_file, "--run", str(folder), "--threads=2"]
            assert train.main([*TINY_RUN, *options]) == 0
    return copy_run(folder, tmp_path_factory.mktemp("runs") / "tiny")


@pytest.fixture
def no_pictures(monkeypatch):
    """Pictures take longer than all the rest of a tiny run."""
    monkeypatch.setattr(run_folder, "draw", lambda *arguments: [])


@pytest.fixture
def no_pictures_in_processes(no_pictures, tmp_path_factory, monkeypatch):
    """Nor in the processes that the test starts; Python runs sitecustomize.py first."""
    folder = tmp_path_factory.mktemp("no pictures")
    (folder / "sitecustomize.py").write_text(NO_PICTURES)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", process.search_path())


@pytest.fixture
def brief_measurements(monkeypatch):
    """Measure the speed of less work."""
    for name, value in {"STEPS": 1, "PREDICTED": 50, "LOOKS": 2, "SQUARE": 128}.items():
        monkeypatch.setattr(speed, name, value)


NO_PICTURES = f"""
import os
if {process.WORKER!r} not in os.environ:
    from ramnp.runs import run_folder
    run_folder.draw = lambda *arguments: []
"""


@pytest.fixture
def float64(monkeypatch):
    """Compose scenes in float64 and make constants small, as in the reference run."""

    class WideNumPy:
        float32 = np.float64

        def __getattr__(self, name):
            return getattr(np, name)

    deformation._smoothing.cache_clear()
    for module in (scenes, deformation):
        monkeypatch.setattr(module, "np", WideNumPy())
    monkeypatch.setattr(scenes, "FROZEN_CHUNK", grid.CHUNK)
    monkeypatch.setattr(optimizers, "MUON_SMALLEST_SIDE", grid.MUON_SMALLEST_SIDE)
    yield
    deformation._smoothing.cache_clear()


@pytest.fixture(scope="session")
def oracle_proofs():
    """The proofs against the three oracles, {name: () -> rows}."""
    return suite.against_oracles(seed=0)


@pytest.fixture(scope="session")
def oracle_rows(oracle_proofs):
    """What they yield for the code as it is."""
    return suite.rows(oracle_proofs)


@pytest.fixture(scope="session")
def digits():
    """90 bars to train on: 4 batches of 24, the last one of 18."""
    splits = (small_split(seed, n, 12, 12) for seed, n in enumerate((90, 30, 30)))
    return Digits(*splits, sha256="0" * 64)


@pytest.fixture
def pool():
    """Two threads that evaluate."""
    with ThreadPoolExecutor(2) as threads:
        yield threads
