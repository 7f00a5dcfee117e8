"""What the first and the second SIGINT or SIGTERM do."""

import os
import signal
import subprocess
import sys

import pytest

from ramnp.support import signals

BOTH = pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)


def send(number):
    os.kill(os.getpid(), number)


def assert_a_second_one_would_end_the_process():
    for number in signals.SIGNALS:
        assert signal.getsignal(number) is signal.SIG_DFL


@BOTH
def test_raised_at_once(number, code):
    """A signal becomes an exception with the exit code that shells know it by."""
    with pytest.raises(signals.Interrupted) as interrupted, signals.raised():
        try:
            send(number)
            pytest.fail("the signal did nothing")
        except Exception:  # noqa: BLE001 - this is what it has to get through
            pytest.fail("taken for an ordinary error")
        finally:
            assert_a_second_one_would_end_the_process()
    assert interrupted.value.exit_code == code
    assert_a_second_one_would_end_the_process()


class Interrupting:
    """Something that a signal comes upon while Python clears it away."""

    def __del__(self):
        send(signal.SIGTERM)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_raised_even_where_python_ignores_exceptions():
    """In a callback that may not fail, the signal waits for the end of the block."""
    went_on = False
    with pytest.raises(signals.Interrupted) as interrupted, signals.raised():
        Interrupting()
        went_on = True
    assert went_on and interrupted.value.exit_code == 143


@BOTH
def test_raised_even_where_a_library_makes_it_an_error_of_its_own(number, code):
    """What comes out is due to the signal, and says so."""
    with pytest.raises(signals.Interrupted) as interrupted, signals.raised():
        try:
            send(number)
        except signals.Interrupted:
            raise TypeError("incompatible arguments") from None
    assert interrupted.value.exit_code == code
    assert isinstance(interrupted.value.__cause__, TypeError)


def test_raised_once_with_all_that_was_added_to_it():
    """Whoever knows what is saved can say so on the way."""
    with pytest.raises(signals.Interrupted) as interrupted, signals.raised():
        try:
            send(signal.SIGINT)
        except signals.Interrupted as error:
            error.add_note("all is saved")
            raise
    assert interrupted.value.__notes__ == ["all is saved"]


@pytest.mark.parametrize("block", [signals.raised, signals.held_back])
def test_without_a_signal_nothing_changes(block):
    """Outside the blocks, signals do what they did before."""
    before = [signal.getsignal(number) for number in signals.SIGNALS]
    with block():
        assert [signal.getsignal(number) for number in signals.SIGNALS] != before
    assert [signal.getsignal(number) for number in signals.SIGNALS] == before


@BOTH
def test_held_back_until_asked_for(number, code):
    """The block goes on until it asks."""
    caught = pytest.raises(signals.Interrupted)
    with caught as interrupted, signals.held_back() as raise_if_came:
        raise_if_came()
        send(number)
        assert_a_second_one_would_end_the_process()
        raise_if_came()
        pytest.fail("the signal was forgotten")
    assert interrupted.value.exit_code == code


def test_once_told_to_stop_the_process_can_be_told_again_until_its_end():
    """The handlers of an outer block do not come back either."""
    with signals.raised():
        with pytest.raises(signals.Interrupted), signals.held_back() as raise_if_came:
            send(signal.SIGINT)
            raise_if_came()
        assert_a_second_one_would_end_the_process()
    assert_a_second_one_would_end_the_process()


def test_nothing_is_forgotten_that_was_not_asked_for():
    """A signal after the last question is raised at the end of the block."""
    with pytest.raises(signals.Interrupted), signals.held_back():
        send(signal.SIGTERM)


def test_an_error_in_the_block_is_not_hidden_by_a_signal():
    """What went wrong is told, whatever came besides."""
    with pytest.raises(ZeroDivisionError), signals.held_back():
        send(signal.SIGTERM)
        raise ZeroDivisionError


@pytest.mark.parametrize("how", ["raised", "held_back"])
@pytest.mark.parametrize("number", signals.SIGNALS)
def test_a_second_signal_ends_the_process_at_once(how, number):
    """Even one that is busy with what the first asked for."""
    seconds = 600 if how == "raised" else 0.2  # the first ends it, or waits for its end
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
