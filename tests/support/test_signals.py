"""The effects of the first and the second SIGINT or SIGTERM."""

import os
import signal
import subprocess
import sys

import pytest

from ramnp.support import signals

BOTH = pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
)


def send(number):
    os.kill(os.getpid(), number)


def assert_a_second_one_would_end_the_process():
    for number in signals.SIGNALS:
        assert signal.getsignal(number) is signal.SIG_DFL


@BOTH
def test_raised_at_once(number, code):
    """A signal becomes an exception with the exit code that shells use for it."""
    with pytest.raises(signals.Interrupted) as interrupted, signals.raised():
        try:
            send(number)
            pytest.fail("the signal did nothing")
        except Exception:  # noqa: BLE001 - Interrupted must pass it
            pytest.fail("taken for an ordinary error")
        finally:
            assert_a_second_one_would_end_the_process()
    assert interrupted.value.exit_code == code
    assert_a_second_one_would_end_the_process()


class Interrupting:
    """An object whose finaliser receives a signal."""

    def __del__(self):
        send(signal.SIGTERM)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_raised_even_where_python_ignores_exceptions():
    """After a signal in a finaliser, the end of the block raises."""
    went_on = False
    with pytest.raises(signals.Interrupted) as interrupted, signals.raised():
        Interrupting()
        went_on = True
    assert went_on and interrupted.value.exit_code == 143


@BOTH
def test_raised_even_where_a_library_replaces_the_exception(number, code):
    """Interrupted is raised, with the library's error as its cause."""
    with pytest.raises(signals.Interrupted) as interrupted, signals.raised():
        try:
            send(number)
        except signals.Interrupted:
            raise TypeError("incompatible arguments") from None
    assert interrupted.value.exit_code == code
    assert isinstance(interrupted.value.__cause__, TypeError)


def test_raised_with_the_notes_added_on_the_way():
    """They say what is saved."""
    with pytest.raises(signals.Interrupted) as interrupted, signals.raised():
        try:
            send(signal.SIGINT)
        except signals.Interrupted as error:
            error.add_note("all is saved")
            raise
    assert interrupted.value.__notes__ == ["all is saved"]


@pytest.mark.parametrize("block", [signals.raised, signals.held_back])
def test_without_a_signal_nothing_changes(block):
    """After the blocks, signals have the handlers they had before."""
    before = [signal.getsignal(number) for number in signals.SIGNALS]
    with block():
        assert [signal.getsignal(number) for number in signals.SIGNALS] != before
    assert [signal.getsignal(number) for number in signals.SIGNALS] == before


@BOTH
def test_held_back_until_asked_for(number, code):
    """The block continues until it asks."""
    caught = pytest.raises(signals.Interrupted)
    with caught as interrupted, signals.held_back() as raise_if_came:
        raise_if_came()
        send(number)
        assert_a_second_one_would_end_the_process()
        raise_if_came()
        pytest.fail("the signal was forgotten")
    assert interrupted.value.exit_code == code


def test_a_stopping_process_stays_killable_until_its_end():
    """The handlers of an outer block are not restored either."""
    with signals.raised():
        with pytest.raises(signals.Interrupted), signals.held_back() as raise_if_came:
            send(signal.SIGINT)
            raise_if_came()
        assert_a_second_one_would_end_the_process()
    assert_a_second_one_would_end_the_process()


def test_the_end_of_the_block_asks_too():
    """A signal after the last question is not forgotten."""
    with pytest.raises(signals.Interrupted), signals.held_back():
        send(signal.SIGTERM)


def test_an_error_in_the_block_is_not_hidden_by_a_signal():
    """The error is raised, not Interrupted."""
    with pytest.raises(ZeroDivisionError), signals.held_back():
        send(signal.SIGTERM)
        raise ZeroDivisionError


@pytest.mark.parametrize("how", ["raised", "held_back"])
@pytest.mark.parametrize("number", signals.SIGNALS)
def test_a_second_signal_ends_the_process_at_once(how, number):
    """Even while it handles the first one."""
    seconds = (
        600 if how == "raised" else 0.2
    )  # raised: ended by the first signal; held_back: by itself
    program = f"""
import time
from ramnp.support import signals
with signals.{how}():
    try:
        print("ready", flush=True)
        time.sleep({seconds})
    finally:
        print("busy", flush=True)
        time.sleep(600)
"""
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "busy\n"
        process.send_signal(number)
        try:
            assert process.wait(timeout=60) == -number
        finally:
            process.kill()


def test_a_hang_up_that_is_ignored_stays_so(monkeypatch):
    """Under nohup it is ignored: the command continues without the terminal."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals.raised(), signals.held_back():
            send(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
