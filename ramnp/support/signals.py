"""SIGINT, SIGTERM and SIGHUP: the first saves everything and stops, a second kills at once."""

import contextlib
import signal

SIGNALS = (signal.SIGINT, signal.SIGTERM)
if hasattr(signal, "SIGHUP"):  # the terminal has gone
    SIGNALS += (signal.SIGHUP,)


class Interrupted(KeyboardInterrupt):
    """A signal asked the process to stop."""

    def __init__(self, number):
        super().__init__(number)
        self.exit_code = 128 + number


@contextlib.contextmanager
def raised():
    """Raise Interrupted at the first signal within the block.

    A callback that may not fail swallows the exception, and a library may replace it by
    its own: the block ends with Interrupted nevertheless.
    """
    received = []

    def interrupt(number):
        received.append(number)
        raise Interrupted(number)

    with _first_signal(interrupt):
        try:
            yield
        except Interrupted:
            raise
        except BaseException as error:
            if received:
                raise Interrupted(received[0]) from error
            raise
        if received:
            raise Interrupted(received[0])


@contextlib.contextmanager
def held_back():
    """Hold the first signal back until the block asks for it.

    Yields a function that raises Interrupted if a signal has been received. The end of
    the block asks as well.
    """
    received = []

    def raise_if_received():
        if received:
            raise Interrupted(received[0])

    with _first_signal(received.append):
        yield raise_if_received
    raise_if_received()


@contextlib.contextmanager
def _first_signal(react):
    """Call `react` with the first signal, then restore the system's default handlers.

    The default handlers stay after the block: a process that was told to stop must be
    killable until its very end.
    """

    def handle(number, frame):
        for each in SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        react(number)

    # nohup ignores SIGHUP; it stays ignored.
    heeded = [
        each
        for each in SIGNALS
        if each in SIGNALS[:2] or signal.getsignal(each) != signal.SIG_IGN
    ]
    previous = {each: signal.signal(each, handle) for each in heeded}
    try:
        yield
    finally:
        for each, handler in previous.items():
            if signal.getsignal(each) is handle:
                signal.signal(each, handler)
