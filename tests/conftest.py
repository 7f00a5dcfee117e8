"""What any test gets by naming it."""

import ipaddress
import signal
import socket

import numpy as np
import pytest

from ramnp import train
from ramnp.runs import run_folder
from ramnp.support.signals import SIGNALS
from tests.helpers import TINY_RUN, write_digits


@pytest.fixture(scope="session", autouse=True)
def nothing_beyond_this_machine():
    """Fail any test that connects to, or asks for, a host other than this one."""

    def refuse(host):
        # Not an OSError, which the code under test could take for a bad network.
        pytest.fail(f"a test reached for {host}")

    def guarded(call):
        def connect(self, address):
            local = self.family not in (socket.AF_INET, socket.AF_INET6)
            if not (local or _is_here(address[0])):
                refuse(address[0])
            return call(self, address)

        return connect

    def look_up(host, *rest, **options):
        if host is not None and not _is_here(host):
            refuse(host)
        return getaddrinfo(host, *rest, **options)

    getaddrinfo = socket.getaddrinfo
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, guarded(getattr(socket.socket, name)))
        patch.setattr(socket, "getaddrinfo", look_up)
        yield


@pytest.fixture(autouse=True)
def no_network_unless_marked(request, monkeypatch):
    """Fail any test that uses the network of this machine without the mark loopback."""
    if request.node.get_closest_marker("loopback"):
        return

    def guarded(call):
        def use(self, address):
            if self.family in (socket.AF_INET, socket.AF_INET6):
                pytest.fail(f"a test without the mark loopback used {address}")
            return call(self, address)

        return use

    for name in ("bind", "connect", "connect_ex"):
        call = getattr(socket.socket, name)
        monkeypatch.setattr(socket.socket, name, guarded(call))


def _is_here(host):
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in ("", "localhost")


@pytest.fixture(autouse=True)
def signals_as_before():
    """After a test that sent itself one, Ctrl-C ends the tests as it should."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def rng():
    """A generator that starts afresh in each test."""
    return np.random.default_rng(2014)


@pytest.fixture(scope="session")
def digits_file(tmp_path_factory):
    """A .npz of small bars, as a user's own data."""
    return write_digits(tmp_path_factory.mktemp("data") / "bars.npz")


@pytest.fixture(scope="session")
def finished_run(digits_file, tmp_path_factory):
    """The folder of a tiny run that is over."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    assert train.main([*TINY_RUN, "--data", digits_file, "--run", str(folder)]) == 0
    return folder


@pytest.fixture
def no_pictures(monkeypatch):
    """Pictures take longer than all the rest of a tiny run."""
    monkeypatch.setattr(run_folder, "draw", lambda *arguments: [])
