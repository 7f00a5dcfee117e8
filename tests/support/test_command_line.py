"""What every command does with errors, signals and exit codes."""

import os
import signal
import subprocess
import sys

import pytest

from ramnp.support import command_line, process
from ramnp.support.errors import DivergenceError, UserError
from ramnp.support.signals import Interrupted

NOTED = Interrupted(signal.SIGTERM)
NOTED.add_note("after step 3")


@pytest.mark.parametrize(
    ("outcome", "code", "complaint"),
    [
        (0, 0, ""),
        (130, 130, ""),
        (UserError("--x 3: too many"), 2, "error: --x 3: too many\n"),
        (UserError("--task a\nb: unknown"), 2, "error: --task a b: unknown\n"),
        (DivergenceError("step 3"), 3, "error: step 3\n"),
        (Interrupted(signal.SIGINT), 130, "interrupted\n"),
        (Interrupted(signal.SIGTERM), 143, "interrupted\n"),
        (NOTED, 143, "interrupted after step 3\n"),
        (
            PermissionError(13, "Permission denied", "/x/y"),
            2,
            "error: /x/y: Permission denied; check that it can be used\n",
        ),
    ],
)
def test_user_errors_are_one_line_and_an_exit_code(
    outcome, code, complaint, capsys, monkeypatch
):
    """2 for bad input, 3 for divergence, 130 and 143 for the two signals."""
    monkeypatch.setattr(sys, "argv", ["name", "--x", "3"])

    def main(arguments):
        assert arguments == ["--x", "3"]
        if isinstance(outcome, int):
            return outcome
        raise outcome

    with pytest.raises(SystemExit) as stop:
        command_line.run(main)
    assert stop.value.code == code
    assert capsys.readouterr().err == complaint


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_signal_at_any_time_is_one_line(number, code, capsys):
    """Even in a command that saves nothing."""

    def main(arguments):
        os.kill(os.getpid(), number)

    with pytest.raises(SystemExit) as stop:
        command_line.run(main)
    assert stop.value.code == code
    assert capsys.readouterr().err == "interrupted\n"


def test_too_little_memory_is_one_line(capsys):
    """Sizes beyond the memory are bad input, not a bug."""

    def main(arguments):
        raise MemoryError

    with pytest.raises(SystemExit) as stop:
        command_line.run(main)
    assert stop.value.code == 2
    assert "not enough memory" in capsys.readouterr().err


def test_a_bug_keeps_its_traceback():
    """It is not hidden behind one line."""

    def main(arguments):
        raise ZeroDivisionError("a bug")

    with pytest.raises(ZeroDivisionError):
        command_line.run(main)


def test_a_closed_pipe_is_no_traceback():
    """As in `python -m ramnp.evaluate RUN | head -0`."""
    program = (
        "from ramnp.support import command_line as command\n"
        "def main(arguments):\n"
        "    print('x' * 1_000_000)\n"
        "command.run(main)\n"
    )
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", program], **pipes) as process:
        process.stdout.close()
        assert process.stderr.read() == b""


def test_a_supervised_command_stops_with_its_stdin():
    """The end of stdin acts as SIGTERM: its supervisor is gone."""
    program = (
        "import time\n"
        "from ramnp.support import command_line\n"
        "def main(arguments):\n"
        "    print('started', flush=True)\n"
        "    time.sleep(600)\n"
        "command_line.run(main)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env=os.environ | {process.SUPERVISED: "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        assert command.stdout.readline() == "started\n"
        _, complaint = command.communicate()
    assert (command.returncode, complaint) == (143, "interrupted\n")


@pytest.mark.parametrize("threads", [0, -1, 5000])
def test_threads_out_of_range_are_refused(threads):
    """The line names the option."""
    parser = command_line.Parser()
    command_line.add_data_and_threads(parser)
    with pytest.raises(UserError, match=f"--threads {threads}"):
        parser.parse_args([f"--threads={threads}"])


@pytest.mark.parametrize(
    ("closed", "encoding"),
    [
        *(((), "utf-8"), ((0,), "ascii"), ((1,), "cp1252"), ((2,), "utf-8")),
        *(((), "ascii"), ((1,), "utf-8"), ((2,), "cp1252"), ((0, 1, 2), "ascii")),
    ],
)
def test_any_output_works_on_any_streams(closed, encoding, tmp_path):
    """Closed ones swallow it, narrow ones escape it; no file takes their numbers."""
    script = f"""
import os
from ramnp.support import command_line
def main(arguments):
    number = os.open({str(tmp_path / "file")!r}, os.O_WRONLY | os.O_CREAT)
    print("\u03bcbung \u4e2d")
    raise command_line.UserError("\u4e2d" + " low" * (number < 3))
command_line.run(main)
"""
    path = tmp_path / "script.py"
    path.write_text(script, encoding="utf-8")
    streams = "".join(f" {n}{'<' if n == 0 else '>'}&-" for n in closed)
    done = subprocess.run(
        f"exec {sys.executable} {path}{streams}",
        shell=True,
        check=False,
        capture_output=True,
        env={
            "PYTHONPATH": process.search_path(),
            "PYTHONIOENCODING": encoding,
            "PATH": os.environ["PATH"],
        },
    )
    assert done.returncode == 2
    assert (tmp_path / "file").read_bytes() == b""
    out, err = done.stdout.decode(encoding), done.stderr.decode(encoding)
    expected = "\u03bcbung \u4e2d" if encoding == "utf-8" else "bung \\u4e2d"
    assert (expected in out) == (1 not in closed)
    assert err.startswith("error: ") == (2 not in closed) and "low" not in err
