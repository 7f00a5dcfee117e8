"""Bugs planted in the source, one at a time; the tests of the same file must notice.

    python -m tests.planted_bugs [FILE or BUG ...]

prints which test notices which bug, and exits 1 if one goes unnoticed. Each bug is
planted in a copy of the project, as if by hand: where planted_bugs.txt has lines with
a minus, it puts those with a plus. ramnp/a/b.py is judged by tests/a/test_b.py alone.
"""

import itertools
import os
import shutil
import signal
import sys
import tempfile
import traceback
from pathlib import Path

ROOT = Path(__file__).parents[1]
PATIENCE = 300  # seconds: a bug that makes a test hang is noticed, too


def read_table():
    """Return {file: {bug: [text of the file, its replacement, ...]}}."""
    table, name = {}, None
    for line in (ROOT / "tests" / "planted_bugs.txt").read_text("utf-8").splitlines():
        sign, _, text = line.partition(" ")
        if sign == "==":
            bugs_of_file = table[text] = {}
        elif sign in ("-", "+"):
            bugs_of_file[name].append((sign, text))
        elif line:
            name = line
            bugs_of_file[name] = []
    return {
        file: {name: _joined(lines) for name, lines in bugs_of_file.items()}
        for file, bugs_of_file in table.items()
    }


def _joined(lines):
    """Return [old, new, ...], each of them neighbouring lines with one sign."""
    return [
        "\n".join(text for _, text in same)
        for _, same in itertools.groupby(lines, key=lambda line: line[0])
    ]


def bugs(chosen=()):
    """Return (file, name, replacements) of the chosen bugs, by either name, or of all."""
    return [
        (file, name, replacements)
        for file, bugs_of_file in read_table().items()
        for name, replacements in bugs_of_file.items()
        if not chosen or file in chosen or name in chosen
    ]


def planted(file, replacements):
    """Return the source of a file with its replacements, each of which must fit once."""
    source = (ROOT / "ramnp" / file).read_text("utf-8")
    for old, new in zip(replacements[::2], replacements[1::2], strict=True):
        if source.count(old) != 1:
            raise ValueError(f"{file} holds {source.count(old)} times: {old}")
        source = source.replace(old, new)
    return source


def test_of(file):
    """Return the path of the test of a file."""
    folder, _, name = file.rpartition("/")
    return Path("tests", folder, f"test_{name}")


class _FirstFailure:
    """Notes the first test that fails, in a file."""

    def __init__(self, path):
        self._path = path

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self._path.write_text(report.nodeid.partition("::")[2], "utf-8")

    def pytest_collectreport(self, report):
        if report.failed:
            self._path.write_text("(import)", "utf-8")


def _judge(file, replacements, folder):
    """Plant a bug in a copy of the project, and run the test of its file there."""
    import pytest

    for name in ("ramnp", "tests"):
        shutil.copytree(ROOT / name, folder / name)
    for path in ROOT.iterdir():
        if path.name not in ("ramnp", "tests"):
            (folder / path.name).symlink_to(path)
    (folder / "ramnp" / file).write_text(planted(file, replacements), "utf-8")
    os.chdir(folder)
    here = {"", str(ROOT), str(ROOT / "tests")}
    sys.path[:] = [str(folder), *(path for path in sys.path if path not in here)]
    for name in [*sys.modules]:
        if name.partition(".")[0] in ("ramnp", "tests"):
            del sys.modules[name]
    output = os.open("output", os.O_WRONLY | os.O_CREAT)
    os.dup2(output, 1)
    os.dup2(output, 2)
    signal.alarm(PATIENCE)
    options = ["-x", "-q", "-n0", "-p", "no:cacheprovider"]
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    return pytest.main(
        [*options, str(test_of(file))], plugins=[_FirstFailure(folder / "noticed")]
    )


def noticed(chosen, jobs):
    """Yield (bug, the test that notices it or "") of the bugs, `jobs` at a time."""
    # What each copy would import again.
    import hypothesis  # noqa: F401
    import matplotlib.figure  # noqa: F401
    import pytest  # noqa: F401
    import scipy.stats  # noqa: F401

    waiting, running = list(reversed(chosen)), {}
    while waiting or running:
        while waiting and len(running) < jobs:
            bug = waiting.pop()
            folder = Path(tempfile.mkdtemp(prefix="planted-"))
            sys.stdout.flush()
            pid = os.fork()
            if not pid:
                try:
                    os._exit(_judge(bug[0], bug[2], folder))
                except BaseException:  # noqa: BLE001
                    traceback.print_exc()
                    os._exit(99)
            running[pid] = bug, folder
        pid, status = os.wait()
        bug, folder = running.pop(pid)
        test = folder / "noticed"
        code = os.waitstatus_to_exitcode(status)
        if code == -signal.SIGALRM:
            found = "(hangs)"
        elif code and not test.exists():
            raise RuntimeError(f"{bug[0]}, {bug[1]}: see {folder / 'output'}")
        else:
            found = test.read_text("utf-8") if code else ""
        shutil.rmtree(folder)
        yield bug, found


def main(chosen):
    """Print which test notices which bug; return 1 if one goes unnoticed."""
    missed = 0
    for (file, name, _), test in noticed(bugs(chosen), os.cpu_count()):
        missed += not test
        print(f"{file}: {name}: {test or 'NOT NOTICED'}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # no other threads while forking
    sys.exit(main(sys.argv[1:]))
