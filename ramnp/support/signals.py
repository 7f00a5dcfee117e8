"""SIGINT and SIGTERM: the first stops a command with all saved, a second one at once."""

import contextlib
import signal

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(KeyboardInterrupt):
    """A signal asked the process to stop."""

    def __init__(self, number):
        super().__init__(number)
        self.exit_code = 128 + number


@contextlib.contextmanager
def raised():
    """Within the block, the first signal raises Interrupted wherever Python is.

    Where Python is in a callback that may not fail, it ignores the exception, and a
    library may turn it into one of its own: the block ends with Interrupted all the same.
    """
    came = []

    def interrupt(number):
        came.append(number)
        raise Interrupted(number)

    with _first_signal(interrupt):
        try:
            yield
        except Interrupted:
            raise
        except BaseException as error:
            if came:
                raise Interrupted(came[0]) from error
            raise
        if came:
            raise Interrupted(came[0])


@contextlib.contextmanager
def held_back():
    """Within the block, keep the first signal until the block asks for it.

    Yields a function that raises Interrupted once a signal has come. One that nobody
    asked for is raised at the end of the block.
    """
    came = []

    def raise_if_came():
        if came:
            raise Interrupted(came[0])

    with _first_signal(came.append):
        yield raise_if_came
    raise_if_came()


@contextlib.contextmanager
def _first_signal(react):
    """Call `react` with the first signal; from then on the system deals with them.

    That lasts beyond the block: a process that was told to stop is on its way out, and
    may be told again at any moment of it.
    """

    def handle(number, frame):
        for each in SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        react(number)

    previous = {each: signal.signal(each, handle) for each in SIGNALS}
    try:
        yield
    finally:
        for each, handler in previous.items():
            if signal.getsignal(each) is handle:
                signal.signal(each, handler)
